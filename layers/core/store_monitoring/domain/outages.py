"""Outages: maximal stretches of business time in which a store is down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from store_monitoring.domain.business_time import BusinessTime
from store_monitoring.domain.known_polls import NO_POLL, KnownPolls
from store_monitoring.domain.model import Bools, Int64s, Stores
from store_monitoring.domain.parameters import HOUR_US
from store_monitoring.domain.statuses import Statuses
from store_monitoring.domain.time_zones import offsets_us
from store_monitoring.domain.windows import Windows

Hours = NDArray[np.uint8]

_EPOCH_HOUR_OF_WEEK = 3 * 24  # 1970-01-01 was a Thursday; hours count from Monday 00:00
_HOURS_OF_WEEK = 7 * 24


@dataclass(frozen=True, slots=True)
class Outages:
    """Outages of stores, sorted by store and time. Instants are microseconds UTC.

    Attributes
    ----------
    store : int64 (outages,)
    incident : int64 (outages,)
        Number of the incident, counted per store from 1 in order of time. Outages that only
        closing time splits, since the store stays inactive, are the same incident.
    start_us, end_us : int64 (outages,)
        All of it is business time, so its business duration is the difference.
    last_up_us : int64 (outages,)
        The last active poll before the incident, or `NO_POLL`.
    next_up_us : int64 (outages,)
        The active poll that ended the incident, or `NO_POLL`.
    """

    store: Int64s
    incident: Int64s
    start_us: Int64s
    end_us: Int64s
    last_up_us: Int64s
    next_up_us: Int64s

    @property
    def columns(self) -> tuple[Int64s, ...]:
        """The attributes, in order."""
        return tuple(getattr(self, name) for name in self.__slots__)

    @property
    def begins_incident(self) -> Bools:
        """Whether each outage is the first of its incident."""
        other_store: Bools = np.diff(self.store, prepend=-1) != 0
        other_incident: Bools = np.diff(self.incident, prepend=-1) != 0
        return other_store | other_incident

    def where(self, mask: Bools | slice) -> "Outages":
        """Return the outages that `mask` selects."""
        return Outages(*(column[mask] for column in self.columns))

    def is_ongoing(self, open_at_end: Bools, end_us: Int64s) -> Bools:
        """Return which outages continue at the end of the windows, as far as is known.

        Parameters
        ----------
        open_at_end : bool (stores,)
            Whether the end of each store's last window is business time.
        end_us : int64 (stores,)
            That end.
        """
        at_end: Bools = (self.end_us == end_us[self.store]) & (self.next_up_us == NO_POLL)
        return at_end & open_at_end[self.store]


_NONE = np.empty(0, np.int64)
NO_OUTAGES = Outages(*[_NONE] * 6)


@dataclass(frozen=True, slots=True)
class OutageFigures:
    """Figures of the outages in disjoint windows; an outage counts in each that it overlaps.

    Attributes
    ----------
    count, longest_us : int64 (windows,)
        Number of outages, and length of the longest one within the window; 0 without outages.
    incidents : int64 (windows,)
        Number of incidents.
    recoveries, recovery_us : int64 (windows,)
        Number of incidents that an active poll ended and whose last outage ends in the window, and
        the total length of all their outages.
    starts : int64 (windows,)
        Number of outages that start in the window.
    hours : uint8 (outages,)
        Local hour of the week in which each outage starts: 0 is Monday, 00:00 to 01:00. The outages
        are in order of the windows in which they start, `starts` of them in each.
    """

    count: Int64s
    longest_us: Int64s
    incidents: Int64s
    recoveries: Int64s
    recovery_us: Int64s
    starts: Int64s
    hours: Hours


class OutageTracker:
    """Finds the outages in disjoint windows, given statuses piece by piece in order of time.

    Outages are pending until an active poll ends their incident: a later piece may extend them.
    Of other outages only figures are kept; with `keep_all`, the outages too, in 50 bytes each.

    For example, a store is open from 9:00 to 17:00. It is active on Monday at 10:00, inactive on
    Monday at 12:00, and active on Tuesday at 11:00. The first piece ends on Monday at 20:00. It has
    the outage from 12:00 to 17:00, the first one of incident 1, which is pending. In the second
    piece the store is still inactive, so its outage on Tuesday from 9:00 to 11:00 belongs to
    incident 1, too. The active poll ends the incident, and both outages are recorded. If the first
    piece ended on Monday at 14:00, the second one would begin with the outage from 14:00 to 17:00,
    which extends the pending one from 12:00 to 14:00.
    """

    def __init__(
        self, stores: Stores, open_time: BusinessTime, windows: Windows, *, keep_all: bool = False
    ) -> None:
        self._stores = stores
        self._open_time = open_time
        self._keep_all = keep_all
        self._window_start = open_time.span.position(windows.store, windows.start_us)
        self._window_end = open_time.span.position(windows.store, windows.end_us)
        self._last_up_us = np.full(stores.count, NO_POLL)
        self._incident_count = np.zeros(stores.count, np.int64)
        self._pending = NO_OUTAGES
        self._ended = [NO_OUTAGES]
        self._count, self._longest_us, self._incidents, self._recoveries, self._recovery_us = (
            np.zeros(len(windows.store), np.int64) for _ in range(5)
        )
        self._starts = [np.zeros_like(self._count)]
        self._hours = [np.empty(0, np.uint8)]

    def add(self, known: KnownPolls, changes: Statuses) -> None:
        """Add the next piece.

        Parameters
        ----------
        known : KnownPolls
            Polls of the piece, and each store's last poll before it.
        changes : Statuses
            Those of `status_changes`.
        """
        outages = self._find_outages(known, changes)
        has_ended = outages.next_up_us != NO_POLL
        self._pending = outages.where(~has_ended)
        self._record(outages.where(has_ended))

    def _find_outages(self, known: KnownPolls, changes: Statuses) -> Outages:
        """Return the outages of the next piece, and those that were pending before it."""
        is_first = changes.poll == known.border[changes.store]
        run, last_up_us, next_up_us = self._runs(known, changes, is_first)
        resumes = is_first & ~changes.active
        pending = self._resume_pending(changes.store[resumes], next_up_us[resumes])
        down = np.flatnonzero(~changes.active & (changes.since < changes.until))
        nth, start, end = self._open_time.intervals.overlaps(
            changes.since[down], changes.until[down]
        )
        status = down[nth]
        store = changes.store[status]
        begins = np.diff(run[status], prepend=-1) != 0
        begins &= ~(is_first[run[status]] & _contains(pending.store, store, self._stores.count))
        span = self._open_time.span
        utc_us = span.start_us - store * span.length_us
        new = Outages(
            store,
            self._number_incidents(store, begins),
            start + utc_us,
            end + utc_us,
            last_up_us[status],
            next_up_us[status],
        )
        # Used only for stores whose last status is inactive: the next piece continues it.
        is_last = np.append(is_first[1:], True)[: len(is_first)]
        self._last_up_us[changes.store[is_last]] = last_up_us[is_last]
        return _merge_adjacent(pending, new)

    def _runs(
        self, known: KnownPolls, changes: Statuses, is_first: Bools
    ) -> tuple[Int64s, Int64s, Int64s]:
        """Return the run of equal statuses that each status is in, and the polls around that run.

        Parameters
        ----------
        is_first : bool (statuses,)
            Whether a status is the first one of its store.

        Returns
        -------
        run : int64 (statuses,)
            Index of the first status of the run.
        last_up_us, next_up_us : int64 (statuses,)
            If the status is inactive, the instants of the active polls before and after the run.
        """
        # The poll before an inactive status is active, and so is the next status.
        last_up_us = known.at_us(changes.poll - 1, changes.store)
        last_up_us[is_first] = self._last_up_us[changes.store[is_first]]
        next_up_us = np.append(changes.poll_us[1:], NO_POLL)[: len(is_first)]
        next_up_us[:-1][is_first[1:]] = NO_POLL
        run = np.arange(len(is_first))
        repeats = ~is_first & ~np.diff(changes.active, prepend=~changes.active[:1])
        if repeats.any():  # the previous status, an equal one, ended for lack of polls (rule 21)
            run = np.maximum.accumulate(np.where(repeats, 0, run))
            last_up_us = last_up_us[run]
            last = np.append(np.flatnonzero(~repeats)[1:], len(run)) - 1
            next_up_us = np.repeat(next_up_us[last], np.diff(last, prepend=-1))
        return run, last_up_us, next_up_us

    def finish(self) -> OutageFigures:
        """Return the figures of all outages, after the last piece."""
        self._record(self._pending)
        self._pending = NO_OUTAGES
        window = [np.repeat(np.arange(len(starts)), starts) for starts in self._starts]
        order = np.argsort(np.concatenate(window), kind="stable")
        return OutageFigures(
            self._count,
            self._longest_us,
            self._incidents,
            self._recoveries,
            self._recovery_us,
            np.sum(self._starts, axis=0),
            np.concatenate(self._hours)[order],
        )

    def outages(self) -> Outages:
        """Return all outages, after `finish`, if they were kept."""
        return sort_by_store(self._ended)

    def _resume_pending(self, store: Int64s, next_up_us: Int64s) -> Outages:
        """Return the pending outages, with the end of their incidents where it is now known."""
        end_us = np.full(self._stores.count, NO_POLL)
        end_us[store] = next_up_us
        return replace(self._pending, next_up_us=end_us[self._pending.store])

    def _number_incidents(self, store: Int64s, begins: Bools) -> Int64s:
        """Return the number of each outage's incident, and count the incidents that begin."""
        begun = np.bincount(store[begins], minlength=self._stores.count)
        of_earlier_stores = np.cumsum(begun) - begun
        number = (self._incident_count - of_earlier_stores)[store] + np.cumsum(begins)
        self._incident_count += begun
        return number

    def _record(self, outages: Outages) -> None:
        """Add the outages of complete incidents to the figures."""
        if not len(outages.store):
            return
        store, span = outages.store, self._open_time.span
        start, end = span.position(store, outages.start_us), span.position(store, outages.end_us)
        # Outages first … last − 1 overlap a window. Those before `ended` also end in it.
        first = np.searchsorted(end, self._window_start, side="right")
        last = np.searchsorted(start, self._window_end)
        overlaps = first < last
        ended = last - (overlaps & (end[last - 1] > self._window_end))

        begins = outages.begins_incident
        begun = np.append(0, np.cumsum(begins))
        continues = overlaps & ~np.append(begins, True)[first]
        recovers = np.append(begins[1:], True) & (outages.next_up_us != NO_POLL)
        recovered = np.append(0, np.cumsum(recovers))
        length_us = end - start
        of_incident_us = np.add.reduceat(length_us, np.flatnonzero(begins))[begun[1:] - 1]
        recovery_us = np.append(0, np.cumsum(np.where(recovers, of_incident_us, 0)))

        self._count += last - first
        self._incidents += begun[last] - begun[first] + continues
        self._recoveries += recovered[ended] - recovered[first]
        self._recovery_us += recovery_us[ended] - recovery_us[first]
        # The first and the last outage of a window may begin before it and end after it.
        longest_us = _range_max(length_us, first + 1, last - 1)
        window = np.flatnonzero(overlaps)
        for cut in (first[window], last[window] - 1):
            within_us = np.minimum(end[cut], self._window_end[window]) - np.maximum(
                start[cut], self._window_start[window]
            )
            longest_us[window] = np.maximum(longest_us[window], within_us)
        np.maximum(self._longest_us, longest_us, out=self._longest_us)
        self._starts.append(np.diff(last, prepend=0))
        self._hours.append(self._hours_of_week(outages))
        if self._keep_all:
            self._ended.append(outages)

    def _hours_of_week(self, outages: Outages) -> Hours:
        span = self._open_time.span
        offset_us = offsets_us(
            self._stores.zone_names,
            self._stores.zone[outages.store],
            outages.start_us,
            span.start_us,
            span.end_us,
        )
        hour = (outages.start_us + offset_us) // HOUR_US + _EPOCH_HOUR_OF_WEEK
        return (hour % _HOURS_OF_WEEK).astype(np.uint8)


def _range_max(values: Int64s, first: Int64s, last: Int64s) -> Int64s:
    """Return the maximum of values[first:last] for each pair of bounds; 0 for an empty range.

    >>> _range_max(np.array([3, 9, 4]), np.array([1, 2, 0]), np.array([3, 2, 1])).tolist()
    [9, 0, 3]
    """
    some = np.flatnonzero(first < last)
    greatest = np.zeros_like(first)
    if len(some):
        ranges = np.column_stack([first[some], last[some]]).ravel()
        greatest[some] = np.maximum.reduceat(np.append(values, 0), ranges)[::2]
    return greatest


def _contains(some: Int64s, values: Int64s, count: int) -> Bools:
    """Return for each of `values` whether it is among `some`; all are from 0 to `count` − 1."""
    contained = np.zeros(count, np.bool_)
    contained[some] = True
    return contained[values]


def sort_by_store(outages: Sequence[Outages]) -> Outages:
    """Return one or more sets of outages as one, sorted by store (a stable sort)."""
    order = np.argsort(np.concatenate([each.store for each in outages]), kind="stable")
    # Column by column: only one extra column is in memory at a time.
    columns = zip(*(each.columns for each in outages), strict=True)
    return Outages(*(np.concatenate(parts)[order] for parts in columns))


def _merge_adjacent(pending: Outages, new: Outages) -> Outages:
    """Return all outages; a new one that begins where a pending one ends extends it."""
    if not len(pending.store):
        return new
    every = sort_by_store([pending, new])
    begins = np.append(
        True, (np.diff(every.store) != 0) | (every.start_us[1:] != every.end_us[:-1])
    )
    ends = np.append(begins[1:], True)
    return replace(every.where(begins), end_us=every.end_us[ends])

"""Outages: maximal stretches of business time in which a store is down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from store_monitoring.domain.business_time import BusinessTime, Span
from store_monitoring.domain.known_polls import NO_POLL, KnownPolls
from store_monitoring.domain.model import Bools, Int64s, Stores
from store_monitoring.domain.parameters import DAY_US, EPOCH_WEEKDAY, HOUR_US, WEEK_US
from store_monitoring.domain.runs import begins_run, ends_run, last_of_runs, range_max, range_sum
from store_monitoring.domain.statuses import Statuses
from store_monitoring.domain.time_zones import offsets_us
from store_monitoring.domain.windows import Windows

Hours = NDArray[np.uint8]


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
        return begins_run(self.store) | begins_run(self.incident)

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
        self._open_time = open_time
        self._keep_all = keep_all
        self._last_up_us = np.full(stores.count, NO_POLL)
        self._incident_count = np.zeros(stores.count, np.int64)
        self._pending = NO_OUTAGES
        self._recorded = [NO_OUTAGES]
        self._figures = _FiguresBuilder(stores, open_time.span, windows)

    def add(self, known: KnownPolls, changes: Statuses) -> None:
        """Add the next piece.

        Parameters
        ----------
        known : KnownPolls
            Polls of the piece, and each store's last poll before it.
        changes : Statuses
            Those of `status_changes`.
        """
        runs = self._runs(known, changes)
        pending = self._with_next_up(changes, runs)
        outages = _merge_adjacent(pending, self._new_outages(changes, runs))
        has_ended = outages.next_up_us != NO_POLL
        self._pending = outages.where(~has_ended)
        self._record(outages.where(has_ended))
        # If a store's last status is inactive, the next piece begins with it. Otherwise this value
        # is not used.
        is_last = ends_run(runs.is_first)
        self._last_up_us[changes.store[is_last]] = runs.last_up_us[is_last]

    def finish(self) -> OutageFigures:
        """Return the figures of all outages, after the last piece."""
        self._record(self._pending)
        self._pending = NO_OUTAGES
        return self._figures.figures()

    def outages(self) -> Outages:
        """Return all outages, after `finish`, if they were kept."""
        return sort_by_store(self._recorded)

    def _record(self, outages: Outages) -> None:
        """Add the outages of complete incidents to the figures."""
        if len(outages.store):
            self._figures.add(outages)
            if self._keep_all:
                self._recorded.append(outages)

    def _runs(self, known: KnownPolls, changes: Statuses) -> "_Runs":
        """Return the run of equal statuses that each status is in."""
        count = len(changes.poll)
        is_first = changes.poll == known.border[changes.store]
        # The poll before an inactive status is active, and so is the store's next status. A store's
        # first status has the last active poll of earlier pieces.
        last_up_us = known.at_us(changes.poll - 1, changes.store)
        last_up_us[is_first] = self._last_up_us[changes.store[is_first]]
        next_up_us = np.append(changes.poll_us[1:], NO_POLL)[:count]
        next_up_us[ends_run(is_first)] = NO_POLL
        begins = is_first | begins_run(changes.active)
        if begins.all():
            return _Runs(is_first, np.arange(count), last_up_us, next_up_us)
        # Some status repeats the one before it, which ended for lack of polls (rule 21).
        first = np.flatnonzero(begins)
        last = last_of_runs(first, count)
        length = last - first + 1
        return _Runs(
            is_first,
            np.repeat(first, length),
            np.repeat(last_up_us[first], length),
            np.repeat(next_up_us[last], length),
        )

    def _with_next_up(self, changes: Statuses, runs: "_Runs") -> Outages:
        """Return the pending outages, with the end of their incidents where it is now known."""
        resumed = runs.is_first & ~changes.active
        next_up_us = np.full(len(self._incident_count), NO_POLL)  # of each store
        next_up_us[changes.store[resumed]] = runs.next_up_us[resumed]
        return replace(self._pending, next_up_us=next_up_us[self._pending.store])

    def _new_outages(self, changes: Statuses, runs: "_Runs") -> Outages:
        """Return the business time of the piece in which stores are down.

        Outages of one run are one incident. That of a store's first run is the pending one, if the
        store has one.
        """
        down = np.flatnonzero(~changes.active & (changes.since < changes.until))
        nth, start, end = self._open_time.intervals.overlaps(
            changes.since[down], changes.until[down]
        )
        status = down[nth]  # of each outage
        store, run = changes.store[status], runs.first[status]
        has_pending = np.zeros(len(self._incident_count), np.bool_)
        has_pending[self._pending.store] = True
        begins_incident = begins_run(run) & ~(runs.is_first[run] & has_pending[store])
        span = self._open_time.span
        return Outages(
            store,
            self._number_incidents(store, begins_incident),
            span.instant_us(store, start),
            span.instant_us(store, end),
            runs.last_up_us[status],
            runs.next_up_us[status],
        )

    def _number_incidents(self, store: Int64s, begins: Bools) -> Int64s:
        """Return the number of each outage's incident, and count the incidents that begin."""
        begun = np.bincount(store[begins], minlength=len(self._incident_count))
        begun_in_earlier_stores = np.cumsum(begun) - begun
        number = (self._incident_count - begun_in_earlier_stores)[store] + np.cumsum(begins)
        self._incident_count += begun
        return number


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of equal statuses of a store, for each status of a piece.

    A run is one status, except where statuses end for lack of polls (rule 21).

    Attributes
    ----------
    is_first : bool (statuses,)
        Whether the status is the first one of its store.
    first : int64 (statuses,)
        Index of the first status of its run.
    last_up_us, next_up_us : int64 (statuses,)
        If the status is inactive, the active polls before and after its run, or `NO_POLL`.
    """

    is_first: Bools
    first: Int64s
    last_up_us: Int64s
    next_up_us: Int64s


class _FiguresBuilder:
    """Adds up the figures of outages, incident by incident."""

    def __init__(self, stores: Stores, span: Span, windows: Windows) -> None:
        self._stores = stores
        self._span = span
        self._window_start = span.position(windows.store, windows.start_us)
        self._window_end = span.position(windows.store, windows.end_us)
        self._count, self._longest_us, self._incidents, self._recoveries, self._recovery_us = (
            np.zeros(len(windows.store), np.int64) for _ in range(5)
        )
        self._starts = [np.zeros_like(self._count)]
        self._hours = [np.empty(0, np.uint8)]

    def add(self, outages: Outages) -> None:
        """Add all outages of some incidents, at least one, sorted by store and time."""
        start = self._span.position(outages.store, outages.start_us)
        end = self._span.position(outages.store, outages.end_us)
        # Outages first … last − 1 overlap a window. Those before `ended` also end in it.
        first = np.searchsorted(end, self._window_start, side="right")
        last = np.searchsorted(start, self._window_end)
        overlaps = first < last
        ended = last - (overlaps & (end[last - 1] > self._window_end))

        self._count += last - first
        longest_us = self._longest_within(start, end, first, last)
        np.maximum(self._longest_us, longest_us, out=self._longest_us)

        begins = outages.begins_incident
        # The first outage in a window may continue an incident that began before the window.
        continues = overlaps & ~np.append(begins, True)[first]
        self._incidents += range_sum(begins, first, last) + continues

        ends = ends_run(begins)
        recovers = ends & (outages.next_up_us != NO_POLL)
        incident_us = np.zeros_like(start)  # at the last outage of each incident
        incident_us[ends] = np.add.reduceat(end - start, np.flatnonzero(begins))
        self._recoveries += range_sum(recovers, first, ended)
        self._recovery_us += range_sum(np.where(recovers, incident_us, 0), first, ended)

        # Outages that start before a window's end and not before that of the previous window: they
        # start in this one, since the windows of a store leave no gaps.
        self._starts.append(np.diff(last, prepend=0))
        self._hours.append(self._hours_of_week(outages))

    def _longest_within(self, start: Int64s, end: Int64s, first: Int64s, last: Int64s) -> Int64s:
        """Return the length of the longest outage within each window; 0 without outages."""
        # Only the first and the last outage of a window may begin before it or end after it.
        longest_us = range_max(end - start, first + 1, last - 1)
        window = np.flatnonzero(first < last)
        for outage in (first[window], last[window] - 1):
            within_us = np.minimum(end[outage], self._window_end[window]) - np.maximum(
                start[outage], self._window_start[window]
            )
            longest_us[window] = np.maximum(longest_us[window], within_us)
        return longest_us

    def _hours_of_week(self, outages: Outages) -> Hours:
        offset_us = offsets_us(
            self._stores.zone_names,
            self._stores.zone[outages.store],
            outages.start_us,
            self._span.start_us,
            self._span.end_us,
        )
        since_monday_us = (outages.start_us + offset_us + EPOCH_WEEKDAY * DAY_US) % WEEK_US
        return (since_monday_us // HOUR_US).astype(np.uint8)

    def figures(self) -> OutageFigures:
        """Return the figures of all outages that were added."""
        # Each call of `add` has given the hours in order of the windows; now all of them are.
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


def _merge_adjacent(pending: Outages, new: Outages) -> Outages:
    """Return all outages; a new one that begins where a pending one ends extends it."""
    if not len(pending.store):
        return new
    every = sort_by_store([pending, new])
    begins = begins_run(every.store)
    begins[1:] |= every.start_us[1:] != every.end_us[:-1]
    return replace(every.where(begins), end_us=every.end_us[ends_run(begins)])


def sort_by_store(outages: Sequence[Outages]) -> Outages:
    """Return one or more sets of outages as one, sorted by store (a stable sort)."""
    order = np.argsort(np.concatenate([each.store for each in outages]), kind="stable")
    # Column by column: only one extra column is in memory at a time.
    columns = zip(*(each.columns for each in outages), strict=True)
    return Outages(*(np.concatenate(parts)[order] for parts in columns))

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

Hours = NDArray[np.uint8]

_EPOCH_HOUR_OF_WEEK = 3 * 24  # 1970-01-01 was a Thursday; hours count from Monday 00:00
_HOURS_OF_WEEK = 7 * 24


@dataclass(frozen=True, slots=True)
class Outages:
    """Outages of stores, by store and time. Instants are microseconds UTC.

    Attributes
    ----------
    store : int64 (outages,)
    incident : int64 (outages,)
        Number of the incident, per store from 1 in order of time. Outages of one unbroken
        inactive status, which only closing time splits, are the same incident.
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
        """Whether each is the first outage of its incident."""
        other_store: Bools = np.diff(self.store, prepend=-1) != 0
        other_incident: Bools = np.diff(self.incident, prepend=-1) != 0
        return other_store | other_incident

    def where(self, mask: Bools | slice) -> "Outages":
        """Return the outages that `mask` selects."""
        return Outages(*(column[mask] for column in self.columns))

    def is_ongoing(self, open_now: Bools, now_us: int) -> Bools:
        """Return which outages last until now: the store is down, and now is business time."""
        down_now: Bools = (self.end_us == now_us) & (self.next_up_us == NO_POLL)
        return down_now & open_now[self.store]


NO_OUTAGES = Outages(*[np.empty(0, np.int64)] * 6)


@dataclass(frozen=True, slots=True)
class OutageFigures:
    """Figures of each store's outages in a week.

    Attributes
    ----------
    count, longest_us : int64 (stores,)
        Number of outages, and length of the longest one; 0 without outages.
    incidents, recoveries, recovery_us : int64 (stores,)
        Number of incidents, number of those that an active poll ended, and the total length of
        their outages.
    hours : uint8 (outages,)
        Local hour of the week in which each outage starts, 0 on Mondays at 00:00: by store and
        time.
    """

    count: Int64s
    longest_us: Int64s
    incidents: Int64s
    recoveries: Int64s
    recovery_us: Int64s
    hours: Hours


class OutageTracker:
    """Finds the outages in a week whose statuses come stretch by stretch, in order of time.

    Of the outages that no later stretch can change, only figures are kept. With `keep_all`, the
    outages themselves are kept, too, in about 50 bytes each.
    """

    def __init__(self, stores: Stores, open_time: BusinessTime, *, keep_all: bool = False) -> None:
        self._stores = stores
        self._open_time = open_time
        self._keep_all = keep_all
        self._last_up_us = np.full(stores.count, NO_POLL)
        self._pending = NO_OUTAGES  # of incidents that have not ended yet
        self._ended: list[Outages] = []
        self._count, self._longest_us, self._incidents, self._recoveries, self._recovery_us = (
            np.zeros(stores.count, np.int64) for _ in range(5)
        )
        self._hours: list[tuple[Int64s, Hours]] = []

    def add(self, known: KnownPolls, changes: Statuses) -> None:
        """Add the next stretch.

        Parameters
        ----------
        known : KnownPolls
            Polls of the stretch, and each store's last poll before it.
        changes : Statuses
            Those of `status_changes`.
        """
        is_first = changes.poll == known.border[changes.store]
        is_last = np.append(is_first[1:], True)[: len(is_first)]
        # For an inactive status, the poll before it is active, and so is the next status.
        poll_before_us = known.at_us(changes.poll - 1, changes.store)
        last_up_us = np.where(is_first, self._last_up_us[changes.store], poll_before_us)
        next_us = np.append(changes.poll_us[1:], NO_POLL)[: len(is_last)]
        next_up_us = np.where(is_last, NO_POLL, next_us)

        resumes = is_first & ~changes.active
        pending = self._resumed(changes.store[resumes], next_up_us[resumes])
        down = np.flatnonzero(~changes.active & (changes.since < changes.until))
        nth, start, end = self._open_time.intervals.overlaps(
            changes.since[down], changes.until[down]
        )
        status = down[nth]
        store = changes.store[status]
        begins = np.diff(status, prepend=-1) != 0
        begins &= ~(is_first[status] & _contains(pending.store, store, self._stores.count))
        week = self._open_time.span
        utc_us = week.start_us - store * week.length_us
        new = Outages(
            store,
            self._numbered(store, begins),
            start + utc_us,
            end + utc_us,
            last_up_us[status],
            next_up_us[status],
        )
        found = _joined(pending, new)
        has_ended = found.next_up_us != NO_POLL
        self._record(found.where(has_ended))
        self._pending = found.where(~has_ended)

        # Read only of stores whose last status is inactive: the next stretch continues it.
        self._last_up_us[changes.store[is_last]] = last_up_us[is_last]

    def finish(self) -> OutageFigures:
        """Return the figures of all outages, after the last stretch."""
        self._record(self._pending)
        self._pending = NO_OUTAGES
        store, hours = (np.concatenate(columns) for columns in zip(*self._hours, strict=True))
        return OutageFigures(
            self._count,
            self._longest_us,
            self._incidents,
            self._recoveries,
            self._recovery_us,
            hours[np.argsort(store, kind="stable")],
        )

    def outages(self) -> Outages:
        """Return all outages, after `finish`, if they were kept."""
        return by_store(self._ended)

    def _resumed(self, store: Int64s, next_up_us: Int64s) -> Outages:
        """Return the pending outages, and the end of their incidents where it is known now."""
        end_us = np.full(self._stores.count, NO_POLL)
        end_us[store] = next_up_us
        return replace(self._pending, next_up_us=end_us[self._pending.store])

    def _numbered(self, store: Int64s, begins: Bools) -> Int64s:
        """Return the numbers of incidents; count those that begin."""
        begun = np.bincount(store[begins], minlength=self._stores.count)
        of_earlier_stores = np.cumsum(begun) - begun
        number = (self._incidents - of_earlier_stores)[store] + np.cumsum(begins)
        self._incidents += begun
        return number

    def _record(self, outages: Outages) -> None:
        """Add the outages of whole incidents to the figures."""
        store, count = outages.store, self._stores.count
        length_us = outages.end_us - outages.start_us
        recovered = outages.next_up_us != NO_POLL
        self._count += np.bincount(store, minlength=count)
        np.maximum.at(self._longest_us, store, length_us)
        self._recoveries += np.bincount(store[outages.begins_incident & recovered], minlength=count)
        np.add.at(self._recovery_us, store[recovered], length_us[recovered])
        week = self._open_time.span
        offset_us = offsets_us(
            self._stores.zone_names,
            self._stores.zone[store],
            outages.start_us,
            week.start_us,
            week.end_us,
        )
        hour = (outages.start_us + offset_us) // HOUR_US + _EPOCH_HOUR_OF_WEEK
        self._hours.append((store, (hour % _HOURS_OF_WEEK).astype(np.uint8)))
        if self._keep_all:
            self._ended.append(outages)


def _contains(some: Int64s, values: Int64s, count: int) -> Bools:
    """Return for each of `values`, from 0 to `count`, whether it is among `some`."""
    contained = np.zeros(count, np.bool_)
    contained[some] = True
    return contained[values]


def by_store(outages: Sequence[Outages]) -> Outages:
    """Return one or more sets of outages by store, those of each store in the given order."""
    order = np.argsort(np.concatenate([each.store for each in outages]), kind="stable")
    # Column by column, to hold only one of them besides the sets and the result.
    columns = zip(*(each.columns for each in outages), strict=True)
    return Outages(*(np.concatenate(parts)[order] for parts in columns))


def _joined(pending: Outages, new: Outages) -> Outages:
    """Return all outages; those that begin where a pending one ends are one with it."""
    if not len(pending.store):
        return new
    every = by_store([pending, new])
    begins = np.append(
        True, (np.diff(every.store) != 0) | (every.start_us[1:] != every.end_us[:-1])
    )
    ends = np.append(begins[1:], True)
    return replace(every.where(begins), end_us=every.end_us[ends])

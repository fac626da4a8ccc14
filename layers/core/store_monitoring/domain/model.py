"""Inputs and result of the computation as arrays: stores, their calendars, polls, totals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """Rows of weekly opening hours, any number per store, in any order.

    Attributes
    ----------
    store : int64 (rows,)
        Index of the row's store in `Stores`.
    day : int64 (rows,)
        Day of the week; 0 is Monday (rule 1).
    start_us, end_us : int64 (rows,)
        Local times of day, microseconds since midnight, 0 to 24:00 inclusive.
    """

    store: Int64s
    day: Int64s
    start_us: Int64s
    end_us: Int64s


CLOSED = -1
"""Both times of a row of special hours that closes its store on that date."""


@dataclass(frozen=True, slots=True)
class SpecialHours:
    """Rows of opening hours for one date, any number per store and date, in any order.

    All rows of a store and date together replace the weekly hours of that date (rule 16).

    Attributes
    ----------
    store : int64 (rows,)
        Index of the row's store in `Stores`.
    date : int64 (rows,)
        Local date, in days since 1970-01-01.
    start_us, end_us : int64 (rows,)
        Local times of day, microseconds since midnight, 0 to 24:00 inclusive; or both `CLOSED`.
    """

    store: Int64s
    date: Int64s
    start_us: Int64s
    end_us: Int64s


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Intervals that are no business time, any number per store, in any order (rule 17).

    Attributes
    ----------
    store : int64 (intervals,)
        Index of the interval's store in `Stores`.
    start_us, end_us : int64 (intervals,)
        Microseconds UTC.
    """

    store: Int64s
    start_us: Int64s
    end_us: Int64s


_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores to compute, identified by their index 0 … count − 1.

    Attributes
    ----------
    zone : int64 (count,)
        Index of each store's time zone in `zone_names`.
    zone_names : tuple of str
        Names of the tz database.
    hours : WeeklyHours
        A store without a row is open 24×7 (rule 5), except on dates with special hours.
    special_hours : SpecialHours
    exclusions : Exclusions
    """

    zone: Int64s
    zone_names: tuple[str, ...]
    hours: WeeklyHours
    special_hours: SpecialHours = SpecialHours(_NONE, _NONE, _NONE, _NONE)
    exclusions: Exclusions = Exclusions(_NONE, _NONE, _NONE)

    @property
    def count(self) -> int:
        """Number of stores."""
        return len(self.zone)


@dataclass(frozen=True, slots=True)
class Polls:
    """Polls in any order, repeats allowed.

    Attributes
    ----------
    store : int64 (polls,)
        Index of the polled store in `Stores`.
    timestamp_us : int64 (polls,)
    active : bool (polls,)
    """

    store: Int64s
    timestamp_us: Int64s
    active: Bools

    def where(self, mask: Bools) -> "Polls":
        """Return the polls that `mask` (bool, (polls,)) selects."""
        return Polls(self.store[mask], self.timestamp_us[mask], self.active[mask])


def concat_polls(polls: Sequence[Polls]) -> Polls:
    """Return one or more sets of polls as one, in the same order."""
    return Polls(
        np.concatenate([each.store for each in polls]),
        np.concatenate([each.timestamp_us for each in polls]),
        np.concatenate([each.active for each in polls]),
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """Exact lengths of time in each window, microseconds.

    Attributes
    ----------
    uptime_us, downtime_us, no_data_us : int64 (windows,)
        They add up to the business time (rules 13 and 19).
    covered_us : int64 (windows,)
        The part of the business time that lies shortly after a poll (rule 19).
    excluded_us : int64 (windows,)
        What exclusions take out of the business time (rule 17).
    """

    uptime_us: Int64s
    downtime_us: Int64s
    no_data_us: Int64s
    covered_us: Int64s
    excluded_us: Int64s

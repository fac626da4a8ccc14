"""Inputs and result of the computation as arrays: stores, weekly hours, polls, totals."""

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
        A store without a row is open 24×7 (rule 5).
    """

    zone: Int64s
    zone_names: tuple[str, ...]
    hours: WeeklyHours

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


def joined(polls: Sequence[Polls]) -> Polls:
    """Return the concatenation of one or more sets of polls."""
    return Polls(
        np.concatenate([each.store for each in polls]),
        np.concatenate([each.timestamp_us for each in polls]),
        np.concatenate([each.active for each in polls]),
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """Exact lengths of time in each store's windows (see `WINDOWS_US`), microseconds.

    Attributes
    ----------
    uptime_us, downtime_us, no_data_us : int64 (stores, windows)
        Together they are the business time (rules 13 and 19).
    covered_us : int64 (stores, windows)
        The part of business time that lies shortly after a poll (rule 19).
    """

    uptime_us: Int64s
    downtime_us: Int64s
    no_data_us: Int64s
    covered_us: Int64s

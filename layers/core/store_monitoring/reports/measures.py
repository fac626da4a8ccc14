"""The measures of each store and of groups of stores, before they are rounded."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.parameters import HOUR_US, MINUTE_US
from store_monitoring.domain.targets import TargetStatus, budget_us, lost_revenue, target_status

WINDOWS = ("last_hour", "last_day", "last_week")
CLASSIC_UNITS = {
    "_last_hour": ("minutes", MINUTE_US),
    "_last_day": ("hours", HOUR_US),
    "_last_week": ("hours", HOUR_US),
}
PERIOD_UNITS = {"": ("hours", HOUR_US)}
"""The windows of a row, by the ending of their columns' names: the unit of times, and its length.

A row of the classic report is a store, and the last window is the one whose outages are counted. A
row of a period's report is one window of a store, or, in `StoreTotals`, its whole period.
"""


def units_of(rows: pa.Table) -> dict[str, tuple[str, int]]:
    """Return the windows that each row has: `CLASSIC_UNITS` or `PERIOD_UNITS`."""
    return PERIOD_UNITS if "uptime_us" in rows.column_names else CLASSIC_UNITS


class State(StrEnum):
    """The state of a store now. Without a known poll it is `no data`, open or not (rule 19)."""

    UP = "up"
    DOWN = "down"
    CLOSED = "closed"
    NO_DATA = "no data"


def measures(part: pa.Table, target_percent: Decimal) -> pa.Table:
    """Return rows of a part with the columns that follow from them.

    Parameters
    ----------
    part : table
        Schema `PART` or `PERIOD_PART`.
    target_percent : Decimal
        The target of stores that have none of their own (rule 22).

    Returns
    -------
    table
        The same rows and columns, `target_percent` without nulls; in the classic report `state`, a
        `State`; and for each window `known_…_us`, `business_time_…_us`, `budget_…_us`,
        `budget_left_…_us`, `target_…`, a `TargetStatus`, and `lost_revenue_…`, as `lost_revenue`
        returns it.
    """
    columns: dict[str, Any] = dict(zip(part.column_names, part.columns, strict=True))
    target = pc.coalesce(
        columns["target_percent"], pa.scalar(target_percent, columns["target_percent"].type)
    )
    columns["target_percent"] = target
    units = units_of(part)
    if units is CLASSIC_UNITS:
        columns["state"] = _state(part)
    for window in units:
        downtime_us = columns[f"downtime{window}_us"]
        known_us = pc.add(columns[f"uptime{window}_us"], downtime_us)
        budget = budget_us(known_us, target)
        columns |= {
            f"known{window}_us": known_us,
            f"business_time{window}_us": pc.add(known_us, columns[f"no_data{window}_us"]),
            f"budget{window}_us": budget,
            f"budget_left{window}_us": pc.subtract(budget, downtime_us.cast(pa.decimal128(19, 0))),
            f"target{window}": target_status(downtime_us, known_us, budget),
            f"lost_revenue{window}": lost_revenue(downtime_us, columns["revenue_per_hour"]),
        }
    return pa.table(columns)


def _state(part: pa.Table) -> pa.ChunkedArray:
    active = pc.if_else(part.column("last_poll_active"), State.UP.value, State.DOWN.value)
    state = pc.if_else(part.column("open_now"), active, State.CLOSED.value)
    return pc.if_else(part.column("last_poll_at").is_valid(), state, State.NO_DATA.value)


class StoreTotals:
    """Adds up the windows of each store of a period, batch by batch.

    From batch to batch, it holds the sums of one store.

    Parameters
    ----------
    target_percent : Decimal
        As `measures` takes it.
    """

    _SUMMED = (
        *("uptime_us", "downtime_us", "no_data_us", "covered_us", "excluded_us"),
        *("recoveries", "recovery_us"),
    )
    _OF_STORE = (
        *("store_id", "name", "timezone", "attributes", "target_percent", "revenue_per_hour"),
        *("last_poll_at", "silent_us"),
    )

    def __init__(self, target_percent: Decimal) -> None:
        self._target_percent = target_percent
        # The sums of a store whose further windows are in the next batch.
        self._unfinished = np.zeros(len(self._SUMMED) + 1, np.int64)

    def add(self, rows: pa.Table) -> pa.Table:
        """Add rows of schema `PERIOD_PART`, and return the stores whose last window is in them.

        Returns
        -------
        table
            One row per store, as `measures` returns them, without `incidents`: windows may share
            them. An outage counts once: `outages` is the number of those that start.
        """
        counted = [rows.column(name).to_numpy() for name in self._SUMMED]
        counted.append(pc.list_value_length(rows.column("outage_hours")).to_numpy())
        is_last = rows.column("is_last")
        end = np.flatnonzero(is_last) + 1
        # Sums of all windows before each end; the differences are those of each store.
        sums = np.array([np.append(0, np.cumsum(each, dtype=np.int64)) for each in counted])
        at_end = np.diff(sums[:, end], axis=1, prepend=-self._unfinished[:, np.newaxis])
        self._unfinished = sums[:, -1] - (sums[:, end[-1]] if len(end) else -self._unfinished)
        last = rows.select(self._OF_STORE).filter(is_last)
        columns = dict(zip(last.column_names, last.columns, strict=True))
        columns |= dict(zip([*self._SUMMED, "outages"], map(pa.array, at_end), strict=True))
        return measures(pa.table(columns), self._target_percent)


_WHOLE = pa.decimal128(38, 0)  # int64 could overflow with tens of millions of stores
_TIMES = ("uptime", "downtime", "no_data", "business_time", "covered", "excluded")


class Sums:
    """Sums of columns for each combination of values of the key columns; of texts, the minimum.

    Memory grows with the number of combinations only.

    Parameters
    ----------
    keys : sequence of str
        The key columns; none for the sums over all rows.

    Examples
    --------
    >>> sums = Sums(["brand"])
    >>> sums.add(pa.table({"brand": ["b", "a", "b"], "n": [1, 2, 3]}))
    >>> sums.add(pa.table({"brand": ["a"], "n": [2**62]}))
    >>> [(row["brand"], int(row["n"])) for row in sums.table().to_pylist()]
    [('a', 4611686018427387906), ('b', 4)]
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)
        self._sums: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        """Add rows of the key columns and of columns of integers, decimals or texts."""
        self._sums.append(self._summed(rows))
        self._sums = [self._summed(pa.concat_tables(self._sums))]

    def __len__(self) -> int:
        return len(self._sums[0])

    def table(self) -> pa.Table:
        """Return one row per group, in order of the keys; a sum of nulls is null."""
        [sums] = self._sums
        return sums.sort_by([(key, "ascending") for key in self._keys]) if self._keys else sums

    def _summed(self, rows: pa.Table) -> pa.Table:
        names = [name for name in rows.column_names if name not in self._keys]
        functions = {
            name: "min" if pa.types.is_string(rows.field(name).type) else "sum" for name in names
        }
        sums = rows.group_by(self._keys, use_threads=False).aggregate(list(functions.items()))
        columns = {key: sums.column(key) for key in self._keys}
        for name, function in functions.items():
            summed = sums.column(f"{name}_{function}")
            columns[name] = summed.cast(_WHOLE) if pa.types.is_integer(summed.type) else summed
        return pa.table(columns)


def summands(rows: pa.Table) -> dict[str, pa.Array]:
    """Return the columns whose sums describe a group of stores.

    Parameters
    ----------
    rows : table
        As `measures` returns them.

    Returns
    -------
    dict of str to array
        `stores`; for each window the times, the lost revenue and the number of stores that
        `met_…` and `missed_…` their targets and that have no data; outages, recoveries and, if the
        rows have them, incidents. In the classic report also `stores_…` for each `State`.
    """
    units = units_of(rows)
    whole = list(units)[-1]
    summed = [
        *(f"{measure}{window}_us" for measure in _TIMES for window in units),
        *(f"lost_revenue{window}" for window in units),
        *(f"{count}{whole}" for count in ("outages", "incidents", "recoveries")),
        f"recovery{whole}_us",
    ]
    columns = {name: rows.column(name) for name in summed if name in rows.column_names}
    columns["stores"] = pa.repeat(pa.scalar(1, pa.int64()), len(rows))
    if units is CLASSIC_UNITS:
        for state in State:
            columns[f"stores_{state.name.lower()}"] = _count(rows.column("state"), state)
    else:
        is_unknown = pc.equal(rows.column("known_us"), 0)
        is_open = pc.greater(rows.column("business_time_us"), 0)
        columns["stores_no_data"] = pc.and_(is_open, is_unknown).cast(pa.int64())
    for window in units:
        for status in (TargetStatus.MET, TargetStatus.MISSED):
            columns[f"{status}{window}"] = _count(rows.column(f"target{window}"), status)
    return columns


def _count(column: pa.ChunkedArray, value: str) -> pa.ChunkedArray:
    return pc.equal(column, value).cast(pa.int64())


def percent(part: int, whole: int) -> float | None:
    """Return a percentage of exact numbers with three decimals; None if the whole is 0.

    >>> percent(1, 3), percent(0, 0)
    (33.333, None)
    """
    return float(round(Fraction(100 * int(part), int(whole)), 3)) if whole else None


def hours(duration_us: int | Fraction) -> float:
    """Return an exact duration in hours with two decimals.

    >>> hours(5_418_000_000)
    1.5
    """
    return float(round(Fraction(duration_us) / HOUR_US, 2))

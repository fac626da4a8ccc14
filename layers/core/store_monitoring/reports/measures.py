"""What a report says of each store and of groups of stores, exactly."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.parameters import HOUR_US, MINUTE_US
from store_monitoring.domain.targets import TargetStatus, budget_us, lost_revenue, target_status

WINDOWS = ("last_hour", "last_day", "last_week")
UNITS = {
    "last_hour": ("minutes", MINUTE_US),
    "last_day": ("hours", HOUR_US),
    "last_week": ("hours", HOUR_US),
}
"""The unit in which reports show the times of a window: its name and its length."""


class State(StrEnum):
    """What a store is now. Without a known poll it is `no data`, open or not (rule 19)."""

    UP = "up"
    DOWN = "down"
    CLOSED = "closed"
    NO_DATA = "no data"


def measures(part: pa.Table, target_percent: Decimal) -> pa.Table:
    """Return rows of a part with the columns that follow from them.

    Parameters
    ----------
    part : table
        Schema `PART`.
    target_percent : Decimal
        The target of stores that have none of their own (rule 22).

    Returns
    -------
    table
        The same rows and columns, `target_percent` without nulls; `state`, a `State`; and for each
        window `known_…_us`, `business_time_…_us`, `budget_…_us`, `budget_left_…_us`, `target_…`, a
        `TargetStatus`, and `lost_revenue_…`, as `lost_revenue` returns it.
    """
    columns: dict[str, Any] = dict(zip(part.column_names, part.columns, strict=True))
    target = pc.coalesce(
        columns["target_percent"], pa.scalar(target_percent, columns["target_percent"].type)
    )
    columns["target_percent"] = target
    columns["state"] = _state(part)
    for window in WINDOWS:
        downtime_us = columns[f"downtime_{window}_us"]
        known_us = pc.add(columns[f"uptime_{window}_us"], downtime_us)
        budget = budget_us(known_us, target)
        columns |= {
            f"known_{window}_us": known_us,
            f"business_time_{window}_us": pc.add(known_us, columns[f"no_data_{window}_us"]),
            f"budget_{window}_us": budget,
            f"budget_left_{window}_us": pc.subtract(budget, downtime_us.cast(pa.decimal128(19, 0))),
            f"target_{window}": target_status(downtime_us, known_us, budget),
            f"lost_revenue_{window}": lost_revenue(downtime_us, columns["revenue_per_hour"]),
        }
    return pa.table(columns)


def _state(part: pa.Table) -> pa.ChunkedArray:
    active = pc.if_else(part.column("last_poll_active"), State.UP.value, State.DOWN.value)
    state = pc.if_else(part.column("open_now"), active, State.CLOSED.value)
    return pc.if_else(part.column("last_poll_at").is_valid(), state, State.NO_DATA.value)


_WHOLE = pa.decimal128(38, 0)  # int64 could overflow with tens of millions of stores

SUMMED = (
    *(
        f"{measure}_{window}_us"
        for measure in ("uptime", "downtime", "no_data", "business_time", "covered", "excluded")
        for window in WINDOWS
    ),
    *(f"lost_revenue_{window}" for window in WINDOWS),
    *("outages_last_week", "incidents_last_week", "recoveries_last_week", "recovery_last_week_us"),
)


class Sums:
    """Sums of columns for each combination of values of the key columns.

    Memory grows with the number of groups only.

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
        """Add rows of the key columns and of columns of integers or decimals."""
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
        sums = rows.group_by(self._keys, use_threads=False).aggregate([(n, "sum") for n in names])
        columns = {key: sums.column(key) for key in self._keys}
        for name in names:
            summed = sums.column(f"{name}_sum")
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
        `SUMMED`; `stores`; `stores_…` for each `State`; and for each window the number of stores
        that `met_…` and `missed_…` their targets.
    """
    columns = {name: rows.column(name) for name in SUMMED}
    columns["stores"] = pa.repeat(pa.scalar(1, pa.int64()), len(rows))
    for state in State:
        columns[f"stores_{state.name.lower()}"] = _count(rows.column("state"), state)
    for window in WINDOWS:
        for status in (TargetStatus.MET, TargetStatus.MISSED):
            columns[f"{status}_{window}"] = _count(rows.column(f"target_{window}"), status)
    return columns


def _count(column: pa.ChunkedArray, value: str) -> pa.ChunkedArray:
    return pc.equal(column, value).cast(pa.int64())


def percent(part: int, whole: int) -> float | None:
    """Return a percentage of exact numbers with three decimals; None of nothing.

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

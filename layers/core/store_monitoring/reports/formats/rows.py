"""The rows of a report, as the detailed formats show them."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from store_monitoring.domain.model import Int64s
from store_monitoring.domain.parameters import HOUR_US, MINUTE_US
from store_monitoring.storage.schemas import TOTAL_COLUMNS

Float64s = NDArray[np.float64]

_WINDOWS = {
    "last_hour": ("minutes", MINUTE_US),
    "last_day": ("hours", HOUR_US),
    "last_week": ("hours", HOUR_US),
}

_CLASSIC_MEASURES = ("uptime", "downtime")

TOTALS = {
    f"{measure}_{window}(in {unit})": unit_us
    for measure in _CLASSIC_MEASURES
    for window, (unit, unit_us) in _WINDOWS.items()
}
"""The CSV's columns and their units in microseconds."""


class Batch:
    """Some consecutive rows of a report.

    Attributes
    ----------
    part : table
        Schema `PART`: exact microseconds.
    rows : table
        The same rows, as `detailed_rows` returns them.
    """

    def __init__(self, part: pa.Table) -> None:
        self.part = part

    @cached_property
    def rows(self) -> pa.Table:
        """Compute the detailed rows once for all formats."""
        return detailed_rows(self.part)


def detailed_rows(part: pa.Table) -> pa.Table:
    """Return rows of schema `PART` with the columns of JSON, Parquet and XLSX.

    First come the CSV's columns, with the same names and rounded values, as numbers; then the
    business time in each window, and columns about the store's polls and outages.
    """
    classic_us = classic_totals_us({name: part.column(name).to_numpy() for name in TOTAL_COLUMNS})
    columns: dict[str, Any] = {"store_id": part.column("store_id")} | rounded_totals(classic_us)
    for window, (unit, unit_us) in _WINDOWS.items():
        up_us, down_us = (classic_us[f"{each}_{window}(in {unit})"] for each in _CLASSIC_MEASURES)
        columns[f"business_time_{window}(in {unit})"] = _rounded(up_us + down_us, unit_us)
    columns["polls_last_week"] = part.column("polls_last_week")
    columns["last_poll_at"] = part.column("last_poll_at")
    active = part.column("last_poll_active")
    columns["last_poll_status"] = pc.if_else(active, "active", "inactive")
    columns["open_now"] = part.column("open_now")
    columns["outages_last_week"] = part.column("outages_last_week")
    longest_us = part.column("longest_outage_last_week_us").to_numpy()
    columns["longest_outage_last_week(in hours)"] = _rounded(longest_us, HOUR_US)
    return pa.table(columns)


def classic_totals_us(totals_us: Mapping[str, Int64s]) -> dict[str, Int64s]:
    """Return the exact values of the CSV's columns: no data counts as downtime (rule 11).

    Parameters
    ----------
    totals_us : dict of arrays
        Those of `TOTAL_COLUMNS`.
    """
    classic_us: dict[str, Int64s] = {}
    for name in TOTALS:
        column = f"{name.partition('(')[0]}_us"
        classic_us[name] = totals_us[column]
        if column.startswith("downtime"):
            classic_us[name] = totals_us[column] + totals_us[column.replace("downtime", "no_data")]
    return classic_us


def rounded_totals(classic_us: Mapping[str, Int64s]) -> dict[str, Float64s]:
    """Return the CSV's columns and values (rule 14), as numbers.

    >>> rounded_totals(dict.fromkeys(TOTALS, np.array([90_000_000])))[
    ...     "uptime_last_hour(in minutes)"
    ... ]
    array([1.5])
    """
    return {name: _rounded(classic_us[name], unit_us) for name, unit_us in TOTALS.items()}


def _rounded(length_us: Int64s, unit_us: int) -> Float64s:
    return hundredths(length_us, unit_us) / np.float64(100)


def hundredths(length_us: Int64s, unit_us: int) -> Int64s:
    """Return lengths of time in hundredths of a unit, rounded half to even (rule 14).

    Parameters
    ----------
    length_us : int64 (n,)
    unit_us : int
        The unit's length; a multiple of 200.

    Examples
    --------
    0.125 and 0.135 hours are halfway between two results:

    >>> hundredths(np.array([450_000_000, 486_000_000]), 3_600_000_000).tolist()
    [12, 14]
    """
    whole, rest = np.divmod(length_us, unit_us // 100)
    half = unit_us // 200
    rounded: Int64s = whole + ((rest > half) | ((rest == half) & (whole % 2 == 1)))
    return rounded

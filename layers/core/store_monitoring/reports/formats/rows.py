"""The rows of a report, as the detailed formats show them: rounded, with units in the names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from store_monitoring.domain.model import Int64s
from store_monitoring.domain.parameters import HOUR_US, SECOND_US
from store_monitoring.domain.targets import divide, to_cents
from store_monitoring.reports.measures import CLASSIC_UNITS, units_of

TEXT_ROWS = 8192
"""Number of rows that are converted to text at a time; it bounds memory."""

Float64s = NDArray[np.float64]

PERCENT, CURRENCY = "percent", "currency"  # units besides units of time

_CLASSIC_MEASURES = ("uptime", "downtime")

TOTALS = {
    f"{measure}{window}(in {unit})": unit_us
    for measure in _CLASSIC_MEASURES
    for window, (unit, unit_us) in CLASSIC_UNITS.items()
}
"""The CSV's columns and their units in microseconds."""


def detailed_rows(exact: pa.Table) -> pa.Table:
    """Return the rows of the detailed formats.

    Parameters
    ----------
    exact : table
        As `measures` returns it.

    Returns
    -------
    table
        Times with two decimals and percentages with three, rounded half to even. Null where there
        is no value: the percentage of no time, the last poll of a store without data.
    """
    columns: list[tuple[str, Any, str | None]] = []

    def add(name: str, values: Any, unit: str | None = None) -> None:
        columns.append((name, values, unit))

    def column(name: str) -> pa.ChunkedArray:
        return exact.column(name)

    units = units_of(exact)
    whole = list(units)[-1]
    is_classic = units is CLASSIC_UNITS

    add("store_id", column("store_id"))
    for name in ("name", "state") if is_classic else ("window_start", "window_end", "name"):
        add(name, column(name))
    for measure in ("uptime", "downtime", "no_data", "business_time", "excluded"):
        for window, (unit, unit_us) in units.items():
            rounded_time = _rounded(column(f"{measure}{window}_us"), unit_us)
            add(f"{measure}{window}(in {unit})", rounded_time, unit)
    for name, part, of in (
        ("uptime_percent", "uptime", "known"),
        ("coverage_percent", "covered", "business_time"),
    ):
        for window in units:
            part_us, whole_us = column(f"{part}{window}_us"), column(f"{of}{window}_us")
            add(f"{name}{window}", _percent(part_us, whole_us), PERCENT)
    add(f"polls{whole}", column(f"polls{whole}"))
    if is_classic:
        add("last_poll_at", column("last_poll_at"))
        add("last_poll_status", pc.if_else(column("last_poll_active"), "active", "inactive"))
        add("open_now", column("open_now"))
    add(f"outages{whole}", column(f"outages{whole}"))
    longest_us = column(f"longest_outage{whole}_us")
    add(f"longest_outage{whole}(in hours)", _rounded(longest_us, HOUR_US), "hours")
    add(f"incidents{whole}", column(f"incidents{whole}"))
    recovery = _mean_hours(column(f"recovery{whole}_us"), column(f"recoveries{whole}"))
    add(f"mean_time_to_recovery{whole}(in hours)", recovery, "hours")
    add("target_percent", _float(column("target_percent")), PERCENT)
    for window in units:
        add(f"target{window}", column(f"target{window}"))
    for measure in ("budget", "budget_left"):
        for window, (unit, unit_us) in units.items():
            hours = rounded(column(f"{measure}{window}_us"), unit_us)
            add(f"{measure}{window}(in {unit})", hours, unit)
    add("revenue_per_hour", column("revenue_per_hour"), CURRENCY)
    for window in units:
        add(f"lost_revenue{window}", to_cents(column(f"lost_revenue{window}")), CURRENCY)
    add("timezone", column("timezone"))
    add("attributes", column("attributes"))
    return table_with_units(columns)


def outage_rows(outages: pa.Table) -> pa.Table:
    """Return rows of schema `OUTAGES` as formats show them: the duration in seconds.

    Outages last for business time only, so their duration is the time from start to end.
    """
    duration = pa.array(outages.column("duration_us").to_numpy() / SECOND_US)
    columns = [
        ("duration(in seconds)", duration, "seconds")
        if name == "duration_us"
        else (name, outages.column(name), None)
        for name in outages.column_names
    ]
    return table_with_units(columns)


def table_with_units(columns: Iterable[tuple[str, Any, str | None]]) -> pa.Table:
    """Return a table of columns: name, values and unit. The unit becomes metadata of the field."""
    names, arrays, units = zip(*columns, strict=True)
    fields = [
        pa.field(name, values.type, metadata=None if unit is None else {"unit": unit})
        for name, values, unit in zip(names, arrays, units, strict=True)
    ]
    return pa.table(list(arrays), schema=pa.schema(fields))


def flat_headers(schema: pa.Schema, attributes: Sequence[str]) -> list[str]:
    """Return the headers of a table with a column for each attribute instead of a nested one.

    The header of an attribute that has the name of another column begins with `attributes.`.

    Parameters
    ----------
    schema : schema
        Its nested field contains the attributes.
    attributes : sequence of str

    Examples
    --------
    >>> schema = pa.schema({"group": pa.struct({}), "stores": pa.int64()})
    >>> flat_headers(schema, ["brand", "stores"])
    ['brand', 'attributes.stores', 'stores']
    """
    figures = {field.name for field in schema if not pa.types.is_nested(field.type)}
    of_attributes = []
    for name in attributes:
        header = name
        while header in figures or (header != name and header in attributes):
            header = f"attributes.{header}"
        of_attributes.append(header)
    return [
        header
        for field in schema
        for header in (of_attributes if pa.types.is_nested(field.type) else [field.name])
    ]


def plain_text(values: Any) -> Any:
    """Return values as CSV and JSON write them: instants in ISO 8601, numbers as Python does.

    >>> plain_text(pa.array([41_400.0, 0.25, None])).to_pylist()
    ['41400.0', '0.25', None]
    >>> plain_text(pa.array([0, 250_000], pa.timestamp("us", "UTC"))).to_pylist()
    ['1970-01-01T00:00:00+00:00', '1970-01-01T00:00:00.250000+00:00']
    """
    if pa.types.is_timestamp(values.type):
        # Without a zone, Arrow needs no time zone database, which Lambda does not have.
        naive = values.cast(pa.int64()).cast(pa.timestamp("us")).cast(pa.string())
        with_t = pc.replace_substring(naive, " ", "T")
        whole_seconds = pc.replace_substring(with_t, ".000000", "")
        return pc.binary_join_element_wise(whole_seconds, "+00:00", "")
    text = values.cast(pa.string())
    if pa.types.is_floating(values.type):
        whole = pc.binary_join_element_wise(text, ".0", "")
        return pc.if_else(pc.match_substring_regex(text, "[.e]"), text, whole)
    return text


def join_texts(texts: Any, separator: str) -> str:
    """Return the elements of a string array as one string."""
    as_list = pa.ListArray.from_arrays([0, len(texts)], texts)
    text: str = pc.binary_join(as_list, separator)[0].as_py()
    return text


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
    return {
        name: hundredths(classic_us[name], unit_us) / np.float64(100)
        for name, unit_us in TOTALS.items()
    }


def hundredths(length_us: Int64s, unit_us: int) -> Int64s:
    """Return lengths of time in hundredths of a unit, rounded half to even (rule 14).

    Parameters
    ----------
    length_us : int64 (n,)
    unit_us : int
        The unit's length; a multiple of 100.

    Examples
    --------
    0.125 and 0.135 hours are halfway between two results:

    >>> hundredths(np.array([450_000_000, 486_000_000]), 3_600_000_000).tolist()
    [12, 14]
    """
    return _rounded_quotient(length_us, unit_us // 100)


def thousandths_of_percent(parts: Int64s, wholes: Int64s) -> Int64s:
    """Return percentages in thousandths, rounded half to even; 0 where the whole is 0.

    >>> thousandths_of_percent(np.array([1, 0]), np.array([3, 0])).tolist()
    [33333, 0]
    """
    return _rounded_quotient(100_000 * parts, np.maximum(wholes, 1))


def rounded(exact_us: pa.ChunkedArray, unit_us: int) -> pa.Array:
    """Return exact decimals of microseconds in a unit, with two decimals, rounded half to even."""
    # Arrow's own cast of decimals to floats is not exact.
    return pa.array(divide(exact_us, unit_us // 100, 0).cast(pa.int64()).to_numpy() / 100)


def _float(decimals: pa.ChunkedArray) -> pa.Array:
    """Return the floats nearest to decimals with four digits after the point."""
    ten_thousandths = pc.multiply(decimals, pa.scalar(10_000, pa.decimal128(5, 0)))
    return pa.array(ten_thousandths.cast(pa.int64()).to_numpy() / 10_000)


def _rounded_quotient(dividend: Int64s, divisor: Int64s | int) -> Int64s:
    """Divide by positive numbers; round half to even."""
    whole, rest = np.divmod(dividend, divisor)
    rounded: Int64s = whole + ((2 * rest > divisor) | ((2 * rest == divisor) & (whole % 2 == 1)))
    return rounded


def _rounded(durations_us: pa.ChunkedArray, unit_us: int) -> pa.Array:
    return pa.array(hundredths(durations_us.to_numpy(), unit_us) / 100)


def _percent(parts_us: pa.ChunkedArray, wholes_us: pa.ChunkedArray) -> pa.Array:
    """Return percentages with three decimals; null where the whole is 0."""
    parts, wholes = parts_us.to_numpy(), wholes_us.to_numpy()
    return pa.array(thousandths_of_percent(parts, wholes) / 1000, mask=wholes == 0)


def _mean_hours(totals_us: pa.ChunkedArray, counts: pa.ChunkedArray) -> pa.Array:
    """Return means in hours with two decimals; null where the count is 0."""
    totals, divisors = totals_us.to_numpy(), counts.to_numpy()
    mean = _rounded_quotient(totals, np.maximum(divisors, 1) * (HOUR_US // 100))
    return pa.array(mean / 100, mask=divisors == 0)

"""The formats of a report: CSV, and those with more columns."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from store_monitoring.domain.model import Int64s
from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US
from store_monitoring.instants import EPOCH
from store_monitoring.storage.schemas import DETAILED_PART, TOTAL_COLUMNS

Float64s = NDArray[np.float64]

_WINDOWS = {
    "last_hour": ("minutes", MINUTE_US),
    "last_day": ("hours", HOUR_US),
    "last_week": ("hours", HOUR_US),
}

_TOTALS = {
    f"{measure}_{window}(in {unit})": unit_us
    for measure in ("uptime", "downtime")
    for window, (unit, unit_us) in _WINDOWS.items()
}

CSV_HEADER = ",".join(["store_id", *_TOTALS])
_GREATEST_HUNDREDTHS = 7 * DAY_US // HOUR_US * 100
_NUMBERS = pa.array([f"{n // 100}.{n % 100:02d}" for n in range(_GREATEST_HUNDREDTHS + 1)])
_NARROW, _WIDE = 12, 38  # widths of columns, in characters


def write_csv(batches: Iterable[pa.Table], output: IO[bytes]) -> None:
    """Write rows of schema `PART`, or one with more columns, as the CSV report (rule 14)."""
    output.write(f"{CSV_HEADER}\n".encode())
    for rows in batches:
        for batch in rows.to_batches():
            output.write(csv_lines(batch))


def csv_lines(batch: pa.RecordBatch) -> bytes:
    r"""Return rows as lines of the CSV report (rule 14).

    >>> from store_monitoring.storage.schemas import PART
    >>> row = pa.record_batch([["a,b"], *([[90_000_000]] * 6)], schema=PART)
    >>> csv_lines(row)
    b'"a,b",1.50,0.02,0.02,1.50,0.02,0.02\n'
    """
    columns = [_quoted(batch.column("store_id"))]
    for name, unit_us in zip(TOTAL_COLUMNS, _TOTALS.values(), strict=True):
        rounded = hundredths(batch.column(name).to_numpy(), unit_us)
        columns.append(_NUMBERS.take(pa.array(rounded)))
    lines = pc.binary_join_element_wise(*columns, ",")
    all_lines = pa.ListArray.from_arrays([0, len(lines)], lines)
    text: bytes = pc.binary_join(all_lines, "\n")[0].as_buffer().to_pybytes()
    return text + b"\n"


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


def _quoted(store_ids: pa.StringArray) -> pa.StringArray:
    """Quote ids where RFC 4180 requires it."""
    doubled = pc.replace_substring(store_ids, '"', '""')
    quoted = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(pc.match_substring_regex(store_ids, '[",]'), quoted, store_ids)


def detailed_rows(part: pa.Table) -> pa.Table:
    """Return rows of schema `DETAILED_PART` with the columns of JSON, Parquet and XLSX.

    First come the CSV's columns, with the same names and rounded values, as numbers; then the
    business time in each window, and columns about the store's polls and outages.
    """
    totals_us = {name: part.column(name).to_numpy() for name in TOTAL_COLUMNS}
    columns: dict[str, Any] = {"store_id": part.column("store_id")} | rounded_totals(totals_us)
    for window, (unit, unit_us) in _WINDOWS.items():
        business_us = totals_us[f"uptime_{window}_us"] + totals_us[f"downtime_{window}_us"]
        columns[f"business_time_{window}(in {unit})"] = _rounded(business_us, unit_us)
    columns["polls_last_week"] = part.column("polls_last_week")
    columns["last_poll_at"] = part.column("last_poll_at")
    active = part.column("last_poll_active")
    columns["last_poll_status"] = pc.if_else(active, "active", "inactive")
    columns["open_now"] = part.column("open_now")
    columns["outages_last_week"] = part.column("outages_last_week")
    longest_us = part.column("longest_outage_last_week_us").to_numpy()
    columns["longest_outage_last_week(in hours)"] = _rounded(longest_us, HOUR_US)
    return pa.table(columns)


def rounded_totals(totals_us: Mapping[str, Int64s]) -> dict[str, Float64s]:
    """Return the CSV's columns and values (rule 14), as numbers.

    >>> rounded_totals({name: np.array([90_000_000]) for name in TOTAL_COLUMNS})[
    ...     "uptime_last_hour(in minutes)"
    ... ]
    array([1.5])
    """
    exact = (totals_us[name] for name in TOTAL_COLUMNS)
    return {
        name: _rounded(total_us, unit_us)
        for (name, unit_us), total_us in zip(_TOTALS.items(), exact, strict=True)
    }


def _rounded(length_us: Int64s, unit_us: int) -> Float64s:
    return hundredths(length_us, unit_us) / np.float64(100)


def write_json(batches: Iterable[pa.Table], output: IO[bytes]) -> None:
    """Write detailed rows as a JSON array, one object per line."""
    separator = "[\n"
    for record in _records(batches):
        output.write(f"{separator}{json.dumps(record, default=datetime.isoformat)}".encode())
        separator = ",\n"
    output.write(b"[]\n" if separator.startswith("[") else b"\n]\n")


def _records(batches: Iterable[pa.Table]) -> Iterator[dict[str, Any]]:
    for rows in batches:
        yield from rows.to_pylist()


def write_xlsx(batches: Iterable[pa.Table], now_us: int, path: Path) -> None:
    """Write detailed rows as a workbook of one sheet, its first row frozen.

    Parameters
    ----------
    batches : tables
        Rows that `detailed_rows` returned.
    now_us : int
        The workbook's creation time. The report's own time makes its bytes reproducible.
    path : Path
    """
    import xlsxwriter  # rarely used, and the slowest import of the function

    created_at = datetime.fromtimestamp(now_us // 1_000_000, EPOCH.tzinfo).replace(tzinfo=None)
    with (
        tempfile.TemporaryDirectory() as folder,
        xlsxwriter.Workbook(
            path, {"constant_memory": True, "remove_timezone": True, "tmpdir": folder}
        ) as workbook,
    ):
        workbook.set_properties({"created": created_at})
        sheet = workbook.add_worksheet("report")
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, 0, _WIDE)
        names = detailed_rows(DETAILED_PART.empty_table()).column_names
        sheet.set_column(1, len(names) - 1, _NARROW)
        time_format = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        number_format = workbook.add_format({"num_format": "0.00"})
        bold = workbook.add_format({"bold": True, "text_wrap": True})
        sheet.write_row(0, 0, names, bold)
        for row, record in enumerate(_records(batches), start=1):
            for column, value in enumerate(record.values()):
                match value:
                    case datetime():
                        sheet.write_datetime(row, column, value, time_format)
                    case str():
                        sheet.write_string(row, column, value)
                    case float():
                        sheet.write_number(row, column, value, number_format)
                    case bool():
                        sheet.write_boolean(row, column, value)
                    case int():
                        sheet.write_number(row, column, value)

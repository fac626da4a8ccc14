"""The CSV report."""

from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.model import Int64s
from store_monitoring.domain.parameters import DAY_US, HOUR_US
from store_monitoring.reports.formats.rows import (
    TOTALS,
    classic_totals_us,
    hundredths,
    join_texts,
    thousandths_of_percent,
)
from store_monitoring.reports.formats.writers import Batch, Writer
from store_monitoring.storage.schemas import TOTAL_COLUMNS

CSV_HEADER = ",".join(["store_id", *TOTALS])
_PERIOD_MEASURES = ("uptime", "downtime", "no_data", "excluded")
PERIOD_CSV_HEADER = ",".join(
    [
        *("store_id", "window_start", "window_end"),
        *(f"{measure}(in hours)" for measure in _PERIOD_MEASURES),
        "uptime_percent",
    ]
)
_GREATEST_HUNDREDTHS = 7 * DAY_US // HOUR_US * 100
_NUMBERS = pa.array([f"{n // 100}.{n % 100:02d}" for n in range(_GREATEST_HUNDREDTHS + 1)])


class CsvWriter(Writer):
    """Writes the CSV report (rule 14)."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        output.write(f"{CSV_HEADER}\n".encode())

    def write(self, batch: Batch) -> None:
        """Write one line per row."""
        for rows in batch.exact.to_batches():
            self._output.write(csv_lines(rows))


class PeriodCsvWriter(Writer):
    """Writes the CSV report of a period (rule 20)."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        output.write(f"{PERIOD_CSV_HEADER}\n".encode())

    def write(self, batch: Batch) -> None:
        """Write one line per row."""
        for rows in batch.exact.to_batches():
            self._output.write(period_csv_lines(rows))


def csv_lines(batch: pa.RecordBatch) -> bytes:
    r"""Return rows as lines of the CSV report (rule 14).

    >>> row = {"store_id": ["a,b"]} | dict.fromkeys(TOTAL_COLUMNS, [45_000_000])
    >>> csv_lines(pa.RecordBatch.from_pydict(row))
    b'"a,b",0.75,0.01,0.01,1.50,0.02,0.02\n'
    """
    columns = [quoted(batch.column("store_id"))]
    classic_us = classic_totals_us({name: batch.column(name).to_numpy() for name in TOTAL_COLUMNS})
    for name, unit_us in TOTALS.items():
        rounded = hundredths(classic_us[name], unit_us)
        columns.append(_NUMBERS.take(pa.array(rounded)))
    return lines(columns)


def period_csv_lines(batch: pa.RecordBatch) -> bytes:
    r"""Return rows as lines of a period's CSV report (rule 20).

    >>> row = {
    ...     "store_id": ["a"],
    ...     "window_start": ["2024-10-01T00:00:00-05:00"],
    ...     "window_end": ["2024-10-01T12:00:00-05:00"],
    ...     "uptime_us": [2 * HOUR_US],
    ...     "downtime_us": [HOUR_US],
    ...     "no_data_us": [0],
    ...     "excluded_us": [0],
    ... }
    >>> period_csv_lines(pa.RecordBatch.from_pydict(row))
    b'a,2024-10-01T00:00:00-05:00,2024-10-01T12:00:00-05:00,2.00,1.00,0.00,0.00,66.667\n'
    """
    lengths_us = {name: batch.column(f"{name}_us").to_numpy() for name in _PERIOD_MEASURES}
    columns = [
        quoted(batch.column("store_id")),
        *(batch.column(name) for name in ("window_start", "window_end")),
        *(_decimals(hundredths(each, HOUR_US), 2) for each in lengths_us.values()),
    ]
    known_us = lengths_us["uptime"] + lengths_us["downtime"]
    percents = _decimals(thousandths_of_percent(lengths_us["uptime"], known_us), 3)
    columns.append(pc.if_else(known_us > 0, percents, ""))
    return lines(columns)


def _decimals(numbers: Int64s, digits: int) -> pa.StringArray:
    """Return non-negative numbers as text, with the last digits after the point."""
    whole, rest = (pa.array(each).cast(pa.string()) for each in np.divmod(numbers, 10**digits))
    return pc.binary_join_element_wise(whole, pc.utf8_lpad(rest, digits, "0"), ".")


def lines(columns: Sequence[Any]) -> bytes:
    """Return the cells of columns, as text, as lines; null is an empty cell."""
    texts = pc.binary_join_element_wise(*columns, ",", null_handling="replace", null_replacement="")
    text = join_texts(texts, "\n")
    return f"{text}\n".encode() if len(texts) else b""


def quoted(texts: Any) -> Any:
    """Quote texts where RFC 4180 requires it."""
    doubled = pc.replace_substring(texts, '"', '""')
    in_quotes = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(pc.match_substring_regex(texts, '[",\r\n]'), in_quotes, texts)

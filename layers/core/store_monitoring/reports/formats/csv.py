"""The CSV report."""

from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.parameters import DAY_US, HOUR_US
from store_monitoring.reports.formats.rows import TOTALS, classic_totals_us, hundredths
from store_monitoring.reports.formats.writers import Batch, Writer
from store_monitoring.storage.schemas import TOTAL_COLUMNS

CSV_HEADER = ",".join(["store_id", *TOTALS])
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


def csv_lines(batch: pa.RecordBatch) -> bytes:
    r"""Return rows as lines of the CSV report (rule 14).

    >>> row = {"store_id": ["a,b"]} | dict.fromkeys(TOTAL_COLUMNS, [45_000_000])
    >>> csv_lines(pa.RecordBatch.from_pydict(row))
    b'"a,b",0.75,0.01,0.01,1.50,0.02,0.02\n'
    """
    columns = [_quoted(batch.column("store_id"))]
    classic_us = classic_totals_us({name: batch.column(name).to_numpy() for name in TOTAL_COLUMNS})
    for name, unit_us in TOTALS.items():
        rounded = hundredths(classic_us[name], unit_us)
        columns.append(_NUMBERS.take(pa.array(rounded)))
    lines = pc.binary_join_element_wise(*columns, ",")
    all_lines = pa.ListArray.from_arrays([0, len(lines)], lines)
    text: bytes = pc.binary_join(all_lines, "\n")[0].as_buffer().to_pybytes()
    return text + b"\n"


def _quoted(store_ids: pa.StringArray) -> pa.StringArray:
    """Quote ids where RFC 4180 requires it."""
    doubled = pc.replace_substring(store_ids, '"', '""')
    quoted = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(pc.match_substring_regex(store_ids, '[",]'), quoted, store_ids)

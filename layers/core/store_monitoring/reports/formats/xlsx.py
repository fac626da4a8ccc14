"""The report as an Excel workbook."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO

import xlsxwriter

from store_monitoring.instants import EPOCH
from store_monitoring.reports.formats.rows import Batch, detailed_rows
from store_monitoring.storage.schemas import PART

_NARROW, _WIDE = 12, 38  # widths of columns, in characters


@contextmanager
def open_xlsx(output: IO[bytes], now_us: int) -> Iterator["XlsxWriter"]:
    """Open a workbook, which is written to the stream when the context ends.

    Parameters
    ----------
    output : binary stream
    now_us : int
        The workbook's creation time. The report's own time makes its bytes reproducible.
    """
    created_at = datetime.fromtimestamp(now_us // 1_000_000, EPOCH.tzinfo).replace(tzinfo=None)
    with (
        tempfile.TemporaryDirectory() as folder,
        xlsxwriter.Workbook(
            output, {"constant_memory": True, "remove_timezone": True, "tmpdir": folder}
        ) as workbook,
    ):
        workbook.set_properties({"created": created_at})
        yield XlsxWriter(workbook)


class XlsxWriter:
    """Writes detailed rows to a sheet whose first row is frozen."""

    def __init__(self, workbook: xlsxwriter.Workbook) -> None:
        self._sheet = workbook.add_worksheet("report")
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, 0, _WIDE)
        names = detailed_rows(PART.empty_table()).column_names
        self._sheet.set_column(1, len(names) - 1, _NARROW)
        self._time_format = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._number_format = workbook.add_format({"num_format": "0.00"})
        bold = workbook.add_format({"bold": True, "text_wrap": True})
        self._sheet.write_row(0, 0, names, bold)
        self._next_row = 1

    def write(self, batch: Batch) -> None:
        """Write one row per store."""
        for record in batch.rows.to_pylist():
            for column, value in enumerate(record.values()):
                self._write_cell(column, value)
            self._next_row += 1

    def close(self) -> None:
        """Do nothing: the last row is the end."""

    def _write_cell(self, column: int, value: object) -> None:
        cell = self._next_row, column
        match value:
            case datetime():
                self._sheet.write_datetime(*cell, value, self._time_format)
            case str():
                self._sheet.write_string(*cell, value)
            case float():
                self._sheet.write_number(*cell, value, self._number_format)
            case bool():
                self._sheet.write_boolean(*cell, value)
            case int():
                self._sheet.write_number(*cell, value)

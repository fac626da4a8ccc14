"""The further tables of a report, such as its groups, as files of their own."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from store_monitoring.reports.formats.json import JsonRows, to_json
from store_monitoring.reports.formats.writers import Rows
from store_monitoring.reports.report import Format, TableName


class TableWriter(Protocol):
    """Writes a table in one format."""

    def write(self, rows: Rows) -> None:
        """Write the next rows."""


@contextmanager
def open_table(
    format_: Format,
    name: TableName,
    schema: pa.Schema,
    header: dict[str, Any],
    output: IO[bytes],
) -> Iterator[TableWriter]:
    """Open a table in one of `TABLE_FORMATS`; it is complete when the context ends.

    Parameters
    ----------
    format_ : Format
    name : TableName
    schema : schema
        Of all rows.
    header : JSON object
        As `report_header` returns it. CSV does not contain it.
    output : binary stream
    """
    match format_:
        case Format.CSV:
            yield _CsvTable(schema, output)
        case Format.JSON:
            output.write(f'{{\n"report": {to_json(header)},\n"{name}": ['.encode())
            yield JsonRows(output)
            output.write(b"\n]\n}\n")
        case Format.PARQUET:
            with pq.ParquetWriter(output, schema) as file:
                yield _ParquetTable(file)
                file.add_key_value_metadata({"report": to_json(header)})


class _CsvTable:
    """Has a column for each attribute of a group."""

    def __init__(self, schema: pa.Schema, output: IO[bytes]) -> None:
        self._output = output
        names = [
            name
            for field in schema
            for name in (
                [each.name for each in field.type]
                if pa.types.is_struct(field.type)
                else [field.name]
            )
        ]
        self._write_lines([names])

    def write(self, rows: Rows) -> None:
        self._write_lines(_cells(row) for row in rows.records)

    def _write_lines(self, lines: Any) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._output.write(text.getvalue().encode())


class _ParquetTable:
    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file

    def write(self, rows: Rows) -> None:
        self._file.write_table(rows.table)


def _cells(row: dict[str, Any]) -> Iterator[Any]:
    for value in row.values():
        match value:
            case dict():
                yield from value.values()
            case datetime():
                yield value.isoformat()
            case bool():
                yield str(value).lower()
            case _:
                yield value

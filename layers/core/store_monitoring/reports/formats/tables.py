"""The further tables of a report, such as its groups, as files of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from store_monitoring.reports.formats.csv import lines, quoted
from store_monitoring.reports.formats.json import JsonRows, to_json
from store_monitoring.reports.formats.rows import TEXT_ROWS, flat_headers, join_texts, plain_text
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
    """Writes CSV, with a column for each attribute of a group."""

    def __init__(self, schema: pa.Schema, output: IO[bytes]) -> None:
        self._output = output
        names = pa.array(_flattened(schema.empty_table()).schema.names)
        output.write(f"{join_texts(quoted(names), ',')}\n".encode())

    def write(self, rows: Rows) -> None:
        for batch in _flattened(rows.table).to_batches(TEXT_ROWS):
            self._output.write(lines([quoted(plain_text(values)) for values in batch.columns]))


class _ParquetTable:
    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file

    def write(self, rows: Rows) -> None:
        self._file.write_table(rows.table)


def _flattened(table: pa.Table) -> pa.Table:
    """Return a table with each field of a struct as a column, named without the struct's name."""
    structs = [field.type for field in table.schema if pa.types.is_struct(field.type)]
    attributes = [each.name for struct in structs for each in struct]
    return table.flatten().rename_columns(flat_headers(table.schema, attributes))

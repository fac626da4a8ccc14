"""The JSON report."""

import json
from datetime import date
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.reports.formats.rows import TEXT_ROWS, join_texts, plain_text
from store_monitoring.reports.formats.writers import Aggregates, Batch, Rows, Writer

_ESCAPED = r"[^ !#-\[\]-~]"  # the characters that Python's JSON encoder escapes


class JsonWriter(Writer):
    """Writes one JSON object: the report's header, its stores, groups, outages and summary.

    Stores, groups and outages are arrays with one object per line, so that the file can be read as
    a stream. Money is text, since JSON has no decimal numbers.

    Parameters
    ----------
    output : binary stream
    header : JSON object
        As `report_header` returns it.
    """

    def __init__(self, output: IO[bytes], header: dict[str, Any]) -> None:
        self._output = output
        self._write(f'{{\n"report": {to_json(header)}')
        self._array = ""
        self._rows = JsonRows(output)

    def write(self, batch: Batch) -> None:
        """Write one object per store."""
        self._write_rows("stores", batch.rows)

    def write_aggregates(self, aggregates: Aggregates) -> None:
        """Write the summary, and one object per group."""
        self._end_array()
        self._write(f',\n"summary": {to_json(aggregates.summary.to_json())}')
        if aggregates.groups is not None:
            self._write_rows("groups", aggregates.groups)

    def write_outages(self, rows: Rows) -> None:
        """Write one object per outage."""
        self._write_rows("outages", rows)

    def close(self) -> None:
        """End the object."""
        self._end_array()
        self._write("\n}\n")

    def _write_rows(self, name: str, rows: Rows) -> None:
        if self._array != name:
            self._end_array()
            self._write(f',\n"{name}": [')
            self._array, self._rows = name, JsonRows(self._output)
        self._rows.write(rows)

    def _end_array(self) -> None:
        if self._array:
            self._write("\n]")
        self._array = ""

    def _write(self, text: str) -> None:
        self._output.write(text.encode())


class JsonRows:
    """Writes the items of an array, one object per line."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        self._separator = "\n"

    def write(self, rows: Rows) -> None:
        """Write one object per row."""
        for batch in rows.table.to_batches(TEXT_ROWS):
            lines = join_texts(_objects(batch), ",\n")
            self._output.write(f"{self._separator}{lines}".encode())
            self._separator = ",\n"


def to_json(value: Any) -> str:
    """Return a value as JSON: instants in ISO 8601, money as text."""
    return _ENCODER.encode(value)


def _objects(rows: pa.RecordBatch) -> Any:
    """Return rows as JSON objects; by column, this is many times faster than row by row."""
    parts: list[Any] = []
    for name, values in zip(rows.schema.names, rows.columns, strict=True):
        parts += [f"{', ' if parts else '{'}{to_json(name)}: ", _json_values(values)]
    return pc.binary_join_element_wise(
        *parts, "}", "", null_handling="replace", null_replacement="null"
    )


def _json_values(values: Any) -> Any:
    """Return values as JSON; null stays null."""
    kind = values.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return plain_text(values)
    if pa.types.is_nested(kind) or (
        pa.types.is_string(kind) and pc.any(pc.match_substring_regex(values, _ESCAPED)).as_py()
    ):
        each = values.to_pylist(maps_as_pydicts="strict")
        return pa.array([None if value is None else to_json(value) for value in each], pa.string())
    return pc.binary_join_element_wise('"', plain_text(values), '"', "")


def _encode(value: object) -> str:
    match value:
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER = json.JSONEncoder(default=_encode)  # `json.dumps` would create one in each call

"""The JSON report."""

import json
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa

from store_monitoring.reports.formats.writers import Aggregates, Batch


class JsonWriter:
    """Writes one JSON object: the report's header, its stores, groups and summary.

    Stores and groups are arrays with one object per line, so that the file can be read as a stream.
    Money is text, since JSON has no decimal numbers.

    Parameters
    ----------
    output : binary stream
    header : JSON object
        As `report_header` returns it.
    """

    def __init__(self, output: IO[bytes], header: dict[str, Any]) -> None:
        self._output = output
        self._separator = "\n"
        self._write(f'{{\n"report": {to_json(header)},\n"stores": [')

    def write(self, batch: Batch) -> None:
        """Write one object per store."""
        self._write_items(batch.rows)

    def close(self, aggregates: Aggregates) -> None:
        """Write groups and summary."""
        self._write("\n],\n")
        if aggregates.groups is not None:
            self._separator = "\n"
            self._write('"groups": [')
            self._write_items(aggregates.groups)
            self._write("\n],\n")
        self._write(f'"summary": {to_json(aggregates.summary.to_json())}\n}}\n')

    def _write_items(self, table: pa.Table) -> None:
        for record in records(table):
            self._write(f"{self._separator}{to_json(record)}")
            self._separator = ",\n"

    def _write(self, text: str) -> None:
        self._output.write(text.encode())


def to_json(value: Any) -> str:
    """Return a value as JSON: instants in ISO 8601, money as text."""
    return json.dumps(value, default=_encode)


def records(table: pa.Table) -> Iterable[dict[str, Any]]:
    """Return rows as dicts; attributes are dicts, too."""
    rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="strict")
    return rows


def _encode(value: object) -> str:
    match value:
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")

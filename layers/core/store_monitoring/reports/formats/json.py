"""The JSON report."""

import json
from datetime import datetime
from typing import IO

from store_monitoring.reports.formats.rows import Batch


class JsonWriter:
    """Writes detailed rows as a JSON array, one object per line."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        self._separator = "[\n"

    def write(self, batch: Batch) -> None:
        """Write one object per row."""
        for record in batch.rows.to_pylist():
            line = f"{self._separator}{json.dumps(record, default=datetime.isoformat)}"
            self._output.write(line.encode())
            self._separator = ",\n"

    def close(self) -> None:
        """End the array."""
        self._output.write(b"[]\n" if self._separator.startswith("[") else b"\n]\n")

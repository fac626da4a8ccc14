"""The Parquet report."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pyarrow.parquet as pq

from store_monitoring.reports.formats.rows import Batch, detailed_rows
from store_monitoring.storage.schemas import PART

_ROW_GROUP_ROWS = 16 * 1024


@contextmanager
def open_parquet(output: IO[bytes]) -> Iterator["ParquetWriter"]:
    """Open a Parquet file, which is complete when the context ends."""
    schema = detailed_rows(PART.empty_table()).schema
    # Most values are distinct: dictionaries would be larger.
    with pq.ParquetWriter(output, schema, use_dictionary=False) as file:
        yield ParquetWriter(file)


class ParquetWriter:
    """Writes detailed rows as row groups."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file

    def write(self, batch: Batch) -> None:
        """Write a few row groups."""
        self._file.write_table(batch.rows, row_group_size=_ROW_GROUP_ROWS)

    def close(self) -> None:
        """Do nothing: the context writes the metadata."""

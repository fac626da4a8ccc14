"""The Parquet report."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from store_monitoring.reports.formats.json import to_json
from store_monitoring.reports.formats.rows import detailed_rows
from store_monitoring.reports.formats.writers import Aggregates, Batch, Writer
from store_monitoring.reports.measures import measures

_ROW_GROUP_ROWS = 16 * 1024


@contextmanager
def open_parquet(
    output: IO[bytes], header: dict[str, Any], part_schema: pa.Schema
) -> Iterator["ParquetWriter"]:
    """Open a Parquet file, which is complete when the context ends.

    Parameters
    ----------
    output : binary stream
    header : JSON object
        As `report_header` returns it.
    part_schema : schema
        The schema of the report's parts.
    """
    schema = detailed_rows(measures(part_schema.empty_table(), Decimal(0))).schema
    # Most values are distinct: dictionaries would be larger.
    with pq.ParquetWriter(output, schema, use_dictionary=False) as file:
        yield ParquetWriter(file, header)


class ParquetWriter(Writer):
    """Writes detailed rows as row groups; header and summary are key-value metadata, in JSON."""

    def __init__(self, file: pq.ParquetWriter, header: dict[str, Any]) -> None:
        self._file = file
        self._header = header

    def write(self, batch: Batch) -> None:
        """Write a few row groups."""
        self._file.write_table(batch.rows.table, row_group_size=_ROW_GROUP_ROWS)

    def write_aggregates(self, aggregates: Aggregates) -> None:
        """Write the metadata."""
        metadata = {"report": self._header, "summary": aggregates.summary.to_json()}
        self._file.add_key_value_metadata({key: to_json(metadata[key]) for key in metadata})

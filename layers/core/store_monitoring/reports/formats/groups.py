"""The groups of a report as a file of their own, in the formats of tables."""

import csv
import io
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from store_monitoring.reports.formats.json import records, to_json
from store_monitoring.reports.report import Format

GROUPS_FORMATS = (Format.CSV, Format.JSON, Format.PARQUET)
"""The formats that have a file of groups; in the others, groups are a part of the report."""


def write_groups(
    format_: Format, groups: pa.Table, header: dict[str, Any], output: IO[bytes]
) -> None:
    """Write the table that `GroupsBuilder.table` returned, in one of `GROUPS_FORMATS`."""
    match format_:
        case Format.CSV:
            output.write(_csv(groups).encode())
        case Format.JSON:
            lines = ",\n".join(map(to_json, records(groups)))
            output.write(
                f'{{\n"report": {to_json(header)},\n"groups": [\n{lines}\n]\n}}\n'.encode()
            )
        case Format.PARQUET:
            table = groups.replace_schema_metadata({"report": to_json(header)})
            pq.write_table(table, output)


def _csv(groups: pa.Table) -> str:
    """Return CSV with a column per attribute. A group without a value has an empty one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    attributes = [field.name for field in groups.schema.field("group").type]
    writer.writerow([*attributes, *groups.column_names[1:]])
    for row in groups.to_pylist():
        writer.writerow([*row.pop("group").values(), *row.values()])
    return text.getvalue()

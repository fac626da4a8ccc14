"""The same report by tools that a user might pick instead: `make bench-peers`."""

import pyarrow as pa
import pyarrow.compute as pc

WINDOWS = ("hour", "day", "week")
CLASSIC = pa.schema(
    [pa.field("store_id", pa.string(), nullable=False)]
    + [
        pa.field(f"{measure}_last_{window}_us", pa.int64(), nullable=False)
        for measure in ("uptime", "downtime")
        for window in WINDOWS
    ]
)
"""The exact values of the CSV, which every peer computes."""


def classic(part: pa.Table) -> pa.Table:
    """Return the exact values of the CSV from a part: no data counts as downtime (rule 11)."""
    for window in WINDOWS:
        name = f"downtime_last_{window}_us"
        both = pc.add(part.column(name), part.column(f"no_data_last_{window}_us"))
        part = part.set_column(part.schema.get_field_index(name), CLASSIC.field(name), both)
    return part.select(CLASSIC.names)

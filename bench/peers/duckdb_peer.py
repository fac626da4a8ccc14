"""Rules 1 to 13 in DuckDB."""

from pathlib import Path

import duckdb
import pyarrow as pa

_QUERY = Path(__file__).with_name("uptime.sql").read_text("utf-8")


def compute_uptime(folder: Path, now_us: int, memory_us: int) -> pa.Table:
    """Return the exact totals of all stores of a data set."""
    parameters = {
        "polls": f"{folder}/polls/*/*.parquet",
        "stores": f"{folder}/stores/*/*.parquet",
        "now_us": now_us,
        "memory_us": memory_us,
    }
    with duckdb.connect(config={"threads": 1}) as connection:
        return connection.sql(_QUERY, params=parameters).to_arrow_table()

"""Parts that no shard computed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from store_monitoring.storage.schemas import PART


def part_with(columns: Mapping[str, Any]) -> pa.Table:
    """Return rows of schema `PART` with some columns; the others are null, zero, false or empty.

    >>> row = part_with({"store_id": ["a"], "open_now": [True]}).to_pylist()[0]
    >>> row["open_now"], row["uptime_last_day_us"], row["outage_hours"], row["last_poll_at"]
    (True, 0, [], None)
    """
    count = len(columns["store_id"])
    return pa.table(
        [pa.array(columns.get(field.name, _blank(field, count)), field.type) for field in PART],
        schema=PART,
    )


def _blank(field: pa.Field, count: int) -> Any:
    if field.nullable:
        return pa.nulls(count, field.type)
    if pa.types.is_list(field.type):
        return [[]] * count
    return np.zeros(count, field.type.to_pandas_dtype())

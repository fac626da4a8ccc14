"""Writing a bucket's polls."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from store_monitoring.storage.keys import polls_key
from store_monitoring.storage.polls import row_groups
from store_monitoring.use_cases.ports import PollsFile, Tables


def write_polls(
    bucket: int, ingest_id: str, chunks: Iterable[pa.Table], tables: Tables
) -> PollsFile:
    """Write a bucket's polls, a row group a chunk and ISO week, each by store and time."""
    rows, least_us, greatest_us = 0, np.iinfo(np.int64).max, np.iinfo(np.int64).min

    def groups() -> Iterator[pa.Table]:
        nonlocal rows, least_us, greatest_us
        for chunk in chunks:
            timestamp_us = chunk.column("timestamp").cast(pa.int64()).to_numpy()
            rows += len(chunk)
            least_us = min(least_us, timestamp_us.min())
            greatest_us = max(greatest_us, timestamp_us.max())
            yield from row_groups(chunk)

    key = polls_key(bucket, ingest_id)
    size = tables.write_polls(key, groups())
    return PollsFile(bucket, key, rows, size, int(least_us), int(greatest_us))

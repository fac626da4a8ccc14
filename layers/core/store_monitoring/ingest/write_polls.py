"""Write the polls of a bucket."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from store_monitoring.ingest.ports import WrittenPolls
from store_monitoring.storage.keys import polls_key
from store_monitoring.storage.polls import row_groups
from store_monitoring.storage.ports import PollsFile, Tables


def write_polls(
    bucket: int, ingest_id: str, chunks: Iterable[pa.Table], tables: Tables
) -> WrittenPolls:
    """Write a bucket's polls, one row group per chunk and ISO week, sorted by store and time."""
    min_timestamp_us, max_timestamp_us = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    rows_by_week: Counter[int] = Counter()

    def groups() -> Iterator[pa.Table]:
        nonlocal min_timestamp_us, max_timestamp_us
        for chunk in chunks:
            timestamp_us = chunk.column("timestamp").cast(pa.int64()).to_numpy()
            min_timestamp_us = min(min_timestamp_us, timestamp_us.min())
            max_timestamp_us = max(max_timestamp_us, timestamp_us.max())
            for week_us, group in row_groups(chunk):
                rows_by_week[week_us] += len(group)
                yield group

    key = polls_key(bucket, ingest_id)
    size = tables.write_polls(key, groups())
    file = PollsFile(
        bucket, key, rows_by_week.total(), size, int(min_timestamp_us), int(max_timestamp_us)
    )
    return WrittenPolls(file, rows_by_week)

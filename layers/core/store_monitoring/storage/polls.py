"""Layout of polls in a Parquet file (schema `POLLS`)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from store_monitoring.domain.model import Int64s
from store_monitoring.domain.parameters import DAY_US, EPOCH_WEEKDAY, WEEK_US
from store_monitoring.domain.runs import begins_run
from store_monitoring.storage.keys import polls_key
from store_monitoring.storage.ports import PollsFile, Tables, WrittenPolls
from store_monitoring.storage.schemas import POLLS_AS_READ

ROW_GROUP_ROWS = 16 * 1024  # the unit that is read for one store: about 100 kB

_EPOCH_WEEK_OFFSET_US = EPOCH_WEEKDAY * DAY_US  # ISO weeks begin on Mondays


POLLS_ENCODING: dict[str, Any] = {
    "use_dictionary": ["store_id"],
    "store_schema": False,  # readers choose whether `store_id` is a dictionary
    "column_encoding": {"timestamp": "DELTA_BINARY_PACKED"},
}
"""Parquet encodings: half the bytes of the default ones, and a third of their time to read."""


def write_polls(
    bucket: int, ingest_id: str, chunks: Iterable[pa.Table], tables: Tables
) -> WrittenPolls:
    """Write a bucket's polls, each chunk cut into sorted row groups of one ISO week."""
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


def row_groups(polls: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Cut polls into row groups of one ISO week (UTC) each, sorted by store, time and status.

    The row groups' statistics then let a report read only the weeks that it needs.

    Parameters
    ----------
    polls : table of schema POLLS or POLLS_AS_READ

    Yields
    ------
    tuple of int and table
        Start of the week in microseconds, and at most `ROW_GROUP_ROWS` of its polls, of schema
        POLLS_AS_READ. The dictionary contains only the ids in the row group.
    """
    ids = polls.column("store_id").cast(POLLS_AS_READ.field("store_id").type).combine_chunks()
    by_id = pc.sort_indices(ids.dictionary)
    sorted_ids = ids.dictionary.take(by_id)
    rank = np.argsort(by_id.to_numpy())[ids.indices]
    since_us = polls.column("timestamp").cast(pa.int64()).to_numpy() + _EPOCH_WEEK_OFFSET_US
    week = since_us // WEEK_US
    # Within a week, each poll becomes one integer; int64 has room for 7 million stores. Sorting
    # integers is faster than sorting indices and reordering the columns.
    key = rank * WEEK_US
    key += since_us - week * WEEK_US
    key <<= 1
    key |= polls.column("active").to_numpy()
    order = np.argsort(_small(week), kind="stable")
    key, week = key[order], week[order]
    first = np.flatnonzero(begins_run(week))
    for begin, end in pairwise([*first.tolist(), len(week)]):
        key[begin:end].sort()
        week_us = int(week[begin]) * WEEK_US - _EPOCH_WEEK_OFFSET_US
        for start in range(begin, end, ROW_GROUP_ROWS):
            some = key[start : min(start + ROW_GROUP_ROWS, end)]
            yield week_us, _table(some, week_us, sorted_ids)


def _table(key: Int64s, week_us: int, sorted_ids: pa.StringArray) -> pa.Table:
    """Return the polls of a week, given their integers in ascending order."""
    position = key >> 1
    rank = position // WEEK_US
    begins_store = begins_run(rank)
    own_ids = sorted_ids.take(pa.array(rank[begins_store]))
    columns = [
        pa.DictionaryArray.from_arrays(np.cumsum(begins_store, dtype=np.int32) - 1, own_ids),
        pa.array(position - rank * WEEK_US + week_us, POLLS_AS_READ.field("timestamp").type),
        (key & 1).astype(np.bool_),
    ]
    return pa.table(columns, schema=POLLS_AS_READ)


def _small(numbers: Int64s) -> NDArray[np.unsignedinteger[Any]]:
    """Return numbers in the smallest type that holds them: numpy radix-sorts those of 16 bits."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))

"""Rows set aside on disk, bucket by bucket, until a whole file is known to be readable."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.model import Int64s
from store_monitoring.storage.bucketing import bucket_of

CHUNK_ROWS = 2_000_000


class Spill:
    """Tables with a `store_id`, written to a local file and read back by bucket.

    Parameters
    ----------
    path : Path
        The file to write; its size is about that of the rows.
    bucket_count : int
    """

    def __init__(self, path: Path, bucket_count: int) -> None:
        self._path = path
        self._bucket_count = bucket_count
        self._writer: pa.RecordBatchFileWriter | None = None
        self._offsets: list[Int64s] = []  # one a batch: where each bucket's rows begin, and the end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.finish()

    def add(self, table: pa.Table) -> None:
        """Set rows aside; all tables have the same schema."""
        if not len(table):
            return
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._path), table.schema)
        bucket = self._buckets(table.column("store_id").combine_chunks())
        order = np.argsort(bucket, kind="stable")
        batch = table.take(order).combine_chunks().to_batches()[0]
        self._writer.write_batch(batch)
        self._offsets.append(np.searchsorted(bucket[order], np.arange(self._bucket_count + 1)))

    def finish(self) -> None:
        """Close the file: all rows are there."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def buckets(self) -> list[int]:
        """Return the buckets that have rows, ascending."""
        if not self._offsets:
            return []
        rows = sum(np.diff(offsets) for offsets in self._offsets)
        return np.flatnonzero(rows).tolist()

    def chunks(self, bucket: int) -> Iterator[pa.Table]:
        """Yield a bucket's rows in the order they came, at most about `CHUNK_ROWS` at a time."""
        with pa.memory_map(str(self._path)) as source:
            reader = pa.ipc.open_file(source)
            slices: list[pa.RecordBatch] = []
            for index, offsets in enumerate(self._offsets):
                begin, end = offsets[bucket], offsets[bucket + 1]
                if begin == end:
                    continue
                slices.append(reader.get_batch(index).slice(begin, end - begin))
                if sum(map(len, slices)) >= CHUNK_ROWS:
                    yield pa.Table.from_batches(slices)
                    slices = []
            if slices:
                yield pa.Table.from_batches(slices)

    def _buckets(self, store_ids: pa.StringArray) -> Int64s:
        distinct = pc.unique(store_ids)
        of_distinct: Int64s = np.array(
            [bucket_of(store_id, self._bucket_count) for store_id in distinct.to_pylist()]
        )
        row: Int64s = pc.index_in(store_ids, distinct).to_numpy()
        return of_distinct[row]

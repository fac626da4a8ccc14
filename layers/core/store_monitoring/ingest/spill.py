"""Rows set aside on disk, bucket by bucket, until a whole file is known to be readable."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

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
        self._batches: dict[int, list[int]] = defaultdict(list)  # the numbers of each bucket's
        self._count = 0  # of all batches

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
        order = np.argsort(bucket, kind="stable")  # of 16 bits: a radix sort
        [batch] = table.take(order).combine_chunks().to_batches()
        border = np.searchsorted(bucket[order], np.arange(self._bucket_count + 1))
        for number in np.unique(bucket).tolist():
            begin, end = border[number : number + 2].tolist()
            self._writer.write_batch(batch.slice(begin, end - begin))
            self._batches[number].append(self._count)
            self._count += 1

    def finish(self) -> None:
        """Close the file: all rows are there."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def buckets(self) -> list[int]:
        """Return the buckets that have rows, ascending."""
        return sorted(self._batches)

    def chunks(self, bucket: int) -> Iterator[pa.Table]:
        """Yield a bucket's rows in the order they came, at most about `CHUNK_ROWS` at a time."""
        with pa.OSFile(str(self._path)) as source:
            reader = pa.ipc.open_file(source)
            batches: list[pa.RecordBatch] = []
            for number in self._batches[bucket]:
                batches.append(reader.get_batch(number))
                if sum(map(len, batches)) >= CHUNK_ROWS:
                    yield pa.Table.from_batches(batches)
                    batches = []
            if batches:
                yield pa.Table.from_batches(batches)

    def _buckets(self, store_ids: pa.StringArray) -> NDArray[np.uint16]:
        encoded = store_ids.dictionary_encode()
        distinct = encoded.dictionary.to_pylist()
        of_distinct = [bucket_of(store_id, self._bucket_count) for store_id in distinct]
        buckets: NDArray[np.uint16] = np.array(of_distinct, np.uint16)[encoded.indices]
        return buckets

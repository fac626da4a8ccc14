"""Spill rows to disk by bucket, until the whole file is known to be readable."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store_monitoring.storage.keys import bucket_of

CHUNK_ROWS = 500_000
CHUNK_BYTES = 256 * 1024 * 1024  # rows of attributes may be long
_BUFFER_BYTES = 1024 * 1024


class Spill:
    """Writes tables to a local file and reads them back bucket by bucket.

    The first column is `store_id`, dictionary-encoded: as plain strings, the ids would take most of
    the disk space and memory. Of each table, the rows of a bucket are written as an Arrow stream of
    their own, whose dictionary has only that bucket's ids.

    Parameters
    ----------
    path : Path
        The file to write.
    bucket_count : int
    """

    def __init__(self, path: Path, bucket_count: int) -> None:
        self._path = path
        self._file = pa.BufferedOutputStream(pa.OSFile(str(path), "wb"), _BUFFER_BYTES)
        self._bucket_count = bucket_count
        self._streams: dict[int, list[int]] = defaultdict(list)  # offsets of each bucket's streams

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, table: pa.Table) -> None:
        """Add rows; all tables have the same schema."""
        if not len(table):
            return
        ids, bucket_of_id = self._by_bucket(table.column("store_id").combine_chunks())
        bucket = bucket_of_id[ids.indices]
        order = np.argsort(bucket, kind="stable")  # 16-bit values: NumPy uses a radix sort
        rows = table.set_column(0, "store_id", ids).take(pa.array(order))
        [batch] = rows.combine_chunks().to_batches()
        numbers = np.arange(self._bucket_count + 1)
        border = np.searchsorted(bucket[order], numbers).tolist()
        border_of_ids = np.searchsorted(bucket_of_id, numbers).tolist()
        for number in np.unique(bucket).tolist():
            begin, end = border[number : number + 2]
            first_id, end_of_ids = border_of_ids[number : number + 2]
            part = batch[begin:end]
            index = part.column("store_id").indices.to_numpy() - first_id
            own_ids = pa.DictionaryArray.from_arrays(index, ids.dictionary[first_id:end_of_ids])
            self._write(number, part.set_column(0, "store_id", own_ids))

    def buckets(self) -> list[int]:
        """Return the buckets that have rows, ascending."""
        return sorted(self._streams)

    def chunks(self, bucket: int) -> Iterator[pa.Table]:
        """Yield a bucket's rows in insertion order, in chunks of about the same size.

        A chunk has about `CHUNK_ROWS` rows, fewer if it would have more than `CHUNK_BYTES`.
        """
        with pa.OSFile(str(self._path)) as source:
            tables: list[pa.Table] = []
            rows = size = 0
            for begin in self._streams[bucket]:
                source.seek(begin)
                tables.append(pa.ipc.open_stream(source).read_all())
                rows += len(tables[-1])
                size += tables[-1].nbytes
                if rows >= CHUNK_ROWS or size >= CHUNK_BYTES:
                    yield pa.concat_tables(tables).combine_chunks()
                    tables, rows, size = [], 0, 0
            if tables:
                yield pa.concat_tables(tables).combine_chunks()

    def _write(self, bucket: int, batch: pa.RecordBatch) -> None:
        self._streams[bucket].append(self._file.tell())
        with pa.ipc.new_stream(self._file, batch.schema) as stream:
            stream.write_batch(batch)

    def _by_bucket(self, ids: pa.DictionaryArray) -> tuple[pa.DictionaryArray, NDArray[np.uint16]]:
        """Return the ids with their dictionary sorted by bucket, and the bucket of each entry."""
        bucket = np.array(
            [bucket_of(store_id, self._bucket_count) for store_id in ids.dictionary.to_pylist()],
            np.uint16,
        )
        order = np.argsort(bucket, kind="stable")
        rank = np.argsort(order).astype(np.int32)
        ordered = ids.dictionary.take(pa.array(order))
        return pa.DictionaryArray.from_arrays(rank[ids.indices], ordered), bucket[order]

"""Tables and byte streams in S3, through Arrow's S3 client, and obstore's for small objects.

Neither needs boto3, whose import would double a cold start. Arrow reads byte ranges in parallel,
but requests the size of each object first; obstore reads an object with one request.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from obstore import Bytes
from obstore.exceptions import BaseError
from obstore.store import S3Store
from pyarrow import fs

from store_monitoring.errors import MissingObjectError, TransientError
from store_monitoring.storage.polls import POLLS_ENCODING
from store_monitoring.storage.ports import PollsFile, StoresFile
from store_monitoring.storage.schemas import POLLS_AS_READ, STORES

_COPY_BYTES = 8 * 1024 * 1024
_SMALL_BYTES = 1024 * 1024  # a smaller object is written without a file
_WHOLE_BYTES = 1024 * 1024  # a small object is read in one request
_FOOTER_BYTES = 64 * 1024  # Arrow reads as much of a larger object to find its row groups
_ROW_GROUP_ROWS = 16 * 1024  # of stores: the unit that is read for one of them
_BATCH_ROW_GROUPS = 32  # half a million polls
_PART_ROW_GROUP_ROWS = 1_000  # a merge of a thousand parts holds two row groups of each
# Columns with repeated values; for others, a dictionary is larger than the values.
_REPEATING = ["report_id", "window", "store_id", "timezone"]
_READERS = 64  # most of the time is spent waiting for S3
_RETRY_TIMEOUT = timedelta(seconds=20)
_ReadWhole = Callable[[str], bytes | Bytes]
_Ranges = dict[str, tuple[Any, Any]]
"""By column, the range of values to read, ends included: bytes or microseconds."""


def s3_bucket(bucket: str) -> fs.FileSystem:
    """Return an S3 bucket as a file system, at the endpoint from the environment."""
    pa.set_io_thread_count(_READERS)  # Arrow's client opens as many connections
    s3 = fs.S3FileSystem(
        region=os.environ.get("AWS_REGION"),
        endpoint_override=os.environ.get("AWS_ENDPOINT_URL"),
        allow_delayed_open=True,  # one request for a small object
    )
    return fs.SubTreeFileSystem(bucket, s3)


def s3_tables(bucket: str) -> "ArrowTables":
    """Return the tables of an S3 bucket, at the endpoint from the environment."""
    # With SnapStart, credentials come from an endpoint that obstore does not know.
    has_credentials = "AWS_ACCESS_KEY_ID" in os.environ
    return ArrowTables(s3_bucket(bucket), _s3_reader(bucket) if has_credentials else None)


def _s3_reader(bucket: str) -> _ReadWhole:
    """Return a function that reads an object of a bucket by one request."""
    region = os.environ.get("AWS_REGION", "")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    endpoint = os.environ.get("AWS_ENDPOINT_URL", f"https://s3.{region}.{domain}")
    store = S3Store(
        bucket,
        endpoint=endpoint,
        client_options={"allow_http": endpoint.startswith("http:")},
        retry_config={"max_retries": 3, "retry_timeout": _RETRY_TIMEOUT},
    )
    return lambda key: store.get(key).bytes()


class ArrowTables:
    """Objects of one bucket.

    Both clients retry by themselves. Their errors become `TransientError`, since the state machine
    retries only a few times; for a missing object, `MissingObjectError`.

    Files are read in parallel, to hide the latency of S3. The columns of one file are not, since a
    function has one processor.

    Parameters
    ----------
    bucket : pyarrow.fs.FileSystem
        Its paths are the keys.
    read_whole : function of a key to bytes, optional
        Reads an object by one request.
    """

    def __init__(self, bucket: fs.FileSystem, read_whole: _ReadWhole | None = None) -> None:
        self._bucket = bucket
        self._read_whole = read_whole or self._read_stream
        self._pool = ThreadPoolExecutor(_READERS)

    def read_bytes(self, key: str) -> bytes:
        """Return an object's content."""
        with _storage_errors(f"read {key}"):
            return bytes(self._read_whole(key))

    def read_table(self, key: str) -> pa.Table:
        """Return a whole table."""
        return self._fetch(key, 0, {})()

    def read_metadata(self, key: str) -> Mapping[bytes, bytes] | None:
        """Return the metadata of a table's schema; None if the table does not exist."""
        try:
            with _storage_errors(f"read {key}"), self._bucket.open_input_file(key) as file:
                metadata: Mapping[bytes, bytes] = pq.read_schema(file).metadata or {}
                return metadata
        except MissingObjectError:
            return None

    def read_part(self, key: str, piece_rows: int = _PART_ROW_GROUP_ROWS) -> Iterator[pa.Table]:
        """Yield the result of one shard, some row groups at a time, each time with one request."""
        groups = max(1, piece_rows // _PART_ROW_GROUP_ROWS)
        with _storage_errors(f"read {key}"), self._bucket.open_input_file(key) as file:
            metadata = pq.read_metadata(file)
            if not metadata.num_row_groups:
                yield metadata.schema.to_arrow_schema().empty_table()
            for begin in range(0, metadata.num_row_groups, groups):
                # A reader keeps the data that it has buffered, so use a new one for each piece.
                reader = pq.ParquetFile(file, metadata=metadata, pre_buffer=True)
                some = range(begin, min(begin + groups, metadata.num_row_groups))
                yield reader.read_row_groups(some, use_threads=False)

    def read_stores(self, files: Sequence[StoresFile], store_id: str | None = None) -> pa.Table:
        """Return the stores of all files, or of the row groups that may contain one store."""
        ranges = _store_range(store_id)
        tables = self._read(files, ranges)
        # Files do not have columns without a value, nor those that were added later.
        return pa.concat_tables([STORES.empty_table(), *tables], promote_options="default")

    def read_polls(
        self,
        files: Sequence[PollsFile],
        min_timestamp_us: int,
        max_timestamp_us: int,
        store_id: str | None = None,
    ) -> pa.Table:
        """Return the polls of all row groups whose statistics overlap the ranges."""
        ranges = _store_range(store_id) | {"timestamp": (min_timestamp_us, max_timestamp_us)}
        tables = self._read(files, ranges, read_dictionary=["store_id"])
        return pa.concat_tables([POLLS_AS_READ.empty_table(), *tables])

    def read_polls_in_batches(
        self,
        files: Sequence[PollsFile],
        min_timestamp_us: int,
        max_timestamp_us: int,
        store_id: str | None = None,
    ) -> Iterator[pa.Table]:
        """Yield the polls of all row groups whose statistics overlap the ranges, in batches."""
        ranges = _store_range(store_id) | {"timestamp": (min_timestamp_us, max_timestamp_us)}
        for each in files:
            action = f"read {each.key}"
            with _storage_errors(action), self._bucket.open_input_file(each.key) as file:
                metadata = pq.read_metadata(file)
                groups = _row_groups(pq.ParquetFile(file, metadata=metadata), ranges)
                for first in range(0, len(groups), _BATCH_ROW_GROUPS):
                    # A new reader for each batch, as in `read_part`.
                    parquet = pq.ParquetFile(
                        file, metadata=metadata, read_dictionary=["store_id"], pre_buffer=True
                    )
                    some = groups[first : first + _BATCH_ROW_GROUPS]
                    yield parquet.read_row_groups(some, use_threads=False)

    def write_table(self, key: str, table: pa.Table) -> int:
        """Write a table as a Parquet object; return its size in bytes."""
        return self.write_tables(key, [table])

    def write_tables(self, key: str, tables: Iterable[pa.Table]) -> int:
        """Write tables of one schema as one Parquet object; return its size in bytes."""
        return self._write(key, tables, _ROW_GROUP_ROWS, use_dictionary=_REPEATING)

    def write_polls(self, key: str, groups: Iterable[pa.Table]) -> int:
        """Write polls as one Parquet object, a row group for each table; return its size."""
        return self._write(key, groups, None, **POLLS_ENCODING)

    def write_part(self, key: str, part: pa.Table) -> None:
        """Write the result of one shard, in row groups small enough for a merge of all parts."""
        self._write(key, [part], _PART_ROW_GROUP_ROWS, use_dictionary=False)

    def write_outages(self, key: str, outages: Iterable[pa.Table]) -> None:
        """Write the outages of one shard's stores, in row groups small enough for a merge, too."""
        self._write(key, outages, _PART_ROW_GROUP_ROWS, use_dictionary=["store_id"])

    def _write(
        self, key: str, groups: Iterable[pa.Table], row_group_rows: int | None, **encoding: Any
    ) -> int:
        with self.open_output(key) as output:
            with ExitStack() as stack:
                writer: pq.ParquetWriter | None = None
                for group in groups:
                    writer = writer or stack.enter_context(
                        pq.ParquetWriter(output, group.schema, **encoding)
                    )
                    writer.write_table(group, row_group_size=row_group_rows)
            return output.tell()

    def write_file(self, key: str, path: Path) -> None:
        """Write a local file as an object."""
        with path.open("rb") as file, self.open_output(key) as output:
            shutil.copyfileobj(file, output, _COPY_BYTES)

    @contextmanager
    def open_output(self, key: str) -> Iterator[IO[bytes]]:
        """Open a stream that becomes the object's content at the end of the context.

        The content goes to memory or a temporary file first: after an error, Arrow's own stream
        would create an object from the incomplete content.
        """
        with tempfile.SpooledTemporaryFile(_SMALL_BYTES) as written:
            yield written
            written.seek(0)
            with _storage_errors(f"write {key}"), self._bucket.open_output_stream(key) as output:
                shutil.copyfileobj(written, output, _COPY_BYTES)

    def _read_stream(self, key: str) -> bytes:
        with self._bucket.open_input_stream(key) as stream:
            content: bytes = stream.read()
            return content

    def _read(
        self, files: Sequence[StoresFile] | Sequence[PollsFile], ranges: _Ranges, **options: Any
    ) -> Iterator[pa.Table]:
        """Yield the tables in files.

        They are fetched in parallel. Small ones are decoded in one thread, since several threads
        would only wait for Python's global interpreter lock.
        """
        fetches = self._pool.map(
            lambda file: self._fetch(file.key, file.bytes, ranges, **options), files
        )
        for decoded in fetches:
            yield decoded()

    def _fetch(
        self, key: str, known_bytes: int, ranges: _Ranges, **options: Any
    ) -> Callable[[], pa.Table]:
        """Fetch a small file, or the table in a large one; return a function that gives the table.

        The file had `known_bytes` when it was written; 0 if that is not known. It may have another
        size by now, if it was overwritten when a store was deleted.
        """

        def decoded(source: pa.NativeFile, *, pre_buffer: bool) -> pa.Table:
            # `pq.read_table` would do this, but imports `pyarrow.dataset`, which lengthens a cold
            # start.
            with _storage_errors(f"read {key}"):
                parquet = pq.ParquetFile(source, pre_buffer=pre_buffer, **options)
                return parquet.read_row_groups(_row_groups(parquet, ranges), use_threads=False)

        whole_bytes = _FOOTER_BYTES if "store_id" in ranges else _WHOLE_BYTES
        if 0 < known_bytes <= whole_bytes:
            with _storage_errors(f"read {key}"):
                content = self._read_whole(key)
            return partial(decoded, pa.BufferReader(content), pre_buffer=False)
        with _storage_errors(f"read {key}"), self._bucket.open_input_file(key) as file:
            if file.size() <= whole_bytes:
                return partial(decoded, pa.BufferReader(file.read()), pre_buffer=False)
            table = decoded(file, pre_buffer=True)
            return lambda: table


@contextmanager
def _storage_errors(action: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MissingObjectError(f"cannot {action}: there is no such object") from error
    except (OSError, BaseError) as error:
        raise TransientError.cannot(action) from error


def _store_range(store_id: str | None) -> _Ranges:
    return {} if store_id is None else {"store_id": (store_id.encode(), store_id.encode())}


def _row_groups(parquet: pq.ParquetFile, ranges: _Ranges) -> list[int]:
    """Return the row groups whose statistics overlap the ranges."""
    columns = {parquet.schema_arrow.get_field_index(name): ranges[name] for name in ranges}
    groups = map(parquet.metadata.row_group, range(parquet.num_row_groups))
    return [
        number
        for number, group in enumerate(groups)
        if group.num_rows  # without rows, there are no statistics
        and all(_overlaps(group.column(column).statistics, *columns[column]) for column in columns)
    ]


def _overlaps(statistics: pq.Statistics, min_value: Any, max_value: Any) -> bool:
    """Return whether values of a column chunk may be in [min_value, max_value]."""
    return bool(statistics.max_raw >= min_value and statistics.min_raw <= max_value)

"""Tables and byte streams in S3, through Arrow's own client.

Arrow reads ranges, in parallel and without boto3, whose import alone would double a cold start.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from store_monitoring.errors import MissingObject, TransientError
from store_monitoring.instants import to_us
from store_monitoring.storage.schemas import POLLS, STORES
from store_monitoring.use_cases.ports import PollsFile, StoresFile

_COPY_BYTES = 8 * 1024 * 1024
_WHOLE_BYTES = 1024 * 1024  # a small object is read in one request instead of two or three
_FOOTER_BYTES = 64 * 1024  # of a larger one, Arrow reads as much to find its row groups
_ROW_GROUP_ROWS = 16 * 1024  # what is read for one store: about 200 kB of polls
_REPEATING = ["store_id", "timezone"]  # a dictionary of other columns is larger than they are
_READERS = 8  # waiting for S3, not reading, takes the time

_Wanted = dict[str, tuple[Any, Any]]
"""The least and the greatest value that are wanted, by column."""


def s3_bucket(bucket: str) -> fs.FileSystem:
    """Return an S3 bucket as a file system, at the endpoint that the environment names."""
    s3 = fs.S3FileSystem(
        region=os.environ.get("AWS_REGION"),
        endpoint_override=os.environ.get("AWS_ENDPOINT_URL"),
        allow_delayed_open=True,  # one request for a small object
    )
    return fs.SubTreeFileSystem(bucket, s3)


class ArrowTables:
    """Objects of one bucket.

    Arrow has one error, `OSError`, for whatever goes wrong with S3 after its own retries; all but
    a missing object are taken to be transient, since the state machine retries only a few times.

    Parameters
    ----------
    bucket : pyarrow.fs.FileSystem
        Its paths are the keys.
    """

    def __init__(self, bucket: fs.FileSystem) -> None:
        self._bucket = bucket

    def read_bytes(self, key: str) -> bytes:
        """Return an object's content."""
        with _storage_errors(f"read {key}"), self._bucket.open_input_stream(key) as stream:
            content: bytes = stream.read()
            return content

    def read_table(self, key: str) -> pa.Table:
        """Return a table that was written whole."""
        return self._read(key, {})

    def count_rows(self, key: str) -> int | None:
        """Return how many rows a table has, None if it is not there."""
        try:
            with _storage_errors(f"read {key}"), self._bucket.open_input_file(key) as file:
                rows: int = pq.ParquetFile(file).metadata.num_rows
                return rows
        except MissingObject:
            return None

    def read_stores(self, files: Sequence[StoresFile], store_id: str | None = None) -> pa.Table:
        """Return the stores of all files, or of the row groups that may have the one named."""
        return self._read_all(files, STORES, _of(store_id))

    def read_polls(
        self,
        files: Sequence[PollsFile],
        least_us: int,
        greatest_us: int,
        store_id: str | None = None,
    ) -> pa.Table:
        """Return the polls of all row groups that, by their statistics, may have those wanted."""
        wanted = _of(store_id) | {"timestamp": (least_us, greatest_us)}
        return self._read_all(files, POLLS, wanted)

    def write_table(self, key: str, table: pa.Table) -> int:
        """Write a table as a Parquet object; return its size in bytes."""
        return self.write_row_groups(key, [table])

    def write_row_groups(self, key: str, groups: Iterable[pa.Table]) -> int:
        """Write tables as row groups, one or more each, of one Parquet object; return its size."""
        with self.open_output(key) as output:
            with ExitStack() as stack:
                writer: pq.ParquetWriter | None = None
                for group in groups:
                    writer = writer or stack.enter_context(
                        pq.ParquetWriter(output, group.schema, use_dictionary=_REPEATING)
                    )
                    writer.write_table(group, row_group_size=_ROW_GROUP_ROWS)
            return output.tell()

    def write_file(self, key: str, path: Path) -> None:
        """Write a local file as an object."""
        with path.open("rb") as file, self.open_output(key) as output:
            shutil.copyfileobj(file, output, _COPY_BYTES)

    @contextmanager
    def open_output(self, key: str) -> Iterator[IO[bytes]]:
        """Open a stream that becomes the object's content at the end of the context.

        What is written is set aside until then: Arrow's own stream would make an object also of
        what was written before an error.
        """
        with tempfile.TemporaryFile() as written:
            yield written
            written.seek(0)
            with _storage_errors(f"write {key}"), self._bucket.open_output_stream(key) as output:
                shutil.copyfileobj(written, output, _COPY_BYTES)

    def _read_all(
        self,
        files: Sequence[StoresFile] | Sequence[PollsFile],
        schema: pa.Schema,
        wanted: _Wanted,
    ) -> pa.Table:
        with ThreadPoolExecutor(_READERS) as pool:
            tables = pool.map(lambda file: self._read(file.key, wanted), files)
            return pa.concat_tables([schema.empty_table(), *tables])

    def _read(self, key: str, wanted: _Wanted) -> pa.Table:
        # Not `pyarrow.dataset`, which does all this, nor `pq.read_table`, which is built on it:
        # it imports pandas, and that takes longer than a shard.
        with _storage_errors(f"read {key}"), self._bucket.open_input_file(key) as file:
            whole = file.size() <= (_FOOTER_BYTES if "store_id" in wanted else _WHOLE_BYTES)
            source = pa.BufferReader(file.read()) if whole else file
            parquet = pq.ParquetFile(source, pre_buffer=not whole)
            return parquet.read_row_groups(_row_groups(parquet, wanted))


@contextmanager
def _storage_errors(action: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MissingObject(f"cannot {action}: there is no such object") from error
    except OSError as error:
        raise TransientError(f"cannot {action}: {error}") from error


def _of(store_id: str | None) -> _Wanted:
    return {} if store_id is None else {"store_id": (store_id, store_id)}


def _row_groups(parquet: pq.ParquetFile, wanted: _Wanted) -> list[int]:
    """Return the row groups that, by their statistics, may have rows that are wanted."""
    columns = {parquet.schema_arrow.get_field_index(name): wanted[name] for name in wanted}
    groups = map(parquet.metadata.row_group, range(parquet.num_row_groups))
    return [
        number
        for number, group in enumerate(groups)
        if all(_meets(group.column(column).statistics, *columns[column]) for column in columns)
    ]


def _meets(statistics: pq.Statistics, least: Any, greatest: Any) -> bool:
    """Tell whether values of a column chunk may be in [least, greatest]."""
    return bool(_plain(statistics.max) >= least and _plain(statistics.min) <= greatest)


def _plain(value: Any) -> Any:
    return to_us(value) if isinstance(value, datetime) else value

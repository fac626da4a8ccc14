"""Tables and byte streams in S3, through Arrow's own client.

Arrow reads ranges, in parallel and without boto3, whose import alone would double a cold start.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from store_monitoring.errors import MissingObject, TransientError
from store_monitoring.storage.schemas import PART, POLLS, STORES
from store_monitoring.use_cases.ports import PollsFile, StoresFile

_COPY_BYTES = 8 * 1024 * 1024
_PARQUET = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=True)
)


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

    def open_input(self, key: str) -> IO[bytes]:
        """Return an object's content as a stream."""
        with _storage_errors(f"read {key}"):
            stream: IO[bytes] = self._bucket.open_input_stream(key)
            return stream

    def read_bytes(self, key: str) -> bytes:
        """Return an object's content."""
        with _storage_errors(f"read {key}"), self.open_input(key) as stream:
            return stream.read()

    def read_part(self, key: str) -> pa.Table:
        """Return what one shard computed."""
        with _storage_errors(f"read {key}"):
            return pq.read_table(key, filesystem=self._bucket, schema=PART)

    def read_stores(self, files: Sequence[StoresFile]) -> pa.Table:
        """Return the stores of all files."""
        with _storage_errors("read stores"):
            return self._dataset(files, STORES).to_table()

    def read_polls(self, files: Sequence[PollsFile], least_us: int, greatest_us: int) -> pa.Table:
        """Return the polls of all files in [least_us, greatest_us].

        Row groups without such polls, by their statistics, are not read.
        """
        timestamp = ds.field("timestamp")
        least, greatest = (
            pa.scalar(us, POLLS.field("timestamp").type) for us in (least_us, greatest_us)
        )
        with _storage_errors("read polls"):
            dataset = self._dataset(files, POLLS)
            return dataset.to_table(filter=(timestamp >= least) & (timestamp <= greatest))

    def write_table(self, key: str, table: pa.Table) -> int:
        """Write a table as a Parquet object; return its size in bytes."""
        return self.write_row_groups(key, [table])

    def write_row_groups(self, key: str, groups: Iterable[pa.Table]) -> int:
        """Write tables as the row groups of one Parquet object; return its size in bytes."""
        with self.open_output(key) as output:
            writer: pq.ParquetWriter | None = None
            for group in groups:
                writer = writer or pq.ParquetWriter(output, group.schema)
                writer.write_table(group, row_group_size=max(len(group), 1))
            if writer is not None:
                writer.close()
            return output.tell()

    def write_file(self, key: str, path: Path) -> None:
        """Write a local file as an object."""
        with path.open("rb") as file, self.open_output(key) as output:
            shutil.copyfileobj(file, output, _COPY_BYTES)

    @contextmanager
    def open_output(self, key: str) -> Iterator[IO[bytes]]:
        """Open a stream that becomes the object's content at the end of the context."""
        with _storage_errors(f"write {key}"), self._bucket.open_output_stream(key) as file:
            yield file

    def _dataset(
        self, files: Sequence[StoresFile] | Sequence[PollsFile], schema: pa.Schema
    ) -> ds.Dataset:
        # A known size saves the request that asks for it.
        fragments = [
            _PARQUET.make_fragment(file.key, self._bucket, file_size=file.bytes) for file in files
        ]
        return ds.FileSystemDataset(fragments, schema, _PARQUET, self._bucket)


@contextmanager
def _storage_errors(action: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MissingObject(f"cannot {action}: there is no such object") from error
    except OSError as error:
        raise TransientError(f"cannot {action}: {error}") from error

"""Amazon S3 in memory: a versioned bucket, and the ports of the library over it.

A read or a list sees every write that is done. A write replaces an object as a whole, and may be
conditional. An object is bytes or Arrow tables: Parquet is not simulated.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar

import pyarrow as pa

from store_monitoring.errors import MissingObjectError, SupersededUploadError, TransientError
from store_monitoring.ingest.outcomes import Upload
from store_monitoring.storage.ports import PollsFile, StoresFile
from store_monitoring.storage.schemas import POLLS_AS_READ, STORES
from tests.simulation.caching import cached, shared
from tests.simulation.scheduler import Scheduler, ServiceError

Content = bytes | tuple[pa.Table, ...]
_Result = TypeVar("_Result")

_NO_STORES = STORES.empty_table()
_NO_POLLS = POLLS_AS_READ.empty_table()


@cached
def _stores(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables([_NO_STORES, *tables], promote_options="default")


@cached
def _polls(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables([_NO_POLLS, *tables])


@dataclass
class Bucket:
    """A versioned bucket.

    Attributes
    ----------
    versions
        The contents of each key, newest last; None for a delete marker.
    """

    scheduler: Scheduler
    versions: dict[str, list[Content | None]] = field(default_factory=dict)

    def request(self, what: str, key: str, action: Callable[[], _Result]) -> _Result:
        try:
            return self.scheduler.request((what, key), action)
        except ServiceError:
            raise TransientError.cannot(f"{what} {key}") from None

    def current(self, key: str) -> Content | None:
        return self.versions.get(key, (None,))[-1]

    def keys(self, prefix: str) -> list[str]:
        return sorted(
            key for key in self.versions if key.startswith(prefix) and self.current(key) is not None
        )

    def get(self, key: str) -> Content:
        content = self.request("GetObject", key, lambda: self.current(key))
        if content is None:
            raise MissingObjectError(f"cannot read {key}: there is no such object")
        return content

    def put(self, key: str, content: Content) -> None:
        self.request("PutObject", key, lambda: self.versions.setdefault(key, []).append(content))

    def create(self, key: str, content: Content) -> bool:
        def create() -> bool:
            if self.current(key) is not None:
                return False
            self.versions.setdefault(key, []).append(content)
            return True

        return self.request("PutObject if none", key, create)


class MemoryTables:
    """The library's tables and byte streams, in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def read_bytes(self, key: str) -> bytes:
        content = self._bucket.get(key)
        assert isinstance(content, bytes)
        return content

    def read_part(self, key: str, piece_rows: int = 1000) -> Iterator[pa.Table]:
        content = self._bucket.get(key)
        assert not isinstance(content, bytes)
        yield from content

    def read_table(self, key: str) -> pa.Table:
        tables = list(self.read_part(key))
        return tables[0] if len(tables) == 1 else pa.concat_tables(tables)

    def read_metadata(self, key: str) -> Mapping[bytes, bytes] | None:
        try:
            [table, *_] = self.read_part(key)
        except MissingObjectError:
            return None
        metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
        return metadata

    def read_stores(self, files: Sequence[StoresFile], store_id: str | None = None) -> pa.Table:
        return _stores([self.read_table(file.key) for file in files])

    def read_polls(
        self,
        files: Sequence[PollsFile],
        min_timestamp_us: int,
        max_timestamp_us: int,
        store_id: str | None = None,
    ) -> pa.Table:
        return _polls([self.read_table(file.key) for file in files])

    def read_polls_in_batches(
        self,
        files: Sequence[PollsFile],
        min_timestamp_us: int,
        max_timestamp_us: int,
        store_id: str | None = None,
    ) -> Iterator[pa.Table]:
        yield self.read_polls(files, min_timestamp_us, max_timestamp_us)

    def write_table(self, key: str, table: pa.Table) -> int:
        self._bucket.put(key, (shared(table),))
        size: int = table.nbytes
        return size

    def write_polls(self, key: str, groups: Iterable[pa.Table]) -> int:
        return self.write_table(key, pa.concat_tables(groups).cast(POLLS_AS_READ))

    def write_tables(self, key: str, tables: Iterable[pa.Table]) -> int:
        written = tuple(tables)
        self._bucket.put(key, written)
        return sum(table.nbytes for table in written)

    def write_part(self, key: str, part: pa.Table) -> None:
        self.write_table(key, part)

    def write_outages(self, key: str, outages: Iterable[pa.Table]) -> None:
        self._bucket.put(key, tuple(outages))

    def write_file(self, key: str, path: Path) -> None:
        self._bucket.put(key, path.read_bytes())

    @contextmanager
    def open_output(self, key: str) -> Iterator[IO[bytes]]:
        output = io.BytesIO()
        yield output
        self._bucket.put(key, output.getvalue())


class MemoryFiles:
    """A report's objects, in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def write_json(self, key: str, value: object) -> None:
        self._bucket.put(key, json.dumps(value).encode())

    def create_json(self, key: str, value: object) -> bool:
        return self._bucket.create(key, json.dumps(value).encode())

    def read_json(self, key: str) -> object:
        content = self._bucket.get(key)
        assert isinstance(content, bytes)
        return json.loads(content)

    def read_start(self, key: str, size: int) -> bytes:
        content = self._bucket.get(key)
        assert isinstance(content, bytes)
        return content[:size]

    def count(self, prefix: str) -> int:
        return self._bucket.request("List", prefix, lambda: len(self._bucket.keys(prefix)))

    def presigned_url(self, key: str, filename: str) -> str:
        return key

    def presigned_page_url(self, key: str) -> str:
        return key


class MemoryObjects:
    """The objects of a bucket: lists and deletes them."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def delete(self, keys: Sequence[str]) -> None:
        def delete() -> None:
            for key in keys:
                self._bucket.versions.setdefault(key, []).append(None)

        self._bucket.request("DeleteObjects", " ".join(keys), delete)

    def keys(self, prefix: str) -> list[str]:
        return self._bucket.request("List", prefix, lambda: self._bucket.keys(prefix))

    def has(self, key: str, pattern: re.Pattern[bytes]) -> bool:
        content = self._bucket.get(key)
        assert isinstance(content, bytes)
        return pattern.search(content) is not None

    def delete_all(self, prefix: str) -> None:
        def delete() -> None:
            for key in [key for key in self._bucket.versions if key.startswith(prefix)]:
                del self._bucket.versions[key]

        self._bucket.request("Delete all versions of", prefix, delete)

    def delete_noncurrent(self, prefix: str) -> None:
        def delete() -> None:
            for key, versions in list(self._bucket.versions.items()):
                if key.startswith(prefix):
                    del versions[:-1]
                    if versions == [None]:
                        del self._bucket.versions[key]

        self._bucket.request("Delete old versions of", prefix, delete)


class MemoryInbox:
    """The bucket of uploads: a version of an object for each of them."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, key: str, content: bytes) -> str:
        """Upload a file; return its version."""
        versions = self._bucket.versions.setdefault(key, [])
        versions.append(content)
        return str(len(versions) - 1)

    def open(self, upload: Upload) -> io.BufferedIOBase:
        def get() -> bytes | None:
            versions = self._bucket.versions.get(upload.key, [])
            content = versions[int(upload.version)] if int(upload.version) < len(versions) else None
            assert content is None or isinstance(content, bytes)
            return content

        content = self._bucket.request("GetObject", f"{upload.key} {upload.version}", get)
        if content is None:
            raise SupersededUploadError(f"{upload.key} was replaced or removed")
        return io.BytesIO(content)

    def exists(self, key: str) -> bool:
        return self._bucket.current(key) is not None

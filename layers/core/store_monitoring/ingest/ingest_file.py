"""Ingest an uploaded file, all or nothing."""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.errors import CommitConflictError, OutcomeRecordedError, UnreadableFileError
from store_monitoring.ingest.deadline import Deadline, commit_attempts
from store_monitoring.ingest.outcomes import Upload, UploadOutcome, Uploads, UploadStatus
from store_monitoring.ingest.parsing.content import (
    Content,
    derived_id,
    read_content,
    rejected_stores,
)
from store_monitoring.ingest.parsing.kinds import Kind, kind_of
from store_monitoring.ingest.ports import Commit, IngestLog, Snapshot
from store_monitoring.instants import to_us
from store_monitoring.storage.keys import rejects_key
from store_monitoring.storage.polls import write_polls
from store_monitoring.storage.ports import StoresFile, Tables, WrittenPolls
from store_monitoring.storage.stores import (
    equal_except_upload_times,
    last_rows,
    with_attributes,
    with_rows,
    with_stores,
    with_zones,
    write_stores,
)

_MAX_ROWS_PER_STORE = {
    Kind.BUSINESS_HOURS: 1_000,  # a report applies each row to each of its dates
    Kind.SPECIAL_HOURS: 10_000,
    Kind.EXCLUSIONS: 10_000,
}
_MAX_PARTIAL_STORE_IDS = 100
_MAX_ATTRIBUTES = 100  # of all stores together; the head of the ingest log names them
_WRITERS = 8  # most of the time is spent waiting for S3


def ingest_file(
    upload: Upload,
    stream: io.BufferedIOBase,
    bucket_count: int,
    deadline: Deadline,
    clock: Callable[[], datetime],
    tables: Tables,
    log: IngestLog,
    uploads: Uploads,
    *,
    future_tolerance: timedelta,
) -> UploadOutcome:
    """Ingest an uploaded CSV, plain or gzipped, and record the outcome.

    Parameters
    ----------
    upload : Upload
    stream : binary file
        The object's content, read once in blocks.
    bucket_count : int
    deadline : Deadline
        A file that takes longer fails.
    clock : callable
        Returns the current time.
    tables, log, uploads : ports
    future_tolerance : timedelta
        Polls later than the upload time by more than this are rejected; zero means no limit.

    Returns
    -------
    UploadOutcome
        Failed, with the reason, if the file is not readable. The recorded outcome if the upload
        already has a final one.

    Raises
    ------
    TransientError
        If storage failed, or each commit lost to a concurrent one; nothing was committed.
    """
    latest_us = to_us(upload.uploaded_at + future_tolerance) if future_tolerance else None
    with tempfile.TemporaryDirectory() as folder:
        try:
            limited_stream = io.BufferedReader(_DeadlineStream(stream, deadline))
            content = read_content(
                kind_of(upload.key), limited_stream, bucket_count, Path(folder), latest_us=latest_us
            )
            ingest = _Ingest(content, upload, latest_us, deadline, clock, tables, log, uploads)
            return ingest.store()
        except UnreadableFileError as error:
            return uploads.record(
                UploadOutcome.failed(upload, UploadStatus.FAILED, clock(), str(error))
            )


@dataclass(frozen=True, slots=True)
class _Part:
    """The part of a file that one ingest commits.

    Usually the whole file. Polls that were rejected as too far in the future can be committed by a
    later upload of the same file; they are an ingest of their own.

    Attributes
    ----------
    ingest_id : str
    from_us : int or None
        The instant of its first poll, if earlier polls of the file are already committed.
    is_committed : bool
        Whether it is already committed, and no later part can be committed yet.
    """

    ingest_id: str
    from_us: int | None = None
    is_committed: bool = False


@dataclass(frozen=True, slots=True)
class _WrittenStores:
    """A new version of a bucket's stores.

    `has_changes` is false if only the upload time of its data is new.
    """

    file: StoresFile
    has_changes: bool


@dataclass(frozen=True, slots=True)
class _Ingest:
    """The ingest of a file that was read to its end; for the attributes see `ingest_file`."""

    content: Content
    upload: Upload
    latest_us: int | None
    deadline: Deadline
    clock: Callable[[], datetime]
    tables: Tables
    log: IngestLog
    uploads: Uploads

    def store(self) -> UploadOutcome:
        """Commit the next part of the file; return the recorded outcome."""
        outcome = None
        while outcome is None:
            outcome = self._store(self._next_part())
        return outcome

    def _next_part(self) -> _Part:
        """Return the part of the file to commit now; the last part if all are committed."""
        content = self.content
        part = _Part(content.ingest_id)
        if content.kind is not Kind.POLLS:
            return part
        while (committed := self.log.committed(content.kind, part.ingest_id)) is not None:
            left_out_us = committed.left_out_from_us
            if left_out_us is None or (self.latest_us is not None and self.latest_us < left_out_us):
                return replace(part, is_committed=True)
            part = _Part(derived_id(f"{content.ingest_id} from {left_out_us}"), left_out_us)
        return part

    def _store(self, part: _Part) -> UploadOutcome | None:
        """Write the files of a part, then commit them; no report reads them before.

        Polls that are already committed are not committed again. Reference data are committed even
        if only their upload time is new, since the latest upload wins.

        Returns
        -------
        UploadOutcome or None
            None if a concurrent ingest of the same file committed the part first.
        """
        if self.content.rejected:
            self.tables.write_file(rejects_key(part.ingest_id), self.content.rejects)
        if part.is_committed:
            unchanged = self._outcome(part, self.content.rows, UploadStatus.UNCHANGED)
            return self.uploads.record(unchanged)
        with ThreadPoolExecutor(_WRITERS) as pool:
            polls = self._write_polls(part, pool)
            for _ in commit_attempts(self.deadline):
                snapshot = self.log.snapshot()
                if self._next_part() != part:
                    return None
                stores = self._write_stores(snapshot, pool)
                try:
                    return self._commit(part, polls, stores, snapshot)
                except CommitConflictError:
                    continue
        raise AssertionError("the last attempt raises")

    def _write_polls(self, part: _Part, pool: Executor) -> tuple[WrittenPolls, ...]:
        """Write the polls of a part; other kinds have none."""
        if self.content.kind is not Kind.POLLS:
            return ()
        # Uploads of one file at different times may reject different polls as too far in the
        # future, so the key contains the first rejected one: such uploads must not overwrite each
        # other's files.
        limit_us = self.content.min_future_us
        name = part.ingest_id if limit_us is None else f"{part.ingest_id}.{limit_us:x}"

        def write(bucket: int) -> WrittenPolls | None:
            self.deadline.check_file()
            chunks = _polls_from(part.from_us, self.content.spill.chunks(bucket))
            first = next(chunks, None)
            if first is None:
                return None
            return write_polls(bucket, name, chain([first], chunks), self.tables)

        written = pool.map(write, self.content.spill.buckets())
        return tuple(polls for polls in written if polls is not None)

    def _write_stores(self, snapshot: Snapshot, pool: Executor) -> list[_WrittenStores]:
        """Write a new version of the stores of each bucket in which something changes."""

        def write(bucket: int) -> _WrittenStores | None:
            current = snapshot.stores.get(bucket)
            before = self.tables.read_stores([current] if current else [])
            after = _with_content(before, self.content, self.upload.uploaded_at, bucket)
            if after.equals(before):
                return None
            # The upload time is part of the name: concurrent uploads of one file write different
            # bytes.
            uploaded_us = to_us(self.upload.uploaded_at)
            version = f"{snapshot.version + 1:08d}-{self.content.ingest_id}-{uploaded_us:x}"
            file = write_stores(bucket, version, after, self.tables)
            return _WrittenStores(file, not equal_except_upload_times(before, after))

        written = pool.map(write, self.content.spill.buckets())
        stores = [each for each in written if each is not None]
        _check_attributes(snapshot, stores)
        return stores

    def _commit(
        self,
        part: _Part,
        polls: tuple[WrittenPolls, ...],
        stores: list[_WrittenStores],
        snapshot: Snapshot,
    ) -> UploadOutcome:
        """Commit a part and its outcome in one transaction; return the recorded outcome."""
        is_polls = self.content.kind is Kind.POLLS
        has_changes = is_polls or any(file.has_changes for file in stores)
        status = UploadStatus.COMMITTED if has_changes else UploadStatus.UNCHANGED
        rows = sum(written.file.rows for written in polls) if is_polls else self.content.rows
        outcome = self._outcome(part, rows, status)
        if not stores and not has_changes:
            return self.uploads.record(outcome)
        commit = Commit(
            self.content.kind,
            part.ingest_id,
            rows,
            self.content.rejected,
            outcome.ended_at,
            polls,
            self.upload.uploaded_at,
            self.content.min_future_us,
        )
        try:
            self.log.commit(snapshot, [each.file for each in stores], commit, outcome)
        except OutcomeRecordedError:
            return self.uploads.record(outcome)
        return outcome

    def _outcome(self, part: _Part, rows: int, status: UploadStatus) -> UploadOutcome:
        """Return the outcome of the upload, which ends now."""
        partial_stores, partial_store_ids = _partial_stores(self.content)
        return replace(
            UploadOutcome.of(self.upload, status, self.clock()),
            ingest_id=part.ingest_id,
            rows=rows,
            rejected=self.content.rejected,
            rejects_key=rejects_key(part.ingest_id) if self.content.rejected else None,
            partial_stores=partial_stores,
            partial_store_ids=partial_store_ids,
        )


def _check_attributes(snapshot: Snapshot, stores: Iterable[_WrittenStores]) -> None:
    after = snapshot.stores | {each.file.bucket: each.file for each in stores}
    names = replace(snapshot, stores=after).attributes
    if len(names) > max(_MAX_ATTRIBUTES, len(snapshot.attributes)):
        raise UnreadableFileError(
            f"with this file, stores would have {len(names)} attributes with different names:"
            f" {_MAX_ATTRIBUTES} are possible"
        )


def _polls_from(from_us: int | None, chunks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the polls from an instant on, chunk by chunk; all polls if it is None."""
    for chunk in chunks:
        if from_us is None:
            yield chunk
        else:
            timestamp_us = chunk.column("timestamp").cast(pa.int64())
            some = chunk.filter(pc.greater_equal(timestamp_us, from_us))
            if len(some):
                yield some


class _DeadlineStream(io.RawIOBase):
    """A stream that fails after the deadline."""

    def __init__(self, stream: io.BufferedIOBase, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._deadline.check_file()
        return self._stream.readinto(buffer)


def _partial_stores(content: Content) -> tuple[int, tuple[str, ...]]:
    """Return the number of stores with rejected rows of reference data, and the first ids."""
    count, first = 0, pa.array([], pa.string())
    for bucket in content.rejected_stores.buckets():
        ids = rejected_stores(content, bucket)
        count += len(ids)
        some = pa.concat_arrays([first, ids])
        first = some.take(pc.sort_indices(some)[:_MAX_PARTIAL_STORE_IDS])
    return count, tuple(first.to_pylist())


def _with_content(
    stores: pa.Table, content: Content, uploaded_at: datetime, bucket: int
) -> pa.Table:
    """Return a bucket's stores, updated with the content of a file."""
    chunks = content.spill.chunks(bucket)
    rejected = rejected_stores(content, bucket)
    match content.kind:
        case Kind.POLLS:
            for polls in chunks:
                ids = polls.column("store_id").unique().dictionary_decode()
                stores = with_stores(stores, pa.chunked_array([ids]))
        case Kind.BUSINESS_HOURS:
            stores = with_rows(stores, "hours", _decoded(chunks), uploaded_at, rejected)
            _check_rows(stores, "hours", content.kind)
        case Kind.SPECIAL_HOURS | Kind.EXCLUSIONS as column:
            stores = with_rows(stores, column, _decoded(chunks), uploaded_at, rejected)
            _check_rows(stores, column, content.kind)
        case Kind.TIMEZONES:
            stores = with_zones(stores, last_rows(chunks), uploaded_at, rejected)
        case Kind.ATTRIBUTES:
            stores = with_attributes(stores, last_rows(chunks), uploaded_at, rejected)
    return stores


def _decoded(chunks: Iterable[pa.Table]) -> pa.Table:
    """Return the chunks as one table, with ids as strings."""
    rows = pa.concat_tables(chunks)
    return rows.set_column(0, "store_id", rows.column("store_id").cast(pa.string()))


def _check_rows(stores: pa.Table, column: str, kind: Kind) -> None:
    count = pc.fill_null(pc.list_value_length(stores.column(column)), 0)
    most, limit = pc.max(count), _MAX_ROWS_PER_STORE[kind]
    if most.as_py() > limit:
        store_id = stores.column("store_id")[pc.index(count, most).as_py()]
        raise UnreadableFileError(
            f"store {store_id} has {most} rows of {kind.replace('_', ' ')}, more than {limit}"
        )

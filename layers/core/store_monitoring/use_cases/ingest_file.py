"""Ingest an uploaded file: all of it, or nothing."""

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.errors import CommitConflict, OutcomeRecorded, UnreadableFile
from store_monitoring.ingest.content import Content, read_content
from store_monitoring.ingest.kinds import Kind, kind_of
from store_monitoring.storage.keys import rejects_key, stores_key
from store_monitoring.storage.stores import with_hours, with_stores, with_zones
from store_monitoring.use_cases.commit_attempts import commit_attempts
from store_monitoring.use_cases.ports import (
    Commit,
    Head,
    IngestLog,
    StoresFile,
    Tables,
    WrittenPolls,
)
from store_monitoring.use_cases.upload_outcomes import Upload, UploadOutcome, Uploads, UploadStatus
from store_monitoring.use_cases.write_polls import write_polls

_MOST_HOURS_OF_STORE = 1000  # a report looks at each of them, for each of its dates
_WRITERS = 8  # waiting for S3, not writing Parquet, takes the time


def ingest_file(
    upload: Upload,
    stream: IO[bytes],
    bucket_count: int,
    clock: Callable[[], datetime],
    tables: Tables,
    log: IngestLog,
    uploads: Uploads,
) -> UploadOutcome:
    """Ingest an uploaded CSV, plain or gzipped, and record what became of it.

    Parameters
    ----------
    upload : Upload
    stream : binary file
        The object's content; read once, block by block.
    bucket_count : int
    clock : callable
        Returns the time now.
    tables, log, uploads : ports

    Returns
    -------
    UploadOutcome
        A file that cannot be read as a whole is an outcome too: "Failed", with the reason. If the
        upload has ended already, this is how.

    Raises
    ------
    TransientError
        If storage failed, or other ingests were always faster; nothing was committed.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            content = read_content(kind_of(upload.key), stream, bucket_count, Path(folder))
            return _store(content, upload, clock, tables, log, uploads)
        except UnreadableFile as error:
            return uploads.record(
                UploadOutcome.failed(upload, UploadStatus.FAILED, clock(), str(error))
            )


def _store(
    content: Content,
    upload: Upload,
    clock: Callable[[], datetime],
    tables: Tables,
    log: IngestLog,
    uploads: Uploads,
) -> UploadOutcome:
    """Write what the content brings, then commit it: until then nobody reads it.

    There is nothing to do if the content is what is committed already, or what was uploaded later.
    """
    if _is_current(content, log.head(), log):
        return uploads.record(_ended(content, upload, UploadStatus.UNCHANGED, clock()))
    if content.rejected:
        tables.write_file(rejects_key(content.ingest_id), content.rejects)
    with ThreadPoolExecutor(_WRITERS) as pool:
        buckets = content.spill.buckets()
        polls: tuple[WrittenPolls, ...] = ()
        if content.kind is Kind.POLLS:
            polls = tuple(
                pool.map(
                    lambda bucket: write_polls(
                        bucket, content.ingest_id, content.spill.chunks(bucket), tables
                    ),
                    buckets,
                )
            )
        for _ in commit_attempts():
            head = log.head()
            if _is_current(content, head, log):  # by another ingest of it, at the same time
                break
            write_stores = partial(_write_stores, content, upload.uploaded_at, head, tables)
            stores = [file for file in pool.map(write_stores, buckets) if file is not None]
            if not stores and content.kind is not Kind.POLLS:
                break
            committed = _ended(content, upload, UploadStatus.COMMITTED, clock())
            commit = Commit(
                content.kind,
                content.ingest_id,
                content.rows,
                content.rejected,
                committed.ended_at,
                polls,
            )
            try:
                log.commit(head, stores, commit, committed)
            except CommitConflict:
                continue
            except OutcomeRecorded:
                return uploads.record(committed)
            return committed
    return uploads.record(_ended(content, upload, UploadStatus.UNCHANGED, clock()))


def _ended(
    content: Content, upload: Upload, status: UploadStatus, ended_at: datetime
) -> UploadOutcome:
    """Return the outcome of an upload that was read."""
    return UploadOutcome(
        key=upload.key,
        etag=upload.etag,
        version=upload.version,
        uploaded_at=upload.uploaded_at,
        status=status,
        ended_at=ended_at,
        ingest_id=content.ingest_id,
        rows=content.rows,
        rejected=content.rejected,
        rejects_key=rejects_key(content.ingest_id) if content.rejected else None,
    )


def _is_current(content: Content, head: Head, log: IngestLog) -> bool:
    """Tell whether ingesting the content would change nothing.

    Polls accumulate: once is enough. Hours and zones replace: an older file that is uploaded
    again replaces what came after it.
    """
    if content.kind is Kind.POLLS:
        return log.is_committed(content.kind, content.ingest_id)
    return head.latest.get(content.kind) == content.ingest_id


def _write_stores(
    content: Content, uploaded_at: datetime, head: Head, tables: Tables, bucket: int
) -> StoresFile | None:
    """Write a new version of a bucket's stores; None if the content says nothing new of them."""
    current = head.stores.get(bucket)
    before = tables.read_stores([current] if current else [])
    chunks = content.spill.chunks(bucket)
    match content.kind:
        case Kind.POLLS:
            after = before
            for polls in chunks:
                ids = polls.column("store_id").unique().dictionary_decode()
                after = with_stores(after, pa.chunked_array([ids]))
        case Kind.BUSINESS_HOURS:
            after = with_hours(before, _decoded(chunks), uploaded_at)
            _check_hours(after)
        case Kind.TIMEZONES:
            after = with_zones(before, _decoded(chunks), uploaded_at)
    if after.equals(before):
        return None
    key = stores_key(bucket, f"{head.version + 1:08d}-{content.ingest_id}")
    return StoresFile(bucket, key, len(after), tables.write_table(key, after))


def _decoded(chunks: Iterable[pa.Table]) -> pa.Table:
    """Return the chunks as one table, with ids as strings."""
    rows = pa.concat_tables(chunks)
    return rows.set_column(0, "store_id", rows.column("store_id").cast(pa.string()))


def _check_hours(stores: pa.Table) -> None:
    count = pc.fill_null(pc.list_value_length(stores.column("hours")), 0)
    most = pc.max(count)
    if most.as_py() > _MOST_HOURS_OF_STORE:
        store_id = stores.column("store_id")[pc.index(count, most).as_py()]
        raise UnreadableFile(
            f"store {store_id} has {most} rows of business hours, more than {_MOST_HOURS_OF_STORE}"
        )

"""Delete all data of one store: polls, reference data, reports and rejected rows."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import compress
from pathlib import PurePosixPath
from typing import Protocol
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.errors import CommitConflictError, InvalidRequestError, MissingObjectError
from store_monitoring.ingest.deadline import Deadline, commit_attempts
from store_monitoring.ingest.ports import IngestLog
from store_monitoring.reports.plan import read_plan
from store_monitoring.storage.keys import PUBLISHED_PREFIX, bucket_of, part_key, request_key
from store_monitoring.storage.polls import row_groups, write_polls
from store_monitoring.storage.ports import PollsFile, StoresFile, Tables
from store_monitoring.storage.schemas import POLLS
from store_monitoring.storage.stores import write_stores

_ALL_TIME_US = (-(2**62), 2**62)
_COMMIT_SECONDS = 300
_MAX_STORE_ID_CHARACTERS = 255
_READERS = 16  # most of the time is spent waiting for S3


class StoredObjects(Protocol):
    """The objects of the data bucket, which is versioned."""

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of all objects under a prefix."""

    def has(self, key: str, pattern: re.Pattern[bytes]) -> bool:
        """Return whether a pattern matches in an object; a match has at most a few kilobytes."""

    def delete_all(self, prefix: str) -> None:
        """Delete all versions of all objects under a prefix."""

    def delete_noncurrent(self, prefix: str) -> None:
        """Delete all noncurrent versions under a prefix."""


class DeletableReports(Protocol):
    """The table of reports."""

    def delete(self, report_id: str) -> None:
        """Delete a report from the table."""


@dataclass(frozen=True, slots=True)
class DeletedStore:
    """Numbers of objects that `delete_store` deleted or rewrote; 0 if it found nothing."""

    polls_files: int
    stores_files: int
    reports: int
    rejects: int


def delete_store(
    store_id: str,
    bucket_count: int,
    tables: Tables,
    objects: StoredObjects,
    log: IngestLog,
    reports: DeletableReports,
) -> DeletedStore:
    """Delete all data of a store from the data bucket.

    Current files are rewritten without the store, in a new version of the log. Files that are no
    longer current are overwritten. Reports that contain the store are deleted. The Iceberg tables
    are deleted with all their versions, and published anew. Calling it again after a crash, or
    after concurrent writes, deletes the rest.

    Raises
    ------
    InvalidRequestError
        If the id is not a valid store id.
    """
    if not 1 <= len(store_id) <= _MAX_STORE_ID_CHARACTERS:
        raise InvalidRequestError.about(
            "store_id", f"not 1 to {_MAX_STORE_ID_CHARACTERS} characters"
        )
    bucket = bucket_of(store_id, bucket_count)
    polls_prefix, stores_prefix = f"polls/bucket={bucket:03d}/", f"stores/bucket={bucket:03d}/"
    polls_files = [
        key
        for key in objects.keys(polls_prefix)
        if _delete_polls(key, bucket, store_id, tables, log)
    ]
    keys = objects.keys(stores_prefix)
    current = _delete_from_current_stores(bucket, store_id, keys, tables, log)
    stores_files = [
        key
        for key in keys
        if (current is None or key != current.key)
        and _delete_from_stores(key, bucket, store_id, tables)
    ]
    report_ids = _reports_of_store(store_id, bucket, tables, objects)
    for report_id in report_ids:
        # The table first: if this call ends here, the next one still finds the report's objects.
        reports.delete(report_id)
        objects.delete_all(f"reports/{report_id}/")
    rejects = [key for key in objects.keys("rejects/") if objects.has(key, _pattern(store_id))]
    for key in rejects:
        objects.delete_all(key)
    for prefix in (polls_prefix, stores_prefix, "reports/", "rejects/"):
        objects.delete_noncurrent(prefix)
    if objects.keys(PUBLISHED_PREFIX):
        objects.delete_all(PUBLISHED_PREFIX)
        _publish_again(log)
    return DeletedStore(len(polls_files), len(stores_files), len(report_ids), len(rejects))


def _publish_again(log: IngestLog) -> None:
    """Commit a version without changes: each commit publishes the tables."""
    for _ in commit_attempts(Deadline.within(_COMMIT_SECONDS)):
        try:
            log.replace_stores(log.snapshot(), [])
        except CommitConflictError:
            continue
        return


def _delete_polls(key: str, bucket: int, store_id: str, tables: Tables, log: IngestLog) -> bool:
    """Rewrite a polls file without a store; return whether it had any of its polls."""
    file = PollsFile(bucket, key, 0, 0, *_ALL_TIME_US)
    try:
        some = tables.read_polls([file], *_ALL_TIME_US, store_id)
        if store_id not in some.column("store_id").unique().to_pylist():
            return False
        polls = tables.read_polls([file], *_ALL_TIME_US)
    except MissingObjectError:  # a concurrent compaction deleted it
        return False
    ids = polls.column("store_id").combine_chunks()
    is_of_store = pc.equal(ids.indices, ids.dictionary.index(store_id))
    kept = polls.filter(pc.invert(is_of_store))
    name = PurePosixPath(key).stem
    ingest_id = name.partition(".")[0]
    deleted: Counter[int] = Counter()
    for week_us, group in row_groups(polls.filter(is_of_store)):
        deleted[week_us] += len(group)
    written = None
    for _ in commit_attempts(Deadline.within(_COMMIT_SECONDS)):
        snapshot = log.snapshot()
        is_current = log.is_current(ingest_id, key)
        if is_current is None or (not is_current and len(kept)):
            break
        if written is None and len(kept):
            # A new key, so that concurrent readers of the old file see consistent bytes.
            written = write_polls(bucket, f"{ingest_id}.{uuid4().hex[:12]}", [kept], tables)
        try:
            log.rewrite(snapshot, ingest_id, key, written, deleted)
        except CommitConflictError:
            continue
        break
    # Not deleted, even if it is empty: an ingest may be about to commit it, or a report read it.
    if len(kept):
        write_polls(bucket, name, [kept], tables)
    else:
        tables.write_polls(key, [POLLS.empty_table()])
    return True


def _delete_from_current_stores(
    bucket: int, store_id: str, keys: Sequence[str], tables: Tables, log: IngestLog
) -> StoresFile | None:
    """Replace the current stores file by one without a store; return the current one.

    Afterwards no ingest can commit one of the files that were written so far, `keys`: their
    versions are not later than the current one.
    """
    newest = max((int(PurePosixPath(key).name.partition("-")[0]) for key in keys), default=0)
    for _ in commit_attempts(Deadline.within(_COMMIT_SECONDS)):
        snapshot = log.snapshot()
        current = snapshot.stores.get(bucket)
        stores = tables.read_stores([current] if current else [])
        kept = stores.filter(pc.not_equal(stores.column("store_id"), store_id))
        new = []
        if len(kept) < len(stores):
            new = [write_stores(bucket, f"{snapshot.version + 1:08d}-{uuid4().hex}", kept, tables)]
        elif newest <= snapshot.version:
            return current
        try:
            log.replace_stores(snapshot, new)
        except CommitConflictError:
            continue
        return new[0] if new else current
    raise AssertionError("the last attempt raises")


def _delete_from_stores(key: str, bucket: int, store_id: str, tables: Tables) -> bool:
    """Rewrite a stores file that is not current without a store, if it contains it."""
    stores = tables.read_stores([StoresFile(bucket, key, 0, 0)])
    kept = stores.filter(pc.not_equal(stores.column("store_id"), store_id))
    if len(kept) == len(stores):
        return False
    tables.write_table(key, kept)
    return True


def _reports_of_store(
    store_id: str, bucket: int, tables: Tables, objects: StoredObjects
) -> list[str]:
    """Return the ids of the reports that contain the store."""
    ids = sorted({key.split("/")[1] for key in objects.keys("reports/")})
    with ThreadPoolExecutor(_READERS) as pool:
        contains_store = pool.map(lambda id_: _report_has(id_, store_id, bucket, tables), ids)
        return list(compress(ids, contains_store))


def _report_has(report_id: str, store_id: str, bucket: int, tables: Tables) -> bool:
    try:
        request = json.loads(tables.read_bytes(request_key(report_id)))
    except MissingObjectError:
        return True  # incomplete remains of a report that cannot be requested
    if request.get("store_ids") is not None:
        return store_id in request["store_ids"]
    try:
        plan = read_plan(report_id, tables)
    except MissingObjectError:
        return False  # not planned, so it contains no store
    for shard in plan.shards:
        if any(file.bucket == bucket for file in shard.stores_files):
            try:
                part = tables.read_table(part_key(report_id, shard.shard))
            except MissingObjectError:
                return True  # running or failed: it may still be computed from old files
            return bool(pc.any(pc.equal(part.column("store_id"), pa.scalar(store_id))).as_py())
    return False


def _pattern(store_id: str) -> re.Pattern[bytes]:
    """Return a pattern that finds a store id, but not longer ids, in a CSV of rejected rows."""
    # Quotes are doubled once or twice; an apostrophe may precede what looks like a formula.
    text = "".join('"+' if char == '"' else f"'?{re.escape(char)}" for char in store_id)
    return re.compile(rb"(?<![\w.-])" + text.encode() + rb"(?![\w.-])")

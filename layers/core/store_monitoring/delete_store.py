"""Delete one store's data everywhere: polls, reference data, reports and rejected rows."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.errors import CommitConflictError, InvalidRequestError, MissingObjectError
from store_monitoring.ingest.commit import commit_attempts
from store_monitoring.ingest.deadline import Deadline
from store_monitoring.ingest.ports import IngestLog
from store_monitoring.ingest.write_polls import write_polls
from store_monitoring.reports.plan import read_plan
from store_monitoring.storage.buckets import bucket_of
from store_monitoring.storage.keys import part_key, request_key, stores_key
from store_monitoring.storage.polls import row_groups
from store_monitoring.storage.ports import PollsFile, StoresFile, Tables

_EVER_US = (-(2**62), 2**62)

_COMMIT_SECONDS = 300

_LONGEST_STORE_ID = 255

_READERS = 16  # waiting for S3 takes the time


class StoredObjects(Protocol):
    """The objects of the data bucket, which keeps earlier versions of them."""

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of all objects under a prefix."""

    def has(self, key: str, pattern: re.Pattern[bytes]) -> bool:
        """Tell whether an object's content has what a pattern without repetitions matches."""

    def delete_all(self, prefix: str) -> None:
        """Delete all versions of all objects under a prefix."""

    def delete_earlier(self, prefix: str) -> None:
        """Delete all versions under a prefix that are not the current ones."""


class DeletableReports(Protocol):
    """The table of reports."""

    def delete(self, report_id: str) -> None:
        """Delete a report, so that it is unknown."""


@dataclass(frozen=True, slots=True)
class DeletedStore:
    """How much `delete_store` deleted or wrote anew; all 0 if nothing was left of the store."""

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
    """Delete what the data bucket has of a store.

    Files that count are written anew without it, in a new version of the log, and all others under
    their own keys. Reports that have it are deleted. To call it again, after a crash or for what
    was written meanwhile, does the rest.

    Raises
    ------
    InvalidRequestError
        If the id is none that a store can have.
    """
    if not 1 <= len(store_id) <= _LONGEST_STORE_ID:
        raise InvalidRequestError(f"store_id: not 1 to {_LONGEST_STORE_ID} characters")
    bucket = bucket_of(store_id, bucket_count)
    polls_prefix, stores_prefix = f"polls/bucket={bucket:03d}/", f"stores/bucket={bucket:03d}/"
    polls_files = [
        key
        for key in objects.keys(polls_prefix)
        if _delete_polls(key, bucket, store_id, tables, objects, log)
    ]
    _delete_from_current_stores(bucket, store_id, tables, log)
    current = log.snapshot().stores.get(bucket)
    stores_files = [
        key
        for key in objects.keys(stores_prefix)
        if (current is None or key != current.key)
        and _delete_from_stores(key, bucket, store_id, tables)
    ]
    having = [
        report_id for report_id, has_it in _reports(store_id, bucket, tables, objects) if has_it
    ]
    for report_id in having:
        objects.delete_all(f"reports/{report_id}/")
        reports.delete(report_id)
    rejects = [key for key in objects.keys("rejects/") if objects.has(key, _pattern(store_id))]
    for key in rejects:
        objects.delete_all(key)
    for prefix in (polls_prefix, stores_prefix, "reports/", "rejects/"):
        objects.delete_earlier(prefix)
    return DeletedStore(len(polls_files), len(stores_files), len(having), len(rejects))


def _delete_polls(
    key: str,
    bucket: int,
    store_id: str,
    tables: Tables,
    objects: StoredObjects,
    log: IngestLog,
) -> bool:
    """Write a file of polls anew without a store; tell whether it had any of it."""
    file = PollsFile(bucket, key, 0, 0, *_EVER_US)
    try:
        some = tables.read_polls([file], *_EVER_US, store_id)
        if store_id not in some.column("store_id").unique().to_pylist():
            return False
        polls = tables.read_polls([file], *_EVER_US)
    except MissingObjectError:  # deleted by a compaction in the meantime
        return False
    ids = polls.column("store_id").combine_chunks()
    is_its = pc.equal(ids.indices, ids.dictionary.index(store_id))
    kept = polls.filter(pc.invert(is_its))
    name = PurePosixPath(key).stem
    ingest_id = name.partition(".")[0]
    deleted = Counter({week_us: len(group) for week_us, group in row_groups(polls.filter(is_its))})
    written = None
    for _ in commit_attempts(Deadline.within(_COMMIT_SECONDS)):
        snapshot = log.snapshot()
        counts = log.counts(ingest_id, key)
        if counts is None or (not counts and len(kept)):
            break
        if written is None and len(kept):
            # Under a name of its own: what is read of the old file meanwhile stays in one piece.
            written = write_polls(bucket, f"{ingest_id}.{uuid4().hex[:12]}", [kept], tables)
        try:
            log.rewrite(snapshot, ingest_id, key, written, deleted)
        except CommitConflictError:
            continue
        break
    if len(kept):
        write_polls(bucket, name, [kept], tables)
    else:
        objects.delete_all(key)
    return True


def _delete_from_current_stores(bucket: int, store_id: str, tables: Tables, log: IngestLog) -> None:
    for _ in commit_attempts(Deadline.within(_COMMIT_SECONDS)):
        snapshot = log.snapshot()
        if bucket not in snapshot.stores:
            return
        stores = tables.read_stores([snapshot.stores[bucket]])
        kept = stores.filter(pc.not_equal(stores.column("store_id"), store_id))
        if len(kept) == len(stores):
            return
        key = stores_key(bucket, f"{snapshot.version + 1:08d}-{uuid4().hex}")
        file = StoresFile(bucket, key, len(kept), tables.write_table(key, kept))
        try:
            log.replace_stores(snapshot, [file])
        except CommitConflictError:
            continue
        return


def _delete_from_stores(key: str, bucket: int, store_id: str, tables: Tables) -> bool:
    """Write a file of stores that no longer counts anew without a store, if it has it."""
    stores = tables.read_stores([StoresFile(bucket, key, 0, 0)])
    kept = stores.filter(pc.not_equal(stores.column("store_id"), store_id))
    if len(kept) == len(stores):
        return False
    tables.write_table(key, kept)
    return True


def _reports(
    store_id: str, bucket: int, tables: Tables, objects: StoredObjects
) -> Iterator[tuple[str, bool]]:
    """Yield the id of each report, and whether it has the store."""
    ids = sorted({key.split("/")[1] for key in objects.keys("reports/")})
    with ThreadPoolExecutor(_READERS) as pool:
        has_it = pool.map(lambda each: _report_has(each, store_id, bucket, tables), ids)
        yield from zip(ids, has_it, strict=True)


def _report_has(report_id: str, store_id: str, bucket: int, tables: Tables) -> bool:
    try:
        request = json.loads(tables.read_bytes(request_key(report_id)))
    except MissingObjectError:
        return True  # remains of a report that nobody can ask for
    if request.get("store_ids") is not None:
        return store_id in request["store_ids"]
    try:
        plan = read_plan(report_id, tables)
    except MissingObjectError:
        return False  # not planned: it knows no store
    for shard in plan.shards:
        if any(file.bucket == bucket for file in shard.stores_files):
            try:
                part = tables.read_table(part_key(report_id, shard.shard))
            except MissingObjectError:
                return True  # running or failed, so it may be computed from what was known
            return bool(pc.any(pc.equal(part.column("store_id"), pa.scalar(store_id))).as_py())
    return False


def _pattern(store_id: str) -> re.Pattern[bytes]:
    """Return what matches a store id in a CSV of rejected rows, and no longer id."""
    # Quotes are doubled, once or twice; an apostrophe may be put before what looks like a formula.
    text = "".join('"+' if char == '"' else f"'?{re.escape(char)}" for char in store_id)
    return re.compile(rb"(?<![\w.-])" + text.encode() + rb"(?![\w.-])")

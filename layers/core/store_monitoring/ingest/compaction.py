"""Compact small ingests: a file a bucket in the place of many."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from store_monitoring.errors import CommitConflictError
from store_monitoring.ingest.commit import commit_attempts
from store_monitoring.ingest.deadline import Deadline
from store_monitoring.ingest.parsing.content import derived_id
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.ports import Commit, IngestLog, ManifestEntry, Snapshot, WrittenPolls
from store_monitoring.ingest.write_polls import write_polls
from store_monitoring.storage.ports import Objects, PollsFile, Tables

_LARGE_BUCKET_ROWS = 100_000  # an ingest that brings so many a bucket is left as it is

_MOST_AT_ONCE = 90  # ingests; a transaction of DynamoDB has a hundred items at most

_MOST_LOG_BYTES = 3_000_000  # of their entries; a transaction has 4 MB, with those that it adds

_COMMIT_SECONDS = 120  # after which the next call may try

_WORKERS = 4  # waiting for S3, not Parquet, takes the time


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a call of `compact_polls` did."""

    ingests_replaced: int
    files_deleted: int


def compact_polls(
    memory_us: int,
    bucket_count: int,
    keep: timedelta,
    clock: Callable[[], datetime],
    tables: Tables,
    objects: Objects,
    log: IngestLog,
) -> Compaction:
    """Replace small ingests by larger ones, and delete what was replaced long ago.

    Only polls that reports still read are looked at. It is a step of the ingest log as an ingest
    is: a plan of before reads the old files, one of after the new ones, and a call that is killed
    has changed nothing, or all. Whoever compacts the same at the same time writes the same bytes,
    and one of both commits them.

    Parameters
    ----------
    memory_us : int
        For how long a poll is evidence (rule 9).
    bucket_count : int
    keep : timedelta
        For how long replaced files are kept: reports as old as that may be computed again.
    clock : callable
        Returns the time now.
    tables, objects, log : ports
    """
    replaced = 0
    while len(small := _small_ingests(log, memory_us, bucket_count)) > 1:
        if not _replace(small, clock, tables, objects, log):
            break
        replaced += len(small)
    return Compaction(replaced, _delete_replaced(clock() - keep, objects, log))


def _small_ingests(log: IngestLog, memory_us: int, bucket_count: int) -> list[ManifestEntry]:
    """Return the smallest ingests, until together they are large."""
    snapshot = log.snapshot()
    if snapshot.max_timestamp_us is None:
        return []
    large = _LARGE_BUCKET_ROWS * bucket_count
    ingests = log.manifest(
        snapshot.version, snapshot.max_timestamp_us - memory_us, snapshot.max_timestamp_us
    )
    small: list[ManifestEntry] = []
    log_bytes = 0
    for ingest in sorted(ingests, key=lambda ingest: (ingest.rows, ingest.ingest_id)):
        log_bytes += ingest.log_bytes
        if (
            ingest.rows >= large
            or sum(each.rows for each in small) >= large
            or len(small) == _MOST_AT_ONCE
            or log_bytes > _MOST_LOG_BYTES
        ):
            break
        small.append(ingest)
    return small


def _replace(
    ingests: Sequence[ManifestEntry],
    clock: Callable[[], datetime],
    tables: Tables,
    objects: Objects,
    log: IngestLog,
) -> bool:
    """Replace ingests by one; False if another compaction took some of them."""
    files = [file for ingest in ingests for file in ingest.files]
    # Named by what it reads: the same name is the same bytes.
    compaction_id = derived_id(" ".join(sorted(file.key for file in files)))
    written = rewrite(files, compaction_id, tables)
    rows = sum(polls.file.rows for polls in written)
    commit = Commit(Kind.POLLS, compaction_id, rows, 0, clock(), written)
    for _ in commit_attempts(Deadline.within(_COMMIT_SECONDS)):
        snapshot = log.snapshot()
        if not _are_current(ingests, snapshot, log):
            _delete_uncommitted(commit, objects, log)
            break
        try:
            log.replace(snapshot, [ingest.ingest_id for ingest in ingests], commit)
        except CommitConflictError:
            continue
        return True
    return False


def _are_current(ingests: Sequence[ManifestEntry], snapshot: Snapshot, log: IngestLog) -> bool:
    files = [file for ingest in ingests for file in ingest.files]
    current = {each.ingest_id: each for each in log.manifest(snapshot.version, *_range(files))}
    return all(
        ingest.ingest_id in current and current[ingest.ingest_id].files == ingest.files
        for ingest in ingests
    )


def _delete_uncommitted(commit: Commit, objects: Objects, log: IngestLog) -> None:
    """Delete the files of a compaction that came too late, unless another call committed them.

    Another call that replaces the same writes the same keys. It commits them with the very change
    that makes the replaced ingests no longer current. So when they are not, and there is no entry
    of this id, no call can commit it any more.
    """
    if log.committed(commit.kind, commit.ingest_id) is None:
        objects.delete([file.key for file in commit.polls_files])


def rewrite(
    files: Sequence[PollsFile], compaction_id: str, tables: Tables
) -> tuple[WrittenPolls, ...]:
    """Write the polls of files as one file a bucket."""

    def write(bucket: int) -> WrittenPolls:
        old = [file for file in files if file.bucket == bucket]
        return write_polls(bucket, compaction_id, [tables.read_polls(old, *_range(old))], tables)

    with ThreadPoolExecutor(_WORKERS) as pool:
        return tuple(pool.map(write, sorted({file.bucket for file in files})))


def _range(files: Sequence[PollsFile]) -> tuple[int, int]:
    return min(file.min_timestamp_us for file in files), max(
        file.max_timestamp_us for file in files
    )


def _delete_replaced(before: datetime, objects: Objects, log: IngestLog) -> int:
    """Delete the files that were replaced before an instant; return their number."""
    deleted = 0
    for replacement in log.replaced_before(before):
        objects.delete(replacement.keys)
        log.forget(replacement)
        deleted += len(replacement.keys)
    return deleted

"""Compaction: replace many small polls files by one file per bucket."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from store_monitoring.errors import CommitConflictError
from store_monitoring.ingest.deadline import Deadline, commit_attempts
from store_monitoring.ingest.parsing.content import derived_id
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.ports import Commit, IngestLog, ManifestEntry, Snapshot
from store_monitoring.storage.polls import write_polls
from store_monitoring.storage.ports import Objects, PollsFile, Tables, WrittenPolls

_LARGE_BUCKET_ROWS = 100_000  # mean of a large ingest, which is not compacted
_MAX_INGESTS = 90  # a DynamoDB transaction has at most 100 items
_MAX_LOG_BYTES = 3_000_000  # of the replaced entries; a transaction has at most 4 MB
_COMMIT_SECONDS = 120  # then it is left to the next scheduled call
_WORKERS = 4  # most of the time is spent waiting for S3


@dataclass(frozen=True, slots=True)
class Compaction:
    """The result of `compact_polls`."""

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
    """Replace small ingests by larger ones, and delete files that were replaced long ago.

    Only polls that reports still read are compacted. A compaction is a commit to the ingest log:
    older plans read the old files, newer plans the new ones. If a call is killed, its compaction is
    either committed or has no effect. Concurrent compactions write identical bytes; one commits.

    Parameters
    ----------
    memory_us : int
        How long a poll is known (rule 9).
    bucket_count : int
    keep : timedelta
        How long replaced files are kept: a report that old may be retried.
    clock : callable
        Returns the current time.
    tables, objects, log : ports
    """
    replaced = 0
    while len(small := _small_ingests(log, memory_us, bucket_count)) > 1:
        if not _replace(small, clock, tables, objects, log):
            break
        replaced += len(small)
    return Compaction(replaced, _delete_replaced(clock() - keep, objects, log))


def _small_ingests(log: IngestLog, memory_us: int, bucket_count: int) -> list[ManifestEntry]:
    """Return the smallest ingests, as many as together make one large ingest."""
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
            or len(small) == _MAX_INGESTS
            or log_bytes > _MAX_LOG_BYTES
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
    """Replace several ingests by one; return False if some of them are no longer current."""
    files = [file for ingest in ingests for file in ingest.files]
    # The id is a hash of the input files, so the same id means the same bytes.
    compaction_id = derived_id(" ".join(sorted(file.key for file in files)))
    written = write_merged(files, compaction_id, tables)
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
    """Delete the files of a compaction that lost to another one, unless that committed them.

    Another call that replaces the same ingests writes the same keys, and commits them in the
    transaction that marks the ingests as replaced. So if the ingests are replaced and the log has
    no entry with this id, no call can commit these files any more.
    """
    if log.committed(commit.kind, commit.ingest_id) is None:
        objects.delete([file.key for file in commit.polls_files])


def write_merged(
    files: Sequence[PollsFile], compaction_id: str, tables: Tables
) -> tuple[WrittenPolls, ...]:
    """Write the polls of several files as one file per bucket."""

    def write(bucket: int) -> WrittenPolls:
        old = [file for file in files if file.bucket == bucket]
        return write_polls(bucket, compaction_id, [tables.read_polls(old, *_range(old))], tables)

    with ThreadPoolExecutor(_WORKERS) as pool:
        return tuple(pool.map(write, sorted({file.bucket for file in files})))


def _range(files: Sequence[PollsFile]) -> tuple[int, int]:
    """Return the least and the greatest poll timestamp in some files."""
    least_us = min(file.min_timestamp_us for file in files)
    return least_us, max(file.max_timestamp_us for file in files)


def _delete_replaced(before: datetime, objects: Objects, log: IngestLog) -> int:
    """Delete files that were replaced before an instant; return their number."""
    deleted = 0
    for replacement in log.replaced_before(before):
        objects.delete(replacement.keys)
        log.delete_replacement(replacement)
        deleted += len(replacement.keys)
    return deleted

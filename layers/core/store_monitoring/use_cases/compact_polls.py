"""Compact small ingests: a file a bucket in the place of many."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from store_monitoring.errors import CommitConflict
from store_monitoring.ingest.kinds import Kind
from store_monitoring.use_cases.commit_attempts import commit_attempts
from store_monitoring.use_cases.ports import (
    Commit,
    Head,
    IngestLog,
    Objects,
    PollsFile,
    PollsIngest,
    Tables,
    WrittenPolls,
)
from store_monitoring.use_cases.write_polls import write_polls

_LARGE_BUCKET_ROWS = 100_000  # an ingest that brings so many a bucket is left as it is
_MOST_AT_ONCE = 90  # ingests; a transaction of DynamoDB has a hundred items at most
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
        if not _replace(small, clock, tables, log):
            break
        replaced += len(small)
    return Compaction(replaced, _delete_replaced(clock() - keep, objects, log))


def _small_ingests(log: IngestLog, memory_us: int, bucket_count: int) -> list[PollsIngest]:
    """Return the smallest ingests, until together they are large."""
    head = log.head()
    if head.greatest_us is None:
        return []
    large = _LARGE_BUCKET_ROWS * bucket_count
    ingests = log.polls_ingests(head.version, head.greatest_us - memory_us, head.greatest_us)
    small: list[PollsIngest] = []
    for ingest in sorted(ingests, key=lambda ingest: (ingest.rows, ingest.ingest_id)):
        if ingest.rows >= large or sum(each.rows for each in small) >= large:
            break
        small.append(ingest)
    return small[:_MOST_AT_ONCE]


def _replace(
    ingests: Sequence[PollsIngest],
    clock: Callable[[], datetime],
    tables: Tables,
    log: IngestLog,
) -> bool:
    """Replace ingests by one; False if another compaction took some of them."""
    ids = [ingest.ingest_id for ingest in ingests]
    compaction_id = hashlib.sha256(" ".join(sorted(ids)).encode()).hexdigest()[:32]
    files = [file for ingest in ingests for file in ingest.files]

    def write(bucket: int) -> WrittenPolls:
        old = [file for file in files if file.bucket == bucket]
        least_us, greatest_us = _range(old)
        polls = tables.read_polls(old, least_us, greatest_us)
        return write_polls(bucket, compaction_id, [polls], tables)

    with ThreadPoolExecutor(_WORKERS) as pool:
        written = tuple(pool.map(write, sorted({file.bucket for file in files})))
    rows = sum(polls.file.rows for polls in written)
    commit = Commit(Kind.POLLS, compaction_id, rows, 0, clock(), written)
    for _ in commit_attempts():
        head = log.head()
        if not _are_current(ids, head, commit.polls_files, log):
            break
        try:
            log.replace(head, ids, commit)
        except CommitConflict:
            continue
        return True
    return False


def _are_current(
    ids: Sequence[str], head: Head, files: Sequence[PollsFile], log: IngestLog
) -> bool:
    current = log.polls_ingests(head.version, *_range(files))
    return set(ids) <= {ingest.ingest_id for ingest in current}


def _range(files: Sequence[PollsFile]) -> tuple[int, int]:
    return min(file.least_us for file in files), max(file.greatest_us for file in files)


def _delete_replaced(before: datetime, objects: Objects, log: IngestLog) -> int:
    """Delete the files that were replaced before an instant; return their number."""
    deleted = 0
    for replacement in log.replaced_before(before):
        objects.delete(replacement.keys)
        log.forget(replacement)
        deleted += len(replacement.keys)
    return deleted

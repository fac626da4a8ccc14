"""Plan a report: fix its snapshot and split it into shards."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from store_monitoring.domain.parameters import WEEK_US
from store_monitoring.errors import NoPollsError, NoStoresError, TooManyStoresError
from store_monitoring.ingest.ports import IngestLog, ManifestEntry, Snapshot
from store_monitoring.reports.plan import Plan, Shard, max_windows
from store_monitoring.reports.report import check_formats_hold
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import bucket_of, plan_key, request_key, shards_key
from store_monitoring.storage.ports import PollsFile, ReportFiles, StoresFile
from store_monitoring.store_ids import unknown_stores

# Costs of what a shard reads, in polls (docs/performance.md, "What a size costs").
FILE_COST_POLLS = 100_000  # mostly waiting for S3
STORE_COST_POLLS = 150  # computing its business time
WINDOW_COST_POLLS = 50  # so a shard of the default size has at most a million rows of a period
MAX_BUCKET_ROWS = 1_500_000  # a shard holds its rows in memory, and has at least one bucket


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The files that a report reads of a bucket, their approximate polls, and the cost in polls."""

    stores_file: StoresFile
    polls_files: tuple[PollsFile, ...]
    polls_read: int
    cost_polls: int


def plan_report(
    report_id: str,
    memory_us: int,
    coverage_us: int,
    target_percent: str,
    shard_polls: int,
    bucket_count: int,
    log: IngestLog,
    files: ReportFiles,
    *,
    publish_changes: bool,
    inline_shards: int,
) -> Plan:
    """Plan a report from the latest committed data, and write the plan.

    The first plan of a report is final, since parts may exist that were computed from it. A later
    attempt or call returns that plan.

    Parameters
    ----------
    report_id : str
    memory_us : int
        Length of the poll memory (rule 9).
    coverage_us : int
        How long after a poll business time is covered (rule 19).
    target_percent : str
        The target of stores that have none of their own, a decimal, unless the request has one
        (rule 22).
    shard_polls : int
        Target cost of a shard, in polls. Stores and files count as a number of polls each.
    bucket_count : int
    log, files : ports
    publish_changes : bool
        Whether store changes are published for reports of all stores, as of now.
    inline_shards : int
        Maximum number of shards for which the state machine uses an inline Map. For more, the list
        of shards is written to S3.

    Raises
    ------
    NoPollsError
        If no polls were ingested and the request has no `as_of`, or has a period.
    NoStoresError
        If the request has an `as_of`, but no store is known.
    UnknownStoreError
        If the buckets of all requested stores are empty.
    TooManyStoresError
        If a requested format or memory cannot hold the report.
    """
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(log.snapshot)
        request = ReportRequest.from_json(files.read_json(request_key(report_id)))
    snapshot = reading.result()
    known_since_us, now_us = _known_range_us(request, memory_us, snapshot.max_timestamp_us)
    entries = log.manifest(snapshot.version, known_since_us, now_us)
    requested = _ids_by_bucket(request.store_ids, bucket_count)
    unknown: tuple[str, ...] = ()
    if requested is None:
        stores = list(snapshot.stores.values())
    else:
        stores = [file for bucket, file in snapshot.stores.items() if bucket in requested]
        unknown = _in_empty_buckets(requested, snapshot)
        if not stores:
            raise unknown_stores(unknown)
    if not stores:
        raise NoStoresError("no store is known yet: upload a file first")
    windows = 1 if request.period is None else max_windows(request.period)
    if windows > 1:
        _check_rows(stores, requested, windows)
    buckets = _buckets(stores, entries, known_since_us, now_us, windows)
    groups = _groups(buckets, shard_polls)
    plan = Plan(
        report_id,
        snapshot.version,
        now_us,
        snapshot.max_timestamp_us,
        memory_us,
        request.poll_filter,
        request.formats,
        publish_changes and request.covers_all_stores_now,
        tuple(_shard(number, group, requested) for number, group in enumerate(groups)),
        unknown,
        coverage_us,
        request.include_outages,
        target_percent=str(request.target_percent or target_percent),
        group_by=request.group_by,
        where=request.where,
        period=request.period,
    )
    if not plan.where:
        what = "stores" if plan.period is None else "rows"
        check_formats_hold(plan.formats, plan.stores * plan.min_windows, what)
    if not files.create_json(plan_key(report_id), plan.to_json()):
        plan = Plan.from_json(files.read_json(plan_key(report_id)))
    if len(plan.shards) > inline_shards:
        files.write_json(shards_key(report_id), [{"shard": shard.shard} for shard in plan.shards])
    return plan


def _known_range_us(
    request: ReportRequest, memory_us: int, newest_us: int | None
) -> tuple[int, int]:
    """Return the two instants between which polls may be known (rules 9 and 21)."""
    if newest_us is None and (request.as_of_us is None or request.period is not None):
        raise NoPollsError("no polls have been ingested yet: upload a polls file first")
    now_us = newest_us if request.as_of_us is None else request.as_of_us
    assert now_us is not None  # checked above
    if request.period is None:
        return now_us - memory_us, now_us
    start_us, end_us = request.period.span_us
    now_us = min(end_us, now_us)
    return min(start_us - (memory_us - WEEK_US), now_us), now_us


def _ids_by_bucket(
    store_ids: tuple[str, ...] | None, bucket_count: int
) -> dict[int, list[str]] | None:
    if store_ids is None:
        return None
    by_bucket: dict[int, list[str]] = defaultdict(list)
    for store_id in store_ids:
        by_bucket[bucket_of(store_id, bucket_count)].append(store_id)
    return by_bucket


def _in_empty_buckets(requested: dict[int, list[str]], snapshot: Snapshot) -> tuple[str, ...]:
    """Return the requested stores whose buckets are empty; merge finds the other unknown stores."""
    return tuple(
        sorted(
            store_id
            for bucket, store_ids in requested.items()
            if bucket not in snapshot.stores
            for store_id in store_ids
        )
    )


def _check_rows(
    stores: Iterable[StoresFile], requested: dict[int, list[str]] | None, windows: int
) -> None:
    """Check that the rows of each bucket fit into memory.

    Raises
    ------
    TooManyStoresError
    """
    for file in stores:
        count = file.stores if requested is None else len(requested[file.bucket])
        if count * windows > MAX_BUCKET_ROWS:
            raise TooManyStoresError(
                f"{count:,} stores of a bucket times {windows} windows are more than"
                f" {MAX_BUCKET_ROWS:,} rows: name longer windows, a shorter period or fewer"
                " store_ids, or deploy with more buckets"
            )


def _buckets(
    stores: Iterable[StoresFile],
    entries: Iterable[ManifestEntry],
    since_us: int,
    now_us: int,
    windows: int,
) -> list[_Bucket]:
    """Return what the report reads of each bucket, in order of bucket numbers."""
    polls_files: dict[int, list[PollsFile]] = defaultdict(list)
    polls_read: dict[int, int] = defaultdict(int)
    for entry in entries:
        share = entry.share_read(since_us, now_us)
        for file in entry.files_within(since_us, now_us):
            polls_files[file.bucket].append(file)
            polls_read[file.bucket] += round(share * file.rows)
    store_cost_polls = STORE_COST_POLLS + WINDOW_COST_POLLS * (windows - 1)
    return [
        _Bucket(
            file,
            tuple(sorted(polls_files[file.bucket], key=lambda file: file.key)),
            polls_read[file.bucket],
            FILE_COST_POLLS * (1 + len(polls_files[file.bucket]))
            + store_cost_polls * file.stores
            + polls_read[file.bucket],
        )
        for file in sorted(stores, key=lambda file: file.bucket)
    ]


def _groups(buckets: Sequence[_Bucket], shard_polls: int) -> list[list[_Bucket]]:
    """Group adjacent buckets into groups of about equal cost, at most about `shard_polls`.

    Buckets are laid end to end on a line, each as long as its cost. The line is split into equal
    pieces, as few as possible but none longer than `shard_polls`. The midpoint of a bucket decides
    to which piece, and so to which group, it belongs.
    """
    line = sum(bucket.cost_polls for bucket in buckets)
    piece = line / max(1, math.ceil(line / shard_polls))
    groups: dict[int, list[_Bucket]] = defaultdict(list)
    begin = 0.0
    for bucket in buckets:
        groups[int((begin + bucket.cost_polls / 2) / piece)].append(bucket)
        begin += bucket.cost_polls
    return list(groups.values())


def _shard(number: int, group: Sequence[_Bucket], requested: dict[int, list[str]] | None) -> Shard:
    stores_files = tuple(bucket.stores_file for bucket in group)
    polls_files = tuple(file for bucket in group for file in bucket.polls_files)
    polls = sum(file.rows for file in polls_files)
    wanted = None
    if requested is not None:
        wanted = tuple(id_ for file in stores_files for id_ in requested[file.bucket])
    return Shard(
        number,
        stores=sum(file.stores for file in stores_files) if wanted is None else len(wanted),
        stores_files=stores_files,
        polls_files=polls_files,
        store_ids=wanted,
        share_read=sum(bucket.polls_read for bucket in group) / max(polls, 1),
    )

"""A model of what a report takes and costs on AWS, at sizes that were never run.

The times of our code are measured (`ShardCosts`, and constants below). Those of AWS's services are
in `Aws`, from AWS's documentation where it has them, with a low and a high value. Prices are AWS's,
of us-east-1 and arm64. The plans are those of the real planner.
"""

import math
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path

from bench.data_set import SHARD_POLLS, DataSet
from bench.sizes.shard_costs import ShardCosts
from store_monitoring.domain.parameters import DAY_US, WEEK_US
from store_monitoring.ingest.ports import Commit
from store_monitoring.reports.merge_parts import piece_rows
from store_monitoring.reports.plan import Plan, Shard
from store_monitoring.storage.keys import polls_key, stores_key
from store_monitoring.storage.ports import PollsFile, StoresFile, WrittenPolls
from testing.fakes import MemoryLog

POLLS_OF_STORE = 405  # in the 14 days that a report reads: 1.2 an hour
_HOURS = 14 * 24
_LARGE_BUCKET_ROWS = 100_000  # what `compact` makes of small ingests
_COMPACT_EVERY_HOURS = 6
_INLINE_SHARDS = 40  # more take the Distributed Map (statemachine/report.asl.json)
_FULL_CPU_MB = 1769  # Lambda Developer Guide, "Configure Lambda function memory"

# Measured here (docs/benchmarks.md and docs/layers.md): processor seconds, megabytes and bytes.
# INIT runs at full speed whatever the memory ("burst CPU": AWS Lambda Web Adapter, "Async
# Initialization") and is billed ("AWS Lambda standardizes billing for INIT Phase", AWS Compute
# Blog, since August 2025).
INIT_SECONDS = {"trigger_report": 0.35, "plan_and_merge": 0.42, "compute_shard": 0.22}
CALL_SECONDS = 0.01  # of any function, besides what it is called for
REQUEST_SECONDS = 1e-3  # for each request to S3 but the following
READ_SECONDS = 0.3e-3  # for each file, over TLS, by obstore
CONNECTION_SECONDS = 1e-3  # for each of its connections; a warm call has them
INGEST_ROW_SECONDS = 1e-6
INGEST_FILE_SECONDS = 0.3  # most of it for the objects of 64 buckets
INGEST_MB = 690  # of files with millions of rows
MERGE_STORE_SECONDS = 2.9e-6
MERGE_TAKE_SECONDS = 0.8e-3  # to take the next rows of one part
MERGE_TAKE_STORES = 200_000  # of all parts together, as `reports/merge_parts.py` has it
MERGE_MB, MERGE_PART_MB = 580, 0.76
PLAN_FILE_SECONDS = 25e-6  # for each file, when the plan is written
READ_PLAN_FILE_SECONDS = 3e-6  # for each file, when the plan is read
POLL_BYTES = 5.3
CSV_ROW_BYTES = 75

# Counted in the local cloud: requests to S3 and DynamoDB, and states.
TRIGGER_REQUESTS = 3  # with the start of the execution
PLAN_REQUESTS = 4  # and one for the list of shards
INGEST_REQUESTS = 5  # with a commit
OWN_REQUESTS = 3  # of a shard: for the plan, and for its part
MERGE_REQUESTS = 4  # for plan, request, report and summary
OWN_WAITS = 2  # round trips of a shard besides its files: read the plan, write the part
MERGE_WAITS = 2  # round trips of a merge besides its files: read the plan, write the report
PART_REQUESTS = 2  # besides one for each row group
PART_GROUP_ROWS = 1000  # as `aws/arrow_tables.py` has it
READERS = 64  # as `aws/arrow_tables.py` has it
MERGE_READERS = 24  # as `reports/merge_parts.py` has it
_STATES = 5  # without the map's
_STATE_REQUESTS = 2  # to DynamoDB, by the state machine itself

# AWS's prices, in dollars.
_GB_SECOND = 0.0000133334
_CALL = 0.20e-6
_RESTORED_GB = 0.0001397998
_API_CALL = 3.5e-6
_TRANSITION = 25e-6
_EXPRESS = 1e-6
_EXPRESS_GB_SECOND = 0.00001667
_S3_WRITE = 5e-6
_S3_READ = 0.4e-6
_DYNAMODB_READ = 0.125e-6  # of 4 kB
_DYNAMODB_WRITE = 0.625e-6
_ENTRY_FILE_BYTES = 110  # of a file in the ingest log


class Start(StrEnum):
    """How functions start."""

    COLD = "cold"
    WARM = "warm"
    SNAPSHOT = "SnapStart"
    """All but plan_and_merge, whose ephemeral storage is too large for it."""


@dataclass(frozen=True, slots=True)
class Aws:
    """What AWS's services take, in seconds; `LOW` and `HIGH` name the sources.

    Attributes
    ----------
    slower : float
        Processor time on one vCPU, as a multiple of that measured here.
    environment : float
        Starting an execution environment, before its INIT phase.
    restore : float
        Restoring one from a SnapStart snapshot instead.
    s3_request, dynamodb_request : float
        Until the first byte of the response.
    s3_bytes_per_second : float
        Of one function.
    api : float
        API Gateway's own time for a call.
    transition : float
        The transition to the next state of a Standard workflow.
    distributed_map : float
        Starting a Distributed Map and ending it, without its children's own time.
    """

    slower: float
    environment: float
    restore: float
    s3_request: float
    dynamodb_request: float
    s3_bytes_per_second: float
    api: float
    transition: float
    distributed_map: float


LOW = Aws(
    slower=1.0,  # assumed: AWS states no speed, only that 1,769 MB are one vCPU
    # AWS Lambda Operator Guide, "Lambda execution environments": a cold start takes from under
    # 100 ms to over 1 s, INIT included.
    environment=0.1,
    restore=0.2,  # Lambda Developer Guide, "Lambda SnapStart": as low as sub-second
    # "Best Practices Design Patterns: Optimizing Amazon S3 Performance", on time-outs and retries:
    # the median of requests below 512 KB is often tens of milliseconds.
    s3_request=0.02,
    dynamodb_request=0.005,  # DynamoDB Developer Guide: single-digit milliseconds
    s3_bytes_per_second=90e6,  # "Performance guidelines for Amazon S3": 85 to 90 MB/s a request
    api=0.01,  # assumed
    transition=0.02,  # assumed: AWS documents the price only
    # AWS re:Post, "Why is Step Function's Distributed Map slow?": a hundred empty children are done
    # within a second, the map after 7.
    distributed_map=1.0,
)
HIGH = Aws(
    slower=2.0,
    environment=0.5,
    restore=1.0,
    s3_request=0.1,  # the user guide's "Performance design patterns": roughly 100 to 200 ms
    dynamodb_request=0.01,
    s3_bytes_per_second=75e6,
    api=0.05,
    transition=0.1,
    distributed_map=7.0,
)


@dataclass(frozen=True, slots=True)
class Size:
    """A number of stores with polls, and the template's parameters for it.

    Attributes
    ----------
    stores : int
    polls_of_store : float
        Within the weeks that a report reads.
    uploads : int or None
        Number of files of polls; None: one an hour, of which small ones are compacted.
    bucket_count, shard_memory_mb, map_concurrency, shard_polls : int
        The template's parameters.
    """

    stores: int
    polls_of_store: float = POLLS_OF_STORE
    uploads: int | None = None
    bucket_count: int = 64
    shard_memory_mb: int = 1769
    map_concurrency: int = 100
    shard_polls: int = SHARD_POLLS

    @property
    def polls(self) -> float:
        """Number of polls that a report reads."""
        return self.stores * self.polls_of_store

    @property
    def bucket_polls(self) -> float:
        """Number of polls that a report reads of a bucket."""
        return self.polls / self.bucket_count

    @property
    def files_of_bucket(self) -> int:
        """Number of a bucket's files of polls.

        Small ones are compacted, all but those since the last time.
        """
        if self.uploads is not None:
            return self.uploads
        compacted = math.ceil(self.bucket_polls / _LARGE_BUCKET_ROWS)
        return min(_HOURS, compacted + _COMPACT_EVERY_HOURS)

    @property
    def files(self) -> int:
        """Number of all files that a report reads, those of stores with them."""
        return self.bucket_count * (1 + self.files_of_bucket)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a report takes on AWS.

    Attributes
    ----------
    shards : int
    shard_seconds : float
        Time of the longest shard; 0 if merge computes a single shard.
    shard_mb : float
        Memory that a shard needs.
    merge_seconds, seconds : float
        Time of the merge, including a single shard; and from the request until the report is
        Complete.
    spent_seconds : dict of str to float
        The parts of `seconds`, if all shards run at once.
    gb_seconds : float
        Billed, of all functions.
    dollars : float
    """

    shards: int
    shard_seconds: float
    shard_mb: float
    merge_seconds: float
    seconds: float
    spent_seconds: dict[str, float]
    gb_seconds: float
    dollars: float


@dataclass(frozen=True, slots=True)
class _Call:
    """Seconds of one call of a function: its start, its work, and its waits for S3 and DynamoDB."""

    start: float
    work: float
    waits: float
    billed_start: float
    memory_mb: int

    @property
    def seconds(self) -> float:
        return self.start + self.work + self.waits

    @property
    def gb_seconds(self) -> float:
        return (self.billed_start + self.work + self.waits) * self.memory_mb / 1024


def estimate(size: Size, costs: ShardCosts, aws: Aws, start: Start) -> Estimate:
    """Return what a report of this size takes, as CSV."""

    def call(
        name: str,
        cpu_seconds: float,
        waits: float,
        memory_mb: int,
        transfer: float = 0,
        files: int = 0,
    ) -> _Call:
        slower = aws.slower * max(1, _FULL_CPU_MB / memory_mb)
        began = init = 0.0
        if start is Start.SNAPSHOT and name != "plan_and_merge":
            began = aws.restore
        elif start is not Start.WARM:
            init = aws.slower * INIT_SECONDS[name]
            began = aws.environment + init
        if start is not Start.WARM:
            cpu_seconds += min(files, READERS) * CONNECTION_SECONDS
        work = max(slower * (CALL_SECONDS + cpu_seconds), transfer)
        return _Call(began, work, waits, init, memory_mb)

    plan = planned(size)
    shards = len(plan.shards)
    merge_cpu, merge_waits = merge_cpu_seconds(size, shards), _part_waits(size, shards)
    merge_transfer, merge_files = 0.0, 0
    if shards == 1:
        [only] = plan.shards
        merge_files = shard_files(only)
        merge_cpu += shard_cpu_seconds(costs, only, size)
        merge_waits = _file_waits(merge_files)
        merge_transfer = shard_polls(only) * POLL_BYTES / aws.s3_bytes_per_second
    parts = [
        call(
            "compute_shard",
            shard_cpu_seconds(costs, shard, size),
            waiting_seconds(shard_files(shard), aws.s3_request),
            size.shard_memory_mb,
            shard_polls(shard) * POLL_BYTES / aws.s3_bytes_per_second,
            shard_files(shard),
        )
        for shard in plan.shards
        if shards > 1
    ]
    trigger = call("trigger_report", 0, aws.s3_request + 2 * aws.dynamodb_request, 512)
    planning = call(
        "plan_and_merge",
        plan_cpu_seconds(size),
        (2 if shards <= _INLINE_SHARDS else 3) * aws.s3_request + aws.dynamodb_request,
        _FULL_CPU_MB,
    )
    merge = call(
        "plan_and_merge",
        merge_cpu,
        (MERGE_WAITS + merge_waits) * aws.s3_request
        + size.stores * CSV_ROW_BYTES / aws.s3_bytes_per_second,
        _FULL_CPU_MB,
        merge_transfer,
        merge_files,
    )
    merge = replace(merge, start=0, billed_start=0)  # the environment that planned is idle by then
    calls = [trigger, planning, merge]
    states = _STATES * aws.transition + _STATE_REQUESTS * aws.dynamodb_request
    shard_seconds = computing = 0.0
    if parts:
        longest = max(parts, key=lambda part: part.seconds)
        calls.append(longest)
        shard_seconds = longest.seconds
        waves = math.ceil(shards / size.map_concurrency)
        # In a wave, only the first call of an environment is cold.
        computing = longest.seconds + (waves - 1) * (longest.seconds - longest.start)
        states += 2 * aws.transition
    states += aws.distributed_map if shards > _INLINE_SHARDS else 0
    gb_seconds = sum(each.gb_seconds for each in (trigger, planning, merge, *parts))
    dollars = _dollars(size, shards, gb_seconds)
    if shards > _INLINE_SHARDS:
        children_seconds = sum(part.seconds for part in parts)
        dollars += shards * _EXPRESS + children_seconds * 64 / 1024 * _EXPRESS_GB_SECOND
    if start is Start.SNAPSHOT:
        restored = [trigger, *parts[: size.map_concurrency]]
        dollars += sum(each.memory_mb for each in restored) / 1024 * _RESTORED_GB
    return Estimate(
        shards,
        shard_seconds,
        costs.memory_mb(size.stores / size.bucket_count, size.bucket_polls),
        merge.seconds,
        aws.api + trigger.seconds + states + planning.seconds + computing + merge.seconds,
        {
            "starts": sum(each.start for each in calls),
            "S3 and DynamoDB": sum(each.waits for each in calls),
            "work": sum(each.work for each in calls),
            "states": states,
            "API": aws.api,
        },
        gb_seconds,
        dollars,
    )


def shard_files(shard: Shard) -> int:
    """Return the number of files that a shard reads."""
    return len(shard.stores_files) + len(shard.polls_files)


def shard_polls(shard: Shard) -> int:
    """Return the number of polls in them."""
    return sum(file.rows for file in shard.polls_files)


def shard_cpu_seconds(costs: ShardCosts, shard: Shard, size: Size) -> float:
    """Return the processor time of a shard, as measured here."""
    computation = costs.cpu_seconds(shard_files(shard), shard.stores, shard_polls(shard))
    requests = OWN_REQUESTS * REQUEST_SECONDS + shard_files(shard) * READ_SECONDS
    return computation + requests + size.files * READ_PLAN_FILE_SECONDS


def plan_cpu_seconds(size: Size) -> float:
    """Return the processor time of planning, as measured here."""
    return size.files * PLAN_FILE_SECONDS


def merge_cpu_seconds(size: Size, shards: int) -> float:
    """Return the processor time of merging, as measured here."""
    takes = shards * math.ceil(size.stores / MERGE_TAKE_STORES)
    requests = merge_requests(size, shards) * REQUEST_SECONDS
    return size.stores * MERGE_STORE_SECONDS + takes * MERGE_TAKE_SECONDS + requests


def merge_requests(size: Size, shards: int) -> int:
    """Return how many requests the merge makes."""
    parts = shards * _part_requests(size, shards) if shards > 1 else 0
    return MERGE_REQUESTS + parts


def _part_requests(size: Size, shards: int) -> int:
    groups = max(1, piece_rows(shards) // PART_GROUP_ROWS)
    return PART_REQUESTS + math.ceil(size.stores / shards / (groups * PART_GROUP_ROWS))


def _part_waits(size: Size, shards: int) -> float:
    return _part_requests(size, shards) * max(1, shards / MERGE_READERS)


def ingest_cpu_seconds(rows: int, files: int, size: Size) -> float:
    """Return the processor time of ingesting files of all kinds, as measured here."""
    return rows * INGEST_ROW_SECONDS + files * INGEST_FILE_SECONDS * size.bucket_count / 64


def ingest_requests(polls_files: int, other_files: int, size: Size) -> int:
    """Return how many requests ingests make.

    Each file has stores that are new, or new data of all stores: each bucket's stores are read,
    except by the first, and written, and its polls are written.
    """
    files = polls_files + other_files
    of_stores = 2 * files - 1
    return files * INGEST_REQUESTS + size.bucket_count * (of_stores + polls_files)


def shard_requests(shard: Shard) -> int:
    """Return how many requests a shard makes, if its files have at most a megabyte each."""
    return OWN_REQUESTS + shard_files(shard)


def waiting_seconds(files: int, request_seconds: float) -> float:
    """Return how long a shard waits for S3, in requests that depend on each other."""
    return request_seconds * (OWN_WAITS + _file_waits(files))


def _file_waits(files: int) -> float:
    return max(1, files / READERS)


def _dollars(size: Size, shards: int, gb_seconds: float) -> float:
    """Return what all but restored snapshots and Express children cost."""
    children = shards if shards > 1 else 0
    reads = size.files + OWN_REQUESTS * shards + merge_requests(size, shards)
    return (
        gb_seconds * _GB_SECOND
        + (children + 4) * _CALL  # with end_report
        + _API_CALL
        + (_STATES + children + (children > 0)) * _TRANSITION  # a child's start counts as one
        + reads * _S3_READ
        + (shards + 4 + (shards > _INLINE_SHARDS)) * _S3_WRITE
        + 4 * _DYNAMODB_WRITE
        + size.files * _ENTRY_FILE_BYTES / 4096 * _DYNAMODB_READ
    )


@cache
def planned(size: Size) -> Plan:
    """Plan a report of this size with the real planner, from an artificial log."""
    rows = round(size.bucket_polls / size.files_of_bucket)
    now_us = WEEK_US * 3000
    log = MemoryLog()
    stores_files = [
        StoresFile(bucket, stores_key(bucket, "00000001-a"), size.stores // size.bucket_count, 1)
        for bucket in range(size.bucket_count)
    ]
    for number in range(size.files_of_bucket):
        name = f"{number:032x}"
        written = tuple(
            WrittenPolls(
                PollsFile(bucket, polls_key(bucket, name), rows, 1, now_us - DAY_US, now_us),
                Counter({now_us - WEEK_US: rows}),
            )
            for bucket in range(size.bucket_count)
        )
        commit = Commit("polls", name, rows * size.bucket_count, 0, datetime.now(UTC), written)
        log.commit(log.snapshot(), stores_files, commit)
    with tempfile.TemporaryDirectory() as folder:
        return DataSet(Path(folder), size.bucket_count, log).plan("r", size.shard_polls)

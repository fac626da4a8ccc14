"""What a report costs on AWS, at sizes that were never run: a model, as small as will do.

What our code does is measured (`ShardCosts`, and constants below); how fast Lambda's processors and
S3 are is assumed; prices are AWS's, of us-east-1 and arm64. The planner is the real one.
"""

import math
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.data_set import SHARD_POLLS, DataSet
from bench.sizes.shard_costs import ShardCosts
from store_monitoring.domain.parameters import DAY_US, WEEK_US
from store_monitoring.ingest.ports import Commit
from store_monitoring.reports.plan import Plan
from store_monitoring.storage.keys import polls_key, stores_key
from store_monitoring.storage.ports import PollsFile, StoresFile, WrittenPolls
from testing.fakes import MemoryLog

POLLS_OF_STORE = 405  # in the 14 days that a report reads: 1.2 an hour
_HOURS = 14 * 24
_LARGE_BUCKET_ROWS = 100_000  # what `compact` makes of small ingests
_COMPACT_EVERY_HOURS = 6

# Measured here (docs/performance.md): processor seconds, and bytes.
MERGE_STORE_SECONDS = 2.2e-6  # of a thousand parts; of 64, 1.4
PLAN_FILE_SECONDS = 25e-6  # for each file, when the plan is written
READ_PLAN_FILE_SECONDS = 3e-6  # for each file, when the plan is read
POLL_BYTES = 5.3
CSV_ROW_BYTES = 75

# Assumed of AWS.
SLOWER = 2.0  # a processor of Lambda's is taken to be half as fast as the one measured on
S3_REQUEST_SECONDS = 0.05
S3_BYTES_PER_SECOND = 75e6
READERS = 24  # as `aws/arrow_tables.py` has it
OWN_REQUESTS = 5  # of a shard: for the plan, and for its part
COLD_START_SECONDS = 1.0
OVERHEAD_SECONDS = 1.5  # Step Functions' own, and the API's

# AWS's prices, in dollars.
_GB_SECOND = 0.0000133334
_CALL = 0.20e-6
_TRANSITION = 25e-6
_EXPRESS = 1e-6
_EXPRESS_GB_SECOND = 0.00001667
_S3_WRITE = 5e-6
_S3_READ = 0.4e-6
_DYNAMODB_READ = 0.125e-6  # of 4 kB
_ENTRY_FILE_BYTES = 110  # of a file in the ingest log


@dataclass(frozen=True, slots=True)
class Size:
    """A number of stores, and the template's parameters for it."""

    stores: int
    bucket_count: int = 64
    shard_memory_mb: int = 1769
    map_concurrency: int = 100

    @property
    def polls(self) -> float:
        """Number of polls that a report reads."""
        return self.stores * POLLS_OF_STORE

    @property
    def bucket_polls(self) -> float:
        """Number of polls that a report reads of a bucket."""
        return self.polls / self.bucket_count

    @property
    def files_of_bucket(self) -> int:
        """Number of a bucket's files of polls, if there is an upload an hour.

        Small ones are compacted, all but those since the last time.
        """
        compacted = math.ceil(self.bucket_polls / _LARGE_BUCKET_ROWS)
        return min(_HOURS, compacted + _COMPACT_EVERY_HOURS)

    @property
    def files(self) -> int:
        """Number of all files that a report reads, those of stores with them."""
        return self.bucket_count * (1 + self.files_of_bucket)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a report takes.

    Attributes
    ----------
    shards : int
    shard_seconds : float
        Of the longest.
    shard_mb : float
        Memory that a shard needs.
    merge_seconds, seconds : float
        Of the merge, and from the request to the report.
    gb_seconds : float
        Of the plan, the shards and the merge.
    dollars : float
    """

    shards: int
    shard_seconds: float
    shard_mb: float
    merge_seconds: float
    seconds: float
    gb_seconds: float
    dollars: float


def estimate(size: Size, costs: ShardCosts) -> Estimate:
    """Return what a report of this size takes, as CSV, with all functions cold."""
    plan = planned(size)
    shard_seconds = [
        _shard_seconds(
            costs,
            len(shard.stores_files) + len(shard.polls_files),
            shard.stores,
            sum(file.rows for file in shard.polls_files),
        )
        + SLOWER * size.files * READ_PLAN_FILE_SECONDS
        for shard in plan.shards
    ]
    plan_seconds = COLD_START_SECONDS + SLOWER * size.files * PLAN_FILE_SECONDS
    merge_seconds = (
        COLD_START_SECONDS
        + SLOWER * size.stores * MERGE_STORE_SECONDS
        + 3 * len(plan.shards) * S3_REQUEST_SECONDS / READERS
        + size.stores * CSV_ROW_BYTES / S3_BYTES_PER_SECOND
    )
    waves = math.ceil(len(plan.shards) / size.map_concurrency)
    shard_gb = size.shard_memory_mb / 1024
    gb_seconds = (plan_seconds + merge_seconds) * 1769 / 1024 + sum(shard_seconds) * shard_gb
    return Estimate(
        len(plan.shards),
        max(shard_seconds),
        costs.memory_mb(size.bucket_polls),
        merge_seconds,
        OVERHEAD_SECONDS + plan_seconds + waves * max(shard_seconds) + merge_seconds,
        gb_seconds,
        _dollars(len(plan.shards), size.files, gb_seconds, sum(shard_seconds)),
    )


def _shard_seconds(costs: ShardCosts, files: int, stores: int, polls: int) -> float:
    """Return how long a shard takes: it reads and computes at the same time."""
    computation = SLOWER * costs.cpu_seconds(files, stores, polls)
    transfer = polls * POLL_BYTES / S3_BYTES_PER_SECOND
    return COLD_START_SECONDS + max(computation, transfer) + waiting_seconds(files)


def waiting_seconds(files: int) -> float:
    """Return how long a shard waits for S3, one request after the other where it must.

    Before it reads an object, Arrow asks for its size. Stores are read before polls.
    """
    return S3_REQUEST_SECONDS * (OWN_REQUESTS + max(4, 2 * files / READERS))


def _dollars(shards: int, files: int, gb_seconds: float, shard_seconds: float) -> float:
    transitions = 6 + shards  # a child's start counts as one
    express_gb = 64 / 1024
    return (
        gb_seconds * _GB_SECOND
        + (shards + 6) * _CALL
        + transitions * _TRANSITION
        + shards * _EXPRESS
        + shard_seconds * express_gb * _EXPRESS_GB_SECOND
        + (2 * files + (OWN_REQUESTS + 3) * shards) * _S3_READ
        + (shards + 10) * _S3_WRITE
        + files * _ENTRY_FILE_BYTES / 4096 * _DYNAMODB_READ
    )


def planned(size: Size) -> Plan:
    """Let the planner plan a report of this size, from a made-up log."""
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
        return DataSet(Path(folder), size.bucket_count, log).plan("r", SHARD_POLLS)

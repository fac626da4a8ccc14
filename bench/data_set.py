"""Data sets of any size as they lie in the data bucket, made bucket by bucket.

They are what ingest would have made of the sample's kind of data: 4,560 stores and 1.85 million
polls a unit of scale, or a quarter of these polls (`SPARSE`), nearly all of them in the last two
weeks, so that a report reads them.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa

from local.cli.sample_data import (
    FULL,
    SampleShape,
    draw_polls,
    is_in_outage,
    make_hours,
    make_zones,
    scaled_down,
)
from store_monitoring.domain.parameters import DAY_US, DEFAULT_COVERAGE_US, DEFAULT_TARGET_PERCENT
from store_monitoring.ingest.parsing.values import days, times_of_day
from store_monitoring.ingest.ports import Commit
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.planner import plan_report
from store_monitoring.reports.request import ReportRequest
from store_monitoring.reports.shard import Receipt, compute_shard
from store_monitoring.storage.keys import bucket_of, part_key, request_key
from store_monitoring.storage.polls import write_polls
from store_monitoring.storage.schemas import POLLS, STORES
from store_monitoring.storage.stores import with_rows, with_stores, with_zones, write_stores
from testing.fakes import FolderFiles, FolderTables, MemoryLog

BUCKETS = 64
MEMORY_US = 14 * DAY_US
SHARD_POLLS = 50_000_000  # the template's default
DENSE = replace(FULL, polls_last_fortnight=1_800_000, polls_last_week=900_000)
SPARSE = replace(FULL, polls=459_678, polls_last_fortnight=456_000, polls_last_week=228_000)
_SEED = 20241014
UPLOADED_AT = datetime(2024, 10, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data bucket in a local folder, with the log of the one ingest that filled it."""

    folder: Path
    buckets: int
    log: MemoryLog

    @property
    def tables(self) -> FolderTables:
        """Its tables."""
        return FolderTables(self.folder)

    @property
    def polls(self) -> int:
        """Number of its polls."""
        return sum(commit.rows for commit in self.log.commits)

    def plan(
        self,
        report_id: str,
        shard_polls: int = sys.maxsize,
        request: ReportRequest = ReportRequest(),  # noqa: B008  # frozen
    ) -> Plan:
        """Plan a report of it: of one shard by default."""
        files = FolderFiles(self.folder)
        files.write_json(request_key(report_id), request.to_json())
        return plan_report(
            *(report_id, MEMORY_US, DEFAULT_COVERAGE_US, DEFAULT_TARGET_PERCENT, shard_polls),
            *(self.buckets, self.log, files),
            publish_changes=False,
            inline_shards=40,
        )


def recompute_shard(report_id: str, shard: int, tables: FolderTables) -> Receipt:
    """Compute a shard, even if its part exists."""
    (tables.folder / part_key(report_id, shard)).unlink(missing_ok=True)
    return compute_shard(report_id, shard, tables)


def make_data_set(
    folder: Path, scale: float, buckets: int = BUCKETS, sample: SampleShape = DENSE
) -> DataSet:
    """Write a data set of `scale` times the sample; the same arguments give the same bytes."""
    tables = FolderTables(folder)
    rng = np.random.default_rng(_SEED)
    stores, polls = [], []
    for bucket, store_ids in enumerate(_store_ids(round(FULL.stores * scale), buckets, rng)):
        stores_table, polls_table = _bucket(store_ids, sample, rng)
        stores.append(write_stores(bucket, "00000001-bench", stores_table, tables))
        polls.append(write_polls(bucket, "bench", [polls_table], tables))
    log = MemoryLog()
    rows = sum(each.file.rows for each in polls)
    log.commit(log.snapshot(), stores, Commit("polls", "bench", rows, 0, UPLOADED_AT, tuple(polls)))
    return DataSet(folder, buckets, log)


def _store_ids(stores: int, buckets: int, rng: np.random.Generator) -> Iterator[pa.Array]:
    """Yield the ids of each bucket's stores."""
    ids = [str(UUID(bytes=rng.bytes(16), version=4)) for _ in range(stores)]
    bucket = np.array([bucket_of(store_id, buckets) for store_id in ids])
    every_id = pa.array(ids)
    for number in range(buckets):
        yield every_id.take(np.flatnonzero(bucket == number))


def _bucket(
    store_ids: pa.Array, sample: SampleShape, rng: np.random.Generator
) -> tuple[pa.Table, pa.Table]:
    """Return a bucket's stores and polls."""
    shape = replace(scaled_down(sample, FULL.stores / len(store_ids)), stores=len(store_ids))
    hours = make_hours(shape, store_ids, rng)
    hours = pa.table(
        {
            "store_id": hours.column("store_id"),
            "day": days(hours.column("dayOfWeek").cast(pa.string()).combine_chunks()),
            "start_us": times_of_day(hours.column("start_time_local").combine_chunks()),
            "end_us": times_of_day(hours.column("end_time_local").combine_chunks()),
        }
    )
    zones = make_zones(shape, store_ids, rng).rename_columns(["store_id", "timezone"])
    stores = with_stores(STORES.empty_table(), pa.chunked_array([store_ids]))
    stores = with_rows(with_zones(stores, zones, UPLOADED_AT), "hours", hours, UPLOADED_AT)
    store, at_us = draw_polls(shape, rng)
    active = ~is_in_outage(store, at_us, shape.stores_polled, rng)
    columns = [store_ids.take(store), pa.array(at_us, POLLS.field("timestamp").type), active]
    return stores, pa.table(columns, schema=POLLS)

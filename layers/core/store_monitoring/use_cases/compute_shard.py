"""Compute one shard of a report."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.model import Polls, Stores, Totals, WeeklyHours
from store_monitoring.domain.reckoning import reckon
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME
from store_monitoring.storage.keys import part_key, plan_key
from store_monitoring.storage.schemas import PART
from store_monitoring.use_cases.plan_report import Plan
from store_monitoring.use_cases.ports import Tables


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a shard says of itself; its data are in its part."""

    shard: int
    stores: int
    polls: int


def compute_shard(report_id: str, shard: int, tables: Tables) -> Receipt:
    """Read a shard's files, reckon, and write its part."""
    plan = Plan.from_json(tables.read_bytes(plan_key(report_id)))
    files = plan.shards[shard]
    stores = tables.read_stores(files.stores_files).sort_by("store_id")
    polls = tables.read_polls(files.polls_files, plan.now_us - plan.memory_us, plan.now_us)
    store_ids = stores.column("store_id").combine_chunks()
    totals = reckon(
        _stores(stores),
        _polls(polls, store_ids),
        plan.now_us,
        plan.memory_us,
        plan.poll_filter,
    )
    tables.write_table(part_key(report_id, shard), _part(store_ids, totals))
    return Receipt(shard, len(stores), len(polls))


def _stores(table: pa.Table) -> Stores:
    zones = pc.fill_null(table.column("timezone"), DEFAULT_ZONE_NAME).combine_chunks()
    distinct = zones.dictionary_encode()
    hours = table.column("hours").combine_chunks()
    row = hours.flatten()
    return Stores(
        zone=distinct.indices.to_numpy().astype(np.int64),
        zone_names=tuple(distinct.dictionary.to_pylist()),
        hours=WeeklyHours(
            store=hours.value_parent_indices().to_numpy().astype(np.int64),
            day=row.field("day").to_numpy().astype(np.int64),
            start_us=row.field("start_us").to_numpy(),
            end_us=row.field("end_us").to_numpy(),
        ),
    )


def _polls(table: pa.Table, store_ids: pa.StringArray) -> Polls:
    store = pc.index_in(table.column("store_id"), store_ids)
    return Polls(
        store=store.to_numpy().astype(np.int64),
        timestamp_us=table.column("timestamp").cast(pa.int64()).to_numpy(),
        active=table.column("active").to_numpy(),
    )


def _part(store_ids: pa.StringArray, totals: Totals) -> pa.Table:
    columns = np.hstack([totals.uptime_us, totals.downtime_us]).T
    return pa.table([store_ids, *map(pa.array, columns)], schema=PART)

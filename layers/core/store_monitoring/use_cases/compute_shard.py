"""Compute one shard of a report."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.evidence import NO_POLL
from store_monitoring.domain.model import Totals
from store_monitoring.domain.reckoning import Details, reckon, reckon_in_detail
from store_monitoring.storage.arrays import polls_of, stores_of
from store_monitoring.storage.keys import part_key
from store_monitoring.storage.schemas import DETAILED_PART, PART
from store_monitoring.use_cases.plan import Plan, Shard, read_plan
from store_monitoring.use_cases.ports import PollsFile, StoresFile, Tables
from store_monitoring.use_cases.read_ahead import read_ahead

_BATCH_POLLS = 500_000  # no fewer are worth a call of their own
_AHEAD = 1  # batches that are read while one is reckoned


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a shard says of itself; its data are in its part.

    Attributes
    ----------
    shard : int
    stores : int
        Number of its rows.
    polls_read : int
        0 also if its part was there already.
    """

    shard: int
    stores: int
    polls_read: int


def compute_shard(report_id: str, shard: int, tables: Tables) -> Receipt:
    """Read a shard's files, reckon, and write its part, unless that is there already.

    A report has one plan, so a part with as many rows as that says is the one.

    Buckets share no store, so they are read and reckoned a few at a time: what a shard needs of
    memory is that of its largest bucket, or of a batch of small ones.

    A requested store that is in none of the files has no row: `merge_report`, which sees all
    parts, names all such stores.
    """
    plan = read_plan(report_id, tables)
    files = plan.shards[shard]
    if tables.count_rows(part_key(report_id, shard)) == files.stores:
        return Receipt(shard, files.stores, polls_read=0)
    parts = [(DETAILED_PART if plan.in_detail else PART).empty_table()]
    polls_read = 0
    read = partial(_read, plan, files, tables)
    for stores, polls in read_ahead(read, files.batches(_BATCH_POLLS), _AHEAD):
        parts.append(_part(plan, stores, polls))
        polls_read += len(polls)
    part = pa.concat_tables(parts).sort_by("store_id")
    tables.write_part(part_key(report_id, shard), part)
    return Receipt(shard, len(part), polls_read)


def _read(
    plan: Plan, shard: Shard, tables: Tables, files: tuple[list[StoresFile], list[PollsFile]]
) -> tuple[pa.Table, pa.Table]:
    """Return the stores of some buckets, those that are asked for, and their polls."""
    stores_files, polls_files = files
    stores = tables.read_stores(stores_files)
    if shard.store_ids is not None:
        wanted = pa.array(shard.store_ids, pa.string())
        stores = stores.filter(pc.is_in(stores.column("store_id"), wanted))
    return stores, tables.read_polls(polls_files, plan.now_us - plan.memory_us, plan.now_us)


def _part(plan: Plan, stores: pa.Table, polls: pa.Table) -> pa.Table:
    store_ids = stores.column("store_id").combine_chunks()
    inputs = (
        stores_of(stores),
        polls_of(polls, store_ids),
        plan.now_us,
        plan.memory_us,
        plan.poll_filter,
    )
    if not plan.in_detail:
        return pa.table([store_ids, *_totals(reckon(*inputs))], schema=PART)
    totals, details = reckon_in_detail(*inputs)
    return pa.table([store_ids, *_totals(totals), *_details(details)], schema=DETAILED_PART)


def _totals(totals: Totals) -> list[pa.Array]:
    return [pa.array(column) for column in np.hstack([totals.uptime_us, totals.downtime_us]).T]


def _details(details: Details) -> list[pa.Array]:
    never = details.polled.last_us == NO_POLL
    return [
        pa.array(details.polled.in_week),
        pa.array(details.polled.last_us, pa.timestamp("us", tz="UTC"), mask=never),
        pa.array(details.polled.last_active, mask=never),
        pa.array(details.open_now),
        pa.array(details.outages.count),
        pa.array(details.outages.longest_us),
    ]

"""Compute one shard of a report."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.activity import NO_POLL
from store_monitoring.domain.model import Totals
from store_monitoring.domain.reckoning import Details, reckon, reckon_in_detail
from store_monitoring.errors import UnknownStore
from store_monitoring.storage.arrays import polls_of, stores_of
from store_monitoring.storage.keys import part_key
from store_monitoring.storage.schemas import DETAILED_PART, PART
from store_monitoring.use_cases.plan_report import Plan, read_plan
from store_monitoring.use_cases.ports import Tables


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

    Raises
    ------
    UnknownStore
        If a requested store is in none of the files.
    """
    plan = read_plan(report_id, tables)
    files = plan.shards[shard]
    if tables.count_rows(part_key(report_id, shard)) == files.stores:
        return Receipt(shard, files.stores, polls_read=0)
    stores = tables.read_stores(files.stores_files).sort_by("store_id")
    if files.store_ids is not None:
        stores = _selected(stores, files.store_ids)
    polls = tables.read_polls(files.polls_files, plan.now_us - plan.memory_us, plan.now_us)
    part = _part(plan, stores, polls)
    tables.write_table(part_key(report_id, shard), part)
    return Receipt(shard, len(stores), len(polls))


def _selected(stores: pa.Table, store_ids: tuple[str, ...]) -> pa.Table:
    wanted = pa.array(store_ids, pa.string())
    unknown = pc.invert(pc.is_in(wanted, stores.column("store_id").combine_chunks()))
    if pc.any(unknown).as_py():
        raise UnknownStore(f"no input knows the store {wanted.filter(unknown)[0].as_py()!r}")
    return stores.filter(pc.is_in(stores.column("store_id"), wanted))


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

"""Compute one shard of a report."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.model import Int64s, Polls, Stores
from store_monitoring.domain.outages import NO_OUTAGES, Outages, sort_by_store
from store_monitoring.domain.parameters import WEEK_US, PollFilter
from store_monitoring.domain.pieces import cut_by_store, cut_by_time
from store_monitoring.domain.uptime import Figures, Piece, compute_uptime_by_pieces
from store_monitoring.domain.windows import (
    Windows,
    classic_windows,
    period_windows,
    trend_edges_us,
    trend_windows,
)
from store_monitoring.reports.plan import PartInfo, Plan, Shard, read_plan
from store_monitoring.reports.request import Condition
from store_monitoring.storage.arrays import (
    outage_tables,
    part_of,
    period_part_of,
    polls_of,
    stores_of,
    window_ends,
)
from store_monitoring.storage.keys import outages_key, part_key
from store_monitoring.storage.ports import PollsFile, StoresFile, Tables
from store_monitoring.storage.schemas import PART, PERIOD_PART
from store_monitoring.storage.stores import attribute_values

_BATCH_POLLS = 2_000_000  # to read; the files of a batch are requested together
_POLLS_PER_MEGABYTE = 6000  # includes all other memory: docs/performance.md, "Limits"
_PIECE_DIVISOR = 2  # to find a piece, twice its polls are held in memory
_AHEAD = 1  # number of batches that are read while one is computed
_NO_ROWS, _NO_PERIOD_ROWS = PART.empty_table(), PERIOD_PART.empty_table()
_NO_ENDS = pa.schema(
    {
        "store_id": pa.string(),
        "timezone": pa.string(),
        "open_at_end": pa.bool_(),
        "end_us": pa.int64(),
    }
).empty_table()
_Item = TypeVar("_Item")
_Read = TypeVar("_Read")


def read_ahead(
    read: Callable[[_Item], _Read], items: Iterable[_Item], ahead: int
) -> Iterator[_Read]:
    """Yield what `read` returns for each item, in order. Read at most `ahead` items in advance.

    >>> list(read_ahead(str.upper, "abc", ahead=2))
    ['A', 'B', 'C']
    """
    with ThreadPoolExecutor(ahead) as pool:
        reading: deque[Future[_Read]] = deque()
        for item in items:
            reading.append(pool.submit(read, item))
            if len(reading) > ahead:
                yield reading.popleft().result()
        while reading:
            yield reading.popleft().result()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of `compute_shard` for the state machine; the rows are in the part.

    Attributes
    ----------
    shard : int
    stores : int
        Number of requested stores; those that meet the report's conditions are in the part.
    polls_read : int
        Number of polls that were read; 0 if the part existed already.
    """

    shard: int
    stores: int
    polls_read: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some buckets: their requested stores, and their polls if those fit into memory."""

    stores: pa.Table
    polls_files: list[PollsFile]
    polls: pa.Table | None

    @property
    def polls_read(self) -> int:
        """Number of polls in the files, or in what was read of them."""
        if self.polls is None:
            return sum(file.rows for file in self.polls_files)
        return len(self.polls)


def max_polls_in_memory(memory_mb: int) -> int:
    """Return how many polls fit into the memory of the function.

    >>> max_polls_in_memory(1769)
    10614000
    """
    return memory_mb * _POLLS_PER_MEGABYTE


def compute_shard(
    report_id: str, shard: int, tables: Tables, max_polls: int = max_polls_in_memory(1769)
) -> Receipt:
    """Compute a shard's part, and write it.

    If a part with the planned number of stores exists, it is kept: the plan of a report is final.
    """
    key = part_key(report_id, shard)
    with ThreadPoolExecutor(1) as pool:
        existing = pool.submit(tables.read_metadata, key)
        plan = read_plan(report_id, tables)
    info = PartInfo.from_metadata(existing.result())
    if info is not None and info.stores_read == plan.shards[shard].stores:
        return Receipt(shard, info.stores_read, polls_read=0)
    part, receipt = compute_part(plan, shard, tables, max_polls)
    tables.write_part(key, part)
    return receipt


def compute_part(
    plan: Plan, shard: int, tables: Tables, max_polls: int
) -> tuple[pa.Table, Receipt]:
    """Read a shard's files, and compute the uptime of its stores.

    If the plan includes outages, they are written.

    No store is in two buckets, so buckets are computed a few at a time. If they have more than
    `max_polls` polls, those are computed piece by piece. Memory does not grow with the number of
    polls.

    A requested store that is in none of the files has no row, and the part names it.
    `merge_report` reports all such stores, since it sees all parts.

    Returns
    -------
    table
        The part: a row for each store or window, in order of store ids; its metadata are a
        `PartInfo`.
    Receipt
    """
    files = plan.shards[shard]
    parts = [_NO_ROWS if plan.period is None else _NO_PERIOD_ROWS]
    outages, ends = [NO_OUTAGES], [_NO_ENDS]
    trends: list[Int64s] = []
    polls_read = stores_read = 0
    unknown = set(files.store_ids or ())
    read = partial(_read, plan, files, tables, max_polls)
    # All rows of a batch fit into memory, even if more of them are read than planned.
    batches = files.batches(_BATCH_POLLS, max_rows=max_polls // 2)
    for batch in read_ahead(read, batches, _AHEAD):
        stores_read += len(batch.stores)
        polls_read += batch.polls_read
        unknown.difference_update(batch.stores.column("store_id").to_pylist() if unknown else ())
        for stores, windows, figures, trend in _compute(plan, batch, tables, max_polls):
            trends.append(trend)
            if figures.all_outages is not None:
                row = sum(map(len, ends)) + figures.all_outages.store
                outages.append(replace(figures.all_outages, store=row))
                ends.append(window_ends(stores, figures, windows))
            if plan.period is None:
                parts.append(part_of(stores, figures))
            else:
                parts.append(period_part_of(stores, figures, windows, plan.period.unit))
    if plan.include_outages:  # before the part is written, which marks the shard as done
        of_shard = outage_tables(*_outages_sorted(ends, outages))
        tables.write_outages(outages_key(plan.report_id, shard), of_shard)
    part = _concat_sorted(parts)
    trend_us = tuple((int(up), int(down)) for up, down in sum(trends, start=_no_trend(plan)))
    info = PartInfo(stores_read, tuple(sorted(unknown)), trend_us)
    part = part.replace_schema_metadata(info.to_metadata())
    return part, Receipt(shard, stores_read, polls_read)


def _concat_sorted(parts: list[pa.Table]) -> pa.Table:
    """Return the rows sorted by store id; the windows of a store stay in order of time."""
    return pa.concat_tables(parts).sort_by("store_id")


def _compute(
    plan: Plan, batch: _Batch, tables: Tables, max_polls: int
) -> Iterator[tuple[pa.Table, Windows, Figures, Int64s]]:
    """Compute the stores of a batch that meet the conditions, a range of stores at a time.

    Yields
    ------
    table, Windows, Figures and int64 array
        The stores of a range, their windows and figures, and their trend as `_trend` returns it.
    """
    wanted = _meeting_conditions(plan.where, batch.stores)
    for begin, end in _store_ranges(plan, wanted):
        stores = wanted.slice(begin, end - begin)
        store_ids = stores.column("store_id").combine_chunks()
        of_stores = stores_of(stores)
        windows = _windows(plan, of_stores)
        polls = None if batch.polls is None else polls_of(batch.polls, store_ids)

        def pieces(polls: Polls | None = polls, ids: pa.Array = store_ids) -> Iterable[Piece]:
            if polls is not None:
                return [Piece(polls, plan.now_us + 1)]
            return _pieces(plan, ids, batch.polls_files, tables, max_polls)

        figures = compute_uptime_by_pieces(
            of_stores, pieces(), windows, plan.parameters, keep_outages=plan.include_outages
        )
        yield stores, windows, figures, _trend(plan, of_stores, pieces)


def _trend(plan: Plan, stores: Stores, pieces: Callable[[], Iterable[Piece]]) -> Int64s:
    """Return the uptime and downtime of all stores together: int64 (`trend_windows`, 2).

    It is computed from the polls that the report knows, so its last seven days add up to the week.
    """
    if not plan.has_trend:
        return _no_trend(plan)
    windows = trend_windows(stores.count, plan.now_us, plan.memory_us)
    known = (
        replace(piece, polls=piece.polls.where(piece.polls.timestamp_us >= plan.known_since_us))
        for piece in pieces()
    )
    totals = compute_uptime_by_pieces(stores, known, windows, plan.parameters).totals
    of_stores = np.stack([totals.uptime_us, totals.downtime_us], axis=1)
    trend: Int64s = of_stores.reshape(stores.count, _trend_windows_count(plan), 2).sum(axis=0)
    return trend


def _no_trend(plan: Plan) -> Int64s:
    return np.zeros((_trend_windows_count(plan) if plan.has_trend else 0, 2), np.int64)


def _trend_windows_count(plan: Plan) -> int:
    return len(trend_edges_us(plan.now_us, plan.memory_us)) - 1


def _windows(plan: Plan, stores: Stores) -> Windows:
    if plan.period is None:
        return classic_windows(stores.count, plan.now_us)
    assert plan.max_timestamp_us is not None  # a period is planned only if there are polls
    return period_windows(stores.zone, stores.zone_names, plan.period, plan.max_timestamp_us)


def _outages_sorted(
    ends: Sequence[pa.Table], outages: Sequence[Outages]
) -> tuple[pa.Table, Outages]:
    """Return window ends and outages sorted by store id, as `outage_tables` takes them.

    In `outages`, `store` is the index of a row in the concatenation of `ends`.
    """
    every_end = pa.concat_tables(ends)
    order = pc.sort_indices(every_end, [("store_id", "ascending")])
    row = np.argsort(order.to_numpy())
    by_id = sort_by_store([replace(each, store=row[each.store]) for each in outages])
    return every_end.take(order), by_id


def _read(
    plan: Plan,
    shard: Shard,
    tables: Tables,
    max_polls: int,
    files: tuple[list[StoresFile], list[PollsFile]],
) -> _Batch:
    stores_files, polls_files = files
    fits = sum(file.rows for file in polls_files) <= max_polls
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(
            tables.read_polls, polls_files if fits else [], plan.known_since_us, plan.now_us
        )
        # In one chunk: a call on a column costs about as much for a small chunk as for a large one.
        stores = tables.read_stores(stores_files).combine_chunks()
    if shard.store_ids is not None:
        wanted = pa.array(shard.store_ids, pa.string())
        stores = stores.filter(pc.is_in(stores.column("store_id"), wanted))
    return _Batch(stores, polls_files, reading.result() if fits else None)


def _meeting_conditions(where: Iterable[Condition], stores: pa.Table) -> pa.Table:
    """Return the stores that meet all conditions."""
    for condition in where:
        attributes = pc.struct_field(stores.column("attributes"), ["values"])
        values = attribute_values(attributes, condition.attribute)
        is_wanted = pc.is_in(values, pa.array(condition.values, pa.string()))
        stores = stores.filter(is_wanted)
    return stores


def _store_ranges(plan: Plan, stores: pa.Table) -> list[tuple[int, int]]:
    """Return ranges of rows whose stores can be computed at once."""
    rows = np.zeros(len(stores), np.int64)
    for column in ("hours", "special_hours", "exclusions"):
        rows += pc.fill_null(pc.list_value_length(stores.column(column)), 0).to_numpy()
    by_hours = plan.poll_filter is PollFilter.BUSINESS_HOURS
    known_us = plan.now_us - plan.known_since_us
    span_us = known_us if by_hours else known_us - plan.memory_us + WEEK_US
    if plan.has_trend:
        known_us, span_us = known_us + WEEK_US, span_us + WEEK_US
    return cut_by_store(rows, span_us, known_us, plan.max_windows)


def _pieces(
    plan: Plan,
    store_ids: pa.StringArray,
    files: list[PollsFile],
    tables: Tables,
    max_polls: int,
) -> Iterator[Piece]:
    """Cut the polls of some stores into pieces; they are read again for each piece."""

    def read(since_us: int, until_us: int) -> Iterator[Polls]:
        for polls in tables.read_polls_in_batches(files, since_us, until_us - 1):
            yield polls_of(polls, store_ids)

    divisor = _PIECE_DIVISOR * (2 if plan.include_outages else 1)  # outages take memory, too
    return cut_by_time(read, plan.known_since_us, plan.now_us, max_polls // divisor)

"""Publish which stores went down or recovered between one report and the next."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.errors import MissingObjectError
from store_monitoring.instants import to_text
from store_monitoring.notifications.events import Event, Events, EventType
from store_monitoring.reports.plan import Plan, read_plan
from store_monitoring.storage.keys import part_key, store_states_key
from store_monitoring.storage.ports import Tables
from store_monitoring.storage.schemas import STORE_STATES


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The report that store changes were last published from, its `now` and its start."""

    report_id: str
    now_us: int
    started_at: str = ""  # in ISO 8601; empty in checkpoints of older versions


class CheckpointStore(Protocol):
    """The stored checkpoint."""

    def get(self) -> Checkpoint | None:
        """Read the checkpoint with strong consistency; None if there is none yet."""

    def advance(self, before: Checkpoint | None, after: Checkpoint) -> None:
        """Replace the checkpoint.

        Raises
        ------
        TransientError
            If the stored checkpoint is not `before`.
        """


@dataclass(frozen=True, slots=True)
class StoreChanges:
    """Ids of the stores whose state has changed, ascending."""

    went_down: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()


def publish_store_changes(
    report_id: str,
    started_at: str,
    limit: int,
    tables: Tables,
    checkpoints: CheckpointStore,
    events: Events,
) -> StoreChanges:
    """Publish the store changes since the last report that changes were published from.

    The state of a store, up or down, is the one when it was last open. So closing time is no
    change: a store that closes while down and opens while up has recovered, and one whose tablet is
    off at night has not gone down. A store that has never been open in a report has no state.

    Nothing is published from a report with its own `as_of`, store ids or poll filter, nor from one
    that was started before the last one and has an earlier `now`. The first report only records
    states. So does a report that was started after the last one but has an earlier `now`, for
    example because polls from the future were taken back.

    Parameters
    ----------
    report_id : str
        A complete report.
    started_at : str
        When the report was started, in ISO 8601.
    limit : int
        If more stores than this changed, a single event with their number is published.
    tables, checkpoints, events : ports

    Raises
    ------
    TransientError
        If events could not be published, or another report was published concurrently. A retry may
        publish events again.
    """
    plan = read_plan(report_id, tables)
    before = checkpoints.get()
    current = Checkpoint(report_id, plan.now_us, started_at)
    if not plan.follows_stores or not _is_newer(current, before):
        return StoreChanges()
    known = before if before is not None and before.now_us <= current.now_us else None
    states = _next_states(_states(known, tables), _rows(plan, tables))
    changes = _changes(states)
    tables.write_table(store_states_key(report_id), states.select(STORE_STATES.names))
    events.publish(list(_events(plan, changes, limit)))
    checkpoints.advance(before, current)
    return changes


def _is_newer(current: Checkpoint, before: Checkpoint | None) -> bool:
    if before is None:
        return True
    if before.report_id == current.report_id:
        return False
    return before.now_us <= current.now_us or before.started_at < current.started_at


def _states(before: Checkpoint | None, tables: Tables) -> pa.Table:
    if before is None:
        return STORE_STATES.empty_table()
    try:
        return tables.read_table(store_states_key(before.report_id))
    except MissingObjectError:  # expired together with its report
        return STORE_STATES.empty_table()


def _rows(plan: Plan, tables: Tables) -> pa.Table:
    columns = ["store_id", "open_now", "last_poll_active"]
    keys = [part_key(plan.report_id, shard.shard) for shard in plan.shards]
    parts = [tables.read_table(key).select(columns) for key in keys]
    return pa.concat_tables(parts).sort_by("store_id")


def _next_states(before: pa.Table, rows: pa.Table) -> pa.Table:
    """Return whether each store is up, and whether it was up before; null if unknown."""
    row_before = pc.index_in(rows.column("store_id"), before.column("store_id"))
    was_up = before.column("up").take(row_before)
    is_active = pc.fill_null(rows.column("last_poll_active"), False)  # rule 11
    up = pc.if_else(rows.column("open_now"), is_active, was_up)
    return pa.table({"store_id": rows.column("store_id"), "up": up, "was_up": was_up})


def _changes(states: pa.Table) -> StoreChanges:
    up, was_up = states.column("up"), states.column("was_up")

    def ids(changed: pa.ChunkedArray) -> tuple[str, ...]:
        return tuple(states.filter(changed).column("store_id").to_pylist())

    return StoreChanges(ids(pc.and_(was_up, pc.invert(up))), ids(pc.and_(up, pc.invert(was_up))))


def _events(plan: Plan, changes: StoreChanges, limit: int) -> Iterable[Event]:
    report = {"report_id": plan.report_id, "as_of": to_text(plan.now_us)}
    counts = {"went_down": len(changes.went_down), "recovered": len(changes.recovered)}
    if sum(counts.values()) > limit:
        yield Event(EventType.MANY_STORES_CHANGED, report | counts)
        return
    for store_id in changes.went_down:
        yield Event(EventType.STORE_WENT_DOWN, report | {"store_id": store_id})
    for store_id in changes.recovered:
        yield Event(EventType.STORE_RECOVERED, report | {"store_id": store_id})

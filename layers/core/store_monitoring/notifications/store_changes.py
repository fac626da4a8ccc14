"""Publish which stores went down, and which recovered, from one report to the next."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.errors import MissingObjectError
from store_monitoring.instants import to_text
from store_monitoring.notifications.events import Event, Events, EventType
from store_monitoring.reports.plan import Plan, read_plan
from store_monitoring.storage.keys import part_key, store_states_key
from store_monitoring.storage.ports import Tables
from store_monitoring.storage.schemas import STORE_STATES

if TYPE_CHECKING:  # not for the functions that carry no Arrow
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A report that changes of stores were told from, the end of its windows, and its start."""

    report_id: str
    now_us: int
    started_at: str = ""  # in ISO 8601; of older ones it was not recorded


class CheckpointStore(Protocol):
    """The last report that changes of stores were told from."""

    def get(self) -> Checkpoint | None:
        """Return it, strongly consistent; None if none was told yet."""

    def advance(self, before: Checkpoint | None, after: Checkpoint) -> None:
        """Put another in its place.

        Raises
        ------
        TransientError
            If it is not the one of before any more.
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
    """Publish what has changed since the last report that changes were told from.

    A store is up or down as it was when it was last seen open. So closing time changes nothing: a
    store that closes while it is down and opens again while it is up has recovered, and one whose
    tablet is off at night has not gone down. A store that was never seen open is neither.

    A report changes nothing if it is on some stores only, or was started before the last one and
    is about an earlier time. The first report only says how things stand; so does one that was
    started after the last one and is about an earlier time: polls of the future, say, were taken
    back.

    Parameters
    ----------
    report_id : str
        A complete report.
    started_at : str
        When it was started, in ISO 8601.
    limit : int
        If more stores than this have changed, one event tells how many.
    tables, checkpoints, events : ports

    Raises
    ------
    TransientError
        If events could not be published, or another report was told at the same time. Events may
        then be published again.
    """
    plan = read_plan(report_id, tables)
    before = checkpoints.get()
    told = Checkpoint(report_id, plan.now_us, started_at)
    if not plan.follows_stores or not _is_newer(told, before):
        return StoreChanges()
    known = before if before is not None and before.now_us <= told.now_us else None
    states = _next_states(_states(known, tables), _rows(plan, tables))
    changes = _changes(states)
    tables.write_table(store_states_key(report_id), states.select(STORE_STATES.names))
    events.publish(list(_events(plan, changes, limit)))
    checkpoints.advance(before, told)
    return changes


def _is_newer(told: Checkpoint, before: Checkpoint | None) -> bool:
    if before is None:
        return True
    if before.report_id == told.report_id:
        return False
    return before.now_us <= told.now_us or before.started_at < told.started_at


def _states(before: Checkpoint | None, tables: Tables) -> pa.Table:
    if before is None:
        return STORE_STATES.empty_table()
    try:
        return tables.read_table(store_states_key(before.report_id))
    except MissingObjectError:  # it has expired with its report
        return STORE_STATES.empty_table()


def _rows(plan: Plan, tables: Tables) -> pa.Table:
    columns = ["store_id", "open_now", "last_poll_active"]
    keys = [part_key(plan.report_id, shard.shard) for shard in plan.shards]
    parts = [tables.read_table(key).select(columns) for key in keys]
    return pa.concat_tables(parts).sort_by("store_id")


def _next_states(before: pa.Table, rows: pa.Table) -> pa.Table:
    """Return for each store whether it is up, and whether it was; null where that is not known."""
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

"""Publish which stores changed their state from one report to the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
    """The stores whose state has changed, ascending by id.

    Attributes
    ----------
    went_down, recovered, went_silent : tuple of str
        Their ids.
    heard_again : dict of str to str
        The status of each, `up` or `down`, by id.
    """

    went_down: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    went_silent: tuple[str, ...] = ()
    heard_again: Mapping[str, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return the number of stores of each change."""
        return {
            "went_down": len(self.went_down),
            "recovered": len(self.recovered),
            "went_silent": len(self.went_silent),
            "heard_again": len(self.heard_again),
        }


def publish_store_changes(
    report_id: str,
    started_at: str,
    limit: int,
    tables: Tables,
    checkpoints: CheckpointStore,
    events: Events,
) -> StoreChanges:
    """Publish the store changes since the last report that changes were published from.

    The state of a store is its state when it was last open: up, down, or silent if it no longer has
    a known poll (rule 19). So closing time changes no state: a store that closes while down and
    opens while up has recovered, and one whose tablet is off at night has not gone down. A store
    that was never open in a report, or never polled, has no state: its first state is no change.

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
    if not plan.publishes_changes or not _is_newer(current, before):
        return StoreChanges()
    known = before if before is not None and before.now_us <= current.now_us else None
    rows = _rows(plan, tables)
    states = _next_states(_states(known, tables), rows)
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
    none = STORE_STATES.empty_table()
    if before is None:
        return none
    try:
        states = tables.read_table(store_states_key(before.report_id))
    except MissingObjectError:  # expired together with its report
        return none
    # Files of older versions lack the column `silent`.
    return pa.concat_tables([none, states], promote_options="default")


def _rows(plan: Plan, tables: Tables) -> pa.Table:
    columns = ["store_id", "open_now", "last_poll_active"]
    keys = [part_key(plan.report_id, shard.shard) for shard in plan.shards]
    parts = [tables.read_table(key).select(columns) for key in keys]
    return pa.concat_tables(parts).sort_by("store_id")


def _next_states(before: pa.Table, rows: pa.Table) -> pa.Table:
    """Return the state of each store, and its previous state as `was_up` and `was_silent`.

    A store that is closed keeps its state. All four columns are null where nothing is known.
    """
    row_before = pc.index_in(rows.column("store_id"), before.column("store_id"))
    was_up, was_silent = (before.column(name).take(row_before) for name in ("up", "silent"))
    is_open, is_active = rows.column("open_now"), rows.column("last_poll_active")
    had_state = pc.or_(pc.is_valid(was_up), pc.fill_null(was_silent, False))
    is_silent = pc.and_(had_state, pc.is_null(is_active))
    return pa.table(
        {
            "store_id": rows.column("store_id"),
            "up": pc.if_else(is_open, is_active, was_up),
            "silent": pc.if_else(is_open, is_silent, was_silent),
            "was_up": was_up,
            "was_silent": was_silent,
        }
    )


def _changes(states: pa.Table) -> StoreChanges:
    _, up, silent, was_up, was_silent = states.columns

    def ids(mask: pa.ChunkedArray) -> tuple[str, ...]:
        return tuple(states.filter(mask).column("store_id").to_pylist())  # a null is no change

    heard = states.filter(pc.and_(was_silent, pc.is_valid(up)))
    # In files of older versions, silent stores are down, so they did not go silent now.
    was_heard = pc.or_kleene(was_up, pc.invert(was_silent))
    return StoreChanges(
        went_down=ids(pc.and_(was_up, pc.invert(up))),
        recovered=ids(pc.and_(pc.invert(was_up), up)),
        went_silent=ids(pc.and_(was_heard, silent)),
        heard_again={
            row["store_id"]: "up" if row["up"] else "down"
            for row in heard.select(["store_id", "up"]).to_pylist()
        },
    )


def _events(plan: Plan, changes: StoreChanges, limit: int) -> Iterable[Event]:
    report = {"report_id": plan.report_id, "as_of": to_text(plan.now_us)}
    counts = changes.counts()
    if sum(counts.values()) > limit:
        yield Event(EventType.MANY_STORES_CHANGED, report | counts)
        return
    for kind, store_ids in (
        (EventType.STORE_WENT_DOWN, changes.went_down),
        (EventType.STORE_RECOVERED, changes.recovered),
        (EventType.STORE_WENT_SILENT, changes.went_silent),
    ):
        for store_id in store_ids:
            yield Event(kind, report | {"store_id": store_id})
    for store_id, status in changes.heard_again.items():
        yield Event(EventType.STORE_HEARD_AGAIN, report | {"store_id": store_id, "status": status})

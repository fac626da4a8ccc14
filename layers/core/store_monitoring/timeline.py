"""The timeline of one store: its last week in detail, which explains its row of a report."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.model import Polls, Stores, concat_polls
from store_monitoring.domain.parameters import Parameters, PollFilter
from store_monitoring.domain.timeline import Timeline, needed_polls, timeline
from store_monitoring.errors import (
    InvalidRequestError,
    NoPollsError,
    ResponseTooLargeError,
    UnknownStoreError,
)
from store_monitoring.ingest.ports import IngestLog
from store_monitoring.reports.plan import Plan, read_complete_plan
from store_monitoring.reports.ports import Reports
from store_monitoring.storage.arrays import polls_of, stores_of
from store_monitoring.storage.keys import bucket_of
from store_monitoring.storage.ports import PollsFile, StoresFile, Tables
from store_monitoring.store_ids import unknown_stores

MAX_POLLS = 200_000
"""A poll every three seconds of a week; each takes kilobytes while the response is built."""

_MAX_ROWS_AT_ONCE = 5_000_000  # rows of all stores in the bucket; few belong to the store


@dataclass(frozen=True, slots=True)
class TimelineRequest:
    """A request for a timeline.

    Attributes
    ----------
    store_id : str
    report_id : str or None
        The report whose snapshot to read; None: what is committed now.
    as_of_us : int or None
        End of the week, without a report; None: the greatest poll timestamp.
    poll_filter : PollFilter or None
        For a timeline without a report; None: all polls.
    from_us, to_us : int or None
        The part of the week to show in detail; None for the start and the end of the week.
    """

    store_id: str
    report_id: str | None = None
    as_of_us: int | None = None
    poll_filter: PollFilter | None = None
    from_us: int | None = None
    to_us: int | None = None

    def __post_init__(self) -> None:
        """Check that the fields can be combined.

        Raises
        ------
        InvalidRequestError
            If the part is empty, or `report_id` is combined with what the report determines.
        """
        from_us, to_us = self.from_us, self.to_us
        if from_us is not None and to_us is not None and from_us >= to_us:
            raise InvalidRequestError.about("to", "not after from")
        if self.report_id is not None and (self.as_of_us, self.poll_filter) != (None, None):
            raise InvalidRequestError.about(
                "report_id", "a report has its own as_of and poll_filter"
            )


@dataclass(frozen=True, slots=True)
class TimelineSource:
    """The files that a timeline is computed from, and the parameters.

    Attributes
    ----------
    report_id : str or None
        The report whose snapshot this is.
    version : int
        The version of the ingest log.
    now_us : int
        End of the week.
    parameters : Parameters
    stores_file : StoresFile
        Contains the store's zone and hours, if the store occurs in any input.
    polls_files : tuple of PollsFile
        May contain its polls.
    """

    report_id: str | None
    version: int
    now_us: int
    parameters: Parameters
    stores_file: StoresFile
    polls_files: tuple[PollsFile, ...]


@dataclass(frozen=True, slots=True)
class StoreTimeline:
    """A store's timeline, and what it was computed from.

    Attributes
    ----------
    request : TimelineRequest
    source : TimelineSource
    store : Stores
        This one store.
    zone_is_given, hours_are_given : bool
        Whether they come from an input; otherwise they are the defaults (rules 5 and 7).
    special_reasons, exclusion_reasons : tuple of (str or None)
        The reason of each row of the store's special hours and exclusions.
    timeline : Timeline
    """

    request: TimelineRequest
    source: TimelineSource
    store: Stores
    zone_is_given: bool
    hours_are_given: bool
    special_reasons: tuple[str | None, ...]
    exclusion_reasons: tuple[str | None, ...]
    timeline: Timeline


def read_timeline(
    request: TimelineRequest,
    memory_us: int,
    coverage_us: int,
    bucket_count: int,
    reports: Reports,
    log: IngestLog,
    tables: Tables,
) -> StoreTimeline:
    """Return a store's timeline, from the snapshot of a report or from what is committed now.

    Parameters
    ----------
    request : TimelineRequest
    memory_us, coverage_us : int
        Length of the poll memory (rule 9), and how long after a poll business time is covered
        (rule 19); a report's timeline has those of its plan.
    bucket_count : int
    reports, log, tables : ports

    Raises
    ------
    UnknownStoreError
        If the store is not in the snapshot, or the report was not requested for it.
    UnknownReportError, ReportRunningError, ReportFailedError
        If the report is not Complete.
    ResponseTooLargeError
        If the store has more than `MAX_POLLS` polls in the week.
    NoPollsError
        If no polls are ingested and the request has neither `report_id` nor `as_of`.
    """
    if request.report_id is None:
        source = _latest_source(request, memory_us, coverage_us, bucket_count, log)
    else:
        plan = read_complete_plan(request.report_id, reports, tables)
        source = _report_source(plan, request.store_id, bucket_count)
    row = store_row(request.store_id, source.stores_file, tables)
    store = stores_of(row)
    polls = _read_polls(request.store_id, store, source, tables)
    return StoreTimeline(
        request,
        source,
        store,
        row.column("timezone").null_count == 0,
        len(store.hours.store) > 0,
        _reasons(row, "special_hours"),
        _reasons(row, "exclusions"),
        timeline(store, polls, source.now_us, source.parameters),
    )


def store_row(store_id: str, stores_file: StoresFile, tables: Tables) -> pa.Table:
    """Return the reference data of a store: one row of schema `STORES`.

    Raises
    ------
    UnknownStoreError
        If the file has no such store.
    """
    stores = tables.read_stores([stores_file], store_id)
    row = stores.filter(pc.is_in(stores.column("store_id"), pa.array([store_id])))
    if not len(row):
        raise unknown_stores([store_id])
    return row


def _reasons(row: pa.Table, column: str) -> tuple[str | None, ...]:
    return tuple(row.column(column).combine_chunks().flatten().field("reason").to_pylist())


def _read_polls(store_id: str, store: Stores, source: TimelineSource, tables: Tables) -> Polls:
    """Return the polls that the timeline needs; the others are dropped file by file."""
    polls = Polls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))
    since_us = source.now_us - source.parameters.memory_us
    for table in poll_tables(store_id, source.polls_files, since_us, source.now_us, tables):
        polls, _ = needed_polls(
            store,
            concat_polls([polls, polls_of(table, pa.array([store_id]))]),
            source.now_us,
            source.parameters,
        )
        if len(polls.store) > MAX_POLLS:
            raise ResponseTooLargeError(
                f"the store has more than {MAX_POLLS:,} polls in the week, or since the last one"
                " before it: more than a timeline can show"
            )
    return polls


def poll_tables(
    store_id: str, files: Iterable[PollsFile], since_us: int, until_us: int, tables: Tables
) -> Iterator[pa.Table]:
    """Yield tables with all polls of a store between two instants, and possibly other polls.

    A table has the polls of several files, or a batch of the polls of a very large file.
    """
    selection = since_us, until_us, store_id
    group: list[PollsFile] = []
    for file in files:
        if file.rows > _MAX_ROWS_AT_ONCE:
            yield from tables.read_polls_in_batches([file], *selection)
            continue
        if sum(each.rows for each in group) + file.rows > _MAX_ROWS_AT_ONCE:
            yield tables.read_polls(group, *selection)
            group = []
        group.append(file)
    yield tables.read_polls(group, *selection)


def _latest_source(
    request: TimelineRequest, memory_us: int, coverage_us: int, bucket_count: int, log: IngestLog
) -> TimelineSource:
    """Return the files that a report planned now would read."""
    snapshot = log.snapshot()
    bucket = bucket_of(request.store_id, bucket_count)
    if bucket not in snapshot.stores:
        raise unknown_stores([request.store_id])
    now_us = request.as_of_us if request.as_of_us is not None else snapshot.max_timestamp_us
    if now_us is None:
        raise NoPollsError("no polls have been ingested yet: name an as_of, or upload a polls file")
    polls = log.polls(snapshot.version, now_us - memory_us, now_us)
    return TimelineSource(
        None,
        snapshot.version,
        now_us,
        Parameters(memory_us, request.poll_filter or PollFilter.ALL, coverage_us),
        snapshot.stores[bucket],
        tuple(file for file in polls if file.bucket == bucket),
    )


def _report_source(plan: Plan, store_id: str, bucket_count: int) -> TimelineSource:
    """Return the files that a report has read."""
    if not plan.includes(store_id):
        raise UnknownStoreError(
            f"the report {plan.report_id} was not requested for the store {store_id!r}"
        )
    bucket = bucket_of(store_id, bucket_count)
    for shard in plan.shards:
        for file in shard.stores_files:
            if file.bucket == bucket:
                return TimelineSource(
                    plan.report_id,
                    plan.version,
                    plan.now_us,
                    plan.parameters,
                    file,
                    tuple(polls for polls in shard.polls_files if polls.bucket == bucket),
                )
    raise unknown_stores([store_id])

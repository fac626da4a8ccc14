"""The history of one store: its figures in the windows of a period (rules 20 and 21)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from store_monitoring.domain.business_time import Span
from store_monitoring.domain.known_polls import KnownTime
from store_monitoring.domain.model import Polls, concat_polls
from store_monitoring.domain.parameters import Parameters, Period, PollFilter
from store_monitoring.domain.uptime import Figures, compute_uptime
from store_monitoring.domain.windows import Windows, period_windows
from store_monitoring.errors import InvalidRequestError, NoPollsError, ResponseTooLargeError
from store_monitoring.ingest.ports import IngestLog
from store_monitoring.reports.request import MAX_PERIOD_DAYS
from store_monitoring.storage.arrays import polls_of, stores_of
from store_monitoring.storage.keys import bucket_of
from store_monitoring.storage.ports import PollsFile, Tables
from store_monitoring.store_ids import unknown_stores
from store_monitoring.timeline import poll_tables, store_row

MAX_WINDOWS = 400
MAX_POLLS = 2_000_000
"""A poll every 17 seconds of the longest period; each takes up to 100 bytes of memory."""


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """A request for a store's history.

    Attributes
    ----------
    store_id : str
    period : Period
    poll_filter : PollFilter
    """

    store_id: str
    period: Period
    poll_filter: PollFilter = PollFilter.ALL

    def __post_init__(self) -> None:
        """Check the period's length.

        Raises
        ------
        InvalidRequestError
            If the period is empty or too long.
        """
        if self.period.days <= 0:
            raise InvalidRequestError.about("to", "not after from")
        if self.period.days > MAX_PERIOD_DAYS:
            raise InvalidRequestError.about("to", f"more than {MAX_PERIOD_DAYS} days after from")


@dataclass(frozen=True, slots=True)
class History:
    """A store's history.

    Attributes
    ----------
    request : HistoryRequest
    version : int
        The version of the ingest log that was read.
    newest_poll_us : int
        The newest poll of all stores; time after it is not counted (rule 21).
    zone_name : str
    zone_is_given : bool
        Whether an input names the zone; otherwise it is the default (rule 7).
    windows : Windows
        Of this one store; none if the period begins at the newest poll or later.
    figures : Figures
    """

    request: HistoryRequest
    version: int
    newest_poll_us: int
    zone_name: str
    zone_is_given: bool
    windows: Windows
    figures: Figures


def read_history(
    request: HistoryRequest,
    memory_us: int,
    coverage_us: int,
    bucket_count: int,
    log: IngestLog,
    tables: Tables,
) -> History:
    """Return a store's history, from what is committed now.

    Parameters
    ----------
    request : HistoryRequest
    memory_us, coverage_us : int
        Length of the poll memory (rule 21), and how long after a poll business time is covered
        (rule 19).
    bucket_count : int
    log, tables : ports

    Raises
    ------
    UnknownStoreError
        If no input contains the store.
    InvalidRequestError
        If the period has more than `MAX_WINDOWS` windows.
    ResponseTooLargeError
        If the store has more than `MAX_POLLS` polls that count for the period.
    NoPollsError
        If no polls are ingested.
    """
    snapshot = log.snapshot()
    bucket = bucket_of(request.store_id, bucket_count)
    if bucket not in snapshot.stores:
        raise unknown_stores([request.store_id])
    newest_us = snapshot.max_timestamp_us
    if newest_us is None:
        raise NoPollsError("no polls have been ingested yet: upload a polls file first")
    row = store_row(request.store_id, snapshot.stores[bucket], tables)
    store = stores_of(row)
    windows = period_windows(store.zone, store.zone_names, request.period, newest_us)
    if len(windows.store) > MAX_WINDOWS:
        raise InvalidRequestError.about("by", f"more than {MAX_WINDOWS} windows")
    known = KnownTime.of(*windows.bounds_us(store.count), memory_us).span
    files = log.polls(snapshot.version, known.start_us, known.end_us)
    of_bucket = [file for file in files if file.bucket == bucket]
    polls = _read_polls(request.store_id, of_bucket, known, tables)
    parameters = Parameters(memory_us, request.poll_filter, coverage_us)
    return History(
        request,
        snapshot.version,
        newest_us,
        store.zone_names[0],
        row.column("timezone").null_count == 0,
        windows,
        compute_uptime(store, polls, windows, parameters),
    )


def _read_polls(store_id: str, files: Sequence[PollsFile], known: Span, tables: Tables) -> Polls:
    """Return the store's polls of the known time, and maybe others."""
    held = [Polls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))]
    count = 0
    for table in poll_tables(store_id, files, known.start_us, known.end_us, tables):
        held.append(polls_of(table, pa.array([store_id])))
        count += len(held[-1].store)
        if count > MAX_POLLS:
            raise ResponseTooLargeError(
                f"the store has more than {MAX_POLLS:,} polls in the period: name a shorter one"
            )
    return concat_polls(held)

"""Uptime and downtime of stores with more polls than fit into memory at once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from store_monitoring.domain.activity import Activity, activity
from store_monitoring.domain.business_time import AXIS_US, BusinessTime, business_time
from store_monitoring.domain.known_polls import NO_POLL, Polled, known_polls, polled
from store_monitoring.domain.model import Int64s, Polls, Stores, Totals, joined
from store_monitoring.domain.outages import Outages, outage_intervals
from store_monitoring.domain.parameters import WEEK_US, WINDOWS_US, PollFilter
from store_monitoring.domain.uptime import Details, is_open, last_week, totals

_NO_POLLS = Polls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))
_MAX_OPENINGS = 2_000_000  # each takes about 100 bytes while business time is computed


@dataclass(frozen=True, slots=True)
class Piece:
    """Some stores' polls in a stretch of time, which begins where the previous piece ends.

    Attributes
    ----------
    polls : Polls
        All polls in the stretch, in any order, repeats allowed.
    until_us : int
        End of the stretch; for the last piece it is after now.
    """

    polls: Polls
    until_us: int


def compute_uptime_by_pieces(
    stores: Stores,
    pieces: Iterable[Piece],
    now_us: int,
    memory_us: int,
    poll_filter: PollFilter = PollFilter.ALL,
) -> tuple[Totals, Details]:
    """Compute what `compute_uptime_in_detail` does, from one piece of the polls after the other.

    Only each store's last poll and sums are kept from piece to piece, so memory depends on the
    number of stores and the largest piece.

    Parameters
    ----------
    stores : Stores
    pieces : iterable of Piece
        In order of time. Together they contain all polls of the poll memory (rule 9).
    now_us, memory_us, poll_filter
        See `compute_uptime`.

    Examples
    --------
    Two polls, two hours and half an hour ago, in two pieces:

    >>> from store_monitoring.domain.model import WeeklyHours
    >>> from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US
    >>> none = np.empty(0, np.int64)
    >>> stores = Stores(np.array([0]), ("UTC",), WeeklyHours(none, none, none, none))
    >>> now_us = 20_000 * DAY_US
    >>> def polls(ago_us, active):
    ...     return Polls(np.array([0]), np.array([now_us - ago_us]), np.array([active]))
    >>> pieces = [
    ...     Piece(polls(2 * HOUR_US, False), now_us - HOUR_US),
    ...     Piece(polls(HOUR_US // 2, True), now_us + 1),
    ... ]
    >>> totals, details = compute_uptime_by_pieces(stores, pieces, now_us, 14 * DAY_US)
    >>> (totals.uptime_us // MINUTE_US).tolist(), (totals.downtime_us // MINUTE_US).tolist()
    ([[30, 30, 30]], [[30, 1410, 10050]])
    >>> details.outages.count.tolist(), (details.outages.longest_us // MINUTE_US).tolist()
    ([1], [10050])
    """
    week = last_week(now_us)
    open_time = business_time(stores, week)
    sums = _Sums(open_time, stores.count)
    last = Polled(
        np.zeros(stores.count, np.int64),
        np.full(stores.count, NO_POLL),
        np.zeros(stores.count, np.bool_),
    )
    since_us = week.start_us
    for piece in pieces:
        polls = _with_last(piece.polls, last)
        known = known_polls(stores, polls, now_us, memory_us, poll_filter)
        has_poll = last.last_us != NO_POLL
        current = polled(known, week)
        counted_before = has_poll & (last.last_us >= week.start_us)
        in_week = last.in_week + current.in_week - counted_before
        last = Polled(in_week, current.last_us, current.last_active)
        # The first poll's status holds before it, too (rule 8). So a store's time is added once its
        # first poll is known; for a store without polls, with the last piece (rule 11).
        until_us = min(max(piece.until_us, week.start_us), week.end_us)
        decided = (last.last_us != NO_POLL) | (piece.until_us > now_us)
        store = np.arange(stores.count)
        begin = week.position(store, np.where(has_poll, since_us, week.start_us))
        end = np.where(decided, week.position(store, until_us), begin)
        sums.add(activity(known, week), begin, end)
        since_us = until_us
    return sums.totals(), Details(last, is_open(stores, now_us), sums.outages())


def _with_last(polls: Polls, last: Polled) -> Polls:
    """Return the polls of a piece, and each store's last poll before it."""
    store = np.flatnonzero(last.last_us != NO_POLL)
    return Polls(
        np.append(polls.store, store),
        np.append(polls.timestamp_us, last.last_us[store]),
        np.append(polls.active, last.last_active[store]),
    )


class _Sums:
    """Each store's sums over consecutive stretches of the week."""

    def __init__(self, open_time: BusinessTime, store_count: int) -> None:
        self._open_time = open_time
        self._business_us = np.zeros((store_count, len(WINDOWS_US)), np.int64)
        self._uptime_us = np.zeros_like(self._business_us)
        self._outages = np.zeros(store_count, np.int64)
        self._longest_us = np.zeros(store_count, np.int64)
        self._ongoing_us = np.zeros(store_count, np.int64)

    def add(self, active: Activity, begin: Int64s, end: Int64s) -> None:
        """Add one stretch per store, from `begin` to `end` on the week's axis."""
        count = len(begin)
        up = Activity(*self._within(active.up_from, active.up_until, begin, end))
        piece = totals(self._open_time, up, count)
        self._business_us = piece.uptime_us + piece.downtime_us
        self._uptime_us += piece.uptime_us
        start, stop = self._within(*outage_intervals(self._open_time, up, count), begin, end)
        store = start // self._open_time.span.length_us
        # An outage at the start of a stretch continues one at the end of the previous stretch.
        continues = (start == begin[store]) & (self._ongoing_us[store] > 0)
        length_us = stop - start + np.where(continues, self._ongoing_us[store], 0)
        self._outages += np.bincount(store[~continues], minlength=count)
        np.maximum.at(self._longest_us, store, length_us)
        at_end = stop == end[store]
        self._ongoing_us[begin < end] = 0
        self._ongoing_us[store[at_end]] = length_us[at_end]

    def _within(
        self, start: Int64s, stop: Int64s, begin: Int64s, end: Int64s
    ) -> tuple[Int64s, Int64s]:
        """Return the parts of intervals that are within their stores' stretches."""
        store = start // self._open_time.span.length_us
        start, stop = np.maximum(start, begin[store]), np.minimum(stop, end[store])
        within = start < stop
        return start[within], stop[within]

    def totals(self) -> Totals:
        """Return the uptime, and the rest of business time as downtime."""
        return Totals(self._uptime_us, self._business_us - self._uptime_us)

    def outages(self) -> Outages:
        """Return the number and greatest length of the outages."""
        return Outages(self._outages, self._longest_us)


def cut_by_time(
    read: Callable[[int, int], Iterable[Polls]], since_us: int, now_us: int, max_polls: int
) -> Iterator[Piece]:
    """Cut polls into pieces, reading them once for each piece.

    A piece is the earliest polls that are not in a previous piece. To find them, up to twice as
    many polls and one batch are held in memory.

    Parameters
    ----------
    read : callable
        Yields, batch by batch, all polls from one instant to another, and possibly others.
    since_us, now_us : int
        The poll memory.
    max_polls : int
        Greatest number of polls in a piece; exceeded only if more stores were polled at an instant.
    """
    length_us = now_us + 1 - since_us
    while since_us <= now_us:
        until_us = min(since_us + length_us, now_us + 1)
        held, count = [_NO_POLLS], 0
        for batch in read(since_us, until_us):
            at_us = batch.timestamp_us
            held.append(batch.where((at_us >= since_us) & (at_us < until_us)))
            count += len(held[-1].store)
            if count > 2 * max_polls:
                polls, until_us = _earliest(joined(held), until_us, max_polls)
                held, count = [polls], len(polls.store)
        polls, until_us = _earliest(joined(held), until_us, max_polls)
        del held
        yield Piece(polls, until_us)
        # The next piece is about as long, so do not read all later polls for it.
        length_us = 2 * (until_us - since_us)
        since_us = until_us


def _earliest(polls: Polls, until_us: int, max_polls: int) -> tuple[Polls, int]:
    """Return the earliest polls, and the instant before which all of them were taken."""
    at_us = polls.timestamp_us
    if len(at_us) <= max_polls:
        return polls, until_us
    border_us = int(np.partition(at_us, max_polls)[max_polls])
    first_us = int(at_us.min())
    if border_us > first_us:
        return polls.where(at_us < border_us), border_us
    at_once = polls.where(at_us == first_us)  # may contain the same poll once for each file
    code = np.unique(at_once.store << 1 | at_once.active)
    return Polls(code >> 1, np.full(len(code), first_us), (code & 1).astype(np.bool_)), first_us + 1


def cut_by_store(hours_rows: Int64s, span_us: int, memory_us: int) -> list[tuple[int, int]]:
    """Cut stores into runs that can be computed at once.

    Parameters
    ----------
    hours_rows : int64 (stores,)
        Number of rows of hours of each store.
    span_us : int
        Length of the time for which business time is computed.
    memory_us : int
        Length of the poll memory, and of each store's part of the axis.

    Returns
    -------
    list of tuple of int
        First store of each run, and the store after its last.

    Examples
    --------
    >>> from store_monitoring.domain.parameters import DAY_US
    >>> cut_by_store(np.full(8000, 7), 7 * DAY_US, 14 * DAY_US)
    [(0, 8000)]
    >>> cut_by_store(np.full(8000, 7), 7 * DAY_US, 3650 * DAY_US)
    [(0, 3520), (3520, 7041), (7041, 8000)]
    """
    of_axis = (
        2 * (max(memory_us, max(WINDOWS_US)) + 1) / AXIS_US
    )  # at most half the axis, to be safe
    of_openings = hours_rows * (span_us / WEEK_US + 2) / _MAX_OPENINGS
    run = np.ceil(np.cumsum(of_axis + of_openings))
    borders = np.flatnonzero(np.diff(run)) + 1
    return list(pairwise([0, *borders.tolist(), len(hours_rows)]))

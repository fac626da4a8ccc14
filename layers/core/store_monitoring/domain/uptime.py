"""Uptime, downtime and outages of all stores of a shard at once (rules 8 to 13, 19 and 21)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.business_time import BusinessTime, business_time
from store_monitoring.domain.known_polls import (
    NO_POLL,
    KnownPolls,
    KnownTime,
    LastPolls,
    known_polls,
    last_polls,
)
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores, Totals
from store_monitoring.domain.outages import OutageFigures, Outages, OutageTracker
from store_monitoring.domain.parameters import Parameters
from store_monitoring.domain.runs import begins_run, sum_before
from store_monitoring.domain.statuses import Stretch, covered, status_changes, statuses
from store_monitoring.domain.windows import Windows


@dataclass(frozen=True, slots=True)
class Piece:
    """The polls of one stretch of time, which begins where the previous piece ends.

    Attributes
    ----------
    polls : Polls
        All polls in the stretch, in any order, repeats allowed.
    until_us : int
        End of the stretch; for the last piece it is after the end of all windows.
    """

    polls: Polls
    until_us: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of each window and of each store.

    Attributes
    ----------
    totals : Totals
    polls : int64 (outer windows,)
        Number of instants in the window at which its store was polled. The last window of a store
        includes its end.
    outages : OutageFigures
        Those in the outer windows.
    last_polls : LastPolls
    open_at_end : bool (stores,)
        Whether the end of the store's last window is business time.
    all_outages : Outages or None
        The outages themselves, if `keep_outages` was given.
    """

    totals: Totals
    polls: Int64s
    outages: OutageFigures
    last_polls: LastPolls
    open_at_end: Bools
    all_outages: Outages | None


def compute_uptime(
    stores: Stores,
    polls: Polls,
    windows: Windows,
    parameters: Parameters,
    *,
    keep_outages: bool = False,
) -> Figures:
    """Compute the exact figures of every window.

    Parameters
    ----------
    stores : Stores
    polls : Polls
        Any order; polls that are not known are ignored (rules 9 and 21).
    windows : Windows
        The windows of a store leave no gaps.
    parameters : Parameters
    keep_outages : bool
        Whether to return all outages.

    Raises
    ------
    ValueError
        If there are more stores than one axis can hold (1.9 million with a memory of two weeks).

    Examples
    --------
    A store without hours is open 24×7 (rule 5). It was polled two hours and half an hour ago. Its
    last week, day and hour:

    >>> from store_monitoring.domain.model import WeeklyHours
    >>> from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US
    >>> from store_monitoring.domain.windows import classic_windows
    >>> none = np.empty(0, np.int64)
    >>> stores = Stores(np.array([0]), ("UTC",), WeeklyHours(none, none, none, none))
    >>> now_us = 20_000 * DAY_US
    >>> ago_us = np.array([2 * HOUR_US, HOUR_US // 2])
    >>> polls = Polls(np.array([0, 0]), now_us - ago_us, np.array([False, True]))
    >>> windows, parameters = classic_windows(1, now_us), Parameters(14 * DAY_US)
    >>> figures = compute_uptime(stores, polls, windows, parameters, keep_outages=True)
    >>> totals = figures.totals
    >>> (totals.uptime_us // MINUTE_US).tolist(), (totals.downtime_us // MINUTE_US).tolist()
    ([30, 30, 30], [10050, 1410, 30])

    Two hours after each poll are covered:

    >>> (totals.covered_us // MINUTE_US).tolist()
    [120, 120, 60]

    One outage ended half an hour ago, and no active poll is known from before it:

    >>> outages = figures.all_outages
    >>> ((now_us - outages.end_us) // MINUTE_US).tolist(), (outages.last_up_us == NO_POLL).tolist()
    ([30], [True])

    A status holds for at most two weeks (rule 21). Of the two weeks that begin one week after the
    last poll, the first is uptime and the second has no data:

    >>> start_us = polls.timestamp_us[1] + 7 * DAY_US
    >>> windows = Windows(np.array([0]), np.array([start_us]), np.array([start_us + 14 * DAY_US]))
    >>> totals = compute_uptime(stores, polls, windows, parameters).totals
    >>> (totals.uptime_us // DAY_US).tolist(), (totals.no_data_us // DAY_US).tolist()
    ([7], [7])
    """
    piece = Piece(polls, windows.span.end_us + 1)
    return compute_uptime_by_pieces(stores, [piece], windows, parameters, keep_outages=keep_outages)


def compute_uptime_by_pieces(
    stores: Stores,
    pieces: Iterable[Piece],
    windows: Windows,
    parameters: Parameters,
    *,
    keep_outages: bool = False,
) -> Figures:
    """Compute the figures of `compute_uptime` from polls that are given piece by piece.

    From piece to piece, only sums and each store's last poll are kept. So memory depends on the
    number of windows and the largest piece (and on the number of outages, if they are kept).

    Parameters
    ----------
    stores : Stores
    pieces : iterable of Piece
        In order of time. Together they contain all known polls (rules 9 and 21).
    windows, parameters, keep_outages
        See `compute_uptime`.

    Examples
    --------
    Two polls, two hours and half an hour ago, in two pieces:

    >>> from store_monitoring.domain.model import WeeklyHours
    >>> from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US
    >>> from store_monitoring.domain.windows import classic_windows
    >>> none = np.empty(0, np.int64)
    >>> stores = Stores(np.array([0]), ("UTC",), WeeklyHours(none, none, none, none))
    >>> now_us = 20_000 * DAY_US
    >>> def polls(ago_us, active):
    ...     return Polls(np.array([0]), np.array([now_us - ago_us]), np.array([active]))
    >>> pieces = [
    ...     Piece(polls(2 * HOUR_US, False), now_us - HOUR_US),
    ...     Piece(polls(HOUR_US // 2, True), now_us + 1),
    ... ]
    >>> windows, parameters = classic_windows(1, now_us), Parameters(14 * DAY_US)
    >>> figures = compute_uptime_by_pieces(stores, pieces, windows, parameters)
    >>> (figures.totals.uptime_us // MINUTE_US).tolist()
    [30, 30, 30]
    >>> figures.outages.count.tolist(), (figures.outages.longest_us // MINUTE_US).tolist()
    ([1], [10050])
    """
    span, memory_us = windows.span, parameters.memory_us
    first_us, last_us = windows.bounds_us(stores.count)
    known_time = KnownTime.of(first_us, last_us, memory_us)
    open_time = business_time(stores, span)
    times = _WindowTimes(open_time, windows)
    outer = windows.outer()
    tracker = OutageTracker(stores, open_time, outer, keep_all=keep_outages)
    last = LastPolls(np.full(stores.count, NO_POLL), np.zeros(stores.count, np.bool_))
    uptime_us, known_us, covered_us = np.zeros((3, len(windows.store)), np.int64)
    polls = np.zeros(len(outer.store), np.int64)
    since_us = span.start_us
    for piece in pieces:
        known = known_polls(
            stores, _with_last(piece.polls, last), known_time, parameters.poll_filter
        )
        # The status of a store's first poll also holds before it (rule 8).
        until_us = np.clip(piece.until_us, first_us, last_us)
        begin_us = np.where(last.is_polled, np.clip(since_us, first_us, last_us), first_us)
        stretch = Stretch.between(span, begin_us, until_us)
        changes = statuses(known, status_changes(known, memory_us), stretch, memory_us)
        tracker.add(known, changes)
        active = changes.active
        uptime_us += times.business_within_us(changes.since[active], changes.until[active])
        known_us += times.business_within_us(*changes.known())
        covered_us += times.business_within_us(*covered(known, parameters.coverage_us, stretch))
        # Without each store's last poll before the piece, which was counted in its own piece.
        polls += _polls_in(outer, known, last_us) - _is_in(outer, last, last_us)
        last = last_polls(known)
        since_us = piece.until_us
    at_end = open_time.intervals.contains(span.position(np.arange(stores.count), last_us))
    return Figures(
        Totals(
            uptime_us,
            known_us - uptime_us,
            times.business_us - known_us,
            covered_us,
            times.excluded_us,
        ),
        polls,
        tracker.finish(),
        last,
        np.where(last_us == span.end_us, open_time.open_at_end, at_end),
        tracker.outages() if keep_outages else None,
    )


def _with_last(polls: Polls, last: LastPolls) -> Polls:
    """Return the polls of a piece, with each store's last poll before it."""
    store = np.flatnonzero(last.is_polled)
    if not len(store):
        return polls
    return Polls(
        np.append(polls.store, store),
        np.append(polls.timestamp_us, last.at_us[store]),
        np.append(polls.active, last.active[store]),
    )


def _polls_in(windows: Windows, known: KnownPolls, last_us: Int64s) -> Int64s:
    """Return the number of known polls in each window; the last one of a store includes its end."""

    def before(chosen: Bools | slice, instant_us: Int64s) -> Int64s:
        position = known.span.position(windows.store[chosen], instant_us[chosen])
        return np.searchsorted(known.position, position)

    until = known.border[windows.store + 1]
    inner = windows.end_us < last_us[windows.store]
    until[inner] = before(inner, windows.end_us)
    return until - before(slice(None), windows.start_us)


def _is_in(windows: Windows, last: LastPolls, last_us: Int64s) -> Bools:
    """Return whether each window contains the last poll of its store."""
    at_us = last.at_us[windows.store]
    is_last = windows.end_us == last_us[windows.store]
    is_in: Bools = (windows.start_us <= at_us) & (at_us < windows.end_us + is_last)
    return is_in


class _WindowTimes:
    """The business time and the excluded time in each window."""

    def __init__(self, open_time: BusinessTime, windows: Windows) -> None:
        self._intervals = open_time.intervals
        start = open_time.span.position(windows.store, windows.start_us)
        end = open_time.span.position(windows.store, windows.end_us)
        # Each instant once, since windows share starts and ends. Both arrays are sorted: the stable
        # sort only merges them.
        edge = np.sort(np.append(start, end), kind="stable")
        self._edge = edge[begins_run(edge)]
        self._start = np.searchsorted(self._edge, start)
        self._end = np.searchsorted(self._edge, end)
        self._business_us = self._intervals.before(self._edge)
        self.business_us = self._between(self._business_us)
        self.excluded_us = self._between(open_time.excluded.before(self._edge))

    def business_within_us(self, since: Int64s, until: Int64s) -> Int64s:
        """Return the business time in each window that is also in one of the stretches.

        Parameters
        ----------
        since, until : int64 (stretches,)
            Positions: disjoint, ascending. A stretch may be empty.

        Returns
        -------
        int64 (windows,)
        """
        begin_us, end_us = self._intervals.before(since), self._intervals.before(until)
        total_us = sum_before(end_us - begin_us)
        # Before each edge: all stretches that begin before it, less what the last has beyond it.
        count = np.searchsorted(since, self._edge)
        beyond_us = np.append(0, end_us)[count] - self._business_us
        return self._between(total_us[count] - np.maximum(beyond_us, 0))

    def _between(self, us: Int64s) -> Int64s:
        """Return the difference of a running total, given at all edges, over each window."""
        return us[self._end] - us[self._start]

"""Uptime, downtime and outages of all stores of a shard at once (rules 8 to 13, and 19)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.business_time import BusinessTime, Span, business_time
from store_monitoring.domain.known_polls import NO_POLL, Polled, known_polls, polled
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores, Totals
from store_monitoring.domain.outages import OutageFigures, Outages, OutageTracker
from store_monitoring.domain.parameters import WINDOWS_US, Parameters
from store_monitoring.domain.statuses import Stretch, covered, status_changes, statuses


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


@dataclass(frozen=True, slots=True)
class Figures:
    """What a report shows of each store.

    Attributes
    ----------
    totals : Totals
    polled : Polled
    open_now : bool (stores,)
        Whether now is business time.
    outages : OutageFigures
    all_outages : Outages or None
        The outages themselves, if they are to be kept.
    """

    totals: Totals
    polled: Polled
    open_now: Bools
    outages: OutageFigures
    all_outages: Outages | None


def compute_uptime(
    stores: Stores, polls: Polls, parameters: Parameters, *, keep_outages: bool = False
) -> Figures:
    """Compute every store's exact figures in the last hour, day and week.

    Parameters
    ----------
    stores : Stores
    polls : Polls
        Any order; polls outside the poll memory are ignored (rule 9).
    parameters : Parameters
    keep_outages : bool
        Whether to return all outages.

    Raises
    ------
    ValueError
        If there are more stores than one axis can hold (1.9 million with a memory of two weeks).

    Examples
    --------
    A store without hours is open 24×7 (rule 5). It was polled two hours and half an hour ago:

    >>> from store_monitoring.domain.model import WeeklyHours
    >>> from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US
    >>> none = np.empty(0, np.int64)
    >>> stores = Stores(np.array([0]), ("UTC",), WeeklyHours(none, none, none, none))
    >>> now_us = 20_000 * DAY_US
    >>> ago_us = np.array([2 * HOUR_US, HOUR_US // 2])
    >>> polls = Polls(np.array([0, 0]), now_us - ago_us, np.array([False, True]))
    >>> figures = compute_uptime(stores, polls, Parameters(now_us, 14 * DAY_US), keep_outages=True)
    >>> totals = figures.totals
    >>> (totals.uptime_us // MINUTE_US).tolist(), (totals.downtime_us // MINUTE_US).tolist()
    ([[30, 30, 30]], [[30, 1410, 10050]])

    Two hours after each poll are covered:

    >>> (totals.covered_us // MINUTE_US).tolist()
    [[60, 120, 120]]

    One outage ended half an hour ago, and no active poll is known from before it:

    >>> outages = figures.all_outages
    >>> ((now_us - outages.end_us) // MINUTE_US).tolist(), (outages.last_up_us == NO_POLL).tolist()
    ([30], [True])
    """
    piece = Piece(polls, parameters.now_us + 1)
    return compute_uptime_by_pieces(stores, [piece], parameters, keep_outages=keep_outages)


def compute_uptime_by_pieces(
    stores: Stores, pieces: Iterable[Piece], parameters: Parameters, *, keep_outages: bool = False
) -> Figures:
    """Compute what `compute_uptime` does, from one piece of the polls after the other.

    Only each store's last poll and sums are kept from piece to piece, so memory depends on the
    number of stores and the largest piece (and on the number of outages, if they are kept).

    Parameters
    ----------
    stores : Stores
    pieces : iterable of Piece
        In order of time. Together they contain all polls of the poll memory (rule 9).
    parameters, keep_outages
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
    >>> figures = compute_uptime_by_pieces(stores, pieces, Parameters(now_us, 14 * DAY_US))
    >>> (figures.totals.uptime_us // MINUTE_US).tolist()
    [[30, 30, 30]]
    >>> figures.outages.count.tolist(), (figures.outages.longest_us // MINUTE_US).tolist()
    ([1], [10050])
    """
    week = last_week(parameters.now_us)
    open_time = business_time(stores, week)
    windows = _Windows(open_time, stores.count)
    outages = OutageTracker(stores, open_time, keep_all=keep_outages)
    last = Polled(
        np.zeros(stores.count, np.int64),
        np.full(stores.count, NO_POLL),
        np.zeros(stores.count, np.bool_),
    )
    store = np.arange(stores.count)
    uptime_us, covered_us = np.zeros_like(windows.business_us), np.zeros_like(windows.business_us)
    since_us = week.start_us
    for piece in pieces:
        known = known_polls(stores, _with_last(piece.polls, last), parameters)
        # A store's first poll's status holds before it, too (rule 8).
        until_us = min(max(piece.until_us, week.start_us), week.end_us)
        begin_us = np.where(last.is_polled, since_us, week.start_us)
        stretch = Stretch(week, week.position(store, begin_us), week.position(store, until_us))
        changes = statuses(known, status_changes(known), stretch)
        outages.add(known, changes)
        uptime_us += windows.business_within_us(
            changes.since[changes.active], changes.until[changes.active]
        )
        covered_us += windows.business_within_us(*covered(known, parameters.coverage_us, stretch))
        last = _next_polled(last, polled(known, week), week)
        since_us = until_us
    no_data_us = np.where(last.is_polled[:, np.newaxis], 0, windows.business_us)
    downtime_us = windows.business_us - uptime_us - no_data_us
    return Figures(
        Totals(uptime_us, downtime_us, no_data_us, covered_us, windows.excluded_us),
        last,
        open_time.open_at_end,
        outages.finish(),
        outages.outages() if keep_outages else None,
    )


def last_week(now_us: int) -> Span:
    """Return the week that ends now, the longest of the windows."""
    return Span(now_us - max(WINDOWS_US), now_us)


def _with_last(polls: Polls, last: Polled) -> Polls:
    """Return the polls of a piece, and each store's last poll before it."""
    store = np.flatnonzero(last.is_polled)
    if not len(store):
        return polls
    return Polls(
        np.append(polls.store, store),
        np.append(polls.timestamp_us, last.last_us[store]),
        np.append(polls.active, last.last_active[store]),
    )


def _next_polled(last: Polled, current: Polled, week: Span) -> Polled:
    """Return the poll counts and last polls after a piece, which counted `last` once more."""
    counted_twice = last.is_polled & (last.last_us >= week.start_us)
    in_week = last.in_week + current.in_week - counted_twice
    return Polled(in_week, current.last_us, current.last_active)


class _Windows:
    """The windows of all stores, and the business time and excluded time in each."""

    def __init__(self, open_time: BusinessTime, store_count: int) -> None:
        self._intervals = open_time.intervals
        end = np.arange(1, store_count + 1)[:, np.newaxis] * open_time.span.length_us
        # Per store, the start of each window and the end of all: ascending if flat.
        self._edge = end - np.array([*sorted(WINDOWS_US, reverse=True), 0])
        self._business_us = self._intervals.before(self._edge)
        self.business_us = self._between(self._business_us)
        self.excluded_us = self._between(open_time.excluded.before(self._edge))

    def business_within_us(self, since: Int64s, until: Int64s) -> Int64s:
        """Return the business time in each store's windows and within stretches of the axis.

        Parameters
        ----------
        since, until : int64 (stretches,)
            Positions: disjoint, ascending. A stretch may be empty.

        Returns
        -------
        int64 (stores, windows)
        """
        begin_us, end_us = self._intervals.before(since), self._intervals.before(until)
        total_us = np.append(0, np.cumsum(end_us - begin_us))
        # Up to each edge: stretches that begin before it, without what the last has beyond it.
        count = np.searchsorted(since, self._edge)
        beyond_us = np.append(0, end_us)[count] - self._business_us
        return self._between(total_us[count] - np.maximum(beyond_us, 0))

    @staticmethod
    def _between(us: Int64s) -> Int64s:
        """Return the differences from each start of a window to the end, in order of windows."""
        between_us: Int64s = us[:, -1:] - us[:, -2::-1]
        return between_us

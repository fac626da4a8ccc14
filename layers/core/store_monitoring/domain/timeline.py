"""One store's last week in detail: business time, polls, statuses and outages."""

from dataclasses import dataclass, replace

import numpy as np

from store_monitoring.domain.business_time import (
    NO_ROW,
    BusinessTime,
    Openings,
    Span,
    business_time,
    openings,
)
from store_monitoring.domain.known_polls import (
    NO_POLL,
    KnownTime,
    sort_and_dedupe,
    taken_while_open,
)
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores, Totals
from store_monitoring.domain.outages import Outages
from store_monitoring.domain.parameters import Parameters, PollFilter
from store_monitoring.domain.statuses import Stretch, statuses
from store_monitoring.domain.uptime import compute_uptime
from store_monitoring.domain.windows import classic_windows


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The statuses of one store's week: without gaps, ascending.

    Attributes
    ----------
    since, until : int64 (statuses,)
        Positions.
    active : bool (statuses,)
    poll_us : int64 (statuses,)
        Instant of the poll that gives the status; `NO_POLL` where there is no data (rule 19).
    """

    since: Int64s
    until: Int64s
    active: Bools
    poll_us: Int64s


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the totals of one store's last week are computed from.

    With one store, a position on the axis is the time since the week's start.

    Attributes
    ----------
    week : Span
    open_time : BusinessTime
    openings : Openings
        The openings by rows of hours; none on dates on which the store is open because it has no
        rows (rules 5 and 16). An opening that exclusions split is repeated for each interval.
    interval : int64 (openings,)
        Index of the interval of business time that each opening is part of (rule 4).
    polls : Polls
        Ascending and distinct: the known polls of the week, and those before it from the last one
        on that counts.
    counts : bool (polls,)
        Whether each poll passes the filter, and so counts for the statuses.
    statuses : StatusLine
    outages : Outages
    totals : Totals
        The same as the report's, of `classic_windows`.
    """

    week: Span
    open_time: BusinessTime
    openings: Openings
    interval: Int64s
    polls: Polls
    counts: Bools
    statuses: StatusLine
    outages: Outages
    totals: Totals


def timeline(store: Stores, polls: Polls, now_us: int, parameters: Parameters) -> Timeline:
    """Return the timeline of one store's last week; for the parameters see `compute_uptime`.

    Raises
    ------
    ValueError
        If there is more than one store, or none.

    Examples
    --------
    A store that is open 24×7 and was polled two hours and half an hour ago:

    >>> from store_monitoring.domain.model import WeeklyHours
    >>> from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US
    >>> none = np.empty(0, np.int64)
    >>> store = Stores(np.array([0]), ("UTC",), WeeklyHours(none, none, none, none))
    >>> now_us = 20_000 * DAY_US
    >>> ago_us = np.array([2 * HOUR_US, HOUR_US // 2])
    >>> polls = Polls(np.array([0, 0]), now_us - ago_us, np.array([False, True]))
    >>> week = timeline(store, polls, now_us, Parameters(14 * DAY_US))
    >>> (week.statuses.until // MINUTE_US).tolist(), week.statuses.active.tolist()
    ([10050, 10080], [False, True])
    >>> ((now_us - week.outages.end_us) // MINUTE_US).tolist()
    [30]
    """
    if store.count != 1:
        raise ValueError(f"a timeline is about one store, not {store.count}")
    windows = classic_windows(1, now_us)
    week = windows.span
    known, counts = needed_polls(store, polls, now_us, parameters)
    if not (counts & (known.timestamp_us < week.start_us)).any():
        within = known.timestamp_us >= week.start_us
        known, counts = known.where(within), counts[within]
    open_time = business_time(store, week)
    opened = openings(store, week)
    opened = opened.take(opened.row != NO_ROW)
    part, start, _ = open_time.intervals.overlaps(
        opened.start_us - week.start_us, opened.end_us - week.start_us
    )
    counting = known.where(counts)
    figures = compute_uptime(
        store, counting, windows, replace(parameters, poll_filter=PollFilter.ALL), keep_outages=True
    )
    assert figures.all_outages is not None  # they are kept
    return Timeline(
        week,
        open_time,
        opened.take(part),
        np.searchsorted(open_time.intervals.start, start, side="right") - 1,
        known,
        counts,
        _status_line(counting, week, parameters.memory_us),
        figures.all_outages,
        figures.totals,
    )


def _status_line(counting: Polls, week: Span, memory_us: int) -> StatusLine:
    first_us, last_us = np.array([week.start_us]), np.array([week.end_us])
    known = sort_and_dedupe(counting, KnownTime.of(first_us, last_us, memory_us))
    if not len(known.position):
        start, end = np.array([0]), np.array([week.length_us])
        return StatusLine(start, end, np.array([False]), np.array([NO_POLL]))
    stretch = Stretch.between(week, first_us, last_us)
    held = statuses(known, np.arange(len(known.position)), stretch, memory_us)
    holds = held.since < held.until
    return StatusLine(held.since[holds], held.until[holds], held.active[holds], held.poll_us[holds])


def needed_polls(
    store: Stores, polls: Polls, now_us: int, parameters: Parameters
) -> tuple[Polls, Bools]:
    """Return the polls that the timeline of the week needs, and which of them count.

    The other polls can be dropped without changing the timeline, even if `polls` is only some of
    the store's polls: the needed polls of the parts together contain those of the whole.

    Returns
    -------
    Polls
        Ascending and distinct: the known polls since the last one before the week that counts;
        all known polls if there is none.
    bool (polls,)
        Whether each poll passes the filter.
    """
    first_us, last_us = classic_windows(1, now_us).bounds_us(1)
    known_time = KnownTime.of(first_us, last_us, parameters.memory_us)
    known = _distinct(polls.where(known_time.contains(polls)))
    counts = _counts(store, known, parameters.poll_filter)
    before = counts & (known.timestamp_us < first_us)
    if not before.any():
        return known, counts
    needed = known.timestamp_us >= known.timestamp_us[before][-1]
    return known.where(needed), counts[needed]


def _distinct(polls: Polls) -> Polls:
    """Return one store's polls, each once, ascending."""
    keys = np.unique((polls.timestamp_us << 1) | polls.active)
    return Polls(np.zeros_like(keys), keys >> 1, (keys & 1).astype(np.bool_))


def _counts(store: Stores, known: Polls, poll_filter: PollFilter) -> Bools:
    if poll_filter is PollFilter.ALL:
        return np.ones(len(known.timestamp_us), np.bool_)
    return taken_while_open(store, known)

"""One store's last week in detail: business time, polls, statuses and outages."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.activity import Statuses, activity, statuses
from store_monitoring.domain.business_time import (
    BusinessTime,
    Openings,
    Span,
    business_time,
    openings,
)
from store_monitoring.domain.known_polls import (
    poll_memory,
    sort_and_dedupe,
    taken_while_open,
    within_memory,
)
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores, Totals
from store_monitoring.domain.outages import outage_intervals
from store_monitoring.domain.parameters import PollFilter
from store_monitoring.domain.uptime import last_week, totals


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the totals of one store's last week are computed from.

    With one store, a position on the axis is the time since the week's start.

    Attributes
    ----------
    week : Span
    open_time : BusinessTime
    openings : Openings
        Openings of its rows of hours; empty for a store without rows (rule 5).
    interval : int64 (openings,)
        Index of the interval of business time that each opening is part of (rule 4).
    polls : Polls
        Ascending and distinct: the known polls of the week, and those before it since the last
        one that counts.
    counts : bool (polls,)
        Whether each poll passes the filter, and so counts for the statuses.
    statuses : Statuses
    outage_start, outage_end : int64 (outages,)
        Positions, ascending.
    totals : Totals
        The same as the report's.
    """

    week: Span
    open_time: BusinessTime
    openings: Openings
    interval: Int64s
    polls: Polls
    counts: Bools
    statuses: Statuses
    outage_start: Int64s
    outage_end: Int64s
    totals: Totals


def timeline(
    store: Stores,
    polls: Polls,
    now_us: int,
    memory_us: int,
    poll_filter: PollFilter = PollFilter.ALL,
) -> Timeline:
    """Return the timeline of one store; for the parameters see `compute_uptime`.

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
    >>> week = timeline(store, polls, now_us, 14 * DAY_US)
    >>> (week.statuses.until // MINUTE_US).tolist(), week.statuses.active.tolist()
    ([10050, 10080], [False, True])
    >>> (week.outage_start // MINUTE_US).tolist(), (week.outage_end // MINUTE_US).tolist()
    ([0], [10050])
    """
    if store.count != 1:
        raise ValueError(f"a timeline is about one store, not {store.count}")
    week = last_week(now_us)
    known, counts = needed_polls(store, polls, now_us, memory_us, poll_filter)
    if not (counts & (known.timestamp_us < week.start_us)).any():
        within = known.timestamp_us >= week.start_us
        known, counts = known.where(within), counts[within]
    open_time = business_time(store, week)
    opened = openings(store, week)
    opens_at = np.maximum(opened.start_us, week.start_us) - week.start_us
    used = sort_and_dedupe(known.where(counts), poll_memory(now_us, memory_us), store.count)
    active = activity(used, week)
    outage_start, outage_end = outage_intervals(open_time, active, store.count)
    return Timeline(
        week,
        open_time,
        opened,
        np.searchsorted(open_time.start, opens_at, side="right") - 1,
        known,
        counts,
        statuses(used, week),
        outage_start,
        outage_end,
        totals(open_time, active, store.count),
    )


def needed_polls(
    store: Stores, polls: Polls, now_us: int, memory_us: int, poll_filter: PollFilter
) -> tuple[Polls, Bools]:
    """Return the polls that the timeline of the week needs, and which of them count.

    The result may replace `polls` wherever all polls are expected. If `polls` is only a part of
    all polls, its result joined with the other parts has the same effect as all polls.

    Returns
    -------
    Polls
        Ascending and distinct: the known polls since the last one before the week that counts;
        all known polls if there is none.
    bool (polls,)
        Whether each poll passes the filter.
    """
    known = _distinct(within_memory(polls, now_us, memory_us))
    counts = _counts(store, known, poll_filter)
    before = counts & (known.timestamp_us < last_week(now_us).start_us)
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

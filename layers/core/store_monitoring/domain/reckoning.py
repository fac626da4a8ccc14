"""Uptime and downtime of all stores of a shard at once (rules 8 to 13)."""

import numpy as np

from store_monitoring.domain.business_time import BusinessTime, Span, business_time
from store_monitoring.domain.model import (
    WINDOWS_US,
    Bools,
    Int64s,
    Polls,
    Stores,
    Totals,
)
from store_monitoring.domain.poll_filter import PollFilter


def reckon(
    stores: Stores,
    polls: Polls,
    now_us: int,
    memory_us: int,
    poll_filter: PollFilter = PollFilter.ALL,
) -> Totals:
    """Reckon every store's exact uptime and downtime in the last hour, day and week.

    Parameters
    ----------
    stores : Stores
    polls : Polls
        Any order; those outside the poll memory are left out here (rule 9).
    now_us : int
        End of all windows, microseconds UTC.
    memory_us : int
        For how long before now a poll is evidence (rule 9).
    poll_filter : PollFilter
        Whether polls taken outside business time are evidence too.

    Returns
    -------
    Totals
        int64 microseconds (stores, windows); uptime + downtime is the business time (rule 13).

    Raises
    ------
    ValueError
        If there are more stores than one call can hold (about 3.8 million).

    Examples
    --------
    A store without hours is open 24×7 (rule 5); two polls, two hours and half an hour ago:

    >>> from store_monitoring.domain.model import WeeklyHours
    >>> from store_monitoring.domain.time_units import DAY_US, HOUR_US, MINUTE_US
    >>> none = np.empty(0, np.int64)
    >>> stores = Stores(np.array([0]), ("UTC",), WeeklyHours(none, none, none, none))
    >>> now_us = 20_000 * DAY_US
    >>> ago_us = np.array([2 * HOUR_US, HOUR_US // 2])
    >>> polls = Polls(np.array([0, 0]), now_us - ago_us, np.array([False, True]))
    >>> totals = reckon(stores, polls, now_us, 14 * DAY_US)
    >>> (totals.uptime_us // MINUTE_US).tolist(), (totals.downtime_us // MINUTE_US).tolist()
    ([[30, 30, 30]], [[30, 1410, 10050]])
    """
    polls = _known(polls, now_us, memory_us)
    if poll_filter is PollFilter.BUSINESS_HOURS:
        polls = _within_business_time(stores, polls)
    week = Span(now_us - max(WINDOWS_US), now_us)
    open_time = business_time(stores, week)
    up_from, up_until = _active_stretches(polls, week, stores.count)
    return _totals(open_time, up_from, up_until, stores.count)


def _known(polls: Polls, now_us: int, memory_us: int) -> Polls:
    """Return the polls in [now − memory, now] (rule 9)."""
    known = (polls.timestamp_us >= now_us - memory_us) & (polls.timestamp_us <= now_us)
    return polls if known.all() else polls.where(known)


def _within_business_time(stores: Stores, polls: Polls) -> Polls:
    if not len(polls.timestamp_us):
        return polls
    span = Span(int(polls.timestamp_us.min()), int(polls.timestamp_us.max()) + 1)
    open_time = business_time(stores, span)
    return polls.where(open_time.contains(span.position(polls.store, polls.timestamp_us)))


def _active_stretches(polls: Polls, week: Span, store_count: int) -> tuple[Int64s, Int64s]:
    """Return the stretches of the week in which stores are active (rules 8, 10, 11).

    Returns
    -------
    up_from, up_until : int64 (stretches,)
        Positions on the week's axis, disjoint and ascending.
    """
    store, instant, active = _ordered(polls, week, store_count)
    # A status holds until the next one that differs: polls that repeat it say nothing new.
    first = np.append(True, store[1:] != store[:-1])[: len(store)]
    changes = first | np.append(True, active[1:] != active[:-1])[: len(store)]
    store, instant, active, first = (a[changes] for a in (store, instant, active, first))
    since = np.where(first, store * week.length_us, instant)  # rule 8: extended backwards
    last = np.append(first[1:], True)[: len(store)]
    until = np.where(last, (store + 1) * week.length_us, np.append(since[1:], 0)[: len(store)])
    up = active & (since < until)  # a poll at now says nothing of the time before it
    return since[up], until[up]


def _ordered(polls: Polls, week: Span, store_count: int) -> tuple[Int64s, Int64s, Bools]:
    """Return (store, position, active), ascending, one poll a store and instant (rule 10).

    Of the polls before the week, only each store's last one matters: it stands at the week's
    start. Each poll is one int64 (store, instant and status, from high to low), so that sorting
    them is sorting numbers, and `inactive`, the smaller, comes first where instants are equal.
    """
    slots = week.length_us + 2  # slot 0: before the week; slot 1 + t: t after the week's start
    in_week = polls.timestamp_us >= week.start_us
    slot = polls.timestamp_us[in_week] - (week.start_us - 1)
    keys = np.append(
        ((polls.store[in_week] * slots + slot) << 1) | polls.active[in_week],
        _latest(polls.where(~in_week), slots, store_count),
    )
    keys.sort()
    instants = keys >> 1
    keys = keys[np.append(True, instants[1:] != instants[:-1])[: len(keys)]]
    store, slot = np.divmod(keys >> 1, slots)
    position = store * week.length_us + np.maximum(slot - 1, 0)
    return store, position, (keys & 1).astype(np.bool_)


def _latest(polls: Polls, slots: int, store_count: int) -> Int64s:
    """Return the keys (slot 0) of each polled store's last poll; `inactive` wins a tie."""
    nothing = np.iinfo(np.int64).min
    latest = np.full(store_count, nothing)
    np.maximum.at(latest, polls.store, (polls.timestamp_us << 1) | ~polls.active)
    store = np.flatnonzero(latest != nothing)
    keys: Int64s = ((store * slots) << 1) | (latest[store] & 1 == 0)
    return keys


def _totals(open_time: BusinessTime, up_from: Int64s, up_until: Int64s, store_count: int) -> Totals:
    """Sum business time, and business time while active, store by store and window by window."""
    week_us = open_time.span.length_us
    week_end = np.arange(1, store_count + 1) * week_us
    up_store = up_from // week_us
    business_us = np.empty((store_count, len(WINDOWS_US)), np.int64)
    uptime_us = np.empty_like(business_us)
    for column, window_us in enumerate(WINDOWS_US):
        window_start = week_end - window_us
        business_us[:, column] = open_time.before(week_end) - open_time.before(window_start)
        reaches = up_until > window_start[up_store]
        store = up_store[reaches]
        since = np.maximum(up_from[reaches], window_start[store])
        up_us = open_time.before(up_until[reaches]) - open_time.before(since)
        # bincount adds in float64: exact, as a week's microseconds are far below 2**53
        uptime_us[:, column] = np.bincount(store, up_us, store_count).astype(np.int64)
    return Totals(uptime_us, business_us - uptime_us)

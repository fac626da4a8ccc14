"""Uptime and downtime of all stores of a shard at once (rules 12 and 13)."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.activity import Activity, activity
from store_monitoring.domain.business_time import BusinessTime, Span, business_time
from store_monitoring.domain.known_polls import Polled, known_polls, polled
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores, Totals
from store_monitoring.domain.outages import Outages, outages
from store_monitoring.domain.parameters import WINDOWS_US, PollFilter


@dataclass(frozen=True, slots=True)
class Details:
    """What a report shows of each store besides its totals.

    Attributes
    ----------
    polled : Polled
    open_now : bool (stores,)
        Whether now is business time.
    outages : Outages
        In the week.
    """

    polled: Polled
    open_now: Bools
    outages: Outages


def compute_uptime(
    stores: Stores,
    polls: Polls,
    now_us: int,
    memory_us: int,
    poll_filter: PollFilter = PollFilter.ALL,
) -> Totals:
    """Compute every store's exact uptime and downtime in the last hour, day and week.

    Parameters
    ----------
    stores : Stores
    polls : Polls
        Any order; polls outside the poll memory are ignored (rule 9).
    now_us : int
        End of all windows, microseconds UTC.
    memory_us : int
        Length of the poll memory (rule 9).
    poll_filter : PollFilter
        Whether polls taken outside business time count.

    Returns
    -------
    Totals
        int64 microseconds (stores, windows); uptime + downtime is the business time (rule 13).

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
    >>> totals = compute_uptime(stores, polls, now_us, 14 * DAY_US)
    >>> (totals.uptime_us // MINUTE_US).tolist(), (totals.downtime_us // MINUTE_US).tolist()
    ([[30, 30, 30]], [[30, 1410, 10050]])
    """
    known = known_polls(stores, polls, now_us, memory_us, poll_filter)
    open_time = business_time(stores, last_week(now_us))
    return totals(open_time, activity(known, open_time.span), stores.count)


def compute_uptime_in_detail(
    stores: Stores,
    polls: Polls,
    now_us: int,
    memory_us: int,
    poll_filter: PollFilter = PollFilter.ALL,
) -> tuple[Totals, Details]:
    """Compute what `compute_uptime` does, and details of each store."""
    known = known_polls(stores, polls, now_us, memory_us, poll_filter)
    open_time = business_time(stores, last_week(now_us))
    active = activity(known, open_time.span)
    details = Details(
        polled(known, open_time.span),
        is_open(stores, now_us),
        outages(open_time, active, stores.count),
    )
    return totals(open_time, active, stores.count), details


def is_open(stores: Stores, now_us: int) -> Bools:
    """Return for each store whether now is business time."""
    instant = Span(now_us, now_us + 1)
    return business_time(stores, instant).contains(
        instant.position(np.arange(stores.count), now_us)
    )


def last_week(now_us: int) -> Span:
    """Return the week that ends now, the longest of the windows."""
    return Span(now_us - max(WINDOWS_US), now_us)


def totals(open_time: BusinessTime, active: Activity, store_count: int) -> Totals:
    """Return uptime and downtime per store and window."""
    week_us = open_time.span.length_us
    week_end = np.arange(1, store_count + 1) * week_us
    up_store: Int64s = active.up_from // week_us
    business_us = np.empty((store_count, len(WINDOWS_US)), np.int64)
    uptime_us = np.empty_like(business_us)
    for column, window_us in enumerate(WINDOWS_US):
        window_start = week_end - window_us
        business_us[:, column] = open_time.before(week_end) - open_time.before(window_start)
        reaches = active.up_until > window_start[up_store]
        store = up_store[reaches]
        since = np.maximum(active.up_from[reaches], window_start[store])
        up_us = open_time.before(active.up_until[reaches]) - open_time.before(since)
        # bincount adds in float64; exact, since a week has far fewer than 2**53 microseconds
        uptime_us[:, column] = np.bincount(store, up_us, store_count).astype(np.int64)
    return Totals(uptime_us, business_us - uptime_us)

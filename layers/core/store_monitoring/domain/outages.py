"""Outages: maximal stretches of business time in which a store is not active."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.activity import Activity
from store_monitoring.domain.business_time import BusinessTime
from store_monitoring.domain.model import Int64s


@dataclass(frozen=True, slots=True)
class Outages:
    """Each store's outages in a span.

    Attributes
    ----------
    count : int64 (stores,)
    longest_us : int64 (stores,)
        Length of the store's longest outage; 0 without outages.
    """

    count: Int64s
    longest_us: Int64s


def outages(open_time: BusinessTime, active: Activity, store_count: int) -> Outages:
    """Return the number and greatest length of each store's outages.

    For the parameters see `outage_intervals`.
    """
    start, end = outage_intervals(open_time, active, store_count)
    store = start // open_time.span.length_us
    longest_us = np.zeros(store_count, np.int64)
    np.maximum.at(longest_us, store, end - start)
    return Outages(np.bincount(store, minlength=store_count), longest_us)


def outage_intervals(
    open_time: BusinessTime, active: Activity, store_count: int
) -> tuple[Int64s, Int64s]:
    """Return all outages.

    Closing time ends an outage; so does a poll that says active.

    Parameters
    ----------
    open_time : BusinessTime
    active : Activity
        On the same axis.
    store_count : int

    Returns
    -------
    start, end : int64 (outages,)
        Positions on the axis: disjoint, ascending.
    """
    length_us = open_time.span.length_us
    # A store is down from the end of an active stretch to the start of the next one. Cut the axis
    # between stores: a down stretch may reach from one store's week into the next store's.
    borders = np.arange(store_count + 1) * length_us
    down_from, down_until = _cut(
        np.append(0, active.up_until),
        np.append(active.up_from, store_count * length_us),
        borders,
    )
    # An outage is where a down stretch and an interval of business time overlap.
    first = np.searchsorted(open_time.end, down_from, side="right")
    count = np.maximum(np.searchsorted(open_time.start, down_until, side="left") - first, 0)
    stretch = np.repeat(np.arange(len(count)), count)
    opening = first[stretch] + np.arange(len(stretch)) - np.repeat(np.cumsum(count) - count, count)
    start = np.maximum(down_from[stretch], open_time.start[opening])
    end = np.minimum(down_until[stretch], open_time.end[opening])
    return start, end


def _cut(start: Int64s, end: Int64s, borders: Int64s) -> tuple[Int64s, Int64s]:
    """Cut disjoint, ascending intervals at borders; drop empty ones."""
    # A stable sort merges the two sorted runs; `np.union1d` would hash.
    starts = np.append(start, borders)
    starts.sort(kind="stable")
    starts = starts[np.append(True, starts[1:] != starts[:-1]) & (starts < borders[-1])]
    interval = np.searchsorted(start, starts, side="right") - 1
    next_border = borders[np.searchsorted(borders, starts, side="right")]
    ends = np.minimum(end[interval], next_border)
    kept = starts < ends
    return starts[kept], ends[kept]

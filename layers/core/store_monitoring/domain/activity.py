"""When each store is active, by its polls (rules 8 to 11)."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.business_time import Span, business_time
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores
from store_monitoring.domain.poll_filter import PollFilter

NO_POLL = np.iinfo(np.int64).min
"""Stands for the instant of the last poll where there is none."""


@dataclass(frozen=True, slots=True)
class Activity:
    """When each store is active.

    Attributes
    ----------
    up_from, up_until : int64 (stretches,)
        Positions on the week's axis between which stores are active: disjoint, ascending.
    """

    up_from: Int64s
    up_until: Int64s


@dataclass(frozen=True, slots=True)
class Polled:
    """How each store was polled.

    Attributes
    ----------
    in_week : int64 (stores,)
        Number of instants in the week, its end included, at which it was.
    last_us : int64 (stores,)
        Instant of the last poll, or `NO_POLL`.
    last_active : bool (stores,)
        Its status.
    """

    in_week: Int64s
    last_us: Int64s
    last_active: Bools


def evidence(
    stores: Stores, polls: Polls, now_us: int, memory_us: int, poll_filter: PollFilter
) -> Polls:
    """Return the known polls, those in [now − memory, now] (rule 9), that pass the filter."""
    known = (polls.timestamp_us >= now_us - memory_us) & (polls.timestamp_us <= now_us)
    if not known.all():
        polls = polls.where(known)
    if poll_filter is PollFilter.ALL or not len(polls.timestamp_us):
        return polls
    span = Span(int(polls.timestamp_us.min()), int(polls.timestamp_us.max()) + 1)
    open_time = business_time(stores, span)
    return polls.where(open_time.contains(span.position(polls.store, polls.timestamp_us)))


def activity(polls: Polls, week: Span, store_count: int) -> Activity:
    """Return when all stores are active in a week.

    Parameters
    ----------
    polls : Polls
        The evidence, in any order; none is after the week's end.
    week : Span
    store_count : int

    Notes
    -----
    Of the polls before the week, only each store's last one matters: it stands at the week's
    start. Each poll is one int64 (store, instant and status, from high to low), so that sorting
    them is sorting numbers, and `inactive`, the smaller, comes first where instants are equal.
    """
    slots = week.length_us + 2  # slot 0: before the week; slot 1 + t: t after the week's start
    in_week = polls.timestamp_us >= week.start_us
    slot = polls.timestamp_us[in_week] - (week.start_us - 1)
    latest = _latest(polls.where(~in_week), store_count)
    polled_before = np.flatnonzero(latest != NO_POLL)
    keys = np.append(
        ((polls.store[in_week] * slots + slot) << 1) | polls.active[in_week],
        ((polled_before * slots) << 1) | (latest[polled_before] & 1 == 0),
    )
    keys.sort()
    keys = keys[_differs(keys >> 1)]  # rule 10
    store, slot = np.divmod(keys >> 1, slots)
    return _active_stretches(store, np.maximum(slot - 1, 0), (keys & 1).astype(np.bool_), week)


def polled(polls: Polls, week: Span, store_count: int) -> Polled:
    """Return how all stores were polled; for the parameters see `activity`."""
    in_week = polls.where(polls.timestamp_us >= week.start_us)
    slots = week.length_us + 1
    instants = np.sort(in_week.store * slots + (in_week.timestamp_us - week.start_us))
    instants = instants[_differs(instants)]
    latest = _latest(polls, store_count)
    return Polled(
        in_week=np.bincount(instants // slots, minlength=store_count),
        last_us=np.where(latest == NO_POLL, NO_POLL, latest >> 1),
        last_active=latest & 1 == 0,
    )


def _latest(polls: Polls, store_count: int) -> Int64s:
    """Return each store's last poll: its instant, and in the lowest bit whether it is inactive.

    So `inactive` wins where instants are equal (rule 10).
    """
    latest = np.full(store_count, NO_POLL)
    np.maximum.at(latest, polls.store, (polls.timestamp_us << 1) | ~polls.active)
    return latest


def _active_stretches(store: Int64s, since_start_us: Int64s, active: Bools, week: Span) -> Activity:
    """Return when stores are active, from polls by store and instant."""
    # A status holds until the next one that differs: polls that repeat it say nothing new.
    first = _differs(store)
    changes = first | _differs(active)
    store, since_start_us = store[changes], since_start_us[changes]
    active, first = active[changes], first[changes]
    # Rule 8: the first status is extended backwards, to the start of the store's week.
    since = store * week.length_us + np.where(first, 0, since_start_us)
    last = np.append(first[1:], True)[: len(store)]
    until = np.where(last, (store + 1) * week.length_us, np.append(since[1:], 0)[: len(store)])
    up = active & (since < until)  # a poll at now says nothing of the time before it
    return Activity(since[up], until[up])


def _differs(values: Int64s | Bools) -> Bools:
    """Tell for each value whether it is the first, or differs from the one before."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]

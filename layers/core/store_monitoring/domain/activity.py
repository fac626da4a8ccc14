"""When each store is active, by its polls (rules 8 to 11)."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.business_time import Span, business_time
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores
from store_monitoring.domain.poll_filter import PollFilter

NO_POLL = np.iinfo(np.int64).min
"""Stands for the instant of a poll where there is none."""


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
class Statuses:
    """Each poll's status for as long as it holds.

    Attributes
    ----------
    since, until : int64 (statuses,)
        Positions on the week's axis between which it holds: disjoint, ascending, without gaps.
    active : bool (statuses,)
    poll_us : int64 (statuses,)
        Instant of the poll; `NO_POLL` for the week of a store without a known one (rule 11).
    """

    since: Int64s
    until: Int64s
    active: Bools
    poll_us: Int64s


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
    """Return the known polls that pass the filter."""
    known = known_polls(polls, now_us, memory_us)
    if poll_filter is PollFilter.ALL:
        return known
    return known.where(taken_while_open(stores, known))


def known_polls(polls: Polls, now_us: int, memory_us: int) -> Polls:
    """Return the known polls: those in [now − memory, now] (rule 9)."""
    known = (polls.timestamp_us >= now_us - memory_us) & (polls.timestamp_us <= now_us)
    return polls if known.all() else polls.where(known)


def taken_while_open(stores: Stores, polls: Polls) -> Bools:
    """Tell for each poll whether it was taken within its store's business time."""
    if not len(polls.timestamp_us):
        return np.empty(0, np.bool_)
    span = Span(int(polls.timestamp_us.min()), int(polls.timestamp_us.max()) + 1)
    open_time = business_time(stores, span)
    return open_time.contains(span.position(polls.store, polls.timestamp_us))


def activity(polls: Polls, week: Span, store_count: int) -> Activity:
    """Return when all stores are active in a week.

    Parameters
    ----------
    polls : Polls
        The evidence, in any order; none is after the week's end.
    week : Span
    store_count : int
    """
    store, since_start_us, active = _standing(polls, week, store_count)
    # A status holds until the next one that differs: polls that repeat it say nothing new.
    changes = _differs(store) | _differs(active)
    since, until = _held(store[changes], since_start_us[changes], week)
    up = active[changes] & (since < until)  # a poll at now says nothing of the time before it
    return Activity(since[up], until[up])


def statuses(polls: Polls, week: Span, store_count: int) -> Statuses:
    """Return what `activity` rests on, poll by poll; for the parameters see there.

    Examples
    --------
    Polls at 2, 5 and 7 µs, in a week of 3 to 9 µs: the last two within it.

    >>> polls = Polls(np.array([0, 0, 0]), np.array([2, 5, 7]), np.array([True, False, True]))
    >>> held = statuses(polls, Span(3, 9), 1)
    >>> held.since.tolist(), held.until.tolist(), held.poll_us.tolist()
    ([0, 2, 4], [2, 4, 6], [2, 5, 7])
    """
    store, since_start_us, active = _standing(polls, week, store_count)
    before_us = _latest(polls.where(polls.timestamp_us < week.start_us), store_count) >> 1
    poll_us = np.where(since_start_us < 0, before_us[store], week.start_us + since_start_us)
    silent = np.setdiff1d(np.arange(store_count), store)  # down for the whole week (rule 11)
    place = np.searchsorted(store, silent)
    active = np.insert(active, place, values=False)
    poll_us = np.insert(poll_us, place, NO_POLL)
    since, until = _held(np.insert(store, place, silent), np.insert(since_start_us, place, 0), week)
    holds = since < until
    return Statuses(since[holds], until[holds], active[holds], poll_us[holds])


def _standing(polls: Polls, week: Span, store_count: int) -> tuple[Int64s, Int64s, Bools]:
    """Return the polls that matter, by store and instant: one a store and instant (rule 10).

    Of the polls before the week, only each store's last one does: it stands at the week's start.

    Returns
    -------
    store, since_start_us, active
        Instants count from the week's start; the one before is −1.

    Notes
    -----
    Each poll is one int64 (store, instant and status, from high to low), so that sorting them is
    sorting numbers, and `inactive`, the smaller, comes first where instants are equal.
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
    return store, slot - 1, (keys & 1).astype(np.bool_)


def _held(store: Int64s, since_start_us: Int64s, week: Span) -> tuple[Int64s, Int64s]:
    """Return from where to where, on the week's axis, each poll's status holds (rule 8)."""
    first = _differs(store)
    # The first status is extended backwards, to the start of the store's week.
    since = store * week.length_us + np.where(first, 0, since_start_us)
    last = np.append(first[1:], True)[: len(store)]
    until = np.where(last, (store + 1) * week.length_us, np.append(since[1:], 0)[: len(store)])
    return since, until


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


def _differs(values: Int64s | Bools) -> Bools:
    """Tell for each value whether it is the first, or differs from the one before."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]

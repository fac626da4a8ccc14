"""The polls that are evidence of each store's status, in order (rules 9 and 10)."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.business_time import Span, business_time
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores
from store_monitoring.domain.poll_filter import PollFilter

NO_POLL = np.iinfo(np.int64).min

"""Stands for the instant of a poll where there is none."""


@dataclass(frozen=True, slots=True)
class KnownPolls:
    """The polls that are evidence, by store and instant, one an instant.

    Attributes
    ----------
    span : Span
        The poll memory, now included.
    key : int64 (instants,)
        Position on the span's axis, times two; one more if the poll says active. Ascending.
    border : int64 (stores + 1,)
        Where each store's instants begin in `key`, and where the last one's end.
    """

    span: Span
    key: Int64s
    border: Int64s

    @property
    def active(self) -> Bools:
        """What the polls say: bool (instants,)."""
        return (self.key & 1).astype(np.bool_)

    @property
    def instant_us(self) -> Int64s:
        """When they were taken: int64 (instants,)."""
        return self.span.start_us + (self.key >> 1) % self.span.length_us

    @property
    def first(self) -> Int64s:
        """Index of each store's first one, of those that have any."""
        begin, end = self.border[:-1], self.border[1:]
        return begin[begin < end]


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


def known_polls(
    stores: Stores, polls: Polls, now_us: int, memory_us: int, poll_filter: PollFilter
) -> KnownPolls:
    """Return the known polls that pass the filter.

    Raises
    ------
    ValueError
        If there are more stores than one axis can hold.
    """
    if poll_filter is PollFilter.BUSINESS_HOURS:
        polls = within_memory(polls, now_us, memory_us)
        polls = polls.where(taken_while_open(stores, polls))
    return sort_and_dedupe(polls, poll_memory(now_us, memory_us), stores.count)


def poll_memory(now_us: int, memory_us: int) -> Span:
    """Return the span of known polls, [now − memory, now] (rule 9)."""
    return Span(now_us - memory_us, now_us + 1)


def within_memory(polls: Polls, now_us: int, memory_us: int) -> Polls:
    """Return the known polls (rule 9)."""
    known = _within(polls, poll_memory(now_us, memory_us))
    return polls if known.all() else polls.where(known)


def taken_while_open(stores: Stores, polls: Polls) -> Bools:
    """Tell for each poll whether it was taken within its store's business time."""
    if not len(polls.timestamp_us):
        return np.empty(0, np.bool_)
    span = Span(int(polls.timestamp_us.min()), int(polls.timestamp_us.max()) + 1)
    open_time = business_time(stores, span)
    return open_time.contains(span.position(polls.store, polls.timestamp_us))


def sort_and_dedupe(polls: Polls, memory: Span, store_count: int) -> KnownPolls:
    """Return polls by store and instant, one an instant; those outside the memory are left out.

    Notes
    -----
    Each poll is one number, so that sorting them is sorting numbers, and `inactive`, the smaller,
    comes first where instants are equal (rule 10). Polls come from files in which they are sorted
    already: the stable sort finds such runs and merges them.
    """
    memory.check_room(store_count)
    key = (memory.position(polls.store, polls.timestamp_us) << 1) | polls.active
    key = _selected(key, _within(polls, memory))
    key.sort(kind="stable")
    instant = key >> 1
    key = _selected(key, np.append(True, instant[1:] != instant[:-1])[: len(key)])
    starts = memory.position(np.arange(store_count + 1), memory.start_us)
    return KnownPolls(memory, key, np.searchsorted(key, starts << 1))


def _within(polls: Polls, span: Span) -> Bools:
    return (polls.timestamp_us >= span.start_us) & (polls.timestamp_us < span.end_us)


def polled(known: KnownPolls, week: Span) -> Polled:
    """Return how all stores were polled, and how often in a week that ends now."""
    begin, end = known.border[:-1], known.border[1:]
    since_us = max(week.start_us, known.span.start_us)
    week_starts = known.span.position(np.arange(len(begin)), since_us)
    in_week = end - np.searchsorted(known.key, week_starts << 1)
    last_us = np.full(len(begin), NO_POLL)
    last_active = np.zeros(len(begin), np.bool_)
    has_any = begin < end
    last = known.key[end[has_any] - 1]
    last_us[has_any] = known.span.start_us + (last >> 1) % known.span.length_us
    last_active[has_any] = last & 1
    return Polled(in_week, last_us, last_active)


def _selected(values: Int64s, mask: Bools) -> Int64s:
    """Return the values that a mask selects; mostly that is all of them, and no copy is made."""
    return values if mask.all() else values[mask]

"""Each store's known polls, sorted (rules 9 and 10)."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.business_time import Span, business_time
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores
from store_monitoring.domain.parameters import PollFilter

NO_POLL = np.iinfo(np.int64).min
"""The instant of a poll that does not exist."""


@dataclass(frozen=True, slots=True)
class KnownPolls:
    """The known polls that pass the filter, by store and instant, one per instant.

    Attributes
    ----------
    span : Span
        The poll memory, including now.
    key : int64 (instants,)
        Position on the span's axis, times two, plus one if the poll says active. Ascending.
    border : int64 (stores + 1,)
        Index in `key` where each store's instants begin; the last element is the length of `key`.
    """

    span: Span
    key: Int64s
    border: Int64s

    @property
    def active(self) -> Bools:
        """Whether each poll says active: bool (instants,)."""
        return (self.key & 1).astype(np.bool_)

    @property
    def instant_us(self) -> Int64s:
        """When each poll was taken: int64 (instants,), microseconds UTC."""
        return self.span.start_us + (self.key >> 1) % self.span.length_us

    @property
    def first(self) -> Int64s:
        """Index of the first poll of each store that has any."""
        begin, end = self.border[:-1], self.border[1:]
        return begin[begin < end]


@dataclass(frozen=True, slots=True)
class Polled:
    """Poll count and last poll of each store.

    Attributes
    ----------
    in_week : int64 (stores,)
        Number of instants in the week, its end included, at which the store was polled.
    last_us : int64 (stores,)
        Instant of the last poll, or `NO_POLL`.
    last_active : bool (stores,)
        Whether the last poll says active.
    """

    in_week: Int64s
    last_us: Int64s
    last_active: Bools


def known_polls(
    stores: Stores, polls: Polls, now_us: int, memory_us: int, poll_filter: PollFilter
) -> KnownPolls:
    """Return the known polls that pass the filter, sorted.

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
    """Return the polls in the poll memory (rule 9)."""
    known = _within(polls, poll_memory(now_us, memory_us))
    return polls if known.all() else polls.where(known)


def taken_while_open(stores: Stores, polls: Polls) -> Bools:
    """Return for each poll whether it was taken within its store's business time."""
    if not len(polls.timestamp_us):
        return np.empty(0, np.bool_)
    span = Span(int(polls.timestamp_us.min()), int(polls.timestamp_us.max()) + 1)
    open_time = business_time(stores, span)
    return open_time.contains(span.position(polls.store, polls.timestamp_us))


def sort_and_dedupe(polls: Polls, memory: Span, store_count: int) -> KnownPolls:
    """Return the polls in the memory by store and instant, one per instant.

    Notes
    -----
    Each poll becomes one integer. Of equal instants, `inactive` is the smaller integer: it sorts
    first and is kept (rule 10). The files that polls come from are sorted already; the stable
    sort finds such runs and merges them.
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
    """Return each store's last poll, and its number of polls in a week that ends now."""
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
    """Return the values that a mask selects; no copy is made in the usual case that all are."""
    return values if mask.all() else values[mask]

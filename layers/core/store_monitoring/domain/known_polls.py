"""Each store's known polls, sorted (rules 9 and 10)."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.business_time import Span, business_time
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores
from store_monitoring.domain.parameters import Parameters, PollFilter

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
    def is_polled(self) -> Bools:
        """Whether each store has a known poll: bool (stores,)."""
        return self.border[:-1] < self.border[1:]

    @property
    def first(self) -> Int64s:
        """Index of the first poll of each store that has any."""
        return self.border[:-1][self.is_polled]

    def store(self, poll: Int64s) -> Int64s:
        """Return the stores of some polls, given by their indices in `key`."""
        return np.searchsorted(self.border, poll, side="right") - 1

    def at_us(self, poll: Int64s, store: Int64s) -> Int64s:
        """Return when some polls of some stores were taken, microseconds UTC."""
        at_us: Int64s = (self.key[poll] >> 1) - store * self.span.length_us + self.span.start_us
        return at_us


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

    @property
    def is_polled(self) -> Bools:
        """Whether each store has a known poll: bool (stores,)."""
        is_polled: Bools = self.last_us != NO_POLL
        return is_polled


def known_polls(stores: Stores, polls: Polls, parameters: Parameters) -> KnownPolls:
    """Return the known polls that pass the filter, sorted.

    Raises
    ------
    ValueError
        If there are more stores than one axis can hold.
    """
    memory = poll_memory(parameters)
    if parameters.poll_filter is PollFilter.BUSINESS_HOURS:
        polls = within_memory(polls, memory)
        polls = polls.where(taken_while_open(stores, polls))
    return sort_and_dedupe(polls, memory, stores.count)


def poll_memory(parameters: Parameters) -> Span:
    """Return the span of known polls, [now − memory, now] (rule 9)."""
    return Span(parameters.now_us - parameters.memory_us, parameters.now_us + 1)


def within_memory(polls: Polls, memory: Span) -> Polls:
    """Return the polls in the poll memory (rule 9)."""
    known = _within(polls, memory)
    return polls if known.all() else polls.where(known)


def taken_while_open(stores: Stores, polls: Polls) -> Bools:
    """Return for each poll whether it was taken within its store's business time."""
    if not len(polls.timestamp_us):
        return np.empty(0, np.bool_)
    span = Span(int(polls.timestamp_us.min()), int(polls.timestamp_us.max()) + 1)
    open_time = business_time(stores, span)
    return open_time.intervals.contains(span.position(polls.store, polls.timestamp_us))


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
    end = known.border[1:]
    since_us = max(week.start_us, known.span.start_us)
    week_starts = known.span.position(np.arange(len(end)), since_us)
    in_week = end - np.searchsorted(known.key, week_starts << 1)
    last_us = np.full(len(end), NO_POLL)
    last_active = np.zeros(len(end), np.bool_)
    store = np.flatnonzero(known.is_polled)
    last = end[store] - 1
    last_us[store] = known.at_us(last, store)
    last_active[store] = known.key[last] & 1
    return Polled(in_week, last_us, last_active)


def _selected(values: Int64s, mask: Bools) -> Int64s:
    """Return the values that a mask selects; no copy is made in the usual case that all are."""
    return values if mask.all() else values[mask]

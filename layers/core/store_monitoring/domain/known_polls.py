"""Each store's known polls, sorted (rules 9, 10 and 21)."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from store_monitoring.domain.business_time import Span, business_time
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores
from store_monitoring.domain.parameters import WEEK_US, PollFilter
from store_monitoring.domain.runs import begins_run

NO_POLL = np.iinfo(np.int64).min
"""In place of the instant of a poll: there is no such poll."""


@dataclass(frozen=True, slots=True)
class KnownTime:
    """The time whose polls are known, of each store (rule 21).

    Attributes
    ----------
    since_us, until_us : int64 (stores,)
        Both instants are part of it.
    """

    since_us: Int64s
    until_us: Int64s

    @classmethod
    def of(cls, first_us: Int64s, last_us: Int64s, memory_us: int) -> Self:
        """Return the known time for windows between two instants of each store.

        For the windows of the classic report, it is [now − memory, now] (rule 9):

        >>> from store_monitoring.domain.parameters import DAY_US
        >>> known = KnownTime.of(np.array([93 * DAY_US]), np.array([100 * DAY_US]), 14 * DAY_US)
        >>> (known.since_us // DAY_US).tolist(), (known.until_us // DAY_US).tolist()
        ([86], [100])
        """
        return cls(first_us - (memory_us - WEEK_US), last_us)

    @property
    def span(self) -> Span:
        """The known time of all stores together."""
        if not len(self.since_us):
            return Span(0, 0)
        return Span(int(self.since_us.min()), int(self.until_us.max()) + 1)

    def contains(self, polls: Polls) -> Bools:
        """Return which polls are known: bool (polls,)."""
        at_us, span = polls.timestamp_us, self.span
        known: Bools = (span.start_us <= at_us) & (at_us < span.end_us)
        # In the classic report the known time of all stores is the same, and this suffices.
        if (self.since_us > span.start_us).any() or (self.until_us < span.end_us - 1).any():
            store = polls.store
            known &= (self.since_us[store] <= at_us) & (at_us <= self.until_us[store])
        return known


@dataclass(frozen=True, slots=True)
class KnownPolls:
    """The known polls that pass the filter: one per store and instant, sorted by both.

    Attributes
    ----------
    span : Span
        The known time of all stores together.
    position : int64 (instants,)
        Positions on the span's axis, ascending.
    active : bool (instants,)
        Whether each poll says active.
    border : int64 (stores + 1,)
        Index where each store's instants begin; the last element is the number of instants.
    """

    span: Span
    position: Int64s
    active: Bools
    border: Int64s

    @property
    def is_polled(self) -> Bools:
        """Whether each store has a known poll: bool (stores,)."""
        return self.border[:-1] < self.border[1:]

    @property
    def first(self) -> Int64s:
        """Index of the first poll of each store that has any."""
        return self.border[:-1][self.is_polled]

    def store(self, poll: Int64s) -> Int64s:
        """Return the stores of some polls, given the polls' indices in ascending order."""
        count = np.diff(np.searchsorted(poll, self.border))
        return np.repeat(np.arange(len(count)), count)

    def at_us(self, poll: Int64s, store: Int64s) -> Int64s:
        """Return when some polls of some stores were taken, microseconds UTC."""
        return self.span.instant_us(store, self.position[poll])


@dataclass(frozen=True, slots=True)
class LastPolls:
    """The last known poll of each store.

    Attributes
    ----------
    at_us : int64 (stores,)
        When it was taken, or `NO_POLL`.
    active : bool (stores,)
        Whether it says active.
    """

    at_us: Int64s
    active: Bools

    @property
    def is_polled(self) -> Bools:
        """Whether each store has a known poll: bool (stores,)."""
        is_polled: Bools = self.at_us != NO_POLL
        return is_polled


def known_polls(
    stores: Stores, polls: Polls, known: KnownTime, poll_filter: PollFilter
) -> KnownPolls:
    """Return the known polls that pass the filter, sorted.

    Raises
    ------
    ValueError
        If there are more stores than one axis can hold.
    """
    if poll_filter is PollFilter.BUSINESS_HOURS:
        polls = polls.where(known.contains(polls))
        polls = polls.where(taken_while_open(stores, polls))
    return sort_and_dedupe(polls, known)


def taken_while_open(stores: Stores, polls: Polls) -> Bools:
    """Return for each poll whether it was taken within its store's business time."""
    if not len(polls.timestamp_us):
        return np.empty(0, np.bool_)
    span = Span(int(polls.timestamp_us.min()), int(polls.timestamp_us.max()) + 1)
    open_time = business_time(stores, span)
    return open_time.intervals.contains(span.position(polls.store, polls.timestamp_us))


def sort_and_dedupe(polls: Polls, known: KnownTime) -> KnownPolls:
    """Return the known polls: one per store and instant, sorted by both.

    Notes
    -----
    Each poll becomes one integer. Of two polls at one instant, the inactive one is the smaller
    integer: it sorts first and is kept (rule 10). Polls come from files that are sorted; the stable
    sort finds such runs and merges them.
    """
    store_count, span = len(known.since_us), known.span
    span.check_room(store_count)
    key = span.position(polls.store, polls.timestamp_us)
    key <<= 1  # in place: allocating memory takes longer
    key |= polls.active
    is_known = known.contains(polls)
    if not is_known.all():
        key = key[is_known]
    key.sort(kind="stable")
    active = (key & 1).astype(np.bool_)
    position = np.right_shift(key, 1, out=key)
    is_first = begins_run(position)
    if not is_first.all():
        position, active = position[is_first], active[is_first]
    starts = span.position(np.arange(store_count + 1), span.start_us)
    return KnownPolls(span, position, active, np.searchsorted(position, starts))


def last_polls(known: KnownPolls) -> LastPolls:
    """Return each store's last poll."""
    store_count = len(known.border) - 1
    at_us = np.full(store_count, NO_POLL)
    active = np.zeros(store_count, np.bool_)
    store = np.flatnonzero(known.is_polled)
    last = known.border[1:][store] - 1
    at_us[store] = known.at_us(last, store)
    active[store] = known.active[last]
    return LastPolls(at_us, active)

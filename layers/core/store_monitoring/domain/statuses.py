"""The status of each store over time, by its known polls (rules 8 and 21)."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from store_monitoring.domain.business_time import Span
from store_monitoring.domain.known_polls import KnownPolls
from store_monitoring.domain.model import Bools, Int64s
from store_monitoring.domain.runs import begins_run, ends_run, last_of_runs


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time for each store, as positions on the axis of a span.

    Attributes
    ----------
    span : Span
    begin, end : int64 (stores,)
    """

    span: Span
    begin: Int64s
    end: Int64s

    @classmethod
    def between(cls, span: Span, begin_us: Int64s, end_us: Int64s) -> Self:
        """Return the stretches between two instants of each store."""
        store = np.arange(len(begin_us))
        return cls(span, span.position(store, begin_us), span.position(store, end_us))

    def position(self, store: Int64s, instant_us: Int64s) -> Int64s:
        """Return the positions of instants, moved into their stores' stretches."""
        position = self.span.position(store, instant_us)
        return np.clip(position, self.begin[store], self.end[store])


@dataclass(frozen=True, slots=True)
class Statuses:
    """Statuses of stores, and when each holds, sorted by store and time.

    Attributes
    ----------
    poll, store : int64 (statuses,)
        Index in `KnownPolls` of the poll that gives the status, and its store.
    poll_us : int64 (statuses,)
        When that poll was taken.
    active : bool (statuses,)
    since, until : int64 (statuses,)
        Positions on the stretch's axis between which each holds: disjoint, ascending. Equal where a
        status does not hold within the store's stretch.
    """

    poll: Int64s
    store: Int64s
    poll_us: Int64s
    active: Bools
    since: Int64s
    until: Int64s

    def known(self) -> tuple[Int64s, Int64s]:
        """Return when any status holds.

        Returns
        -------
        since, until : int64 (stretches,)
            Positions on the stretch's axis: disjoint, ascending. They may span several stores.
        """
        holds = self.since < self.until
        since, until = self.since[holds], self.until[holds]
        begins = np.append(True, since[1:] != until[:-1])[: len(since)]
        return since[begins], until[ends_run(begins)]


def status_changes(known: KnownPolls, memory_us: int) -> Int64s:
    """Return the indices of each store's first poll and of the polls that change its status.

    A poll that repeats the status before it changes nothing while that status holds. So uptime is
    computed from the returned polls only, which are few.
    """
    changes = begins_run(known.active)
    changes[known.first] = True
    if _may_end(known, memory_us):
        changes[1:] |= np.diff(known.position) > memory_us
    return np.flatnonzero(changes)


def statuses(known: KnownPolls, poll: Int64s, stretch: Stretch, memory_us: int) -> Statuses:
    """Return statuses and when they hold (rules 8 and 21). A store without a known poll has none.

    Parameters
    ----------
    known : KnownPolls
    poll : int64 (statuses,)
        Indices of the polls to use, ascending: those of `status_changes`, or more.
    stretch : Stretch
        When the statuses may hold.
    memory_us : int
        How long a status holds after its last poll, and before the store's first poll.

    Examples
    --------
    Polls at 2, 5 and 7 µs, of which the last two are within the stretch, 3 to 9 µs:

    >>> from store_monitoring.domain.known_polls import KnownTime, sort_and_dedupe
    >>> from store_monitoring.domain.model import Polls
    >>> known_time = KnownTime(np.array([0]), np.array([9]))
    >>> def known(at_us, active):
    ...     return sort_and_dedupe(Polls(np.zeros(3, np.int64), at_us, active), known_time)
    >>> three = known(np.array([2, 5, 7]), np.array([True, False, True]))
    >>> stretch = Stretch.between(Span(3, 9), np.array([3]), np.array([9]))
    >>> held = statuses(three, np.arange(3), stretch, 10)
    >>> held.since.tolist(), held.until.tolist(), held.poll_us.tolist()
    ([0, 2, 4], [2, 4, 6], [2, 5, 7])

    If a status holds for 2 µs only, the one at 2 µs ends before the next begins:

    >>> held = statuses(three, np.arange(3), stretch, 2)
    >>> held.since.tolist(), held.until.tolist()
    ([0, 2, 4], [1, 4, 6])
    """
    store = known.store(poll)
    poll_us = known.at_us(poll, store)
    since = stretch.position(store, poll_us)
    # Extend the first status backwards.
    first = np.flatnonzero(poll == known.border[store])
    since[first] = stretch.position(store[first], poll_us[first] - memory_us)
    # A status holds until the store's next one, the last one until the stretch's end.
    until = np.append(since[1:], 0)[: len(poll)]
    last = last_of_runs(first, len(poll))
    until[last] = stretch.end[store[last]]
    if _may_end(known, memory_us):
        last_poll = last_of_runs(poll, len(known.position))
        ends_us = known.at_us(last_poll, store) + memory_us
        until = np.minimum(until, stretch.position(store, ends_us))
    return Statuses(poll, store, poll_us, known.active[poll], since, until)


def _may_end(known: KnownPolls, memory_us: int) -> bool:
    """Return whether a status may end before the known time does (not in the classic report)."""
    return known.span.length_us - 1 > memory_us


def covered(known: KnownPolls, coverage_us: int, stretch: Stretch) -> tuple[Int64s, Int64s]:
    """Return when stores are covered: at most `coverage_us` after a known poll (rule 19).

    Returns
    -------
    since, until : int64 (runs,)
        Positions on the stretch's axis: disjoint, sorted by store and time.

    Examples
    --------
    Polls at 2, 5 and 12 µs, each of which covers 4 µs:

    >>> from store_monitoring.domain.known_polls import KnownTime, sort_and_dedupe
    >>> from store_monitoring.domain.model import Polls
    >>> polls = Polls(np.zeros(3, np.int64), np.array([2, 5, 12]), np.zeros(3, np.bool_))
    >>> known = sort_and_dedupe(polls, KnownTime(np.array([0]), np.array([15])))
    >>> stretch = Stretch.between(Span(0, 15), np.array([0]), np.array([15]))
    >>> since, until = covered(known, 4, stretch)
    >>> since.tolist(), until.tolist()
    ([2, 12], [9, 15])
    """
    # A run is polls of a store of which each is covered by the one before it.
    begins = np.ones(len(known.position), np.bool_)
    np.greater(np.diff(known.position), coverage_us, out=begins[1:])
    begins[known.first] = True
    first = np.flatnonzero(begins)
    last = last_of_runs(first, len(begins))
    store = known.store(first)
    since = stretch.position(store, known.at_us(first, store))
    until = stretch.position(store, known.at_us(last, store) + coverage_us)
    within = since < until
    return since[within], until[within]

"""The status of each store over time, by its known polls (rule 8)."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.business_time import Span
from store_monitoring.domain.known_polls import KnownPolls
from store_monitoring.domain.model import Bools, Int64s


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the week for each store, as positions on the week's axis.

    Attributes
    ----------
    week : Span
    begin, end : int64 (stores,)
    """

    week: Span
    begin: Int64s
    end: Int64s

    def position(self, store: Int64s, instant_us: Int64s) -> Int64s:
        """Return the positions of stores' instants, moved to the nearest end of their stretches."""
        position = self.week.position(store, instant_us)
        return np.clip(position, self.begin[store], self.end[store])


def whole_week(week: Span, store_count: int) -> Stretch:
    """Return the whole week of each store."""
    begin = np.arange(store_count) * week.length_us
    return Stretch(week, begin, begin + week.length_us)


@dataclass(frozen=True, slots=True)
class Statuses:
    """Statuses of stores, and when each holds: by store and time.

    Attributes
    ----------
    poll, store : int64 (statuses,)
        Index in `KnownPolls` of the poll that says so, and its store.
    poll_us : int64 (statuses,)
        When that poll was taken.
    active : bool (statuses,)
    since, until : int64 (statuses,)
        Positions on the week's axis between which each holds: disjoint, ascending. Equal where a
        status does not hold within the store's stretch.
    """

    poll: Int64s
    store: Int64s
    poll_us: Int64s
    active: Bools
    since: Int64s
    until: Int64s


def status_changes(known: KnownPolls) -> Int64s:
    """Return the indices of each store's first poll and of the polls that change its status.

    Polls that repeat the store's previous status change nothing. So uptime is computed from these
    only, which are few.
    """
    active = known.active
    changes = np.append(True, active[1:] != active[:-1])[: len(active)]
    changes[known.first] = True
    return np.flatnonzero(changes)


def statuses(known: KnownPolls, poll: Int64s, stretch: Stretch) -> Statuses:
    """Return statuses and when they hold (rule 8). A store without a known poll has none.

    Parameters
    ----------
    known : KnownPolls
    poll : int64 (statuses,)
        Indices of the polls to use, ascending; each store's first poll is among them.
    stretch : Stretch
        When the statuses may hold.

    Examples
    --------
    Polls at 2, 5 and 7 µs, of which the last two are within the week, 3 to 9 µs:

    >>> from store_monitoring.domain.known_polls import sort_and_dedupe
    >>> from store_monitoring.domain.model import Polls
    >>> polls = Polls(np.array([0, 0, 0]), np.array([2, 5, 7]), np.array([True, False, True]))
    >>> known = sort_and_dedupe(polls, Span(0, 10), 1)
    >>> held = statuses(known, np.arange(3), whole_week(Span(3, 9), 1))
    >>> held.since.tolist(), held.until.tolist(), held.poll_us.tolist()
    ([0, 2, 4], [2, 4, 6], [2, 5, 7])
    """
    store = known.store(poll)
    poll_us = known.at_us(poll, store)
    since = stretch.position(store, poll_us)
    # Extend the first status backwards, to the start of the store's stretch.
    is_first = poll == known.border[store]
    since[is_first] = stretch.begin[store[is_first]]
    # A status holds until the store's next one, the last one until the stretch's end.
    is_last = np.append(is_first[1:], True)[: len(poll)]
    until = np.where(is_last, stretch.end[store], np.append(since[1:], 0)[: len(poll)])
    return Statuses(poll, store, poll_us, (known.key[poll] & 1).astype(np.bool_), since, until)


def covered(known: KnownPolls, coverage_us: int, stretch: Stretch) -> tuple[Int64s, Int64s]:
    """Return when stores are covered: at most `coverage_us` after a known poll (rule 19).

    Returns
    -------
    since, until : int64 (runs,)
        Positions on the week's axis: disjoint, ascending, by store and time.

    Examples
    --------
    Polls at 2, 5 and 12 µs, each of which covers 4 µs:

    >>> from store_monitoring.domain.known_polls import sort_and_dedupe
    >>> from store_monitoring.domain.model import Polls
    >>> polls = Polls(np.zeros(3, np.int64), np.array([2, 5, 12]), np.zeros(3, np.bool_))
    >>> known = sort_and_dedupe(polls, Span(0, 20), 1)
    >>> since, until = covered(known, 4, whole_week(Span(0, 15), 1))
    >>> since.tolist(), until.tolist()
    ([2, 12], [9, 15])
    """
    # A run is polls of a store of which each is covered by the one before it.
    position = known.key >> 1
    begins = np.append(True, position[1:] - position[:-1] > coverage_us)[: len(position)]
    begins[known.first] = True
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(position))[: len(first)] - 1
    store = known.store(first)
    since = stretch.position(store, known.at_us(first, store))
    until = stretch.position(store, known.at_us(last, store) + coverage_us)
    within = since < until
    return since[within], until[within]

"""When each store is active, by the evidence (rules 8 and 11)."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.business_time import Span
from store_monitoring.domain.known_polls import NO_POLL, KnownPolls
from store_monitoring.domain.model import Bools, Int64s


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


def activity(known: KnownPolls, week: Span) -> Activity:
    """Return when all stores are active in a week that ends now.

    A status holds until the next poll of the store that says another one: those that repeat it
    say nothing new. So only a store's first poll and the changes matter, which are few.
    """
    active = known.active
    changes = np.append(True, active[1:] != active[:-1])[: len(active)]
    changes[known.first] = True
    change = np.flatnonzero(changes)
    since, until = _held(known, change, week)
    up = active[change] & (since < until)
    return Activity(since[up], until[up])


def statuses(known: KnownPolls, week: Span) -> Statuses:
    """Return what `activity` rests on, poll by poll.

    Examples
    --------
    Polls at 2, 5 and 7 µs, in a week of 3 to 9 µs: the last two within it.

    >>> from store_monitoring.domain.known_polls import sort_and_dedupe
    >>> from store_monitoring.domain.model import Polls
    >>> polls = Polls(np.array([0, 0, 0]), np.array([2, 5, 7]), np.array([True, False, True]))
    >>> held = statuses(sort_and_dedupe(polls, Span(0, 10), 1), Span(3, 9))
    >>> held.since.tolist(), held.until.tolist(), held.poll_us.tolist()
    ([0, 2, 4], [2, 4, 6], [2, 5, 7])
    """
    since, until = _held(known, np.arange(len(known.key)), week)
    silent = np.flatnonzero(np.diff(known.border) == 0)  # down for the whole week (rule 11)
    place = known.border[silent]
    since = np.insert(since, place, silent * week.length_us)
    until = np.insert(until, place, (silent + 1) * week.length_us)
    active = np.insert(known.active, place, values=False)
    poll_us = np.insert(known.instant_us, place, NO_POLL)
    holds = since < until
    return Statuses(since[holds], until[holds], active[holds], poll_us[holds])


def _held(known: KnownPolls, which: Int64s, week: Span) -> tuple[Int64s, Int64s]:
    """Return from where to where, on the week's axis, statuses hold (rule 8).

    Parameters
    ----------
    known : KnownPolls
    which : int64 (statuses,)
        Indices of those that count, ascending, each store's first among them.
    week : Span

    Returns
    -------
    since, until : int64 (statuses,)
        Both the same if the status is followed by another before the week, or begins at its end.
    """
    store, since_us = np.divmod(known.key[which] >> 1, known.span.length_us)
    since_us -= week.start_us - known.span.start_us
    # The first status is extended backwards, to the start of the store's week.
    since_us[np.searchsorted(which, known.first)] = 0
    since = store * week.length_us + np.maximum(since_us, 0)
    # The last one holds until now, and there the next store's week begins.
    end = (store + 1) * week.length_us
    return since, np.minimum(np.append(since[1:], end[-1:]), end)

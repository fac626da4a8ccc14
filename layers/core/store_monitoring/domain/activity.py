"""When each store is active, by its known polls (rules 8 and 11)."""

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
    """The statuses of all stores, and when each holds.

    Attributes
    ----------
    since, until : int64 (statuses,)
        Positions on the week's axis between which each holds: disjoint, ascending, without gaps.
    active : bool (statuses,)
    poll_us : int64 (statuses,)
        Instant of the poll that says so; `NO_POLL` for a store without a known poll (rule 11).
    """

    since: Int64s
    until: Int64s
    active: Bools
    poll_us: Int64s


def activity(known: KnownPolls, week: Span) -> Activity:
    """Return when all stores are active in a week that ends now.

    Polls that repeat the store's previous status change nothing. So the computation uses only each
    store's first poll and its changes of status, which are few.
    """
    active = known.active
    changes = np.append(True, active[1:] != active[:-1])[: len(active)]
    changes[known.first] = True
    change = np.flatnonzero(changes)
    since, until = _held(known, change, week)
    up = active[change] & (since < until)
    return Activity(since[up], until[up])


def statuses(known: KnownPolls, week: Span) -> Statuses:
    """Return the statuses that `activity` is computed from, one for each poll.

    Examples
    --------
    Polls at 2, 5 and 7 µs, of which the last two are within the week, 3 to 9 µs:

    >>> from store_monitoring.domain.known_polls import sort_and_dedupe
    >>> from store_monitoring.domain.model import Polls
    >>> polls = Polls(np.array([0, 0, 0]), np.array([2, 5, 7]), np.array([True, False, True]))
    >>> held = statuses(sort_and_dedupe(polls, Span(0, 10), 1), Span(3, 9))
    >>> held.since.tolist(), held.until.tolist(), held.poll_us.tolist()
    ([0, 2, 4], [2, 4, 6], [2, 5, 7])
    """
    since, until = _held(known, np.arange(len(known.key)), week)
    silent = np.flatnonzero(np.diff(known.border) == 0)  # down for the whole week (rule 11)
    index = known.border[silent]
    since = np.insert(since, index, silent * week.length_us)
    until = np.insert(until, index, (silent + 1) * week.length_us)
    active = np.insert(known.active, index, values=False)
    poll_us = np.insert(known.instant_us, index, NO_POLL)
    holds = since < until
    return Statuses(since[holds], until[holds], active[holds], poll_us[holds])


def _held(known: KnownPolls, which: Int64s, week: Span) -> tuple[Int64s, Int64s]:
    """Return the stretches of the week's axis in which statuses hold (rule 8).

    Parameters
    ----------
    known : KnownPolls
    which : int64 (statuses,)
        Indices of the polls to use, ascending; each store's first poll is among them.
    week : Span

    Returns
    -------
    since, until : int64 (statuses,)
        Equal where a status does not hold within the week: it ends before the week, or begins at
        its end.
    """
    store, since_us = np.divmod(known.key[which] >> 1, known.span.length_us)
    since_us -= week.start_us - known.span.start_us
    # Extend the first status backwards, to the start of the store's week.
    since_us[np.searchsorted(which, known.first)] = 0
    since = store * week.length_us + np.maximum(since_us, 0)
    # The last status holds until now, where the next store's week begins on the axis.
    end = (store + 1) * week.length_us
    return since, np.minimum(np.append(since[1:], end[-1:]), end)

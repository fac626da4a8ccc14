"""Cut polls and stores into pieces that fit into memory."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np

from store_monitoring.domain.business_time import AXIS_US
from store_monitoring.domain.model import Int64s, Polls, concat_polls
from store_monitoring.domain.parameters import WEEK_US, WINDOWS_US
from store_monitoring.domain.uptime import Piece

_NO_POLLS = Polls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))
_MAX_OPENINGS = 2_000_000  # each takes about 100 bytes while business time is computed


def cut_by_time(
    read: Callable[[int, int], Iterable[Polls]], since_us: int, now_us: int, max_polls: int
) -> Iterator[Piece]:
    """Cut polls into pieces, reading them once for each piece.

    A piece has the earliest polls that are not in a previous piece. To find them, up to twice as
    many polls and one batch are held in memory.

    Parameters
    ----------
    read : callable
        Yields, batch by batch, all polls from one instant to another, and possibly others.
    since_us, now_us : int
        The poll memory.
    max_polls : int
        Maximum number of polls in a piece; exceeded only if more stores were polled at one instant.
    """
    length_us = now_us + 1 - since_us
    while since_us <= now_us:
        until_us = min(since_us + length_us, now_us + 1)
        held, count = [_NO_POLLS], 0
        for batch in read(since_us, until_us):
            at_us = batch.timestamp_us
            held.append(batch.where((at_us >= since_us) & (at_us < until_us)))
            count += len(held[-1].store)
            if count > 2 * max_polls:
                polls, until_us = _earliest(concat_polls(held), until_us, max_polls)
                held, count = [polls], len(polls.store)
        polls, until_us = _earliest(concat_polls(held), until_us, max_polls)
        del held
        yield Piece(polls, until_us)
        # The next piece will be about as long: read twice that time for it, not all later polls.
        length_us = 2 * (until_us - since_us)
        since_us = until_us


def _earliest(polls: Polls, until_us: int, max_polls: int) -> tuple[Polls, int]:
    """Return the earliest polls, and the instant before which all of them were taken."""
    at_us = polls.timestamp_us
    if len(at_us) <= max_polls:
        return polls, until_us
    border_us = int(np.partition(at_us, max_polls)[max_polls])
    first_us = int(at_us.min())
    if border_us > first_us:
        return polls.where(at_us < border_us), border_us
    at_once = polls.where(at_us == first_us)  # several files may contain the same poll
    code = np.unique(at_once.store << 1 | at_once.active)
    return Polls(code >> 1, np.full(len(code), first_us), (code & 1).astype(np.bool_)), first_us + 1


def cut_by_store(
    rows: Int64s, span_us: int, known_us: int, windows: int = len(WINDOWS_US)
) -> list[tuple[int, int]]:
    """Cut stores into runs that can be computed at once.

    Parameters
    ----------
    rows : int64 (stores,)
        Number of rows of hours, special hours and exclusions of each store.
    span_us : int
        Length of the time for which business time is computed.
    known_us : int
        Length of the known time, and of each store's part of the axis.
    windows : int
        Maximum number of windows of a store.

    Returns
    -------
    list of tuple of int
        First store of each run, and the store after its last.

    Examples
    --------
    >>> from store_monitoring.domain.parameters import DAY_US
    >>> cut_by_store(np.full(8000, 7), 7 * DAY_US, 14 * DAY_US)
    [(0, 8000)]
    >>> cut_by_store(np.full(8000, 7), 7 * DAY_US, 3650 * DAY_US)
    [(0, 3502), (3502, 7004), (7004, 8000)]
    """
    # The shares of a run that each store takes: of the axis, of which at most half is used to be
    # safe, and of the memory for openings. A window takes about as much memory as an opening.
    axis_share = 2 * (max(known_us, WEEK_US) + 1) / AXIS_US
    memory_share = (rows * (span_us / WEEK_US + 2) + windows) / _MAX_OPENINGS
    run = np.ceil(np.cumsum(axis_share + memory_share))
    borders = np.flatnonzero(np.diff(run)) + 1
    return list(pairwise([0, *borders.tolist(), len(rows)]))

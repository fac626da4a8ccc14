"""Trying to commit again, when others were faster."""

import random
import time
from collections.abc import Iterator

from store_monitoring.errors import TransientError
from store_monitoring.ingest.deadline import Deadline

_FIRST_WAIT_SECONDS = 0.25  # about what an attempt takes

_LONGEST_WAIT_SECONDS = 20.0


def commit_attempts(deadline: Deadline) -> Iterator[None]:
    """Yield for each attempt to commit, after a while of waiting if it is not the first.

    Raises
    ------
    TransientError
        If others were always faster until the deadline.
    """
    for wait_seconds in commit_waits(deadline, random.Random()):  # noqa: S311  # no secret
        time.sleep(wait_seconds)
        yield


def commit_waits(deadline: Deadline, chance: random.Random) -> Iterator[float]:
    """Yield how many seconds to wait before each attempt to commit.

    The first one waits for nothing; then the waits grow, with full jitter: so attempts get fewer
    until they are about as many as can be committed.

    Raises
    ------
    TransientError
        When the next attempt would come after the deadline.
    """
    yield 0.0
    longest = _FIRST_WAIT_SECONDS
    while True:
        wait_seconds = chance.uniform(0, longest)
        if deadline.seconds_left() < wait_seconds:
            raise TransientError("other ingests were always committed first")
        yield wait_seconds
        longest = min(longest * 2, _LONGEST_WAIT_SECONDS)

"""Retries of a commit that lost to a concurrent one."""

import random
import time
from collections.abc import Iterator

from store_monitoring.errors import TransientError
from store_monitoring.ingest.deadline import Deadline

_FIRST_WAIT_SECONDS = 0.25  # about as long as an attempt takes
_MAX_WAIT_SECONDS = 20.0


def commit_attempts(deadline: Deadline) -> Iterator[None]:
    """Yield for each attempt to commit; wait before all but the first.

    Raises
    ------
    TransientError
        If each attempt lost to another commit until the deadline.
    """
    for wait_seconds in commit_waits(deadline, random.Random()):  # noqa: S311  # no secret
        time.sleep(wait_seconds)
        yield


def commit_waits(deadline: Deadline, rng: random.Random) -> Iterator[float]:
    """Yield how many seconds to wait before each attempt to commit.

    The first attempt does not wait. Then the waits grow exponentially, with full jitter, until
    there are about as many attempts as commits can succeed.

    Raises
    ------
    TransientError
        If the next attempt would start after the deadline.
    """
    yield 0.0
    max_seconds = _FIRST_WAIT_SECONDS
    while True:
        wait_seconds = rng.uniform(0, max_seconds)
        if deadline.seconds_left() < wait_seconds:
            raise TransientError("other ingests were always committed first")
        yield wait_seconds
        max_seconds = min(max_seconds * 2, _MAX_WAIT_SECONDS)

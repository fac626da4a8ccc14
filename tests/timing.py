"""Limits on time hold on machines that are busy with other tests, too."""

import time
from collections.abc import Callable

_ATTEMPTS = 10
_SAMPLE_SECONDS = 0.1


def is_met(limit: float, attempt: Callable[[], float]) -> bool:
    """Return whether one of a few attempts keeps to a limit, which is longer on a busy machine.

    Parameters
    ----------
    limit
        The longest time on an idle machine.
    attempt
        Does what is limited; returns how long it took, in the unit of the limit.
    """
    return any(attempt() <= limit * _slowdown() for _ in range(_ATTEMPTS))


def _slowdown() -> float:
    """Return how many times as long as on an idle machine work takes now: 1 or more."""
    began, worked = time.monotonic(), time.thread_time()
    while time.thread_time() - worked < _SAMPLE_SECONDS:
        pass
    return (time.monotonic() - began) / _SAMPLE_SECONDS

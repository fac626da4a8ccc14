"""Limits on time hold on machines that are busy with other tests, too."""

from collections.abc import Callable

_ATTEMPTS = 10


def is_met(limit: float, attempt: Callable[[], float]) -> bool:
    """Return whether one of a few attempts keeps to a limit.

    The machine may delay an attempt; what is too slow by itself exceeds the limit every time.

    Parameters
    ----------
    limit
        The longest time.
    attempt
        Does what is limited; returns how long it took, in the unit of the limit.
    """
    return any(attempt() <= limit for _ in range(_ATTEMPTS))

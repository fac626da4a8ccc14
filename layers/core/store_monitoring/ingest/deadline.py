"""The time that a function has left, and attempts to commit within it."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Self

from store_monitoring.errors import TransientError, UnreadableFileError

RESERVE_SECONDS = 30
"""Time reserved for a clean end: to commit, or to record a failure."""

_FIRST_WAIT_SECONDS = 0.25  # about as long as an attempt takes
_MAX_WAIT_SECONDS = 20.0


class Deadline:
    """The time limit of a function call.

    Parameters
    ----------
    seconds_left : callable
        Returns how many seconds are left.

    Examples
    --------
    >>> Deadline(lambda: 100).seconds_left()
    70
    """

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        self._seconds_left = seconds_left
        self._minutes = round(seconds_left() / 60)

    @classmethod
    def within(cls, seconds: float) -> Self:
        """Return a deadline so many seconds from now."""
        ends_at = time.monotonic() + seconds
        return cls(lambda: ends_at - time.monotonic())

    def seconds_left(self) -> float:
        """Return how many seconds are left, without the reserve."""
        return self._seconds_left() - RESERVE_SECONDS

    def check_file(self) -> None:
        """Raise an error if no time is left for the rest of a file.

        Raises
        ------
        UnreadableFileError
            If no time is left. It is final: another call would run out of time, too.
        """
        if self.seconds_left() <= 0:
            raise UnreadableFileError(
                f"the file cannot be ingested within {self._minutes} minutes; split it into smaller"
                " files"
            )


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

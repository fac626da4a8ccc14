"""The time that a function has left."""

import time
from collections.abc import Callable
from typing import Self

from store_monitoring.errors import UnreadableFileError

RESERVE_SECONDS = 30
"""Time reserved for a clean end: to commit, or to record a failure."""


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

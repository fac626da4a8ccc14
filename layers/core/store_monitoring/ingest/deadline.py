"""How much time a function has left."""

import time
from collections.abc import Callable
from typing import Self

from store_monitoring.errors import UnreadableFileError

RESERVE_SECONDS = 30

"""What is kept to end in order: to commit, or to record why not."""


class Deadline:
    """The end of a function's time.

    Parameters
    ----------
    seconds_left : callable
        Returns how many seconds are left until then.

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
        """Return how many seconds are left to work in."""
        return self._seconds_left() - RESERVE_SECONDS

    def check_file(self) -> None:
        """Check that there is time left to read and write the rest of a file.

        Raises
        ------
        UnreadableFileError
            If there is none: a whole call is not enough for the file, so another one will not be.
        """
        if self.seconds_left() <= 0:
            raise UnreadableFileError(
                f"the file cannot be ingested within {self._minutes} minutes; split it into smaller"
                " files"
            )

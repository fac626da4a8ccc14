"""Trying to commit again, when others were faster."""

import random
import time
from collections.abc import Iterator

from store_monitoring.errors import TransientError

_ATTEMPTS = 20
_WAIT_SECONDS = 0.5


def commit_attempts() -> Iterator[None]:
    """Yield for each attempt to commit, after a while of waiting if it is not the first.

    Raises
    ------
    TransientError
        If others were always faster.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, _WAIT_SECONDS))  # noqa: S311  # no secret
        yield
    raise TransientError(f"{_ATTEMPTS} other ingests were committed first")

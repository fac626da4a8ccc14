"""When a message about an upload is delivered again, after ingest has failed."""

import random

_FIRST_DELAY_SECONDS = 15
_LONGEST_DELAY_SECONDS = 900


def redelivery_seconds(receives: int, chance: random.Random) -> int:
    """Return how many seconds to wait before a message is delivered again.

    The delays grow, and are spread: what failed together does not come back together.

    Parameters
    ----------
    receives : int
        How often it was delivered so far.

    Examples
    --------
    >>> [redelivery_seconds(receives, random.Random(7)) for receives in (1, 2, 3, 4)]
    [10, 40, 159, 596]
    """
    longest = min(_FIRST_DELAY_SECONDS * 4 ** (receives - 1), _LONGEST_DELAY_SECONDS)
    return round(chance.uniform(longest / 2, longest))

"""Rounding to two decimals, half to even, from exact microseconds (rule 14)."""

import numpy as np

from store_monitoring.domain.model import Int64s


def hundredths(length_us: Int64s, unit_us: int) -> Int64s:
    """Return lengths of time in hundredths of a unit, rounded half to even.

    Parameters
    ----------
    length_us : int64 (n,)
    unit_us : int
        The unit's length; a multiple of 200.

    Examples
    --------
    0.125 and 0.135 hours are halfway between two results:

    >>> hundredths(np.array([450_000_000, 486_000_000]), 3_600_000_000).tolist()
    [12, 14]
    """
    whole, rest = np.divmod(length_us, unit_us // 100)
    half = unit_us // 200
    rounded: Int64s = whole + ((rest > half) | ((rest == half) & (whole % 2 == 1)))
    return rounded

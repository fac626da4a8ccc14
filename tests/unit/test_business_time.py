"""Business time itself, as UTC intervals, where a report cannot show it."""

import numpy as np
import pytest

from store_monitoring.domain.business_time import Span, business_time
from store_monitoring.domain.model import Stores, WeeklyHours

NO_HOURS = WeeklyHours(*[np.empty(0, np.int64)] * 4)


def stores(count: int) -> Stores:
    return Stores(np.zeros(count, np.int64), ("UTC",), NO_HOURS)


def test_more_stores_than_an_axis_holds_are_refused() -> None:
    longest = Span(0, 2**61 // 2)
    assert len(business_time(stores(2), longest).start) == 1
    with pytest.raises(ValueError, match=r"^3 stores × 1152921504606846976 µs do not fit"):
        business_time(stores(3), longest)

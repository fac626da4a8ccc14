"""The offsets of the time around some wall times suffice to convert them to UTC."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from store_monitoring.domain.parameters import HOUR_US
from store_monitoring.domain.time_zones import is_zone_name, local_time, zone_offsets
from store_monitoring.instants import to_us
from tests.oracle import clock_of
from tests.property.transitions import TRANSITIONS, Transition

HALF_AN_HOUR = timedelta(minutes=30)
DAYS = timedelta(days=4)


def wall_times(transition: Transition) -> list[datetime]:
    first, last = sorted((transition.shown_before, transition.shown_after))
    return [first - HALF_AN_HOUR, first, first + (last - first) / 2, last, last + HALF_AN_HOUR]


@pytest.mark.parametrize("transition", TRANSITIONS, ids=str)
def test_offsets_of_one_wall_time_suffice_for_it(transition: Transition) -> None:
    by_oracle = clock_of(transition.zone, transition.instant - DAYS, transition.instant + DAYS)
    for wall in wall_times(transition):
        wall_us = to_us(wall.replace(tzinfo=UTC))
        offsets = zone_offsets(transition.zone, wall_us, wall_us)
        assert offsets.opening_us(np.array([wall_us])) == to_us(by_oracle.opening(wall))
        assert offsets.closing_us(np.array([wall_us])) == to_us(by_oracle.closing(wall))


def test_names_of_zones() -> None:
    assert is_zone_name("America/New_York")
    assert not is_zone_name("America/Gotham")


def test_a_zone_whose_clocks_never_change_gives_whole_microseconds() -> None:
    offsets = zone_offsets("UTC", 0, 0)
    assert (offsets.transition_us.tolist(), offsets.offset_us.tolist()) == ([], [0])
    for wall_to_utc in (offsets.opening_us, offsets.closing_us):
        instants_us = wall_to_utc(np.array([1]))
        assert instants_us.tolist() == [1]
        assert instants_us.dtype == np.dtype(np.int64)


def test_local_time_has_the_zone_s_offset() -> None:
    assert local_time("Asia/Kathmandu", HOUR_US).isoformat() == "1970-01-01T06:30:00+05:30"

"""Business time and what is computed from it, where one store's report cannot show it."""

import numpy as np
import pytest

from store_monitoring.domain.business_time import Span, business_time
from store_monitoring.domain.known_polls import NO_POLL, KnownTime, sort_and_dedupe
from store_monitoring.domain.model import Polls, Stores, WeeklyHours
from store_monitoring.domain.parameters import WEEK_US, Parameters
from store_monitoring.domain.statuses import Stretch, statuses
from store_monitoring.domain.timeline import timeline
from store_monitoring.domain.uptime import compute_uptime
from store_monitoring.domain.windows import classic_windows
from tests.cases import EVERY_DAY, SUNDAY, inactive, opens, utc
from tests.compute_by_domain import (
    compute_by_domain,
    everything_by_domain,
    everything_by_oracle,
)
from tests.oracle import Case, report

NO_HOURS = WeeklyHours(*[np.empty(0, np.int64)] * 4)


def stores(count: int) -> Stores:
    return Stores(np.zeros(count, np.int64), ("UTC",), NO_HOURS)


def test_more_stores_than_an_axis_holds_are_refused() -> None:
    longest = Span(0, 2**61 // 2)
    assert len(business_time(stores(2), longest).intervals.start) == 1
    with pytest.raises(ValueError, match=r"^3 stores × 1152921504606846976 µs"):
        business_time(stores(3), longest)


def test_many_stores_in_many_zones_are_kept_apart() -> None:
    zones = ["UTC", *(f"Etc/GMT{shift:+d}" for shift in range(-14, 13) if shift)]
    zone_of_store = {f"{zone} {day}": zone for zone in zones for day in EVERY_DAY}
    rows = tuple(
        row
        for store_id in zone_of_store
        for row in opens("09:00", "17:00", int(store_id[-1]), store_id=store_id)
    )
    case = Case((), rows, zone_of_store, utc("2024-10-16 12:00"))
    assert compute_by_domain(case) == report(case)


def test_hours_within_a_gap_are_no_outage() -> None:
    # Sunday 2024-03-10: clocks in New York go from 02:00 to 03:00.
    rows = opens("02:10", "02:50", SUNDAY) + opens("09:00", "17:00", SUNDAY)
    polls = (inactive("2024-03-10 00:00"),)
    case = Case(polls, rows, {"s": "America/New_York"}, utc("2024-03-12 12:00"))
    every = everything_by_domain(case)
    assert every == everything_by_oracle(case)
    _, details, _ = every
    assert details["s"].outages[-1] == 1


def test_all_figures_are_whole_microseconds() -> None:
    polls = Polls(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.bool_))
    figures = compute_uptime(
        stores(2), polls, classic_windows(2, WEEK_US), Parameters(WEEK_US), keep_outages=True
    )
    assert figures.all_outages is not None
    totals, outages = figures.totals, figures.outages
    for lengths_or_instants in (
        *(totals.uptime_us, totals.downtime_us, totals.no_data_us, totals.covered_us),
        totals.excluded_us,
        *(outages.count, outages.longest_us, outages.incidents, outages.recoveries),
        *(outages.recovery_us, outages.starts, figures.polls, figures.last_polls.at_us),
        *figures.all_outages.columns,
    ):
        assert lengths_or_instants.dtype == np.int64
    assert figures.last_polls.active.dtype == np.bool_


def test_stores_without_polls_have_no_status() -> None:
    polls = Polls(np.ones(1, np.int64), np.array([WEEK_US]), np.ones(1, np.bool_))
    first_us, last_us = np.full((2, 3), [[WEEK_US], [2 * WEEK_US]])
    known = sort_and_dedupe(polls, KnownTime.of(first_us, last_us, 2 * WEEK_US))
    stretch = Stretch.between(Span(WEEK_US, 2 * WEEK_US), first_us, last_us)
    held = statuses(known, np.array([0]), stretch, 2 * WEEK_US)
    assert held.store.tolist() == [1]
    assert (held.since.tolist(), held.until.tolist()) == ([WEEK_US], [2 * WEEK_US])


def test_a_timeline_is_about_one_store() -> None:
    polls = Polls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    with pytest.raises(ValueError, match=r"\b2$"):
        timeline(stores(2), polls, WEEK_US, Parameters(WEEK_US))


def test_a_timeline_without_polls_is_no_data() -> None:
    polls = Polls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    week = timeline(stores(1), polls, 2 * WEEK_US, Parameters(2 * WEEK_US))
    assert (week.statuses.since.tolist(), week.statuses.until.tolist()) == ([0], [WEEK_US])
    assert week.statuses.poll_us.tolist() == [NO_POLL]
    assert week.totals.no_data_us[0] == WEEK_US


def test_a_timeline_has_the_last_poll_before_the_week_besides_one_at_its_start() -> None:
    instants = [WEEK_US - 2, WEEK_US - 1, WEEK_US]
    polls = Polls(np.zeros(3, np.int64), np.array(instants), np.ones(3, np.bool_))
    week = timeline(stores(1), polls, 2 * WEEK_US, Parameters(2 * WEEK_US))
    assert week.polls.timestamp_us.tolist() == instants[1:]


def test_a_timeline_has_the_poll_at_the_start_of_the_week() -> None:
    polls = Polls(np.zeros(1, np.int64), np.array([WEEK_US]), np.ones(1, np.bool_))
    week = timeline(stores(1), polls, 2 * WEEK_US, Parameters(2 * WEEK_US))
    assert week.statuses.poll_us.tolist() == [WEEK_US]

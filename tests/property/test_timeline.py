"""A timeline has everything from which its totals are computed."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from store_monitoring.domain.known_polls import NO_POLL
from store_monitoring.domain.model import Bools, Int64s, Polls, Stores, WeeklyHours
from store_monitoring.domain.parameters import WEEK_US, WINDOWS_US, Parameters
from store_monitoring.domain.timeline import Timeline, timeline
from tests.compute_by_domain import timeline_by_domain
from tests.oracle import Case, Totals, business_time_us, details, report
from tests.property.edges import edge_cases
from tests.property.test_uptime import cases, only

Intervals = list[tuple[int, int]]


def timelines(case: Case) -> dict[str, Timeline]:
    return {store_id: timeline_by_domain(only(case, {store_id})) for store_id in report(case)}


def intervals(start: Int64s, end: Int64s) -> Intervals:
    return list(zip(start.tolist(), end.tolist(), strict=True))


def open_intervals(result: Timeline) -> Intervals:
    return intervals(result.open_time.intervals.start, result.open_time.intervals.end)


def held(result: Timeline, chosen: Bools) -> Intervals:
    return intervals(result.statuses.since[chosen], result.statuses.until[chosen])


def common_us(some: Intervals, others: Intervals, since: int = 0) -> int:
    """Return the length of the overlap of two sets of intervals, from a position on."""
    return sum(
        max(min(end, other_end) - max(start, other_start, since), 0)
        for start, end in some
        for other_start, other_end in others
    )


def total_us(result: Timeline, chosen: Bools) -> tuple[int, int, int]:
    starts = (WEEK_US - window_us for window_us in WINDOWS_US)
    hour, day, week = (common_us(open_intervals(result), held(result, chosen), at) for at in starts)
    return hour, day, week


def are_disjoint_and_ascending(of: Intervals) -> bool:
    return all(start < end for start, end in of) and all(a[1] <= b[0] for a, b in pairwise(of))


def union(of: Iterable[tuple[int, int]]) -> Intervals:
    joined: Intervals = []
    for start, end in sorted(of):
        if joined and start <= joined[-1][1]:
            start, end = joined[-1][0], max(joined.pop()[1], end)
        joined.append((start, end))
    return joined


@given(cases() | edge_cases())
def test_the_totals_are_the_oracles_and_can_be_computed_from_the_timeline(case: Case) -> None:
    expected = report(case)
    for store_id, result in timelines(case).items():
        has_data = result.statuses.poll_us != NO_POLL
        active = result.statuses.active
        computed = Totals(
            total_us(result, active),
            total_us(result, ~active & has_data),
            total_us(result, ~has_data),
        )
        totals = result.totals
        exact = (totals.uptime_us, totals.downtime_us, totals.no_data_us)
        assert Totals(*(tuple(each[::-1].tolist()) for each in exact)) == computed
        excluded = intervals(result.open_time.excluded.start, result.open_time.excluded.end)
        hour, day, week = (common_us(excluded, [(WEEK_US - us, WEEK_US)]) for us in WINDOWS_US)
        assert replace(computed, excluded_us=(hour, day, week)) == expected[store_id]


@given(cases() | edge_cases())
def test_outages_are_the_downtime(case: Case) -> None:
    expected = details(case)
    for store_id, result in timelines(case).items():
        start_us, end_us = result.outages.start_us, result.outages.end_us
        outages = intervals(start_us - result.week.start_us, end_us - result.week.start_us)
        lengths_us = [end - start for start, end in outages]
        assert are_disjoint_and_ascending(outages)
        down = ~result.statuses.active & (result.statuses.poll_us != NO_POLL)
        assert common_us(outages, held(result, down)) == sum(lengths_us)
        assert common_us(outages, open_intervals(result)) == sum(lengths_us)
        assert sum(lengths_us) == result.totals.downtime_us[0]
        assert len(outages) == expected[store_id].outages[-1]
        assert max(lengths_us, default=0) == expected[store_id].longest_outage_us[-1]


@given(cases() | edge_cases())
def test_statuses_fill_the_week_and_come_from_polls_that_count(case: Case) -> None:
    for result in timelines(case).values():
        statuses = result.statuses
        assert statuses.since[0] == 0
        assert statuses.until[-1] == WEEK_US
        assert (statuses.since[1:] == statuses.until[:-1]).all()
        assert (statuses.since < statuses.until).all()
        counting = result.polls.where(result.counts)
        if (statuses.poll_us == NO_POLL).any():
            assert not len(counting.timestamp_us)
            assert statuses.active.tolist() == [False]
            continue
        # From the second on, a status begins with its poll; `inactive` wins (rule 10).
        assert (statuses.poll_us[1:] - result.week.start_us == statuses.since[1:]).all()
        for poll_us, active in zip(statuses.poll_us, statuses.active, strict=True):
            assert counting.active[counting.timestamp_us == poll_us].all() == active


@given(cases() | edge_cases())
def test_openings_make_up_the_business_time_and_the_excluded_time(case: Case) -> None:
    lengths_us = business_time_us(case)
    for store_id, result in timelines(case).items():
        open_time = open_intervals(result)
        assert are_disjoint_and_ascending(open_time)
        assert sum(end - start for start, end in open_time) == lengths_us[store_id][-1]
        excluded = intervals(result.open_time.excluded.start, result.open_time.excluded.end)
        start = np.maximum(result.openings.start_us - result.week.start_us, 0)
        end = np.minimum(result.openings.end_us - result.week.start_us, WEEK_US)
        parts = intervals(start, end)
        assert all(
            common_us([part], [open_time[interval]]) > 0
            for part, interval in zip(parts, result.interval, strict=True)
        )
        hours = [row for row in case.hours if row.store_id == store_id]
        special = [row for row in case.special_hours if row.store_id == store_id]
        if hours:
            assert {open_time[interval] for interval in result.interval} == set(open_time)
            assert union([*parts, *excluded]) == union([*open_time, *excluded])
        elif not special:
            assert (union([*open_time, *excluded]), len(parts)) == ([(0, WEEK_US)], 0)
        for date_, is_special, row in zip(
            result.openings.date, result.openings.is_special, result.openings.row, strict=True
        ):
            local_date = date(1970, 1, 1) + timedelta(days=int(date_))
            if is_special:
                assert special[row].date == local_date
            else:
                assert hours[row].day == local_date.weekday()
                assert local_date not in {each.date for each in special}


@given(cases() | edge_cases())
def test_polls_are_those_of_the_week_and_the_last_before_it(case: Case) -> None:
    for store_id, result in timelines(case).items():
        at_us = result.polls.timestamp_us
        keys = list(zip(at_us.tolist(), result.polls.active.tolist(), strict=True))
        assert keys == sorted(set(keys))
        in_week = at_us[result.counts] >= result.week.start_us
        assert len(set(at_us[result.counts][in_week])) == details(case)[store_id].polls[-1]
        before = at_us < result.week.start_us
        assert result.counts[before][:1].all()
        assert len(set(at_us[before & result.counts])) <= 1
        if case.poll_filter == "all":
            assert result.counts.all()


@pytest.mark.parametrize("count", [0, 2])
def test_it_is_about_one_store(count: int) -> None:
    none = np.empty(0, np.int64)
    stores = Stores(np.zeros(count, np.int64), ("UTC",), WeeklyHours(none, none, none, none))
    with pytest.raises(ValueError, match=f"one store, not {count}"):
        timeline(stores, Polls(none, none, np.empty(0, np.bool_)), WEEK_US, Parameters(WEEK_US))

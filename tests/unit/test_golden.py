"""Each uptime rule, with results computed by hand, for the oracle and the domain.

Unless a test says otherwise, the store is in UTC and now is 12:00 on Wednesday 2024-10-16, so the
last hour begins at 11:00, the last day at 12:00 on Tuesday, the last week at 12:00 on the
Wednesday before.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from store_monitoring.reports.formats.csv import CSV_HEADER, csv_lines
from store_monitoring.storage.schemas import TOTAL_COLUMNS
from tests.cases import (
    EVERY_DAY,
    FRIDAY,
    MONDAY,
    SATURDAY,
    SUNDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    ComputeUptime,
    active,
    closed,
    excluded,
    inactive,
    opens,
    special,
    us,
    utc,
)
from tests.oracle import Case, Exclusion, HoursRow, Poll, SpecialRow, Totals, csv_text

Lengths = tuple[int, ...]
CalendarRow = HoursRow | SpecialRow | Exclusion

NOW = utc("2024-10-16 12:00")
MICROSECOND = timedelta(microseconds=1)
NOTHING = (0, 0, 0)
ALL_THE_TIME = (us(hours=1), us(hours=24), us(hours=168))


def business_time(
    compute_uptime: ComputeUptime, *rows: CalendarRow, zone: str = "UTC", now: datetime = NOW
) -> Lengths:
    """Compute a store that is always up: its uptime is its business time."""
    totals = always_up(compute_uptime, *rows, zone=zone, now=now)
    assert totals.downtime_us == NOTHING
    return totals.uptime_us


def always_up(
    compute_uptime: ComputeUptime, *rows: CalendarRow, zone: str = "UTC", now: datetime = NOW
) -> Totals:
    case = Case(
        (active(now - timedelta(days=10)),),
        tuple(row for row in rows if isinstance(row, HoursRow)),
        {"s": zone},
        now,
        special_hours=tuple(row for row in rows if isinstance(row, SpecialRow)),
        exclusions=tuple(row for row in rows if isinstance(row, Exclusion)),
    )
    return compute_uptime(case)["s"]


def with_polls(
    compute_uptime: ComputeUptime, *polls: Poll, now: datetime = NOW, memory_days: int = 14
) -> Totals:
    """Compute a store that is open 24x7."""
    return compute_uptime(Case(polls, zones={"s": "UTC"}, now=now, memory_days=memory_days))["s"]


# --- business time --------------------------------------------------------------------------


def test_rule_01_monday_is_day_0(compute_uptime: ComputeUptime) -> None:
    on_monday = business_time(
        compute_uptime, *opens("00:00", "10:00", 0), now=utc("2024-10-14 12:00")
    )
    assert on_monday == (0, us(hours=10), us(hours=10))


def test_rule_01_sunday_is_day_6(compute_uptime: ComputeUptime) -> None:
    # The last day begins at 12:00 on that Sunday, two hours after closing.
    on_sunday = business_time(
        compute_uptime, *opens("00:00", "10:00", 6), now=utc("2024-10-14 12:00")
    )
    assert on_sunday == (0, 0, us(hours=10))


def test_rule_01_a_row_opens_on_every_such_date(compute_uptime: ComputeUptime) -> None:
    # The Wednesday before until 18:00, and this Wednesday from 06:00.
    lengths = business_time(compute_uptime, *opens("06:00", "18:00", WEDNESDAY))
    assert lengths == (us(hours=1), us(hours=6), us(hours=12))


def test_rule_01_the_date_is_the_local_one(compute_uptime: ComputeUptime) -> None:
    # In Auckland, 13 hours ahead, it is 01:00 on Thursday: Thursday began at 11:00 UTC.
    lengths = business_time(
        compute_uptime, *opens("00:00", "04:00", THURSDAY), zone="Pacific/Auckland"
    )
    # The Thursday before began at 11:00 UTC and closed at 15:00; the week begins at 12:00.
    assert lengths == (us(hours=1), us(hours=1), us(hours=4))


def test_rule_02_closes_on_the_same_date(compute_uptime: ComputeUptime) -> None:
    lengths = business_time(compute_uptime, *opens("09:00", "17:00", TUESDAY))
    assert lengths == (0, us(hours=5), us(hours=8))


def test_rule_02_overnight_closes_on_the_next_date(compute_uptime: ComputeUptime) -> None:
    lengths = business_time(compute_uptime, *opens("22:00", "02:00", TUESDAY))
    assert lengths == (0, us(hours=4), us(hours=4))


def test_rule_02_overnight_on_sunday_closes_on_monday(compute_uptime: ComputeUptime) -> None:
    lengths = business_time(
        compute_uptime, *opens("22:00", "02:30", SUNDAY), now=utc("2024-10-14 02:00")
    )
    # The extra half hour is on the Monday a week before.
    assert lengths == (us(hours=1), us(hours=4), us(hours=4, minutes=30))


def test_rule_02_equal_times_are_a_whole_day(compute_uptime: ComputeUptime) -> None:
    # Tuesday 06:00 to Wednesday 06:00.
    lengths = business_time(compute_uptime, *opens("06:00", "06:00", TUESDAY))
    assert lengths == (0, us(hours=18), us(hours=24))


def test_rule_02_midnight_to_midnight_is_a_whole_day(compute_uptime: ComputeUptime) -> None:
    lengths = business_time(compute_uptime, *opens("00:00", "00:00", TUESDAY))
    assert lengths == (0, us(hours=12), us(hours=24))


@pytest.mark.parametrize(
    "end", ["23:59", "23:59:00", "23:59:00.000001", "23:59:30.5", "23:59:59", "24:00", "24:00:00"]
)
def test_rule_03_an_end_from_23_59_on_is_midnight(compute_uptime: ComputeUptime, end: str) -> None:
    lengths = business_time(compute_uptime, *opens("20:00", end, TUESDAY))
    assert lengths == (0, us(hours=4), us(hours=4))


def test_rule_03_an_end_before_23_59_is_as_written(compute_uptime: ComputeUptime) -> None:
    lengths = business_time(compute_uptime, *opens("20:00", "23:58:59.999999", TUESDAY))
    length_us = us(hours=4) - us(minutes=1) - 1
    assert lengths == (0, length_us, length_us)


def test_rule_03_midnight_ends_the_date_of_the_end(compute_uptime: ComputeUptime) -> None:
    # Overnight: from Monday 23:59:30, past all of Tuesday, to the midnight that ends it.
    lengths = business_time(compute_uptime, *opens("23:59:30", "23:59", MONDAY))
    assert lengths == (0, us(hours=12), us(hours=24, seconds=30))


def test_rule_03_is_not_for_whole_days(compute_uptime: ComputeUptime) -> None:
    # From Monday 23:59 to Tuesday 23:59.
    lengths = business_time(compute_uptime, *opens("23:59", "23:59", MONDAY))
    assert lengths == (0, us(hours=11, minutes=59), us(hours=24))


def test_rule_03_is_not_for_starts(compute_uptime: ComputeUptime) -> None:
    lengths = business_time(compute_uptime, *opens("23:59", "00:30", TUESDAY))
    assert lengths == (0, us(minutes=31), us(minutes=31))


def test_rule_03_days_to_23_59_59_leave_no_gap(compute_uptime: ComputeUptime) -> None:
    assert business_time(compute_uptime, *opens("00:00", "23:59:59", *EVERY_DAY)) == ALL_THE_TIME


def test_rule_04_split_shifts_add_up(compute_uptime: ComputeUptime) -> None:
    rows = opens("10:00", "13:00", TUESDAY) + opens("15:00", "18:30", TUESDAY)
    # Since 12:00 on Tuesday: one hour, and three and a half.
    assert business_time(compute_uptime, *rows) == (0, us(hours=4.5), us(hours=6.5))


def test_rule_04_overlapping_rows_count_once(compute_uptime: ComputeUptime) -> None:
    rows = (
        *opens("13:00", "17:00", TUESDAY),
        *opens("15:00", "18:00", TUESDAY),
        *opens("14:00", "16:00", TUESDAY),
    )
    assert business_time(compute_uptime, *rows) == (0, us(hours=5), us(hours=5))


def test_rule_04_a_row_within_another_adds_nothing(compute_uptime: ComputeUptime) -> None:
    rows = opens("13:00", "17:00", TUESDAY) + opens("14:00", "15:00", TUESDAY)
    assert business_time(compute_uptime, *rows) == (0, us(hours=4), us(hours=4))


def test_rule_04_duplicated_rows_count_once(compute_uptime: ComputeUptime) -> None:
    rows = opens("13:00", "17:00", TUESDAY) * 3
    assert business_time(compute_uptime, *rows) == (0, us(hours=4), us(hours=4))


def test_rule_04_a_night_and_the_next_morning_count_once(compute_uptime: ComputeUptime) -> None:
    # Monday 22:00 to Tuesday 10:00 and Tuesday 08:00 to 14:00: Monday 22:00 to Tuesday 14:00.
    rows = opens("22:00", "10:00", MONDAY) + opens("08:00", "14:00", TUESDAY)
    assert business_time(compute_uptime, *rows) == (0, us(hours=2), us(hours=16))


def test_rule_04_a_night_split_at_midnight_is_whole(compute_uptime: ComputeUptime) -> None:
    rows = opens("10:00", "23:59:59", TUESDAY) + opens("00:00", "01:00", WEDNESDAY)
    # The rows of Wednesday count on the Wednesday before as well, before the week began.
    assert business_time(compute_uptime, *rows) == (0, us(hours=13), us(hours=15))


def test_rule_05_closed_on_days_without_rows(compute_uptime: ComputeUptime) -> None:
    lengths = business_time(compute_uptime, *opens("00:00", "24:00", FRIDAY, SATURDAY))
    assert lengths == (0, 0, us(hours=48))


def test_rule_05_no_rows_at_all_is_open_24x7(compute_uptime: ComputeUptime) -> None:
    assert business_time(compute_uptime) == ALL_THE_TIME


def test_rule_05_rows_of_another_store_are_ignored(compute_uptime: ComputeUptime) -> None:
    assert (
        business_time(compute_uptime, *opens("09:00", "17:00", TUESDAY, store_id="t"))
        == ALL_THE_TIME
    )


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        # Clocks in New York go from 02:00 to 03:00.
        pytest.param("02:30", "04:00", 1.0, id="opening moved to 03:00"),
        pytest.param("01:00", "02:30", 1.0, id="closing moved to 03:00"),
        pytest.param("02:00", "05:00", 2.0, id="opening at the edge of the gap"),
        pytest.param("01:00", "03:00", 1.0, id="closing at the end of the gap"),
        pytest.param("02:10", "02:50", 0.0, id="empty, dropped"),
        pytest.param("01:00", "05:00", 3.0, id="across the gap"),
        pytest.param("00:00", "24:00", 23.0, id="the whole date"),
        pytest.param("02:30", "02:30", 23.5, id="a whole day from 03:00 to 02:30"),
    ],
)
def test_rule_06_spring_forward(
    compute_uptime: ComputeUptime, start: str, end: str, hours: float
) -> None:
    lengths = business_time(
        compute_uptime,
        *opens(start, end, SUNDAY),
        zone="America/New_York",
        now=utc("2024-03-12 12:00"),  # the Tuesday after Sunday 2024-03-10
    )
    assert lengths == (0, 0, us(hours=hours))


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        # Clocks in New York go from 02:00 back to 01:00.
        pytest.param("01:30", "03:00", 2.5, id="opening is the first 01:30"),
        pytest.param("00:30", "01:30", 2.0, id="closing is the second 01:30"),
        pytest.param("01:15", "01:45", 1.5, id="first 01:15 to second 01:45"),
        pytest.param("01:00", "02:00", 2.0, id="opening at the first 01:00"),
        pytest.param("00:00", "01:00", 2.0, id="closing at the second 01:00"),
        pytest.param("02:00", "05:00", 3.0, id="02:00 occurs once"),
        pytest.param("00:00", "24:00", 25.0, id="the whole date"),
        pytest.param("01:30", "01:30", 25.0, id="a whole day from the first 01:30"),
    ],
)
def test_rule_06_fall_back(
    compute_uptime: ComputeUptime, start: str, end: str, hours: float
) -> None:
    lengths = business_time(
        compute_uptime,
        *opens(start, end, SUNDAY),
        zone="America/New_York",
        now=utc("2024-11-05 12:00"),  # the Tuesday after Sunday 2024-11-03
    )
    assert lengths == (0, 0, us(hours=hours))


def test_rule_06_each_date_has_its_own_offset(compute_uptime: ComputeUptime) -> None:
    # 09:00 to 10:00 in Chicago is 15:00 to 16:00 UTC on Saturday and 14:00 to 15:00 on Sunday.
    rows = opens("09:00", "10:00", SATURDAY, SUNDAY)
    chicago = "America/Chicago"
    saturday = business_time(compute_uptime, *rows, zone=chicago, now=utc("2024-03-09 16:00"))
    sunday = business_time(compute_uptime, *rows, zone=chicago, now=utc("2024-03-10 15:00"))
    assert saturday[0] == us(hours=1)
    # The week begins at 15:00 UTC on a Sunday, when the store opens.
    assert sunday == (us(hours=1), us(hours=2), us(hours=3))


def test_rule_07_no_zone_is_chicago(compute_uptime: ComputeUptime) -> None:
    # 09:00 to 10:00 in Chicago, five hours behind UTC.
    case = Case(
        (active("2024-10-16 00:00"),),
        opens("09:00", "10:00", WEDNESDAY),
        {},
        utc("2024-10-16 15:00"),
    )
    assert compute_uptime(case)["s"].uptime_us == (us(hours=1), us(hours=1), us(hours=1))


# --- status ---------------------------------------------------------------------------------


def test_rule_08_a_status_holds_until_the_next_poll(compute_uptime: ComputeUptime) -> None:
    totals = with_polls(
        compute_uptime,
        active("2024-10-16 09:00"),
        inactive("2024-10-16 11:20"),
        active("2024-10-16 11:50"),
    )
    assert totals.downtime_us == (us(minutes=30),) * 3
    assert totals.uptime_us == (us(minutes=30), us(hours=23.5), us(hours=167.5))


def test_rule_08_the_last_status_holds_until_now(compute_uptime: ComputeUptime) -> None:
    totals = with_polls(compute_uptime, active("2024-10-10 12:00"), inactive("2024-10-14 12:00"))
    assert totals.uptime_us == (0, 0, us(days=5))
    assert totals.downtime_us == (us(hours=1), us(hours=24), us(days=2))


def test_rule_08_the_first_status_is_extended_backwards(compute_uptime: ComputeUptime) -> None:
    totals = with_polls(compute_uptime, inactive("2024-10-16 11:15"), active("2024-10-16 11:45"))
    assert totals.uptime_us == (us(minutes=15),) * 3
    assert totals.downtime_us == (us(minutes=45), us(hours=23.75), us(hours=167.75))


def test_rule_08_a_poll_before_the_window_holds_into_it(compute_uptime: ComputeUptime) -> None:
    totals = with_polls(compute_uptime, inactive("2024-10-05 12:00"), active("2024-10-16 11:45"))
    assert totals.uptime_us == (us(minutes=15),) * 3


@pytest.mark.parametrize(("window", "hours"), [(0, 1), (1, 24), (2, 168)])
def test_rule_08_a_poll_at_the_start_of_a_window_decides_it(
    compute_uptime: ComputeUptime, window: int, hours: int
) -> None:
    start = NOW - timedelta(hours=hours)
    totals = with_polls(compute_uptime, inactive(start - timedelta(days=1)), active(start))
    assert totals.downtime_us[window] == 0


def test_rule_08_a_status_holds_through_closed_hours(compute_uptime: ComputeUptime) -> None:
    # Inactive at 16:00 on Tuesday, and still when it opens on Wednesday, until 10:00.
    polls = (
        active("2024-10-15 09:00"),
        inactive("2024-10-15 16:00"),
        active("2024-10-16 10:00"),
    )
    rows = opens("09:00", "17:00", TUESDAY, WEDNESDAY)
    totals = compute_uptime(Case(polls, rows, {"s": "UTC"}, NOW))["s"]
    # Up: the Wednesday before 12-17 by extension, Tuesday 9-16, Wednesday 10-12.
    assert totals.uptime_us == (us(hours=1), us(hours=4 + 2), us(hours=5 + 7 + 2))
    assert totals.downtime_us == (0, us(hours=2), us(hours=2))


def test_rule_09_a_poll_of_14_days_ago_is_known(compute_uptime: ComputeUptime) -> None:
    assert with_polls(compute_uptime, active("2024-10-02 12:00")).uptime_us == ALL_THE_TIME


def test_rule_09_an_older_poll_is_ignored(compute_uptime: ComputeUptime) -> None:
    totals = with_polls(compute_uptime, active(utc("2024-10-02 12:00") - MICROSECOND))
    assert totals.no_data_us == ALL_THE_TIME


def test_rule_09_an_older_poll_does_not_hold_until_a_known_one(
    compute_uptime: ComputeUptime,
) -> None:
    totals = with_polls(compute_uptime, active("2024-10-01 12:00"), inactive("2024-10-16 11:45"))
    assert totals.downtime_us == ALL_THE_TIME


def test_rule_09_the_memory_is_a_parameter(compute_uptime: ComputeUptime) -> None:
    poll = active("2024-09-20 12:00")
    assert with_polls(compute_uptime, poll, memory_days=26).uptime_us == ALL_THE_TIME
    assert with_polls(compute_uptime, poll, memory_days=25).uptime_us == NOTHING


def test_rule_09_the_shortest_memory_is_the_week(compute_uptime: ComputeUptime) -> None:
    polls = (active("2024-10-09 11:59"), inactive("2024-10-15 12:00"))
    assert with_polls(compute_uptime, *polls, memory_days=7).downtime_us == ALL_THE_TIME


def test_rule_09_a_poll_at_now_is_known(compute_uptime: ComputeUptime) -> None:
    # It holds for no time after it, but is extended backwards over the whole week.
    assert with_polls(compute_uptime, active(NOW)).uptime_us == ALL_THE_TIME


def test_rule_09_a_poll_at_now_ends_the_status_before_it(compute_uptime: ComputeUptime) -> None:
    totals = with_polls(compute_uptime, inactive("2024-10-16 11:00"), active(NOW))
    assert totals.downtime_us == ALL_THE_TIME


def test_rule_09_a_poll_after_now_is_not_known(compute_uptime: ComputeUptime) -> None:
    assert with_polls(compute_uptime, active(NOW + MICROSECOND)).no_data_us == ALL_THE_TIME


@pytest.mark.parametrize("order", [1, -1])
def test_rule_10_inactive_wins_at_the_same_instant(
    compute_uptime: ComputeUptime, order: int
) -> None:
    polls = (active("2024-10-16 11:30"), inactive("2024-10-16 11:30"))
    totals = with_polls(compute_uptime, active("2024-10-16 10:00"), *polls[::order])
    assert totals.downtime_us == (us(minutes=30),) * 3


@pytest.mark.parametrize("order", [1, -1])
def test_rule_10_holds_for_a_status_that_is_extended_backwards(
    compute_uptime: ComputeUptime, order: int
) -> None:
    polls = (active("2024-10-16 11:30"), inactive("2024-10-16 11:30"))
    assert with_polls(compute_uptime, *polls[::order]).downtime_us == ALL_THE_TIME


@pytest.mark.parametrize("order", [1, -1])
def test_rule_10_holds_for_polls_before_the_week(compute_uptime: ComputeUptime, order: int) -> None:
    polls = (active("2024-10-05 12:00"), inactive("2024-10-05 12:00"))
    assert with_polls(compute_uptime, *polls[::order]).downtime_us == ALL_THE_TIME


def test_rule_19_never_polled_is_no_data(compute_uptime: ComputeUptime) -> None:
    rows = opens("09:00", "17:00", TUESDAY)
    totals = compute_uptime(Case((), rows, {"s": "UTC"}, NOW))["s"]
    assert totals == Totals(NOTHING, NOTHING, (0, us(hours=5), us(hours=8)))


def test_rule_19_polls_of_another_store_are_no_data(compute_uptime: ComputeUptime) -> None:
    totals = with_polls(compute_uptime, active("2024-10-16 11:00", "t"))
    assert totals == Totals(NOTHING, NOTHING, ALL_THE_TIME)


# Open on Tuesday and Wednesday from 09:00 to 17:00: 3 hours of the last day are on Wednesday.
TWO_DAYS = Case((), opens("09:00", "17:00", TUESDAY, WEDNESDAY), {"s": "UTC"}, NOW)


def test_poll_filter_leaves_out_polls_outside_business_time(compute_uptime: ComputeUptime) -> None:
    case = replace(TWO_DAYS, polls=(active("2024-10-15 10:00"), inactive("2024-10-15 20:00")))
    filtered = replace(case, poll_filter="business_hours")
    assert compute_uptime(case)["s"].downtime_us == (us(hours=1), us(hours=3), us(hours=3))
    assert compute_uptime(filtered)["s"].downtime_us == NOTHING


def test_poll_filter_may_leave_no_polls(compute_uptime: ComputeUptime) -> None:
    case = replace(TWO_DAYS, polls=(active("2024-10-15 20:00"),), poll_filter="business_hours")
    assert compute_uptime(case)["s"].uptime_us == NOTHING


def test_poll_filter_counts_the_opening_instant_and_not_the_closing(
    compute_uptime: ComputeUptime,
) -> None:
    at_opening = (active("2024-10-15 09:00"), inactive("2024-10-15 17:00"))
    case = replace(TWO_DAYS, polls=at_opening, poll_filter="business_hours")
    assert compute_uptime(case)["s"].downtime_us == NOTHING


def test_poll_filter_looks_back_as_far_as_the_memory(compute_uptime: ComputeUptime) -> None:
    # Wednesday 2024-10-02, 14 days ago: a poll at 12:00 counts, one at 08:00 does not.
    during = replace(TWO_DAYS, polls=(active("2024-10-02 12:00"),), poll_filter="business_hours")
    before = replace(during, polls=(active("2024-10-08 08:00"),))
    assert compute_uptime(during)["s"].downtime_us == NOTHING
    assert compute_uptime(before)["s"].uptime_us == NOTHING


def test_poll_filter_counts_a_poll_at_now_if_the_store_stays_open(
    compute_uptime: ComputeUptime,
) -> None:
    open_now = replace(TWO_DAYS, polls=(active(NOW),), poll_filter="business_hours")
    closing = replace(open_now, polls=(active("2024-10-15 17:00"),), now=utc("2024-10-15 17:00"))
    assert compute_uptime(open_now)["s"].downtime_us == NOTHING
    assert compute_uptime(closing)["s"].uptime_us == NOTHING


# --- special hours and exclusions -----------------------------------------------------------

DAILY = opens("09:00", "17:00", *EVERY_DAY)
NIGHTLY = opens("22:00", "04:00", *EVERY_DAY)


@pytest.mark.parametrize(
    ("rows", "hour", "day", "week"),
    [
        # Daily: Tuesday from 12:00 to 17:00 and Wednesday from 09:00 to 12:00, in seven dates.
        ((), 1, 8, 56),
        ((special("2024-10-15", "10:00", "12:30"),), 1, 3.5, 50.5),
        ((closed("2024-10-15"),), 1, 3, 48),
        ((special("2024-10-15", "22:00", "02:00"),), 1, 7, 52),
        ((special("2024-10-15", "06:00", "06:00"),), 1, 21, 72),
        ((special("2024-10-15", "20:00", "23:59:59"),), 1, 7, 52),
        # Rows of one date are merged, and those of other dates and stores do not matter.
        (
            (special("2024-10-15", "10:00", "13:00"), special("2024-10-15", "12:00", "14:00")),
            *(1, 5, 52),
        ),
        (
            (special("2024-10-15", "10:00", "11:00"), special("2024-10-15", "20:00", "21:00")),
            *(1, 4, 50),
        ),
        ((closed("2024-10-15"), closed("2024-10-17"), closed("2023-10-14")), 1, 3, 48),
        ((closed("2024-10-15", "t"),), 1, 8, 56),
        # Today, and the date on which the week begins.
        ((closed("2024-10-16"), closed("2024-10-09")), 0, 5, 48),
    ],
)
def test_rule_16_special_hours_replace_the_weekly_ones_of_their_date(
    compute_uptime: ComputeUptime,
    rows: tuple[SpecialRow, ...],
    hour: float,
    day: float,
    week: float,
) -> None:
    lengths = business_time(compute_uptime, *DAILY, *rows)
    assert lengths == (us(hours=hour), us(hours=day), us(hours=week))


def test_rule_16_opens_on_a_date_without_weekly_hours(compute_uptime: ComputeUptime) -> None:
    rows = opens("09:00", "17:00", MONDAY)
    sunday = special("2024-10-13", "10:00", "11:00")
    assert business_time(compute_uptime, *rows, sunday) == (0, 0, us(hours=9))


def test_rule_16_a_night_before_a_closed_date_runs_to_its_end(
    compute_uptime: ComputeUptime,
) -> None:
    # Of seven nights, only the one that would begin on Tuesday is left out.
    lengths = business_time(compute_uptime, *NIGHTLY, closed("2024-10-15"))
    assert lengths == (0, 0, us(hours=6 * 6))


def test_rule_16_a_special_night_runs_into_a_closed_date(compute_uptime: ComputeUptime) -> None:
    rows = special("2024-10-14", "23:00", "14:00"), closed("2024-10-15")
    lengths = business_time(compute_uptime, *opens("09:00", "10:00", SUNDAY), *rows)
    assert lengths == (0, us(hours=2), us(hours=15 + 1))


@pytest.mark.parametrize(
    ("zone", "now", "rows", "hours"),
    [
        ("UTC", "2024-10-16 12:00", [closed("2024-10-15")], 144),
        ("UTC", "2024-10-16 12:00", [closed("2024-10-09")], 156),
        ("UTC", "2024-10-16 12:00", [closed("2023-10-15"), closed("2024-10-17")], 168),
        ("UTC", "2024-10-16 12:00", [special("2024-10-15", "09:00", "17:00")], 152),
        ("UTC", "2024-10-16 12:00", [special("2024-10-14", "22:00", "02:00")], 146),
        # In Chicago, Wednesday begins at 05:00 UTC.
        ("America/Chicago", "2024-10-16 12:00", [closed("2024-10-16")], 161),
        # New York, Sundays 2024-03-10 (23 hours) and 2024-11-03 (25 hours).
        ("America/New_York", "2024-03-12 12:00", [closed("2024-03-10")], 145),
        ("America/New_York", "2024-11-05 12:00", [closed("2024-11-03")], 143),
        ("America/New_York", "2024-03-12 12:00", [special("2024-03-10", "01:30", "02:30")], 145.5),
        ("America/New_York", "2024-11-05 12:00", [special("2024-11-03", "01:30", "02:30")], 145),
        # Havana: midnight occurs twice on 2024-11-03. The Saturday ends at the second.
        ("America/Havana", "2024-11-05 12:00", [closed("2024-11-03")], 144),
        ("America/Havana", "2024-11-05 12:00", [closed("2024-11-02")], 144),
        # Apia: Thursday 2011-12-29 is followed by Saturday 31.
        ("Pacific/Apia", "2012-01-02 00:00", [closed("2011-12-29")], 144),
        ("Pacific/Apia", "2012-01-02 00:00", [closed("2011-12-30")], 168),
        ("Pacific/Apia", "2012-01-02 00:00", [closed("2011-12-31")], 144),
        ("Pacific/Apia", "2012-01-02 00:00", [special("2011-12-30", "09:00", "17:00")], 168),
        # Leap days.
        ("UTC", "2024-03-02 12:00", [closed("2024-02-29")], 144),
        ("UTC", "2023-03-02 12:00", [closed("2023-03-01")], 144),
        ("UTC", "2000-03-02 12:00", [closed("2000-02-29")], 144),
    ],
)
def test_rule_16_without_weekly_hours_all_other_dates_are_open_all_day(
    compute_uptime: ComputeUptime, zone: str, now: str, rows: list[SpecialRow], hours: float
) -> None:
    assert business_time(compute_uptime, *rows, zone=zone, now=utc(now))[2] == us(hours=hours)


def test_rule_16_polls_on_a_closed_date_do_not_count_under_the_filter(
    compute_uptime: ComputeUptime,
) -> None:
    case = replace(
        TWO_DAYS,
        polls=(active("2024-10-09 10:00"), inactive("2024-10-15 10:00")),
        special_hours=(closed("2024-10-15"),),
    )
    filtered = replace(case, poll_filter="business_hours")
    assert compute_uptime(case)["s"].downtime_us == (us(hours=1), us(hours=3), us(hours=3))
    assert compute_uptime(filtered)["s"].downtime_us == NOTHING


@pytest.mark.parametrize(
    ("rows", "business_hours", "excluded_hours"),
    [
        # Daily, as above: 1, 8 and 56 hours.
        ([excluded("2024-10-15 13:00", "2024-10-15 15:00")], (1, 6, 54), (0, 2, 2)),
        # Outside business time: all of it, or a part.
        ([excluded("2024-10-15 17:00", "2024-10-16 09:00")], (1, 8, 56), (0, 0, 0)),
        ([excluded("2024-10-15 16:00", "2024-10-16 09:30")], (1, 6.5, 54.5), (0, 1.5, 1.5)),
        # Cut by the windows.
        ([excluded("2024-10-16 10:30", "2024-10-16 11:30")], (0.5, 7, 55), (0.5, 1, 1)),
        ([excluded("2024-10-16 11:45", "2024-10-20 00:00")], (0.75, 7.75, 55.75), (0.25,) * 3),
        ([excluded("2024-10-16 12:00", "2024-10-16 13:00")], (1, 8, 56), (0, 0, 0)),
        ([excluded("2024-10-01 00:00", "2024-10-09 13:00")], (1, 8, 55), (0, 0, 1)),
        ([excluded("2020-01-01 00:00", "2030-01-01 00:00")], (0, 0, 0), (1, 8, 56)),
        # Overlapping, touching and repeated exclusions count once.
        (
            [
                excluded("2024-10-15 13:00", "2024-10-15 15:00"),
                excluded("2024-10-15 14:00", "2024-10-15 16:00"),
                excluded("2024-10-15 14:00", "2024-10-15 16:00"),
                excluded("2024-10-15 16:00", "2024-10-15 16:30"),
            ],
            (1, 4.5, 52.5),
            (0, 3.5, 3.5),
        ),
        ([excluded("2024-10-15 13:00", "2024-10-15 15:00", "t")], (1, 8, 56), (0, 0, 0)),
    ],
)
def test_rule_17_exclusions_are_taken_out_of_business_time(
    compute_uptime: ComputeUptime,
    rows: list[Exclusion],
    business_hours: tuple[float, ...],
    excluded_hours: tuple[float, ...],
) -> None:
    totals = always_up(compute_uptime, *DAILY, *rows)
    assert totals.uptime_us == tuple(us(hours=hours) for hours in business_hours)
    assert totals.excluded_us == tuple(us(hours=hours) for hours in excluded_hours)
    assert totals.downtime_us == totals.no_data_us == NOTHING


def test_rule_17_excluded_time_is_neither_up_nor_down(compute_uptime: ComputeUptime) -> None:
    polls = (active("2024-10-15 08:00"), inactive("2024-10-15 14:00"), active("2024-10-15 16:00"))
    exclusions = (excluded("2024-10-15 13:00", "2024-10-15 15:00"),)
    totals = compute_uptime(replace(TWO_DAYS, polls=polls, exclusions=exclusions))["s"]
    assert totals.downtime_us == (0, us(hours=1), us(hours=1))
    assert totals.uptime_us[1] == us(hours=2 + 3)


def test_rule_17_excluded_time_is_not_without_data(compute_uptime: ComputeUptime) -> None:
    exclusions = (excluded("2024-10-15 13:00", "2024-10-15 15:00"),)
    totals = compute_uptime(replace(TWO_DAYS, exclusions=exclusions))["s"]
    assert totals.no_data_us[1] == us(hours=6)
    assert totals.excluded_us[1] == us(hours=2)


def test_rule_17_polls_in_excluded_time_do_not_count_under_the_filter(
    compute_uptime: ComputeUptime,
) -> None:
    case = replace(
        TWO_DAYS,
        polls=(active("2024-10-15 10:00"), inactive("2024-10-15 14:00")),
        exclusions=(excluded("2024-10-15 14:00", "2024-10-15 14:00:00.000001"),),
        poll_filter="business_hours",
    )
    assert compute_uptime(case)["s"].downtime_us == NOTHING
    assert compute_uptime(replace(case, exclusions=()))["s"].downtime_us != NOTHING


def test_rule_17_is_about_instants_when_clocks_change(compute_uptime: ComputeUptime) -> None:
    # New York, Sunday 2024-11-03: 01:30 EDT to 01:30 EST is an hour, of 25 in this date.
    rows = opens("00:00", "24:00", SUNDAY)
    hour = excluded("2024-11-03 05:30", "2024-11-03 06:30")
    totals = always_up(
        compute_uptime, *rows, hour, zone="America/New_York", now=utc("2024-11-05 12:00")
    )
    assert (totals.uptime_us[2], totals.excluded_us[2]) == (us(hours=24), us(hours=1))


def test_rule_18_exclusions_come_after_special_hours(compute_uptime: ComputeUptime) -> None:
    rows = (
        special("2024-10-15", "10:00", "12:30"),
        special("2024-10-15", "12:15", "14:00"),
        excluded("2024-10-15 12:00", "2024-10-15 12:20"),
        excluded("2024-10-15 14:00", "2024-10-15 17:00"),
    )
    totals = always_up(compute_uptime, *DAILY, *rows)
    assert totals.uptime_us[1] == us(hours=3, minutes=100)
    assert totals.excluded_us[1] == us(minutes=20)


# --- the report -----------------------------------------------------------------------------


def test_now_is_the_greatest_poll_timestamp(compute_uptime: ComputeUptime) -> None:
    polls = (
        inactive("2024-10-16 11:40"),
        active("2024-10-16 12:00", "t"),
        active("2024-10-16 11:00"),
    )
    totals = compute_uptime(Case(polls))["s"]
    assert totals.downtime_us == (us(minutes=20),) * 3
    assert totals.uptime_us == (
        us(minutes=40),
        us(hours=24, minutes=-20),
        us(hours=168, minutes=-20),
    )


def test_rule_12_every_store_of_the_three_inputs_in_byte_order(
    compute_uptime: ComputeUptime,
) -> None:
    polls = (active(NOW, "z"), active(NOW, "10"), active(NOW + MICROSECOND, "unknown poll"))
    rows = opens("09:00", "17:00", MONDAY, store_id="9") + opens(
        "09:00", "17:00", MONDAY, store_id="B"
    )
    zones = {"é": "UTC", "a": "UTC", "z": "UTC"}
    case = Case(polls, rows, zones, NOW)
    assert list(compute_uptime(case)) == ["10", "9", "B", "a", "unknown poll", "z", "é"]


def test_rule_13_uptime_and_downtime_are_exact(compute_uptime: ComputeUptime) -> None:
    totals = with_polls(
        compute_uptime,
        active("2024-10-16 11:10:00.000003"),
        inactive("2024-10-16 11:50:00.123456"),
        now=utc("2024-10-16 12:00:00.000001"),
    )
    # Down from 11:50:00.123456 to 12:00:00.000001.
    down_us = us(minutes=9, seconds=59, microseconds=876_545)
    assert totals.downtime_us == (down_us,) * 3
    assert totals.uptime_us == tuple(window_us - down_us for window_us in ALL_THE_TIME)


def test_rule_13_windows_cut_business_time_and_status(compute_uptime: ComputeUptime) -> None:
    # Open until 11:30 on Wednesday; inactive from Tuesday 11:59 to 12:01 and from 10:59 to 11:01.
    polls = (
        active("2024-10-15 11:00"),
        inactive("2024-10-15 11:59"),
        active("2024-10-15 12:01"),
        inactive("2024-10-16 10:59"),
        active("2024-10-16 11:01"),
    )
    rows = opens("10:00", "14:00", TUESDAY) + opens("10:00", "11:30", WEDNESDAY)
    totals = compute_uptime(Case(polls, rows, {"s": "UTC"}, NOW))["s"]
    assert totals.downtime_us == (us(minutes=1), us(minutes=1 + 2), us(minutes=2 + 2))
    assert totals.uptime_us == (us(minutes=29), us(minutes=119 + 88), us(minutes=238 + 88))


def csv_by_merge(totals_by_store: Mapping[str, Totals]) -> str:
    rows = [
        [
            *(store_id, *totals.uptime_us, *totals.downtime_us, *totals.no_data_us),
            *(*NOTHING, *totals.excluded_us),
        ]
        for store_id, totals in totals_by_store.items()
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    batch = pa.record_batch(columns, names=["store_id", *TOTAL_COLUMNS])
    return f"{CSV_HEADER}\n" + csv_lines(batch).decode()


@pytest.mark.parametrize("write", [csv_text, csv_by_merge], ids=["oracle", "merge"])
def test_rule_14_the_report_as_csv(write: Callable[[Mapping[str, Totals]], str]) -> None:
    text = write(
        {
            "a": Totals((us(hours=1), us(hours=24), us(hours=168)), (0, 0, 0)),
            # Half to even: 0.005 is 0.00, 0.015 is 0.02, 0.025 is 0.02, and a microsecond matters.
            "b": Totals((300_000, 54_000_000, 90_000_000), (300_001, 53_999_999, 90_000_001)),
            "c, d": Totals((1_500_000, 18_000_000, 1), (59_700_000, us(hours=10.5), 0)),
            "e": Totals(NOTHING, NOTHING, (1_500_000, 18_000_000, us(hours=168))),  # rule 11
        }
    )
    assert text == (
        "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),"
        "uptime_last_week(in hours),downtime_last_hour(in minutes),"
        "downtime_last_day(in hours),downtime_last_week(in hours)\n"
        "a,60.00,24.00,168.00,0.00,0.00,0.00\n"
        "b,0.00,0.02,0.02,0.01,0.01,0.03\n"
        '"c, d",0.02,0.00,0.00,1.00,10.50,0.00\n'
        "e,0.00,0.00,0.00,0.02,0.00,168.00\n"
    )


def test_the_published_store(compute_uptime: ComputeUptime) -> None:
    """Its hours and zone are public, but not its polls: only up + down can be checked.

    The published values are up 60.0 / 8.53 / 58.77 and down 0.0 / 1.97 / 16.73, so business time is
    60 minutes, 10.5 and 75.5 hours.
    """
    rows = (
        *opens("10:30:00", "21:00:00", SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY),
        *opens("10:30:00", "22:00:00", FRIDAY, SATURDAY),
    )
    lengths = business_time(
        compute_uptime, *rows, zone="America/Chicago", now=utc("2024-10-14 23:55:18.727055")
    )
    assert lengths == (us(minutes=60), us(hours=8.53 + 1.97), us(hours=58.77 + 16.73))

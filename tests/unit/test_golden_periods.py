"""Rules 20 and 21, with results computed by hand, for the oracle and the domain."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from tests.cases import (
    EVERY_DAY,
    ComputeUptime,
    active,
    closed,
    excluded,
    inactive,
    opens,
    us,
    utc,
)
from tests.compute_by_domain import ComputeEverything
from tests.oracle import Case, Details, Outage, Period, Span, Totals

MICROSECOND = timedelta(microseconds=1)
DAY_US = us(days=1)
NEVER = utc("2199-01-01 00:00")


def windows_of(compute_everything: ComputeEverything, case: Case) -> tuple[Span, ...]:
    _, details, _ = compute_everything(case)
    return details["s"].windows if details else ()


def period(start: str, end: str, by: str = "total") -> Period:
    """Return a period between dates (`2024-10-01`) and UTC instants (`2024-10-01 12:00`)."""
    first, last = (utc(text) if " " in text else date.fromisoformat(text) for text in (start, end))
    return Period(first, last, by)


def starts_and_hours(spans: tuple[Span, ...]) -> list[tuple[str, float]]:
    """Return when windows start, in UTC, and how long they are; and that they have no gaps."""
    assert all(a.end == b.start for a, b in pairwise(spans))
    hour = timedelta(hours=1)
    return [(f"{span.start:%m-%d %H:%M}", (span.end - span.start) / hour) for span in spans]


# --- windows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "asked", "expected"),
    [
        ("Asia/Tokyo", period("2024-10-01", "2024-10-04"), [("09-30 15:00", 72)]),
        (
            "Asia/Kathmandu",  # five hours and three quarters ahead
            period("2024-10-01", "2024-10-03", "day"),
            [("09-30 18:15", 24), ("10-01 18:15", 24)],
        ),
        # Instants are the same for all stores; cuts are their own midnights.
        ("Asia/Tokyo", period("2024-10-01 12:00", "2024-10-03 12:00"), [("10-01 12:00", 48)]),
        (
            "Asia/Tokyo",
            period("2024-10-01 12:00", "2024-10-03 12:00", "day"),
            [("10-01 12:00", 3), ("10-01 15:00", 24), ("10-02 15:00", 21)],
        ),
        (
            "UTC",
            period("2024-10-01", "2024-10-02 00:30", "day"),
            [("10-01 00:00", 24), ("10-02 00:00", 0.5)],
        ),
        ("UTC", period("2024-10-01 06:00", "2024-10-01", "day"), []),
        # From a Wednesday to a Wednesday; weeks begin on Mondays.
        (
            "UTC",
            period("2024-10-02", "2024-10-16", "week"),
            [("10-02 00:00", 5 * 24), ("10-07 00:00", 7 * 24), ("10-14 00:00", 2 * 24)],
        ),
        ("UTC", period("2024-10-07", "2024-10-14", "week"), [("10-07 00:00", 7 * 24)]),
        # February of a leap year, and of another one.
        (
            "UTC",
            period("2024-02-01", "2024-03-15", "month"),
            [("02-01 00:00", 29 * 24), ("03-01 00:00", 14 * 24)],
        ),
        (
            "UTC",
            period("2024-02-28", "2024-03-02", "day"),
            [("02-28 00:00", 24), ("02-29 00:00", 24), ("03-01 00:00", 24)],
        ),
        ("UTC", period("2023-02-01", "2023-03-01", "month"), [("02-01 00:00", 28 * 24)]),
        # Months that clock changes make an hour shorter and longer.
        (
            "America/New_York",
            period("2024-03-01", "2024-04-01", "month"),
            [("03-01 05:00", 31 * 24 - 1)],
        ),
        (
            "America/New_York",
            period("2024-11-01", "2024-12-01", "month"),
            [("11-01 04:00", 30 * 24 + 1)],
        ),
        (
            "America/New_York",
            period("2024-03-09", "2024-03-12", "day"),
            [("03-09 05:00", 24), ("03-10 05:00", 23), ("03-11 04:00", 24)],
        ),
        (
            "America/New_York",
            period("2024-11-02", "2024-11-05", "day"),
            [("11-02 04:00", 24), ("11-03 04:00", 25), ("11-04 05:00", 24)],
        ),
        (
            "Australia/Lord_Howe",  # by half an hour
            period("2024-04-06", "2024-04-08", "day"),
            [("04-05 13:00", 24), ("04-06 13:00", 24.5)],
        ),
        # No midnight: the date begins at 01:00.
        (
            "America/Havana",
            period("2024-03-09", "2024-03-12", "day"),
            [("03-09 05:00", 24), ("03-10 05:00", 23), ("03-11 04:00", 24)],
        ),
        (
            "America/Sao_Paulo",
            period("2018-11-04", "2018-11-05", "day"),
            [("11-04 03:00", 23)],
        ),
        # The hour before midnight twice.
        (
            "America/Sao_Paulo",
            period("2018-02-17", "2018-02-18", "day"),
            [("02-17 02:00", 25)],
        ),
        # Two midnights: the date begins at the first.
        (
            "America/Havana",
            period("2024-11-02", "2024-11-05", "day"),
            [("11-02 04:00", 24), ("11-03 04:00", 25), ("11-04 05:00", 24)],
        ),
        # The same, where clocks go back to the date before: from 00:01 to 23:01.
        (
            "America/St_Johns",
            period("2010-11-06", "2010-11-08", "day"),
            [("11-06 02:30", 24), ("11-07 02:30", 25)],
        ),
        (
            "America/St_Johns",
            period("2010-11-07 03:00", "2010-11-08 12:00", "day"),
            [("11-07 03:00", 24.5), ("11-08 03:30", 8.5)],
        ),
        # Friday, 30 December, does not exist.
        (
            "Pacific/Apia",
            period("2011-12-29", "2012-01-02", "day"),
            [("12-29 10:00", 24), ("12-30 10:00", 24), ("12-31 10:00", 24)],
        ),
        ("Pacific/Apia", period("2011-12-30", "2011-12-31", "day"), []),
        ("Pacific/Apia", period("2011-12-30", "2011-12-31"), []),
        ("Pacific/Apia", period("2011-12-26", "2012-01-02", "week"), [("12-26 10:00", 6 * 24)]),
        (
            "Pacific/Apia",
            period("2011-12-01", "2012-02-01", "month"),
            [("12-01 10:00", 30 * 24), ("12-31 10:00", 31 * 24)],
        ),
    ],
)
def test_rule_20_windows(
    compute_everything: ComputeEverything,
    zone: str,
    asked: Period,
    expected: list[tuple[str, float]],
) -> None:
    case = Case(zones={"s": zone}, now=NEVER, period=asked)
    assert starts_and_hours(windows_of(compute_everything, case)) == expected


def test_rule_07_windows_of_a_store_without_a_zone_are_chicagos(
    compute_everything: ComputeEverything,
) -> None:
    asked = period("2024-07-01", "2024-07-02")
    case = Case(hours=opens("09:00", "17:00", *EVERY_DAY), now=NEVER, period=asked)
    assert starts_and_hours(windows_of(compute_everything, case)) == [("07-01 05:00", 24)]


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        ("2024-10-02 18:00", [("10-01 00:00", 24), ("10-02 00:00", 18)]),
        ("2024-10-03 00:00", [("10-01 00:00", 24), ("10-02 00:00", 24)]),
        ("2024-10-01 00:00", []),
        ("2024-09-30 12:00", []),
    ],
)
def test_rule_21_no_time_after_the_newest_poll(
    compute_everything: ComputeEverything, newest: str, expected: list[tuple[str, float]]
) -> None:
    asked = period("2024-10-01", "2024-10-05", "day")
    case = Case((active(newest, "other"),), zones={"s": "UTC"}, period=asked)
    assert starts_and_hours(windows_of(compute_everything, case)) == expected


# --- statuses -------------------------------------------------------------------------------


def days_of(
    compute_uptime: ComputeUptime, case: Case, start: str, end: str, by: str = "day"
) -> Totals:
    """Compute a store in UTC for a period long past."""
    case = replace(case, zones={"s": "UTC"}, now=NEVER, period=period(start, end, by))
    return compute_uptime(case)["s"]


def test_rule_20_each_window_has_its_own_figures(compute_uptime: ComputeUptime) -> None:
    case = Case(
        (active("2024-10-01 08:00"), inactive("2024-10-02 12:00"), active("2024-10-02 15:00")),
        opens("09:00", "17:00", *EVERY_DAY),
        special_hours=(closed("2024-10-03"),),
        exclusions=(excluded("2024-10-01 16:00", "2024-10-02 10:00"),),
    )
    by_day = days_of(compute_uptime, case, "2024-10-01", "2024-10-05")
    assert by_day.uptime_us == tuple(us(hours=hours) for hours in (7, 4, 0, 8))
    assert by_day.downtime_us == tuple(us(hours=hours) for hours in (0, 3, 0, 0))
    assert by_day.excluded_us == tuple(us(hours=hours) for hours in (1, 1, 0, 0))
    total = days_of(compute_uptime, case, "2024-10-01", "2024-10-05", "total")
    assert (total.uptime_us, total.downtime_us) == ((us(hours=19),), (us(hours=3),))


def test_rule_20_a_night_counts_on_both_dates(compute_uptime: ComputeUptime) -> None:
    case = Case((active("2024-10-01 12:00"),), opens("22:00", "04:00", 1))  # Tuesdays
    by_day = days_of(compute_uptime, case, "2024-10-01", "2024-10-04")
    assert by_day.uptime_us == (us(hours=2), us(hours=4), 0)


def test_rule_21_a_status_holds_at_most_the_memory(compute_uptime: ComputeUptime) -> None:
    case = Case((active("2024-09-01 06:00"), inactive("2024-09-20 12:00")))
    total = days_of(compute_uptime, case, "2024-09-01 06:00", "2024-09-21", "total")
    assert total.uptime_us == (14 * DAY_US,)
    assert total.no_data_us == (us(days=5, hours=6),)
    assert total.downtime_us == (us(hours=12),)


def test_rule_21_a_repeated_poll_renews_a_status(compute_uptime: ComputeUptime) -> None:
    case = Case((active("2024-09-01 00:00"), active("2024-09-11 00:00")))
    total = days_of(compute_uptime, case, "2024-09-01", "2024-10-01", "total")
    assert (total.uptime_us, total.no_data_us) == ((24 * DAY_US,), (6 * DAY_US,))


def test_rule_21_the_first_status_is_extended_at_most_the_memory(
    compute_uptime: ComputeUptime,
) -> None:
    case = Case((inactive("2024-09-19 12:00"),))
    by_week = days_of(compute_uptime, case, "2024-09-02", "2024-09-23", "week")
    assert by_week.no_data_us == (us(days=3, hours=12), 0, 0)
    assert by_week.downtime_us == (us(days=3, hours=12), 7 * DAY_US, 7 * DAY_US)


def test_rule_21_a_status_after_a_gap_is_not_extended_backwards(
    compute_uptime: ComputeUptime,
) -> None:
    case = Case((active("2024-09-01 00:00"), inactive("2024-09-20 12:00")))
    by_day = days_of(compute_uptime, case, "2024-09-19", "2024-09-21")
    # The poll of 1 September is not known any more: nothing is before the other.
    assert by_day.downtime_us == (DAY_US, DAY_US)
    by_week = days_of(compute_uptime, case, "2024-09-02", "2024-09-23", "week")
    assert by_week.uptime_us == (7 * DAY_US, 6 * DAY_US, 0)
    assert by_week.no_data_us == (0, DAY_US, us(days=4, hours=12))


def test_rule_21_only_known_polls_are_extended(compute_uptime: ComputeUptime) -> None:
    # The period ends before the poll.
    case = Case((active("2024-09-10 00:00:00.000001"),))
    assert days_of(compute_uptime, case, "2024-09-09", "2024-09-10").no_data_us == (DAY_US,)
    case = Case((active("2024-09-10 00:00"),))
    assert days_of(compute_uptime, case, "2024-09-09", "2024-09-10").uptime_us == (DAY_US,)


@pytest.mark.parametrize(("memory_days", "is_known"), [(14, True), (13, False), (30, True)])
def test_rule_21_polls_are_known_from_a_week_less_than_the_memory_before(
    compute_uptime: ComputeUptime, memory_days: int, is_known: bool
) -> None:
    case = Case((active("2024-09-24 00:00"),), memory_days=memory_days)
    total = days_of(compute_uptime, case, "2024-10-01", "2024-10-03")
    assert total.uptime_us == ((DAY_US, DAY_US) if is_known else (0, 0))
    case = replace(case, polls=(active(utc("2024-09-24 00:00") - MICROSECOND),), memory_days=14)
    assert days_of(compute_uptime, case, "2024-10-01", "2024-10-02").no_data_us == (DAY_US,)


def test_rule_21_known_polls_begin_per_store(compute_uptime: ComputeUptime) -> None:
    """Midnight in Tokyo is nine hours before that in London's winter."""
    polls = tuple(active("2024-12-24 20:00", store_id) for store_id in ("tokyo", "london"))
    case = Case(
        polls,
        zones={"tokyo": "Asia/Tokyo", "london": "Europe/London"},
        now=NEVER,
        period=period("2025-01-01", "2025-01-02"),
    )
    totals = compute_uptime(case)
    assert totals["tokyo"].uptime_us == (DAY_US,)  # known since 2024-12-24 15:00
    assert totals["london"].no_data_us == (DAY_US,)  # known since 2024-12-25 00:00


# --- polls and outages ----------------------------------------------------------------------


def days_in_detail(
    compute_everything: ComputeEverything, case: Case, start: str, end: str
) -> tuple[Details, list[Outage]]:
    case = replace(case, zones={"s": "UTC"}, now=NEVER, period=period(start, end, "day"))
    _, details, outages = compute_everything(case)
    return details["s"], outages["s"]


def test_an_outage_counts_in_all_windows_that_it_overlaps(
    compute_everything: ComputeEverything,
) -> None:
    polls = (
        active("2024-10-01 12:00"),
        inactive("2024-10-01 22:00"),  # a Tuesday
        active("2024-10-03 06:00"),
        inactive("2024-10-03 08:00"),
    )
    details, outages = days_in_detail(compute_everything, Case(polls), "2024-10-01", "2024-10-05")
    assert len(outages) == 2
    assert details.outages == details.incidents == (1, 1, 2, 1)
    assert details.longest_outage_us == tuple(us(hours=hours) for hours in (2, 24, 16, 24))
    # It begins in one window, and recovers in the one in which it ends.
    assert details.outage_starts == (1, 0, 1, 0)
    assert details.outage_hours == (24 + 22, 72 + 8)
    assert details.recoveries == (0, 0, 1, 0)
    assert details.recovery_us == (0, 0, us(hours=32), 0)


def test_an_outage_that_ends_with_a_window_recovers_in_it(
    compute_everything: ComputeEverything,
) -> None:
    polls = (inactive("2024-10-01 22:00"), active("2024-10-02 00:00"), active("2024-10-02 01:00"))
    details, _ = days_in_detail(compute_everything, Case(polls), "2024-10-01", "2024-10-03")
    assert details.outages == details.recoveries == (1, 0)
    assert details.recovery_us == (DAY_US, 0)


def test_an_incident_may_have_outages_in_several_windows(
    compute_everything: ComputeEverything,
) -> None:
    polls = (active("2024-10-01 12:00"), inactive("2024-10-01 16:00"), active("2024-10-02 20:00"))
    case = Case(polls, opens("09:00", "17:00", *EVERY_DAY))
    details, outages = days_in_detail(compute_everything, case, "2024-10-01", "2024-10-04")
    assert [outage.incident for outage in outages] == [1, 1]
    assert details.outages == details.incidents == (1, 1, 0)
    # The active poll came after closing time; the last outage ended then.
    assert details.recoveries == (0, 1, 0)
    assert details.recovery_us == (0, us(hours=1 + 8), 0)


def test_rule_21_time_that_no_status_reaches_is_no_outage(
    compute_everything: ComputeEverything,
) -> None:
    polls = (inactive("2024-09-01 00:00"), inactive("2024-09-20 00:00"))
    details, outages = days_in_detail(compute_everything, Case(polls), "2024-09-01", "2024-09-22")
    assert [(f"{each.start:%m-%d}", f"{each.end:%m-%d}") for each in outages] == [
        ("09-01", "09-15"),
        ("09-20", "09-22"),
    ]
    assert {outage.incident for outage in outages} == {1}  # it was never up between them
    assert details.outages == (1,) * 14 + (0,) * 5 + (1, 1)


def test_polls_count_in_their_windows(compute_everything: ComputeEverything) -> None:
    polls = tuple(
        active(at)
        for at in (
            "2024-09-30 23:00",
            "2024-10-01 00:00",
            "2024-10-01 12:00",
            "2024-10-02 00:00",
            "2024-10-03 00:00",  # the end of the last window counts, too
        )
    )
    details, _ = days_in_detail(compute_everything, Case(polls), "2024-10-01", "2024-10-03")
    assert details.polls == (2, 2)
    assert details.last_poll == (utc("2024-10-03 00:00"), True)
    # Two hours after each poll are covered, also after one of the day before.
    assert details.covered_us == (us(hours=4), us(hours=2))


# --- the classic week -----------------------------------------------------------------------


def last_week(now: datetime) -> Period:
    return Period(now - timedelta(days=7), now, "total")


def test_rule_21_the_last_seven_days_are_the_classic_week(compute_uptime: ComputeUptime) -> None:
    now = utc("2024-10-16 12:00")
    case = Case(
        (inactive("2024-10-02 12:00"), active("2024-10-15 13:00"), active(now, "newest")),
        opens("09:00", "17:00", *EVERY_DAY),
        {"s": "UTC"},
        now,
    )
    classic = compute_uptime(case)["s"]
    total = compute_uptime(replace(case, period=last_week(now)))["s"]
    assert (total.uptime_us, total.downtime_us) == (
        classic.uptime_us[-1:],
        classic.downtime_us[-1:],
    )


def test_rule_21_a_classic_week_may_end_after_the_newest_poll(
    compute_uptime: ComputeUptime,
) -> None:
    """A period's week does not, so it counts less time and the same polls."""
    newest, now = utc("2024-10-16 12:00"), utc("2024-10-16 20:00")
    case = Case((active(newest),), zones={"s": "UTC"})
    assert compute_uptime(replace(case, now=now))["s"].uptime_us[-1] == us(days=7)
    total = compute_uptime(replace(case, period=last_week(now)))["s"]
    assert total.uptime_us == (us(days=7) - us(hours=8),)

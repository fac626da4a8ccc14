"""Business hours around changes of the clocks: against the oracle, and worked out by hand."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from tests.cases import (
    EVERY_DAY,
    FRIDAY,
    SATURDAY,
    SUNDAY,
    THURSDAY,
    ComputeUptime,
    active,
    inactive,
    opens,
    us,
    utc,
)
from tests.compute_by_domain import compute_by_domain
from tests.oracle import Case, HoursRow, Poll, report
from tests.property.transitions import TRANSITIONS, Transition

NEW_YORK = "America/New_York"
LONDON = "Europe/London"
LORD_HOWE = "Australia/Lord_Howe"
ST_JOHNS = "America/St_Johns"
HAVANA = "America/Havana"
APIA = "Pacific/Apia"
CASABLANCA = "Africa/Casablanca"

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def wall_times_around(transition: Transition) -> list[datetime]:
    """Wall times before, at the edges of, in and after the gap or the overlap."""
    first, last = sorted((transition.shown_before, transition.shown_after))
    quarter = (last - first) / 4
    return [
        first - 5 * HOUR,
        first - MINUTE,
        first,
        first + quarter,
        last - quarter,
        last,
        last + MINUTE,
        last + 5 * HOUR,
    ]


def rows_around(transition: Transition) -> Iterator[HoursRow]:
    """Rows of one store each: every way to open and close, on these dates and the one before."""
    wall_times = wall_times_around(transition)
    dates = {wall_time.date() for wall_time in wall_times}
    days = {(date - before).weekday() for date in dates for before in (timedelta(), DAY)}
    times = {wall_time.time().isoformat() for wall_time in wall_times}
    for day, start, end in product(days, times, times):
        yield HoursRow(f"{day} {start}-{end}", day, start, end)


def polls_around(transition: Transition, store_id: str) -> Iterator[Poll]:
    """An outage of twenty minutes in each of the hours around the transition."""
    for hours in range(-5, 5):
        yield active(transition.instant + hours * HOUR, store_id)
        yield inactive(transition.instant + hours * HOUR + 25 * MINUTE, store_id)
        yield active(transition.instant + hours * HOUR + 45 * MINUTE, store_id)


@pytest.mark.parametrize("transition", TRANSITIONS, ids=str)
def test_the_transitions_are_those_of_the_tz_database(transition: Transition) -> None:
    zone = ZoneInfo(transition.zone)
    just_before = (transition.instant - MICROSECOND).astimezone(zone).replace(tzinfo=None)
    assert just_before + MICROSECOND == transition.shown_before
    assert transition.instant.astimezone(zone).replace(tzinfo=None) == transition.shown_after


@pytest.mark.parametrize("ago", [30 * MINUTE, 20 * HOUR, 3 * DAY], ids=["30min", "20h", "3d"])
@pytest.mark.parametrize("transition", TRANSITIONS, ids=str)
def test_hours_that_straddle_a_transition(transition: Transition, ago: timedelta) -> None:
    rows = tuple(rows_around(transition))
    case = Case(
        polls=tuple(poll for row in rows for poll in polls_around(transition, row.store_id)),
        hours=rows,
        zones={row.store_id: transition.zone for row in rows},
        now=transition.instant + ago,
    )
    assert compute_by_domain(case) == report(case)


@pytest.mark.parametrize(
    ("zone", "now", "rows", "hours"),
    [
        # New York, Sundays 2024-03-10 and 2024-11-03: nights that end in the gap, the overlap.
        (NEW_YORK, "2024-03-12 00:00", opens("22:00", "02:30", SATURDAY), 4),
        (NEW_YORK, "2024-11-05 00:00", opens("22:00", "01:30", SATURDAY), 4.5),
        # London, Sundays 2024-03-31 and 2024-10-27: nights across them.
        (LONDON, "2024-04-02 00:00", opens("22:00", "06:00", SATURDAY), 7),
        (LONDON, "2024-10-29 00:00", opens("22:00", "06:00", SATURDAY), 9),
        # Lord Howe, Sunday 2024-04-07: half an hour twice, 01:30 to 02:00.
        (LORD_HOWE, "2024-04-09 00:00", opens("00:00", "24:00", SUNDAY), 24.5),
        (LORD_HOWE, "2024-04-09 00:00", opens("01:45", "03:00", SUNDAY), 1.75),
        (LORD_HOWE, "2024-04-09 00:00", opens("00:00", "01:30", SUNDAY), 2),
        # Lord Howe, Sunday 2024-10-06: half an hour missing, 02:00 to 02:30.
        (LORD_HOWE, "2024-10-08 00:00", opens("00:00", "24:00", SUNDAY), 23.5),
        (LORD_HOWE, "2024-10-08 00:00", opens("02:15", "05:00", SUNDAY), 2.5),
        (LORD_HOWE, "2024-10-08 00:00", opens("02:05", "02:25", SUNDAY), 0),
        # St. John's, Sunday 2010-03-14: 00:01 to 01:01 missing, so one minute is left.
        (ST_JOHNS, "2010-03-16 00:00", opens("00:00", "00:30", SUNDAY), 1 / 60),
        (ST_JOHNS, "2010-03-16 00:00", opens("00:00", "24:00", SUNDAY), 23),
        # St. John's, Saturday 2010-11-06 23:01 to Sunday 00:01 occurs twice, midnight included:
        # each of the two dates is open for 25 hours, one of them shared.
        (ST_JOHNS, "2010-11-09 12:00", opens("23:30", "23:45", SATURDAY), 1.25),
        (ST_JOHNS, "2010-11-09 12:00", opens("00:00", "24:00", SATURDAY), 25),
        (ST_JOHNS, "2010-11-09 12:00", opens("00:00", "24:00", SUNDAY), 25),
        (ST_JOHNS, "2010-11-09 12:00", opens("00:00", "24:00", SATURDAY, SUNDAY), 49),
        # Havana, Sundays 2024-03-10 (no midnight) and 2024-11-03 (two; it closes at the second).
        (HAVANA, "2024-03-12 12:00", opens("18:00", "24:00", SATURDAY), 6),
        (HAVANA, "2024-03-12 12:00", opens("00:00", "24:00", SUNDAY), 23),
        (HAVANA, "2024-11-05 12:00", opens("18:00", "24:00", SATURDAY), 7),
        # Apia: Thursday 2011-12-29 is followed by Saturday 31. The week holds seven dates of
        # eight hours all the same, the first and the last in part (3 and 5 hours).
        (APIA, "2012-01-02 00:00", opens("09:00", "17:00", *EVERY_DAY), 56),
        (APIA, "2012-01-02 00:00", opens("09:00", "17:00", FRIDAY), 0),
        (APIA, "2012-01-02 00:00", opens("00:00", "24:00", FRIDAY), 0),
        (APIA, "2012-01-02 00:00", opens("22:00", "02:00", THURSDAY), 2),
        (APIA, "2012-01-02 00:00", opens("22:00", "02:00", FRIDAY), 2),
        (APIA, "2012-01-02 00:00", opens("06:00", "06:00", THURSDAY), 18),
        # Casablanca, Sundays 2024-03-10 (02:00 to 03:00 twice) and 2024-04-14 (missing).
        (CASABLANCA, "2024-03-12 00:00", opens("00:00", "24:00", SUNDAY), 25),
        (CASABLANCA, "2024-03-12 00:00", opens("02:00", "03:00", SUNDAY), 2),
        (CASABLANCA, "2024-04-16 00:00", opens("00:00", "24:00", SUNDAY), 23),
        (CASABLANCA, "2024-04-16 00:00", opens("01:30", "02:30", SUNDAY), 0.5),
    ],
)
def test_business_time_of_the_week_by_hand(
    compute_uptime: ComputeUptime, zone: str, now: str, rows: tuple[HoursRow, ...], hours: float
) -> None:
    totals = compute_uptime(Case((active(now),), rows, {"s": zone}, utc(now)))["s"]
    assert totals.uptime_us[2] == us(hours=hours)
    assert totals.downtime_us[2] == 0


def test_kathmandu_is_always_five_hours_and_three_quarters_ahead(
    compute_uptime: ComputeUptime,
) -> None:
    # 09:00 to 17:00 is 03:15 to 11:15 UTC.
    now = "2024-10-16 11:30"
    rows = opens("09:00", "17:00", *EVERY_DAY)
    totals = compute_uptime(Case((active(now),), rows, {"s": "Asia/Kathmandu"}, utc(now)))["s"]
    assert totals.uptime_us == (us(minutes=45), us(hours=8), us(hours=56))


@pytest.mark.parametrize("transition", TRANSITIONS, ids=str)
def test_windows_are_elapsed_time(compute_uptime: ComputeUptime, transition: Transition) -> None:
    now = transition.instant + 30 * MINUTE
    totals = compute_uptime(Case((active(now),), (), {"s": transition.zone}, now))["s"]
    assert totals.uptime_us == (us(hours=1), us(hours=24), us(hours=168))

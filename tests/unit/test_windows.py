"""The windows of a period (rule 20), and what is known in them (rule 21)."""

from dataclasses import astuple, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from store_monitoring.domain.model import Int64s, Polls, Stores, WeeklyHours
from store_monitoring.domain.parameters import DAY_US, HOUR_US, Parameters, Period, PeriodUnit
from store_monitoring.domain.uptime import (
    Figures,
    Piece,
    compute_uptime,
    compute_uptime_by_pieces,
)
from store_monitoring.domain.windows import Windows, classic_windows, period_windows

NO_ROWS = np.empty(0, np.int64)
MEMORY = Parameters(14 * DAY_US)
LATER_US = 4_000_000_000_000_000


def utc_us(text: str) -> int:
    return (
        datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    ) // (timedelta(microseconds=1))


def windows_of(zone: str, start: str, end: str, unit: PeriodUnit) -> list[str]:
    """Return the starts of one store's windows, and the end of the last one, in UTC."""
    period = Period(date.fromisoformat(start), date.fromisoformat(end), unit)
    windows = period_windows(np.array([0]), (zone,), period, LATER_US)
    assert windows.end_us[:-1].tolist() == windows.start_us[1:].tolist()
    edges = np.append(windows.start_us, windows.end_us[-1:])
    return [str(edge)[:16] for edge in edges.astype("datetime64[us]")]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2024-03-10", 23),
        ("America/New_York", "2024-11-03", 25),
        ("America/Sao_Paulo", "2018-11-04", 23),  # has no midnight: it begins at 01:00
        ("America/Sao_Paulo", "2018-02-17", 25),  # has 23:00 to midnight twice
        ("America/Havana", "2024-11-03", 25),  # has midnight to 01:00 twice
        ("Australia/Lord_Howe", "2024-04-07", 24.5),
        ("Asia/Kathmandu", "2024-02-29", 24),
    ],
)
def test_days_are_as_long_as_local_clocks_say(zone: str, day: str, hours: float) -> None:
    first = date.fromisoformat(day)
    period = Period(first, first + timedelta(days=1), PeriodUnit.DAY)
    windows = period_windows(np.array([0]), (zone,), period, LATER_US)
    assert (windows.end_us - windows.start_us).tolist() == [hours * HOUR_US]


def test_a_date_that_a_zone_skipped_has_no_window() -> None:
    edges = windows_of("Pacific/Apia", "2011-12-29", "2012-01-01", PeriodUnit.DAY)
    assert edges == ["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"]
    period = Period(date(2011, 12, 30), date(2011, 12, 31), PeriodUnit.TOTAL)
    assert not len(period_windows(np.array([0]), ("Pacific/Apia",), period, LATER_US).store)


def test_weeks_begin_on_mondays_and_the_first_and_last_are_cut() -> None:
    edges = windows_of("UTC", "2024-10-02", "2024-10-15", PeriodUnit.WEEK)
    assert [edge[:10] for edge in edges] == ["2024-10-02", "2024-10-07", "2024-10-14", "2024-10-15"]


def test_months_begin_on_the_first_across_a_leap_day() -> None:
    edges = windows_of("America/Chicago", "2024-01-15", "2024-03-02", PeriodUnit.MONTH)
    assert edges == [f"2024-{day}T06:00" for day in ("01-15", "02-01", "03-01", "03-02")]


def test_instants_are_the_same_for_all_zones_and_days_are_not() -> None:
    period = Period(utc_us("2024-10-01 03:00"), utc_us("2024-10-02 12:00"), PeriodUnit.DAY)
    windows = period_windows(np.array([1, 0, 1]), ("UTC", "Asia/Tokyo"), period, LATER_US)
    assert windows.store.tolist() == [0, 0, 1, 1, 2, 2]
    starts = [str(start)[:13] for start in windows.start_us.astype("datetime64[us]")]
    tokyo = ["2024-10-01T03", "2024-10-01T15"]
    assert starts == [*tokyo, "2024-10-01T03", "2024-10-02T00", *tokyo]


def test_a_period_ends_with_the_newest_poll() -> None:
    period = Period(date(2024, 10, 1), date(2024, 10, 4), PeriodUnit.DAY)
    zones = ("UTC", "Asia/Tokyo", "America/Adak")
    newest_us = utc_us("2024-10-02 00:00")
    windows = period_windows(np.arange(3), zones, period, newest_us)
    hours = ((windows.end_us - windows.start_us) // HOUR_US).tolist()
    assert (windows.store.tolist(), hours) == ([0, 1, 1, 2], [24, 24, 9, 15])
    before = period_windows(np.arange(3), zones, period, utc_us("2024-09-30 15:00"))
    assert not len(before.store)


# --- what is known -----------------------------------------------------------------------------


def one_store(zone: str = "UTC") -> Stores:
    """Return a store that is open 24×7."""
    return Stores(np.array([0]), (zone,), WeeklyHours(NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS))


def polls_at(*polls: tuple[str, bool]) -> Polls:
    at_us = np.array([utc_us(at) for at, _ in polls])
    return Polls(np.zeros(len(polls), np.int64), at_us, np.array([active for _, active in polls]))


def days(start: str, end: str, unit: PeriodUnit = PeriodUnit.TOTAL) -> Windows:
    period = Period(date.fromisoformat(start), date.fromisoformat(end), unit)
    return period_windows(np.array([0]), ("UTC",), period, LATER_US)


def in_days(figures: Figures) -> list[tuple[float, ...]]:
    """Return (uptime, downtime, no data) of each window."""
    totals = figures.totals
    rows = zip(totals.uptime_us, totals.downtime_us, totals.no_data_us, strict=True)
    return [tuple((np.array(row) / DAY_US).tolist()) for row in rows]


def computed(polls: Polls, windows: Windows, parameters: Parameters = MEMORY) -> Figures:
    """Compute a store's figures; by pieces, they are the same."""
    at_once = compute_uptime(one_store(), polls, windows, parameters, keep_outages=True)
    order = np.argsort(polls.timestamp_us)
    cuts_us = [*(polls.timestamp_us[order] + 1).tolist(), LATER_US]
    pieces = [
        Piece(polls.where(polls.timestamp_us == until_us - 1), until_us) for until_us in cuts_us
    ]
    by_pieces = compute_uptime_by_pieces(
        one_store(), pieces, windows, parameters, keep_outages=True
    )
    for name in ("totals", "outages", "all_outages"):
        for one, other in zip(
            astuple(getattr(at_once, name)), astuple(getattr(by_pieces, name)), strict=True
        ):
            assert one.tolist() == other.tolist()
    assert at_once.polls.tolist() == by_pieces.polls.tolist()
    return at_once


def test_rule_21_a_status_holds_for_at_most_the_memory() -> None:
    polls = polls_at(("2024-08-10", True), ("2024-08-12", True), ("2024-09-20", False))
    windows = days("2024-08-05", "2024-10-31")
    # Up from the first day to 14 days after the second poll; down for 14 days after the third.
    assert in_days(computed(polls, windows)) == [(21, 14, 87 - 35)]


def test_rule_21_a_status_is_extended_backwards_by_at_most_the_memory() -> None:
    polls = polls_at(("2024-09-01", True))
    assert in_days(computed(polls, days("2024-08-01", "2024-09-02"))) == [(15, 0, 17)]


def test_rule_21_only_the_first_status_is_extended_backwards() -> None:
    polls = polls_at(("2024-08-01", True), ("2024-09-01", False))
    assert in_days(computed(polls, days("2024-08-01", "2024-09-02"))) == [(14, 1, 17)]


def test_rule_21_polls_are_known_from_a_week_before_the_first_window() -> None:
    at_the_border, earlier = polls_at(("2024-09-24", True)), polls_at(("2024-09-23 23:59", True))
    windows = days("2024-10-01", "2024-10-02")
    assert in_days(computed(at_the_border, windows)) == [(1, 0, 0)]
    assert in_days(computed(earlier, windows)) == [(0, 0, 1)]
    assert in_days(computed(earlier, windows, Parameters(21 * DAY_US))) == [(1, 0, 0)]


def test_rule_21_polls_after_the_last_window_are_not_known() -> None:
    windows = days("2024-10-01", "2024-10-02")
    assert in_days(computed(polls_at(("2024-10-02", False)), windows)) == [(0, 1, 0)]
    assert in_days(computed(polls_at(("2024-10-02 00:01", False)), windows)) == [(0, 0, 1)]


def test_an_outage_is_counted_in_every_window_that_it_overlaps() -> None:
    polls = polls_at(("2024-10-01", True), ("2024-10-01 18:00", False), ("2024-10-03 12:00", True))
    figures = computed(polls, days("2024-10-01", "2024-10-05", PeriodUnit.DAY))
    outages = figures.outages
    assert outages.count.tolist() == outages.incidents.tolist() == [1, 1, 1, 0]
    assert (outages.longest_us / HOUR_US).tolist() == [6, 24, 12, 0]
    assert outages.recoveries.tolist() == [0, 0, 1, 0]
    assert (outages.recovery_us / HOUR_US).tolist() == [0, 0, 42, 0]
    assert (outages.starts.tolist(), outages.hours.tolist()) == ([1, 0, 0, 0], [24 + 18])
    assert figures.polls.tolist() == [2, 0, 1, 0]


def test_an_outage_ends_when_its_status_does_and_its_incident_goes_on() -> None:
    polls = polls_at(("2024-08-01", False), ("2024-09-01", False), ("2024-09-02", True))
    figures = computed(polls, days("2024-08-01", "2024-09-03", PeriodUnit.MONTH))
    outages = figures.outages
    assert outages.count.tolist() == outages.incidents.tolist() == [1, 1]
    assert outages.recoveries.tolist() == [0, 1]
    assert (outages.recovery_us / DAY_US).tolist() == [0, 15]
    assert figures.all_outages is not None
    assert figures.all_outages.incident.tolist() == [1, 1]


def test_the_last_seven_days_are_the_classic_week() -> None:
    rng = np.random.default_rng(1)
    now_us = utc_us("2024-10-15 00:00")
    at_us = now_us - rng.integers(0, 20 * DAY_US, 500)
    polls = Polls(np.zeros(500, np.int64), at_us, rng.random(500) < 0.7)
    week = computed(polls, days("2024-10-08", "2024-10-15"))
    classic = computed(polls, classic_windows(1, now_us))
    for of_week, of_three in zip(astuple(week.totals), astuple(classic.totals), strict=True):
        assert of_week[0] == of_three[0]
    for one, other in zip(astuple(week.outages), astuple(classic.outages), strict=True):
        assert one.tolist() == other.tolist()
    assert week.polls.tolist() == classic.polls.tolist()


@pytest.mark.parametrize("unit", [PeriodUnit.DAY, PeriodUnit.WEEK, PeriodUnit.MONTH])
def test_pieces_of_a_period_add_up_to_it(unit: PeriodUnit) -> None:
    rng = np.random.default_rng(2)
    at_us = utc_us("2024-07-01 00:00") + rng.integers(0, 150 * DAY_US, 60)
    polls = Polls(np.zeros(60, np.int64), at_us, rng.random(60) < 0.5)
    whole = computed(polls, days("2024-08-10", "2024-11-05"))
    cut = computed(polls, days("2024-08-10", "2024-11-05", unit))

    def sums(figures: Figures) -> list[int]:
        each: tuple[Int64s, ...] = (*astuple(figures.totals), figures.polls, figures.outages.starts)
        return [int(values.sum()) for values in each]

    assert sums(cut) == sums(whole)
    assert len(cut.polls) > 1


def test_each_store_has_its_own_known_time() -> None:
    """What a store shows does not depend on which other stores are in the report."""
    zones = ("Pacific/Kiritimati", "Pacific/Niue")
    period = Period(date(2024, 10, 1), date(2024, 10, 3), PeriodUnit.DAY)
    stores = replace(one_store(), zone=np.array([0, 1]), zone_names=zones)
    rng = np.random.default_rng(3)
    at_us = utc_us("2024-09-23 12:00") + rng.integers(0, 11 * DAY_US, 200)
    polls = Polls(rng.integers(0, 2, 200), at_us, rng.random(200) < 0.5)
    windows = period_windows(stores.zone, zones, period, LATER_US)
    both = compute_uptime(stores, polls, windows, MEMORY)
    for store, zone in enumerate(zones):
        own = polls.where(polls.store == store)
        own = Polls(np.zeros_like(own.store), own.timestamp_us, own.active)
        alone = period_windows(np.array([0]), (zone,), period, LATER_US)
        single = compute_uptime(one_store(zone), own, alone, MEMORY)
        of_store = windows.store == store
        for one, other in zip(astuple(single.totals), astuple(both.totals), strict=True):
            assert one.tolist() == other[of_store].tolist()
        assert single.polls.tolist() == both.polls[of_store].tolist()


def test_no_windows_have_no_figures() -> None:
    none = Windows(NO_ROWS, NO_ROWS, NO_ROWS)
    figures = compute_uptime(one_store(), polls_at(("2024-10-01", True)), none, MEMORY)
    assert len(figures.totals.uptime_us) == len(figures.outages.count) == 0

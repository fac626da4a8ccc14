"""The domain against the oracle, and what must hold for any stores, hours and polls."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.domain.model import Int64s
from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US, WEEK_US
from store_monitoring.domain.pieces import cut_by_store
from store_monitoring.reports.formats.rows import hundredths
from tests.compute_by_domain import (
    compute_by_domain,
    everything_by_domain,
    everything_by_oracle,
    everything_by_pieces,
)
from tests.oracle import (
    Case,
    Exclusion,
    HoursRow,
    Lengths,
    Period,
    Poll,
    SpecialRow,
    Totals,
    business_time_us,
)
from tests.property.transitions import TRANSITIONS

STORE_IDS = ("a", "b", "c", "d")
ZONES = (
    *sorted({transition.zone for transition in TRANSITIONS}),
    "America/Chicago",
    "America/Phoenix",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "UTC",
)
WINDOWS = (timedelta(hours=1), timedelta(hours=24), timedelta(hours=168))
MICROSECOND = timedelta(microseconds=1)

# Edges of the rules, of clock changes and of the windows, to be drawn more often than by chance.
START_TIMES = ("00:00", "00:01", "01:00", "01:30", "02:00", "02:30", "03:00", "09:00", "23:59:30")
END_TIMES = (*START_TIMES, "23:58:59.999999", "23:59", "23:59:00", "23:59:59", "24:00", "24:00:00")
POLL_AGES = tuple(
    age + beside
    for age in (timedelta(), *WINDOWS, timedelta(days=14))
    for beside in (-MICROSECOND, timedelta(), MICROSECOND)
)


def times_of_day(usual: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(usual) | st.times().map(lambda time: time.isoformat())


def hours_rows() -> st.SearchStrategy[HoursRow]:
    return st.builds(
        HoursRow,
        st.sampled_from(STORE_IDS[:3]),  # the last store is always open
        st.integers(0, 6),
        times_of_day(START_TIMES),
        times_of_day(END_TIMES),
    )


def instants_near_transitions() -> st.SearchStrategy[datetime]:
    """Instants from a day before a transition to nine days after it, at any microsecond."""
    return st.builds(
        lambda transition, after: transition.instant + after,
        st.sampled_from(TRANSITIONS),
        st.integers(-24 * 4, 9 * 24 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))
        | st.timedeltas(timedelta(days=-1), timedelta(days=9)),
    )


def polls(now: datetime) -> st.SearchStrategy[Poll]:
    ages = (
        st.sampled_from(POLL_AGES)
        | st.integers(-4, 16 * 24 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))
        | st.timedeltas(timedelta(hours=-1), timedelta(days=16))
    )
    return st.builds(
        Poll, st.sampled_from(STORE_IDS), ages.map(lambda age: now - age), st.booleans()
    )


def special_rows(now: datetime) -> st.SearchStrategy[SpecialRow]:
    """Rows about the dates before now, and about some that do not matter any more, or yet."""
    times = st.tuples(times_of_day(START_TIMES), times_of_day(END_TIMES))
    return st.builds(
        lambda store_id, day, times: SpecialRow(
            store_id, (now + timedelta(days=day)).date(), *times
        ),
        st.sampled_from(STORE_IDS),
        st.integers(-9, 1) | st.integers(-40, 40),
        times | st.just(("", "")),
    )


def exclusions(now: datetime) -> st.SearchStrategy[Exclusion]:
    ages = (
        st.sampled_from(POLL_AGES)
        | st.integers(-4, 9 * 24 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))
        | st.timedeltas(timedelta(days=-1), timedelta(days=16))
    )
    lengths = st.sampled_from([MICROSECOND, timedelta(hours=1), timedelta(days=3)]) | st.timedeltas(
        MICROSECOND, timedelta(days=20)
    )
    return st.builds(
        lambda store_id, age, length: Exclusion(store_id, now - age, now - age + length),
        *(st.sampled_from(STORE_IDS), ages, lengths),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    now = draw(instants_near_transitions())
    return Case(
        polls=tuple(draw(st.lists(polls(now), max_size=60))),
        hours=tuple(draw(st.lists(hours_rows(), max_size=20))),
        zones=draw(st.dictionaries(st.sampled_from(STORE_IDS), st.sampled_from(ZONES))),
        now=now,
        memory_days=draw(st.sampled_from([14, 14, 7, 9, 30])),
        poll_filter=draw(st.sampled_from(["all", "business_hours"])),
        coverage_minutes=draw(st.sampled_from([120, 120, 1, 15, 1440])),
        special_hours=tuple(draw(st.lists(special_rows(now), max_size=12))),
        exclusions=tuple(draw(st.lists(exclusions(now), max_size=6))),
    )


@st.composite
def period_cases(draw: st.DrawFn) -> Case:
    """Draw a period that ends around the newest poll, and polls in it and before it."""
    case = draw(cases())
    newest = case.now
    assert newest is not None
    days_before_end = draw(st.sampled_from([1, 7, 8, 14, 20, 35]))
    end = newest + timedelta(days=draw(st.integers(-9, 3)))
    start = end - timedelta(days=days_before_end)
    first, last = (at.date() if draw(st.booleans()) else at for at in (start, end))
    by = draw(st.sampled_from(["total", "day", "week", "month"]))
    older = st.integers(1, 60).map(lambda days: timedelta(days=days))
    old_polls = st.builds(
        lambda store_id, age, active: Poll(store_id, newest - age, active),
        *(st.sampled_from(STORE_IDS), older, st.booleans()),
    )
    return replace(
        case,
        polls=(*case.polls[:30], *draw(st.lists(old_polls, max_size=12))),
        period=Period(first, last, by),
    )


def over_all_windows(case: Case, lengths_us: Lengths) -> int:
    """Return the length in all windows together: those of a period do not overlap."""
    return sum(lengths_us) if case.period else lengths_us[-1]


ALL_CASES = cases() | period_cases()
OF_WINDOWS = (
    *("windows", "covered_us", "polls", "outages", "longest_outage_us"),
    *("incidents", "recoveries", "recovery_us", "outage_starts"),
)


@given(ALL_CASES)
def test_the_domain_is_the_oracle(case: Case) -> None:
    assert everything_by_domain(case) == everything_by_oracle(case)


@given(ALL_CASES, st.integers(1, 20), st.integers(1, 7))
def test_the_results_by_pieces_are_the_oracles(
    case: Case, max_polls: int, batch_polls: int
) -> None:
    assert everything_by_pieces(case, max_polls, batch_polls) == everything_by_oracle(case)


@given(
    st.lists(st.integers(0, 1000), max_size=30).map(np.array),
    st.integers(1, 3650),
    st.integers(1, 3650),
)
def test_every_store_is_in_one_run(rows: Int64s, span_days: int, memory_days: int) -> None:
    runs = cut_by_store(rows.astype(np.int64), span_days * DAY_US, memory_days * DAY_US)
    assert [store for begin, end in runs for store in range(begin, end)] == list(range(len(rows)))


@given(ALL_CASES)
def test_uptime_downtime_and_no_data_are_the_business_time(case: Case) -> None:
    by_domain = compute_by_domain(case)
    for store_id, length_us in business_time_us(case).items():
        totals = by_domain[store_id]
        states = zip(totals.uptime_us, totals.downtime_us, totals.no_data_us, strict=True)
        assert tuple(map(sum, states)) == length_us


@given(ALL_CASES)
def test_excluded_time_is_what_exclusions_take_from_the_business_time(case: Case) -> None:
    lengths_us, by_domain = business_time_us(case), compute_by_domain(case)
    for store_id, length_us in business_time_us(replace(case, exclusions=())).items():
        excluded_us = by_domain[store_id].excluded_us
        without_us = lengths_us[store_id]
        assert tuple(map(sum, zip(without_us, excluded_us, strict=True))) == length_us


@given(ALL_CASES)
def test_outages_are_the_downtime(case: Case) -> None:
    totals, details, outages = everything_by_domain(case)
    for store_id, of_store in details.items():
        downtime_us = over_all_windows(case, totals[store_id].downtime_us)
        assert sum(outage.length_us for outage in outages[store_id]) == downtime_us
        unended = [outage for outage in outages[store_id] if outage.next_up is None]
        unended_us = sum(outage.length_us for outage in unended)
        assert sum(of_store.recovery_us) == downtime_us - unended_us
        numbers = [outage.incident for outage in outages[store_id]]
        assert numbers == sorted(numbers)
        assert sorted(set(numbers)) == list(range(1, max(numbers, default=0) + 1))
        assert sum(of_store.outage_starts) == len(numbers)


@given(ALL_CASES)
def test_coverage_grows_up_to_the_business_time(case: Case) -> None:
    business_us = business_time_us(case)
    covered_us = [
        {store_id: of_store.covered_us for store_id, of_store in details.items()}
        for minutes in (1, 30, 1440)
        for _, details, _ in [everything_by_domain(replace(case, coverage_minutes=minutes))]
    ]
    for store_id in covered_us[0]:
        of_store = (*(each[store_id] for each in covered_us), business_us[store_id])
        for lengths_us in zip(*of_store, strict=True):
            assert list(lengths_us) == sorted(lengths_us)


@given(ALL_CASES, st.lists(st.integers(0, 3), min_size=len(STORE_IDS), max_size=len(STORE_IDS)))
def test_the_cut_into_shards_does_not_matter(case: Case, shard_of_store: list[int]) -> None:
    together: dict[str, Totals] = {}
    for shard in set(shard_of_store):
        members = {name for name, of in zip(STORE_IDS, shard_of_store, strict=True) if of == shard}
        together |= compute_by_domain(only(case, members))
    assert together == compute_by_domain(case)


def only(case: Case, store_ids: set[str]) -> Case:
    """Return the case with only some of its stores."""
    return replace(
        case,
        polls=tuple(poll for poll in case.polls if poll.store_id in store_ids),
        hours=tuple(row for row in case.hours if row.store_id in store_ids),
        zones={name: zone for name, zone in case.zones.items() if name in store_ids},
        special_hours=tuple(row for row in case.special_hours if row.store_id in store_ids),
        exclusions=tuple(row for row in case.exclusions if row.store_id in store_ids),
    )


@given(st.data(), ALL_CASES)
def test_the_order_of_rows_does_not_matter(data: st.DataObject, case: Case) -> None:
    shuffled = replace(
        case,
        polls=tuple(data.draw(st.permutations(case.polls))),
        hours=tuple(data.draw(st.permutations(case.hours))),
        special_hours=tuple(data.draw(st.permutations(case.special_hours))),
        exclusions=tuple(data.draw(st.permutations(case.exclusions))),
    )
    assert compute_by_domain(shuffled) == compute_by_domain(case)


@given(ALL_CASES)
def test_doubling_every_row_changes_nothing(case: Case) -> None:
    doubled = replace(
        case,
        polls=case.polls * 2,
        hours=case.hours * 2,
        special_hours=case.special_hours * 2,
        exclusions=case.exclusions * 2,
    )
    assert compute_by_domain(doubled) == compute_by_domain(case)


@given(period_cases(), st.sampled_from(["day", "week", "month"]))
def test_days_weeks_and_months_add_up_to_the_total(case: Case, by: str) -> None:
    period = case.period
    assert period is not None
    pieces, totals = (
        everything_by_domain(replace(case, period=replace(period, by=each)))
        for each in (by, "total")
    )
    assert pieces[2] == totals[2]  # the outages, which windows do not cut
    for store_id, total in totals[1].items():
        for name in ("uptime_us", "downtime_us", "no_data_us", "excluded_us"):
            of_pieces = getattr(pieces[0][store_id], name)
            assert (sum(of_pieces),) == getattr(totals[0][store_id], name)
        for name in ("covered_us", "polls", "recoveries", "recovery_us", "outage_starts"):
            assert (sum(getattr(pieces[1][store_id], name)),) == getattr(total, name)
        assert max(pieces[1][store_id].longest_outage_us) <= max(total.longest_outage_us)


@given(cases())
def test_a_period_of_the_last_seven_days_is_the_classic_week(case: Case) -> None:
    """Always, if no poll is newer than the classic report's now: rule 21 limits nothing there."""
    now = case.now
    assert now is not None
    classic = everything_by_domain(case)
    week = everything_by_domain(replace(case, period=Period(now - WINDOWS[-1], now, "total")))
    assert week[2] == classic[2]  # the outages
    for store_id, totals in week[0].items():
        for name in ("uptime_us", "downtime_us", "no_data_us", "excluded_us"):
            assert getattr(totals, name) == getattr(classic[0][store_id], name)[-1:]
    for store_id, details in week[1].items():
        of_week = {name: getattr(classic[1][store_id], name)[-1:] for name in OF_WINDOWS}
        assert details == replace(classic[1][store_id], **of_week)


@given(st.data(), st.sampled_from([MINUTE_US, HOUR_US]))
def test_rounding_is_half_to_even(data: st.DataObject, unit_us: int) -> None:
    halves = st.integers(0, 200 * 168).map(lambda n: n * unit_us // 200)
    length_us = data.draw(st.lists(halves | st.integers(0, WEEK_US)))
    exact = [round(Fraction(100 * n, unit_us)) for n in length_us]
    assert hundredths(np.array(length_us, np.int64), unit_us).tolist() == exact

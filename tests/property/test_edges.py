"""The domain against the oracle where off-by-one errors are most likely."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given

from tests.compute_by_domain import everything_by_domain, everything_by_oracle
from tests.oracle import (
    WINDOWS,
    Case,
    Exclusion,
    HoursRow,
    Poll,
    Span,
    SpecialRow,
    business_time,
    windows,
)
from tests.property.edges import BESIDE, DAY, edge_case, edge_cases
from tests.property.transitions import TRANSITIONS

Condition = Callable[[Case], bool]


@given(edge_cases() | edge_cases(of_periods=True))
def test_the_domain_is_the_oracle_at_edges(case: Case) -> None:
    assert everything_by_domain(case) == everything_by_oracle(case)


# --- many more, which must include each of these conditions ----------------------------------


def ages(case: Case) -> list[timedelta]:
    assert case.now is not None
    return [case.now - poll.timestamp for poll in case.polls]


def a_poll_of(age: timedelta) -> Condition:
    return lambda case: case.memory_days == 14 and age in ages(case)


def a_row(condition: Callable[[HoursRow], bool]) -> Condition:
    return lambda case: any(map(condition, case.hours))


def two_rows(condition: Callable[[HoursRow, HoursRow], bool]) -> Condition:
    return lambda case: any(
        row.store_id == other.store_id and condition(row, other)
        for row in case.hours
        for other in case.hours
    )


def a_poll_beside(edge: str, beside: timedelta) -> Condition:
    return lambda case: any(
        poll.timestamp == getattr(span, edge) + beside
        for poll in case.polls
        if any(row.store_id == poll.store_id for row in case.hours)
        for span in business_time(case, poll.store_id)
    )


def a_special_row(condition: Callable[[Case, SpecialRow], bool]) -> Condition:
    return lambda case: any(condition(case, row) for row in case.special_hours)


def after_a_night(case: Case, row: SpecialRow) -> bool:
    return any(
        night.store_id == row.store_id
        and night.end < night.start
        and night.day == (row.date - DAY).weekday()
        for night in case.hours
    )


def without_hours(case: Case, row: SpecialRow) -> bool:
    return row.store_id not in {each.store_id for each in case.hours}


def an_exclusion(condition: Callable[[Case, Exclusion], bool]) -> Condition:
    return lambda case: any(condition(case, row) for row in case.exclusions)


def at_an_opening(case: Case, row: Exclusion) -> bool:
    spans = business_time(replace(case, exclusions=()), row.store_id)
    return row.start in {span.start for span in spans}


def over_now(case: Case, row: Exclusion) -> bool:
    return case.now is not None and row.start <= case.now < row.end


def over_a_transition(_: Case, row: Exclusion) -> bool:
    return any(row.start < transition.instant < row.end for transition in TRANSITIONS)


def windows_and_polls(case: Case) -> Iterator[tuple[Sequence[Span], list[Poll]]]:
    """Yield the windows and the polls of each polled store of a period."""
    for store_id in {poll.store_id for poll in case.polls} if case.period else ():
        of_store = [poll for poll in case.polls if poll.store_id == store_id]
        yield windows(case, store_id), of_store


def a_window(condition: Callable[[Span], bool]) -> Condition:
    return lambda case: any(
        condition(window) for some, _ in windows_and_polls(case) for window in some
    )


def a_day_of(hours: float) -> Condition:
    is_as_long = a_window(lambda window: window.end - window.start == timedelta(hours=hours))
    return lambda case: case.period is not None and case.period.by == "day" and is_as_long(case)


def a_poll_at_a_window(edge: str, beside: timedelta) -> Condition:
    return lambda case: any(
        poll.timestamp == getattr(window, edge) + beside
        for some, polls in windows_and_polls(case)
        for window in some
        for poll in polls
    )


def the_memory_ends_at_a_window(case: Case) -> bool:
    return a_poll_at_a_window("start", -case.memory_days * DAY)(case)


def a_poll_as_old_as_known(beside: timedelta) -> Condition:
    return lambda case: any(
        poll.timestamp == some[0].start - (case.memory_days - 7) * DAY + beside
        for some, polls in windows_and_polls(case)
        for poll in polls
        if some
    )


def a_gap_between_polls(case: Case) -> bool:
    return any(
        b.timestamp - a.timestamp > case.memory_days * DAY
        for some, polls in windows_and_polls(case)
        for a, b in pairwise(sorted(polls, key=lambda poll: poll.timestamp))
        if some and a.timestamp >= some[0].start and b.timestamp <= some[-1].end
    )


def a_store_without_windows(case: Case) -> bool:
    return any(not some for some, _ in windows_and_polls(case))


def two_statuses_at_once(case: Case) -> bool:
    said = {(poll.store_id, poll.timestamp, poll.active) for poll in case.polls}
    return any((store_id, at, not status) in said for store_id, at, status in said)


def a_store_only_in(name: str) -> Condition:
    def condition(case: Case) -> bool:
        stores_in = {
            "polls": {poll.store_id for poll in case.polls},
            "hours": {row.store_id for row in case.hours},
            "zones": set(case.zones),
        }
        here = stores_in.pop(name)
        return bool(here.difference(*stores_in.values()))

    return condition


CONDITIONS: dict[str, Condition] = {
    **{
        f"a poll {age} before now, {beside} beside": a_poll_of(age + beside)
        for age in (timedelta(), *WINDOWS, 14 * DAY)
        for beside in BESIDE
    },
    **{
        f"a poll at an opening or closing, {edge}, {beside} beside": a_poll_beside(edge, beside)
        for edge in ("start", "end")
        for beside in BESIDE
    },
    "an end at 23:59": a_row(lambda row: row.end == "23:59"),
    "an end just before 23:59": a_row(lambda row: row.end == "23:58:59.999999"),
    "a whole day": a_row(lambda row: row.start == row.end),
    "a whole day from 23:59": a_row(lambda row: row.start == row.end == "23:59"),
    "hours that overlap across midnight": two_rows(
        lambda night, next_day: (
            next_day.day == (night.day + 1) % 7 and next_day.start < night.end < night.start
        )
    ),
    "hours that overlap across the week's end": two_rows(
        lambda night, next_day: (
            (night.day, next_day.day) == (6, 0) and next_day.start < night.end < night.start
        )
    ),
    "hours that touch": two_rows(
        lambda row, other: row.day == other.day and row.start < row.end == other.start
    ),
    "a closed date after a night": a_special_row(
        lambda case, row: not row.start and after_a_night(case, row)
    ),
    "special hours of a night": a_special_row(lambda _, row: "" < row.end < row.start),
    "special hours without weekly ones": a_special_row(without_hours),
    "an exclusion at an opening": an_exclusion(at_an_opening),
    "an exclusion of now": an_exclusion(over_now),
    "an exclusion over a transition": an_exclusion(over_a_transition),
    **{f"a day of {hours} hours": a_day_of(hours) for hours in (23, 25)},
    **{
        f"a poll at the {edge} of a period's window, {beside} beside": a_poll_at_a_window(
            edge, beside
        )
        for edge in ("start", "end")
        for beside in BESIDE
    },
    **{
        f"a poll as old as known ones may be, {beside} beside": a_poll_as_old_as_known(beside)
        for beside in BESIDE
    },
    "a status that ends with a window": the_memory_ends_at_a_window,
    "a status that ends between polls of a period": a_gap_between_polls,
    "a period without windows": a_store_without_windows,
    "a poll long past": lambda case: any(age > 20 * DAY for age in ages(case)),
    "two statuses at one instant": two_statuses_at_once,
    "a store in polls only": a_store_only_in("polls"),
    "a store in business hours only": a_store_only_in("hours"),
    "a store in time zones only": a_store_only_in("zones"),
    "now before the first poll": lambda case: max(ages(case), default=DAY) < timedelta(),
    "now long after the last poll": lambda case: min(ages(case), default=-DAY) > 14 * DAY,
}


@pytest.mark.exhaustive
def test_the_domain_is_the_oracle_at_20_000_edges() -> None:
    not_met = dict(CONDITIONS)
    for seed in range(20_000):  # Hypothesis would take longer to draw a case than this to check it
        case = edge_case(Random(seed).choice, of_periods=seed % 2 == 1)
        for name in [name for name, condition in not_met.items() if condition(case)]:
            del not_met[name]
        assert everything_by_domain(case) == everything_by_oracle(case), f"seed {seed}: {case}"
    assert not_met == {}

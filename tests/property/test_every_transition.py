"""Every zone, every change of its clocks in ten years: the domain against the oracle.

A case is one store with weekly or special hours around one transition, or over it for a period by
day, week or month; compared are all windows, figures and outages, in microseconds. The oracle
computes each store once for all names of a zone. The domain computes it for each name, all stores
with the same now together.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product

import pytest
import pytz

from tests.cases import active, inactive
from tests.compute_by_domain import Everything, everything_by_domain, everything_by_oracle
from tests.oracle import Case, Details, Exclusion, HoursRow, Outage, Period, SpecialRow, Totals
from tests.property.transitions import Transition
from tests.property.tz_database import transitions, zones

TEN_YEARS = range(2017, 2027)
BEFORE = range(1970, 2017)  # no poll is older than 1970
BY_RULE = range(2040, 2041)  # the database lists transitions until 2037, then rules apply

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)

DAYS_AROUND = {"day": 2, "week": 8, "month": 32}  # so that the unit before is whole

ODD = [
    ("Pacific/Apia", "2011-12-30"),  # a date that does not exist
    ("Pacific/Fakaofo", "2011-12-30"),
    ("Pacific/Kwajalein", "1993-08-21"),
    ("Pacific/Kiritimati", "1994-12-31"),
    ("Africa/Monrovia", "1972-01-07"),  # forward by 44 minutes and 30 seconds
    ("Asia/Pyongyang", "2015-08-14"),
    ("America/Caracas", "2016-05-01"),
    ("Antarctica/Troll", "2024-03-31"),  # by two hours
    ("Antarctica/Casey", "2018-03-10"),  # by three
    ("Australia/Lord_Howe", "2024-04-06"),  # by half an hour
    ("Africa/Casablanca", "2024-03-10"),  # for Ramadan
    ("Asia/Gaza", "2023-04-29"),  # for Ramadan, too
]


@dataclass(frozen=True, slots=True)
class Change:
    """A transition of a zone, and all its names."""

    names: tuple[str, ...]
    transition: Transition

    @property
    def forward(self) -> timedelta:
        return self.transition.shown_after - self.transition.shown_before

    @property
    def now(self) -> datetime:
        """An instant at which the last hour began just before a gap, or late in an overlap."""
        return self.transition.instant + max(-self.forward, 0 * HOUR) + 50 * MINUTE + MICROSECOND


def changes(years: range) -> list[Change]:
    return [
        Change(names, transition)
        for names in zones()
        for transition in transitions(names[0], years)
    ]


def openings_around(transition: Transition) -> Iterator[tuple[datetime, datetime]]:
    """Open over the gap or overlap, into it, out of it, within it; and the same at its edges."""
    first, last = sorted((transition.shown_before, transition.shown_after))
    quarter = (last - first) / 4 + MICROSECOND
    opening = (first - 30 * MINUTE, first, first + quarter, last)
    closing = (first, last - quarter, last, last + 30 * MINUTE)
    return product(opening, closing)


def weekly_case(change: Change, opens: datetime, closes: datetime, zone_name: str) -> Case:
    """A store that is down from shortly before the transition until shortly after it."""
    transition = change.transition
    store_id = f"{zone_name} {transition.instant} {opens}-{closes}"
    polls = (
        active(transition.instant - 3 * HOUR, store_id),
        inactive(transition.instant - 17 * MINUTE - MICROSECOND, store_id),
        active(transition.instant + 13 * MINUTE + 3 * MICROSECOND, store_id),
    )
    hours = HoursRow(store_id, opens.weekday(), opens.time().isoformat(), closes.time().isoformat())
    return Case(polls, (hours,), {store_id: zone_name}, change.now)


def special_case(change: Change, opens: datetime, closes: datetime, zone_name: str) -> Case:
    """The same store, open 24×7 except on one date, and with an exclusion over the transition."""
    case = weekly_case(change, opens, closes, zone_name)
    [row] = case.hours
    store_id = f"{row.store_id} on that date"
    instant = change.transition.instant
    return Case(
        tuple(replace(poll, store_id=store_id) for poll in case.polls),
        zones={store_id: zone_name},
        now=case.now,
        special_hours=(SpecialRow(store_id, opens.date(), row.start, row.end),),
        exclusions=(Exclusion(store_id, instant - 11 * MINUTE, instant + 7 * MINUTE),),
    )


def period_case(change: Change, by: str, zone_name: str) -> Case:
    """A store that is open 24×7, over some dates before the transition and after it.

    What is known ends during the last of them; before, there is a gap in it.
    """
    store_id = f"{zone_name} {change.transition.instant} by {by}"
    instant, days = change.transition.instant, DAYS_AROUND[by] * DAY
    polls = (
        active(instant - 30 * DAY, store_id),
        inactive(instant - 17 * MINUTE - MICROSECOND, store_id),
        active(instant + 13 * MINUTE + 3 * MICROSECOND, store_id),
    )
    return Case(
        polls,
        zones={store_id: zone_name},
        now=change.now + days - 7 * HOUR,
        period=Period((change.now - days).date(), (change.now + days).date(), by),
    )


Store = tuple[Totals, Details, list[Outage]]


def differences(changes_of_now: list[Change]) -> tuple[int, dict[str, tuple[Store, Store]]]:
    """Return the number of cases, and what the domain and the oracle say where they differ."""
    cases: defaultdict[Period | None, list[Case]] = defaultdict(list)
    by_oracle: dict[str, Store] = {}
    by_domain: dict[str, Store] = {}
    for change in changes_of_now:
        for case_of_name in case_kinds(change):
            of_names = [case_of_name(name) for name in change.names]
            [store] = by_store(everything_by_oracle(of_names[0])).values()
            by_oracle |= {store_id: store for case in of_names for store_id in case.zones}
            cases[of_names[0].period] += of_names
    for of_period in cases.values():
        by_domain |= by_store(everything_by_domain(together(of_period)))
    assert by_domain.keys() == by_oracle.keys()
    return sum(map(len, cases.values())), {
        store_id: (by_domain[store_id], store)
        for store_id, store in by_oracle.items()
        if by_domain[store_id] != store
    }


def case_kinds(change: Change) -> Iterator[Callable[[str], Case]]:
    """Yield all cases around a change, each for the name of its zone."""
    for case_of, times in product((weekly_case, special_case), openings_around(change.transition)):
        yield partial(case_of, change, *times)
    for by in DAYS_AROUND:
        yield partial(period_case, change, by)


def by_store(everything: Everything) -> dict[str, Store]:
    totals, details, outages = everything
    return {each: (totals[each], details[each], outages[each]) for each in totals}


def together(cases: Iterable[Case]) -> Case:
    """Return one case of all stores; they share their now and their period."""
    [(now, period)] = {(case.now, case.period) for case in cases}
    return Case(
        tuple(poll for case in cases for poll in case.polls),
        tuple(row for case in cases for row in case.hours),
        {store_id: name for case in cases for store_id, name in case.zones.items()},
        now,
        special_hours=tuple(row for case in cases for row in case.special_hours),
        exclusions=tuple(row for case in cases for row in case.exclusions),
        period=period,
    )


def by_now(every_change: Iterable[Change]) -> list[list[Change]]:
    groups: defaultdict[datetime, list[Change]] = defaultdict(list)
    for change in every_change:
        groups[change.now].append(change)
    return list(groups.values())


def test_one_transition_of_each_shape() -> None:
    # The shape: by how much clocks change, and at what time of day.
    shapes = {
        (change.forward, change.transition.shown_before.time()): change
        for change in changes(TEN_YEARS)
    }
    one_name = [Change(change.names[:1], change.transition) for change in shapes.values()]
    results = [differences(group) for group in by_now(one_name)]
    assert [different for _, different in results if different] == []
    assert sum(count for count, _ in results) >= 800


@pytest.mark.exhaustive
def test_every_transition_of_every_zone() -> None:
    odd_ones = [change for change in changes(BEFORE) if abs(change.forward) != HOUR]
    every_change = [*changes(TEN_YEARS), *odd_ones, *changes(BY_RULE)]
    assert {name for names in zones() for name in names} == set(pytz.all_timezones)
    assert set(ODD) <= {
        (name, f"{change.transition.instant:%Y-%m-%d}")
        for change in every_change
        for name in change.names
    }
    results = [differences(group) for group in by_now(every_change)]
    assert [different for _, different in results if different] == []
    assert sum(count for count, _ in results) >= 156_000

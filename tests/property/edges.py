"""Cases where off-by-one errors show: at edges, and a microsecond before and after them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.oracle import (
    DEFAULT_ZONE,
    WINDOWS,
    Case,
    Exclusion,
    HoursRow,
    Period,
    Poll,
    SpecialRow,
    windows,
)
from tests.property.transitions import TRANSITIONS

Pick = Callable[[Sequence[Any]], Any]

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
MINUTE = timedelta(minutes=1)
BESIDE = tuple(timedelta(microseconds=n) for n in (0, -1, 1))

ZONES = (*sorted({transition.zone for transition in TRANSITIONS}), "Asia/Kathmandu", "UTC")
INPUTS = ("polls", "hours", "zones")
SOME_INPUTS = tuple(some for count in (3, 2, 1) for some in combinations(INPUTS, count))
TIMES = (
    *("00:00", "00:00:00.000001", "00:30", "01:30", "02:00", "02:30", "09:00", "17:00", "23:00"),
    *("23:58:59.999999", "23:59", "23:59:00.000001", "23:59:59"),
)
END_TIMES = (*TIMES, "24:00", "24:00:00")


@st.composite
def edge_cases(draw: st.DrawFn, *, of_periods: bool = False) -> Case:
    """Draw a case; see `edge_case`."""

    def pick(options: Sequence[Any]) -> Any:  # quicker than `sampled_from` a new list
        return options[draw(st.integers(0, len(options) - 1))]

    return edge_case(pick, of_periods=of_periods)


def edge_case(pick: Pick, *, of_periods: bool) -> Case:
    """Make a case of up to three stores, each in some of the inputs, mostly at edges.

    It is about the last hour, day and week, or about a period.
    """
    inputs_of_store = {store_id: pick(SOME_INPUTS) for store_id in pick(("a", "ab", "abc"))}
    zones = {
        store_id: pick(ZONES) for store_id, inputs in inputs_of_store.items() if "zones" in inputs
    }
    hours = [
        row
        for store_id, inputs in inputs_of_store.items()
        if "hours" in inputs
        for row in _rows(pick, store_id)
    ]
    now = _now(pick, hours, zones) + pick(BESIDE)
    memory_days = pick((14, 14, 14, 7, 9))
    period = _period(pick, now) if of_periods else None
    special_hours = [
        row for store_id in inputs_of_store for row in _special_rows(pick, store_id, now)
    ]
    exclusions = [
        Exclusion(store_id, start, start + length)
        for store_id in inputs_of_store
        for start in _exclusion_starts(pick, store_id, hours, zones, now)
        for length in [pick((BESIDE[2], MINUTE, DAY / 24, DAY, WEEK)) + pick((0, 1)) * BESIDE[2]]
    ]
    polls = [
        Poll(store_id, at + pick(BESIDE), pick((True, False)))
        for store_id, inputs in inputs_of_store.items()
        if "polls" in inputs
        for at in _poll_instants(pick, store_id, hours, zones, now, memory_days, period)
    ]
    return Case(
        *(tuple(polls), tuple(hours), zones, now, memory_days),
        pick(("all", "business_hours")),
        special_hours=tuple(special_hours),
        exclusions=tuple(exclusions),
        period=period,
    )


def _now(pick: Pick, hours: list[HoursRow], zones: Mapping[str, str]) -> datetime:
    """Pick an instant in the days around a transition, often one at which a store opens."""
    about: datetime = pick(TRANSITIONS).instant + pick(range(-1, 9)) * DAY
    edges = [at for row in hours for at in opening_and_closing(row, zones, about)]
    now: datetime = pick([about, about + pick(range(24 * 60)) * MINUTE, *edges])
    return now


def _period(pick: Pick, now: datetime) -> Period:
    """Pick a period of some weeks, of which one edge or the other may be near a transition."""
    end = now + pick((-8, -2, -1, 0, 0, 1)) * DAY
    start = end - pick((1, 2, 7, 9, 16, 31)) * DAY
    start, end = (pick((at.date(), at + pick(BESIDE))) for at in (start, end))
    return Period(start, end, pick(("total", "day", "day", "week", "month")))


def _poll_instants(
    pick: Pick,
    store_id: str,
    hours: list[HoursRow],
    zones: Mapping[str, str],
    now: datetime,
    memory_days: int,
    period: Period | None,
) -> list[datetime]:
    """Pick some edges of windows, of the memory, and of the store's hours; some more than once."""
    ages = (timedelta(), *WINDOWS, memory_days * DAY, 14 * DAY, 40 * DAY, -MINUTE)
    of_windows = windows(Case(zones=zones, now=now, period=period), store_id) if period else []
    starts = [window.start for window in of_windows]
    edges = [
        *(now - age for age in ages),
        *starts,
        *starts,  # more often
        *(start - (memory_days - 7) * DAY for start in starts[:1]),
        *(window.end for window in of_windows[-1:]),
        *(start + ends * memory_days * DAY for start in starts for ends in (-1, 1)),
        *(
            at
            for row in hours
            if row.store_id == store_id
            for at in opening_and_closing(row, zones, now)
        ),
    ]
    return [pick(edges) for _ in range(pick(range(7)))]


def _rows(pick: Pick, store_id: str) -> Iterator[HoursRow]:
    """Yield rows that touch and overlap: on two days in a row, at a few times."""
    first_day = pick((6, 6, *range(6)))  # more often over the week's end
    times = [pick(TIMES) for _ in range(3)]
    for _ in range(pick(range(1, 5))):
        day = (first_day + pick((0, 1))) % 7
        yield HoursRow(store_id, day, pick(times), pick((*times, *END_TIMES)))


def _special_rows(pick: Pick, store_id: str, now: datetime) -> Iterator[SpecialRow]:
    """Yield up to two rows for each of some dates around the week's ends and transitions."""
    for _ in range(pick((0, 0, 1, 2))):
        date = (now + pick((-8, -7, -6, -2, -1, 0, 1)) * DAY).date()
        times = [pick(TIMES) for _ in range(2)]
        for _ in range(pick((1, 1, 2))):
            start = pick((*times, ""))
            yield SpecialRow(store_id, date, start, start and pick((*times, *END_TIMES)))


def _exclusion_starts(
    pick: Pick,
    store_id: str,
    hours: list[HoursRow],
    zones: Mapping[str, str],
    now: datetime,
) -> list[datetime]:
    """Pick starts of exclusions: edges of windows and of the store's hours, and beside them."""
    edges = [
        *(now - age for age in (timedelta(), *WINDOWS)),
        *(
            at
            for row in hours
            if row.store_id == store_id
            for at in opening_and_closing(row, zones, now)
        ),
    ]
    return [pick(edges) + pick(BESIDE) for _ in range(pick((0, 0, 1, 2)))]


def opening_and_closing(
    row: HoursRow, zones: Mapping[str, str], now: datetime
) -> Iterator[datetime]:
    """Yield about when a row opens and closes in some weeks: targets, not expected results."""
    zone = ZoneInfo(zones.get(row.store_id, DEFAULT_ZONE))
    latest = now.date() - ((now.weekday() - row.day) % 7) * DAY
    for weeks_ago in range(3):
        opening_date = latest - weeks_ago * WEEK
        for text, local_date in (
            (row.start, opening_date),
            (row.end, opening_date),
            (row.end, opening_date + DAY),
        ):
            at_24 = text.startswith("24")
            time_of_day = time() if at_24 else time.fromisoformat(text)
            wall = datetime.combine(local_date + at_24 * DAY, time_of_day, zone)
            yield from (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))

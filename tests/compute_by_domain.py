"""The domain, with the oracle's inputs and results."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np

from store_monitoring.domain.known_polls import NO_POLL
from store_monitoring.domain.model import (
    CLOSED,
    Exclusions,
    Int64s,
    Polls,
    SpecialHours,
    Stores,
    WeeklyHours,
)
from store_monitoring.domain.parameters import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    Parameters,
    PollFilter,
)
from store_monitoring.domain.pieces import cut_by_time
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME
from store_monitoring.domain.timeline import Timeline, timeline
from store_monitoring.domain.uptime import Figures, compute_uptime, compute_uptime_by_pieces
from store_monitoring.domain.windows import classic_windows
from tests.oracle import (
    Case,
    Details,
    Exclusion,
    HoursRow,
    Outage,
    Poll,
    SpecialRow,
    Totals,
    details,
    outages,
    report,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Everything = tuple[dict[str, Totals], dict[str, Details], dict[str, list[Outage]]]
ComputeEverything = Callable[[Case], Everything]


def everything_by_oracle(case: Case) -> Everything:
    """Return all that the oracle computes of the case."""
    return report(case), details(case), outages(case)


def compute_by_domain(case: Case) -> dict[str, Totals]:
    """Compute the totals of every store of the case in one call of the domain."""
    store_ids, (stores, polls, now_us, parameters) = _inputs(case)
    windows = classic_windows(stores.count, now_us)
    return _totals(store_ids, compute_uptime(stores, polls, windows, parameters))


def everything_by_domain(case: Case) -> Everything:
    """Compute all figures and outages in one call of the domain."""
    store_ids, (stores, polls, now_us, parameters) = _inputs(case)
    windows = classic_windows(stores.count, now_us)
    figures = compute_uptime(stores, polls, windows, parameters, keep_outages=True)
    return _everything(store_ids, figures, now_us)


def everything_by_pieces(case: Case, max_polls: int, batch_polls: int = 1) -> Everything:
    """Compute the same from pieces of at most `max_polls`, read in batches of `batch_polls`."""
    store_ids, (stores, polls, now_us, parameters) = _inputs(case)

    def read(since_us: int, until_us: int) -> Iterator[Polls]:
        """Yield all polls, the requested ones among them."""
        for begin in range(0, len(polls.store), batch_polls):
            batch = slice(begin, begin + batch_polls)
            yield Polls(polls.store[batch], polls.timestamp_us[batch], polls.active[batch])

    pieces = cut_by_time(read, now_us - parameters.memory_us, now_us, max_polls)
    windows = classic_windows(stores.count, now_us)
    figures = compute_uptime_by_pieces(stores, pieces, windows, parameters, keep_outages=True)
    return _everything(store_ids, figures, now_us)


def _everything(store_ids: Sequence[str], figures: Figures, now_us: int) -> Everything:
    return (
        _totals(store_ids, figures),
        _details(store_ids, figures),
        _outages(store_ids, figures, now_us),
    )


def _totals(store_ids: Sequence[str], figures: Figures) -> dict[str, Totals]:
    totals = figures.totals
    lengths_us = (totals.uptime_us, totals.downtime_us, totals.no_data_us, totals.excluded_us)
    rows = zip(*(_hour_day_week(each) for each in lengths_us), strict=True)
    return {
        store_id: Totals(*map(tuple, row)) for store_id, row in zip(store_ids, rows, strict=True)
    }


def _hour_day_week(of_windows: Int64s) -> list[tuple[int, int, int]]:
    """Return the values of `classic_windows` store by store."""
    return [(hour, day, week) for week, day, hour in of_windows.reshape(-1, 3).tolist()]


def _details(store_ids: Sequence[str], figures: Figures) -> dict[str, Details]:
    last, of = figures.last_polls, figures.outages
    covered_us = _hour_day_week(figures.totals.covered_us)
    hours = np.split(of.hours, np.cumsum(of.starts))
    return {
        store_id: Details(
            covered_us[i],
            int(figures.polls[i]),
            None if last.at_us[i] == NO_POLL else (_instant(last.at_us[i]), bool(last.active[i])),
            bool(figures.open_at_end[i]),
            int(of.count[i]),
            int(of.longest_us[i]),
            int(of.incidents[i]),
            int(of.recoveries[i]),
            int(of.recovery_us[i]),
            tuple(hours[i].tolist()),
        )
        for i, store_id in enumerate(store_ids)
    }


def _outages(store_ids: Sequence[str], figures: Figures, now_us: int) -> dict[str, list[Outage]]:
    by_store: dict[str, list[Outage]] = {store_id: [] for store_id in store_ids}
    every = figures.all_outages
    assert every is not None
    is_ongoing = every.is_ongoing(figures.open_at_end, np.full(len(store_ids), now_us))
    for i, store in enumerate(every.store):
        by_store[store_ids[store]].append(
            Outage(
                _instant(every.start_us[i]),
                _instant(every.end_us[i]),
                int(every.incident[i]),
                bool(is_ongoing[i]),
                _instant_or_none(every.last_up_us[i]),
                _instant_or_none(every.next_up_us[i]),
            )
        )
    return by_store


def _instant(instant_us: np.int64) -> datetime:
    return _EPOCH + timedelta(microseconds=int(instant_us))


def _instant_or_none(instant_us: np.int64) -> datetime | None:
    return None if instant_us == NO_POLL else _instant(instant_us)


def timeline_by_domain(case: Case) -> Timeline:
    """Return the timeline of a case's only store."""
    _, inputs = _inputs(case)
    return timeline(*inputs)


def _inputs(case: Case) -> tuple[list[str], tuple[Stores, Polls, int, Parameters]]:
    polled = {poll.store_id for poll in case.polls}
    rows: tuple[HoursRow | SpecialRow | Exclusion, ...] = (
        *case.hours,
        *case.special_hours,
        *case.exclusions,
    )
    with_calendar = {row.store_id for row in rows}
    store_ids = sorted(polled | with_calendar | set(case.zones), key=str.encode)
    index = {store_id: i for i, store_id in enumerate(store_ids)}
    return store_ids, (
        _stores(case, index),
        _polls(case.polls, index),
        _instant_us(case.now or max(poll.timestamp for poll in case.polls)),
        Parameters(
            case.memory_days * DAY_US,
            PollFilter(case.poll_filter),
            case.coverage_minutes * MINUTE_US,
        ),
    )


def _stores(case: Case, index: dict[str, int]) -> Stores:
    zones = [case.zones.get(store_id, DEFAULT_ZONE_NAME) for store_id in index]
    zone_names = tuple(sorted(set(zones)))
    return Stores(
        _int64s([zone_names.index(zone) for zone in zones]),
        zone_names,
        _hours(case.hours, index),
        _special_hours(case.special_hours, index),
        _exclusions(case.exclusions, index),
    )


def _hours(rows: Sequence[HoursRow], index: dict[str, int]) -> WeeklyHours:
    return WeeklyHours(
        _int64s([index[row.store_id] for row in rows]),
        _int64s([row.day for row in rows]),
        _int64s([_time_of_day_us(row.start) for row in rows]),
        _int64s([_time_of_day_us(row.end) for row in rows]),
    )


def _special_hours(rows: Sequence[SpecialRow], index: dict[str, int]) -> SpecialHours:
    return SpecialHours(
        _int64s([index[row.store_id] for row in rows]),
        _int64s([(row.date - date(1970, 1, 1)).days for row in rows]),
        _int64s([_time_of_day_us(row.start) if row.start else CLOSED for row in rows]),
        _int64s([_time_of_day_us(row.end) if row.end else CLOSED for row in rows]),
    )


def _exclusions(rows: Sequence[Exclusion], index: dict[str, int]) -> Exclusions:
    return Exclusions(
        _int64s([index[row.store_id] for row in rows]),
        _int64s([_instant_us(row.start) for row in rows]),
        _int64s([_instant_us(row.end) for row in rows]),
    )


def _polls(polls: Sequence[Poll], index: dict[str, int]) -> Polls:
    return Polls(
        _int64s([index[poll.store_id] for poll in polls]),
        _int64s([_instant_us(poll.timestamp) for poll in polls]),
        np.array([poll.active for poll in polls], np.bool_),
    )


def _int64s(numbers: Sequence[int]) -> Int64s:
    return np.array(numbers, np.int64)


def _instant_us(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _time_of_day_us(text: str) -> int:
    hour, minute, second = [*map(Decimal, text.split(":")), Decimal(0)][:3]
    return int(hour * HOUR_US + minute * MINUTE_US + second * SECOND_US)

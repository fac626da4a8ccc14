"""The domain, with the oracle's inputs and results."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Self

import numpy as np

from store_monitoring.domain.known_polls import NO_POLL, KnownTime
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
    Period,
    PeriodUnit,
    PollFilter,
)
from store_monitoring.domain.pieces import cut_by_time
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME
from store_monitoring.domain.timeline import Timeline, timeline
from store_monitoring.domain.uptime import Figures, compute_uptime, compute_uptime_by_pieces
from store_monitoring.domain.windows import Windows, classic_windows, period_windows
from tests import oracle
from tests.oracle import (
    Case,
    Details,
    Exclusion,
    HoursRow,
    Outage,
    Poll,
    Span,
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
    inputs = _Inputs.of(case)
    figures = compute_uptime(inputs.stores, inputs.polls, inputs.windows, inputs.parameters)
    return _totals(inputs, figures)


def everything_by_domain(case: Case) -> Everything:
    """Compute all figures and outages in one call of the domain."""
    inputs = _Inputs.of(case)
    figures = compute_uptime(
        inputs.stores, inputs.polls, inputs.windows, inputs.parameters, keep_outages=True
    )
    return _everything(inputs, figures)


def everything_by_pieces(case: Case, max_polls: int, batch_polls: int = 1) -> Everything:
    """Compute the same from pieces of at most `max_polls`, read in batches of `batch_polls`."""
    inputs = _Inputs.of(case)
    polls, parameters = inputs.polls, inputs.parameters

    def read(since_us: int, until_us: int) -> Iterator[Polls]:
        """Yield all polls, the requested ones among them."""
        for begin in range(0, len(polls.store), batch_polls):
            batch = slice(begin, begin + batch_polls)
            yield Polls(polls.store[batch], polls.timestamp_us[batch], polls.active[batch])

    bounds_us = inputs.windows.bounds_us(inputs.stores.count)
    known = KnownTime.of(*bounds_us, parameters.memory_us).span
    pieces = cut_by_time(read, known.start_us, known.end_us - 1, max_polls)
    figures = compute_uptime_by_pieces(
        inputs.stores, pieces, inputs.windows, parameters, keep_outages=True
    )
    return _everything(inputs, figures)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The arguments of the domain for a case, and where the results of each store are."""

    store_ids: list[str]
    stores: Stores
    polls: Polls
    windows: Windows
    parameters: Parameters
    is_classic: bool

    @classmethod
    def of(cls, case: Case) -> Self:
        store_ids = _store_ids(case)
        index = {store_id: i for i, store_id in enumerate(store_ids)}
        stores = _stores(case, index)
        parameters = Parameters(
            case.memory_days * DAY_US,
            PollFilter(case.poll_filter),
            case.coverage_minutes * MINUTE_US,
        )
        polls, windows = _polls(case.polls, index), _windows(case, stores)
        return cls(store_ids, stores, polls, windows, parameters, case.period is None)

    def windows_of(self, store: int) -> Int64s:
        """Return the indices of a store's windows, the hour's first, as the oracle has them."""
        indices = np.flatnonzero(self.windows.store == store)
        return indices[::-1] if self.is_classic else indices


def _everything(inputs: _Inputs, figures: Figures) -> Everything:
    return (_totals(inputs, figures), _details(inputs, figures), _outages(inputs, figures))


def _totals(inputs: _Inputs, figures: Figures) -> dict[str, Totals]:
    totals = figures.totals
    lengths_us = (totals.uptime_us, totals.downtime_us, totals.no_data_us, totals.excluded_us)
    return {
        store_id: Totals(*(_of(inputs.windows_of(i), each) for each in lengths_us))
        for i, store_id in enumerate(inputs.store_ids)
    }


def _details(inputs: _Inputs, figures: Figures) -> dict[str, Details]:
    of, last, counted_windows = figures.outages, figures.last_polls, inputs.windows.outer()
    hours = np.split(of.hours, np.cumsum(of.starts))
    all_details = {}
    for i, store_id in enumerate(inputs.store_ids):
        windows, counted = inputs.windows_of(i), np.flatnonzero(counted_windows.store == i)
        if not len(windows):
            continue
        all_details[store_id] = Details(
            windows=tuple(
                Span(_instant(inputs.windows.start_us[each]), _instant(inputs.windows.end_us[each]))
                for each in windows
            ),
            covered_us=_of(windows, figures.totals.covered_us),
            polls=_of(counted, figures.polls),
            outages=_of(counted, of.count),
            longest_outage_us=_of(counted, of.longest_us),
            incidents=_of(counted, of.incidents),
            recoveries=_of(counted, of.recoveries),
            recovery_us=_of(counted, of.recovery_us),
            outage_starts=_of(counted, of.starts),
            outage_hours=tuple(hour for each in counted for hour in hours[each].tolist()),
            last_poll=None
            if last.at_us[i] == NO_POLL
            else (_instant(last.at_us[i]), bool(last.active[i])),
            open_at_end=bool(figures.open_at_end[i]),
        )
    return all_details


def _of(windows: Int64s, figures: Int64s) -> tuple[int, ...]:
    return tuple(figures[windows].tolist())


def _outages(inputs: _Inputs, figures: Figures) -> dict[str, list[Outage]]:
    by_store: dict[str, list[Outage]] = {store_id: [] for store_id in inputs.store_ids}
    every = figures.all_outages
    assert every is not None
    _, end_us = inputs.windows.bounds_us(inputs.stores.count)
    is_ongoing = every.is_ongoing(figures.open_at_end, end_us)
    for i, store in enumerate(every.store):
        by_store[inputs.store_ids[store]].append(
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
    inputs = _Inputs.of(case)
    return timeline(inputs.stores, inputs.polls, _instant_us(_now(case)), inputs.parameters)


def _store_ids(case: Case) -> list[str]:
    polled = {poll.store_id for poll in case.polls}
    rows: tuple[HoursRow | SpecialRow | Exclusion, ...] = (
        *case.hours,
        *case.special_hours,
        *case.exclusions,
    )
    with_calendar = {row.store_id for row in rows}
    return sorted(polled | with_calendar | set(case.zones), key=str.encode)


def _now(case: Case) -> datetime:
    return case.now or max(poll.timestamp for poll in case.polls)


def _windows(case: Case, stores: Stores) -> Windows:
    now_us = _instant_us(_now(case))
    if case.period is None:
        return classic_windows(stores.count, now_us)
    return period_windows(stores.zone, stores.zone_names, domain_period(case.period), now_us)


def domain_period(period: oracle.Period) -> Period:
    """Return a period as the domain has it."""
    start, end = (
        _instant_us(at) if isinstance(at, datetime) else at for at in (period.start, period.end)
    )
    return Period(start, end, PeriodUnit(period.by))


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

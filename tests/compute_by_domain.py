"""The domain, with the oracle's inputs and results."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from store_monitoring.domain.known_polls import NO_POLL
from store_monitoring.domain.model import Int64s, Polls, Stores, WeeklyHours
from store_monitoring.domain.model import Totals as DomainTotals
from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US, SECOND_US, PollFilter
from store_monitoring.domain.pieces import compute_uptime_by_pieces, cut_by_time
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME
from store_monitoring.domain.timeline import Timeline, timeline
from store_monitoring.domain.uptime import Details as DomainDetails
from store_monitoring.domain.uptime import compute_uptime, compute_uptime_in_detail
from tests.oracle import Case, Details, HoursRow, Poll, Totals

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compute_by_domain(case: Case) -> dict[str, Totals]:
    """Compute every store of the case in one call of the domain."""
    store_ids, inputs = _inputs(case)
    return _totals(store_ids, compute_uptime(*inputs))


def compute_by_domain_in_detail(case: Case) -> tuple[dict[str, Totals], dict[str, Details]]:
    """Compute what `compute_by_domain` does, and details of each store."""
    store_ids, inputs = _inputs(case)
    return _in_detail(store_ids, *compute_uptime_in_detail(*inputs))


def compute_by_pieces(
    case: Case, max_polls: int, batch_polls: int
) -> tuple[dict[str, Totals], dict[str, Details]]:
    """Compute the same from pieces of at most `max_polls`, read in batches of `batch_polls`."""
    store_ids, (stores, polls, now_us, memory_us, poll_filter) = _inputs(case)

    def read(since_us: int, until_us: int) -> Iterator[Polls]:
        """Yield all polls, the requested ones among them."""
        for begin in range(0, len(polls.store), batch_polls):
            batch = slice(begin, begin + batch_polls)
            yield Polls(polls.store[batch], polls.timestamp_us[batch], polls.active[batch])

    pieces = cut_by_time(read, now_us - memory_us, now_us, max_polls)
    return _in_detail(
        store_ids, *compute_uptime_by_pieces(stores, pieces, now_us, memory_us, poll_filter)
    )


def _in_detail(
    store_ids: Sequence[str], totals: DomainTotals, details: DomainDetails
) -> tuple[dict[str, Totals], dict[str, Details]]:
    return _totals(store_ids, totals), {
        store_id: Details(
            int(details.polled.in_week[i]),
            None
            if details.polled.last_us[i] == NO_POLL
            else (
                _EPOCH + timedelta(microseconds=int(details.polled.last_us[i])),
                bool(details.polled.last_active[i]),
            ),
            bool(details.open_now[i]),
            int(details.outages.count[i]),
            int(details.outages.longest_us[i]),
        )
        for i, store_id in enumerate(store_ids)
    }


def timeline_by_domain(case: Case) -> Timeline:
    """Return the timeline of a case's only store."""
    _, inputs = _inputs(case)
    return timeline(*inputs)


def _inputs(case: Case) -> tuple[list[str], tuple[Stores, Polls, int, int, PollFilter]]:
    polled = {poll.store_id for poll in case.polls}
    with_hours = {row.store_id for row in case.hours}
    store_ids = sorted(polled | with_hours | set(case.zones), key=str.encode)
    index = {store_id: i for i, store_id in enumerate(store_ids)}
    return store_ids, (
        _stores(case, index),
        _polls(case.polls, index),
        _instant_us(case.now or max(poll.timestamp for poll in case.polls)),
        case.memory_days * DAY_US,
        PollFilter(case.poll_filter),
    )


def _totals(store_ids: Sequence[str], totals: DomainTotals) -> dict[str, Totals]:
    figures = zip(totals.uptime_us.tolist(), totals.downtime_us.tolist(), strict=True)
    return {
        store_id: Totals(tuple(up), tuple(down))
        for store_id, (up, down) in zip(store_ids, figures, strict=True)
    }


def _stores(case: Case, index: dict[str, int]) -> Stores:
    zones = [case.zones.get(store_id, DEFAULT_ZONE_NAME) for store_id in index]
    zone_names = tuple(sorted(set(zones)))
    return Stores(
        _int64s([zone_names.index(zone) for zone in zones]), zone_names, _hours(case.hours, index)
    )


def _hours(rows: Sequence[HoursRow], index: dict[str, int]) -> WeeklyHours:
    return WeeklyHours(
        _int64s([index[row.store_id] for row in rows]),
        _int64s([row.day for row in rows]),
        _int64s([_time_of_day_us(row.start) for row in rows]),
        _int64s([_time_of_day_us(row.end) for row in rows]),
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

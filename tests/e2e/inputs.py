"""A few stores, small enough for one run per second, and the expected report on them."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from store_monitoring.storage.keys import bucket_of
from tests.cases import EVERY_DAY, opens, utc
from tests.oracle import Case, HoursRow, Poll, csv_text, report

NOW = utc("2024-10-14 12:00")
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Inputs:
    """Rows as a user uploads them."""

    polls: tuple[Poll, ...] = ()
    hours: tuple[HoursRow, ...] = ()
    zones: dict[str, str] = field(default_factory=dict)

    def with_polls(self, polls: Iterable[Poll]) -> "Inputs":
        """Return the inputs with more polls: polls accumulate."""
        return Inputs((*self.polls, *polls), self.hours, self.zones)

    def with_hours(self, hours: tuple[HoursRow, ...]) -> "Inputs":
        """Return the inputs with other hours: they replace all hours of the stores they name."""
        named = {row.store_id for row in hours}
        kept = (row for row in self.hours if row.store_id not in named)
        return Inputs(self.polls, (*kept, *hours), self.zones)

    def of_stores(self, store_ids: Collection[str]) -> "Inputs":
        """Return the inputs of some stores only."""
        return Inputs(
            tuple(poll for poll in self.polls if poll.store_id in store_ids),
            tuple(row for row in self.hours if row.store_id in store_ids),
            {store_id: zone for store_id, zone in self.zones.items() if store_id in store_ids},
        )

    def report(self, now: datetime = NOW) -> bytes:
        """Return the report that the oracle computes from them."""
        return csv_text(report(Case(self.polls, self.hours, self.zones, now))).encode()

    def files(self) -> dict[str, bytes]:
        """Return upload keys and contents."""
        return {
            "timezones/zones.csv": _csv("store_id,timezone_str", self.zones.items()),
            "business_hours/hours.csv": hours_csv(self.hours),
            "polls/polls.csv": polls_csv(self.polls),
        }


def polls_csv(polls: Iterable[Poll]) -> bytes:
    rows = (
        (poll.store_id, "active" if poll.active else "inactive", f"{poll.timestamp:%F %T} UTC")
        for poll in polls
    )
    return _csv("store_id,status,timestamp_utc", rows)


def hours_csv(hours: Iterable[HoursRow]) -> bytes:
    rows = ((row.store_id, str(row.day), row.start, row.end) for row in hours)
    return _csv("store_id,day_of_week,start_time_local,end_time_local", rows)


def hourly_polls(store_id: str, hours: int = 48, down_every: int = 5) -> tuple[Poll, ...]:
    """Return one poll per hour until now, every fifth of them inactive."""
    return tuple(
        Poll(store_id, NOW - hour * HOUR, active=hour % down_every != 0) for hour in range(hours)
    )


def a_few_stores() -> Inputs:
    """Return eight stores: with and without hours and zones, and some never polled."""
    store_ids = [f"store-{number}" for number in range(8)]
    return Inputs(
        polls=tuple(poll for store_id in store_ids[:6] for poll in hourly_polls(store_id)),
        hours=tuple(_hours(store_ids[2:])),
        zones=dict(zip(store_ids[3:], ("America/New_York", "UTC", "Asia/Tokyo") * 2, strict=False)),
    )


def a_store_in_each_bucket(bucket_count: int) -> Inputs:
    """Return as many stores as there are buckets, with a few polls each, most of them open 24×7."""
    by_bucket: dict[int, str] = {}
    for number in count():
        store_id = f"store-{number}"
        by_bucket.setdefault(bucket_of(store_id, bucket_count), store_id)
        if len(by_bucket) == bucket_count:
            break
    store_ids = list(by_bucket.values())
    return Inputs(
        polls=tuple(poll for id_ in store_ids for poll in hourly_polls(id_, hours=6)),
        hours=tuple(_hours(store_ids[:3])),
        zones={store_ids[0]: "Asia/Tokyo"},
    )


def _hours(store_ids: list[str]) -> Iterator[HoursRow]:
    for number, store_id in enumerate(store_ids):
        yield from opens(f"{8 + number:02d}:00", "22:30", *EVERY_DAY, store_id=store_id)


def _csv(header: str, rows: Iterable[Iterable[str]]) -> bytes:
    return "".join(f"{line}\n" for line in [header, *map(",".join, rows)]).encode()

"""Random data from CSV files to the report, against the oracle (rule 15)."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.instants import to_us
from store_monitoring.reports.request import ReportRequest
from testing.pipeline import Pipeline
from tests.cases import EVERY_DAY, opens, utc
from tests.compute_by_domain import domain_period
from tests.oracle import (
    Case,
    Exclusion,
    HoursRow,
    Period,
    Poll,
    SpecialRow,
    csv_text,
    period_csv_text,
    report,
)
from tests.property.test_uptime import cases, period_cases

# Ids like those of known data sets, and some that a CSV must quote.
NAMES = {
    "a": "00017c6a-7a77-4a95-bb2d-40647868aff6",
    "b": "8419537941919820732",
    "c": 'Joe\'s "Diner", 5th Avenue',
    "d": "café 🍔",
}
BUCKET_COUNTS = (1, 3, 64)
SHARD_POLLS = (1, 500_000, 50_000_000)  # one bucket per shard, two or three, all

Row = TypeVar("Row")
seeds = st.integers(0, 2**32)


@dataclass(frozen=True)
class File:
    """A file to upload."""

    key: str
    content: bytes


def expected_of(case: Case) -> str:
    return period_csv_text(case) if case.period else csv_text(report(case))


def report_of(
    case: Case, files: Iterable[File], bucket_count: int = 4, shard_polls: int = 50_000_000
) -> str:
    """Ingest the files, in this order, and make the case's report of them."""
    as_of_us = None if case.now is None or case.period else to_us(case.now)
    period = None if case.period is None else domain_period(case.period)
    request = ReportRequest(as_of_us, PollFilter(case.poll_filter), period=period)
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), bucket_count)
        for file in files:
            outcome = pipeline.ingest(file.key, file.content)
            assert (outcome.error, outcome.rejected) == (None, 0)
        return pipeline.report(request, case.memory_days, shard_polls).decode()


# --- a case as files, written in a random way -------------------------------------------------


def files_of(case: Case, random: Random) -> list[File]:
    """Write a case as some files, in any order, a few of them twice.

    All of a store's reference data of one kind are in one file: a later one would replace them.
    """
    files = [
        *(polls_file(part, random) for part in parts(case.polls, random)),
        *(hours_file(case, part) for part in parts(_named_in(case.hours), random)),
        *(zones_file(case, part) for part in parts(case.zones, random)),
        *(special_hours_file(case, part) for part in parts(_named_in(case.special_hours), random)),
        *(exclusions_file(case, part) for part in parts(_named_in(case.exclusions), random)),
    ]
    files += random.sample(files, len(files) // 3)
    random.shuffle(files)
    return files


def polls_file(polls: Iterable[Poll], random: Random) -> File:
    return csv_file(
        "polls/a.csv",
        ["status", "timestamp_utc", "store_id"],
        [
            [written_status(poll, random), written_time(poll, random), poll.store_id]
            for poll in polls
        ],
    )


def hours_file(case: Case, store_ids: Sequence[str]) -> File:
    return csv_file(
        "business_hours/a.csv",
        ["store_id", "day", "start_time_local", "end_time_local"],
        [
            [row.store_id, row.day, row.start, row.end]
            for row in case.hours
            if row.store_id in store_ids
        ],
    )


def zones_file(case: Case, store_ids: Sequence[str]) -> File:
    rows = [[store_id, case.zones[store_id]] for store_id in store_ids]
    return csv_file("timezones/a.csv", ["store_id", "timezone_str"], rows)


def special_hours_file(case: Case, store_ids: Sequence[str]) -> File:
    return csv_file(
        "special_hours/a.csv",
        ["date", "store_id", "start_time_local", "end_time_local"],
        [
            [row.date.isoformat(), row.store_id, row.start, row.end]
            for row in case.special_hours
            if row.store_id in store_ids
        ],
    )


def exclusions_file(case: Case, store_ids: Sequence[str]) -> File:
    return csv_file(
        "exclusions/a.csv",
        ["store_id", "start_utc", "end_utc", "reason"],
        [
            [row.store_id, row.start.isoformat(), row.end.isoformat(), "power cut"]
            for row in case.exclusions
            if row.store_id in store_ids
        ],
    )


def _named_in(rows: Iterable[HoursRow | SpecialRow | Exclusion]) -> list[str]:
    return sorted({row.store_id for row in rows})


def csv_file(key: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> File:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return File(key, out.getvalue().encode())


def parts(rows: Iterable[Row], random: Random) -> list[list[Row]]:
    """Deal rows out to at most three parts, each in any order and none empty."""
    rows = list(rows)
    random.shuffle(rows)
    first, second = sorted(random.choices(range(len(rows) + 1), k=2))
    return [part for part in (rows[:first], rows[first:second], rows[second:]) if part]


def written_status(poll: Poll, random: Random) -> str:
    status = "active" if poll.active else "inactive"
    return random.choice([status, status.upper(), status.title()])


def written_time(poll: Poll, random: Random) -> str:
    text = poll.timestamp.replace(tzinfo=None).isoformat(random.choice(" T"))
    if poll.timestamp.microsecond:
        text = text.rstrip("0")
    return text + random.choice([" UTC", "Z", "+00:00", ""])


def as_uploaded(case: Case) -> Case:
    """Return the case with realistic ids, and without special hours that ingest rejects.

    A date is closed or has hours: the first of a store's rows about it says which.
    """
    first = {(row.store_id, row.date): row for row in reversed(case.special_hours)}
    return replace(
        case,
        polls=tuple(replace(poll, store_id=NAMES[poll.store_id]) for poll in case.polls),
        hours=tuple(replace(row, store_id=NAMES[row.store_id]) for row in case.hours),
        zones={NAMES[store_id]: zone for store_id, zone in case.zones.items()},
        special_hours=tuple(
            replace(row, store_id=NAMES[row.store_id])
            for row in case.special_hours
            if bool(row.start) == bool(first[row.store_id, row.date].start)
        ),
        exclusions=tuple(replace(row, store_id=NAMES[row.store_id]) for row in case.exclusions),
    )


# --- random cases ---------------------------------------------------------------------------


@settings(max_examples=settings().max_examples // 4)
@given(
    cases().map(as_uploaded).filter(report),
    seeds,
    st.sampled_from(BUCKET_COUNTS),
    st.sampled_from(SHARD_POLLS),
)
def test_the_report_of_any_files_is_the_oracle(
    case: Case, seed: int, bucket_count: int, shard_polls: int
) -> None:
    files = files_of(case, Random(seed))
    assert report_of(case, files, bucket_count, shard_polls) == expected_of(case)


@settings(max_examples=settings().max_examples // 4)
@given(
    period_cases().map(as_uploaded).filter(lambda case: case.polls),
    seeds,
    st.sampled_from(BUCKET_COUNTS),
    st.sampled_from(SHARD_POLLS),
)
def test_the_report_of_a_period_is_the_oracle(
    case: Case, seed: int, bucket_count: int, shard_polls: int
) -> None:
    case = replace(case, now=None)  # the newest poll
    files = files_of(case, Random(seed))
    assert report_of(case, files, bucket_count, shard_polls) == expected_of(case)


# --- one case of more stores ----------------------------------------------------------------

NOW = utc("2024-11-04 12:00")  # the clocks of the United States went back the day before
ZONES = ("America/New_York", "America/Denver", "Asia/Kathmandu", "Australia/Lord_Howe")


@pytest.fixture(scope="module")
def city() -> Case:
    """Twenty stores, polled some times a day for three weeks, the last poll of all at `NOW`."""
    random = Random(2024)
    store_ids = [f"store {number:02d}" for number in range(20)]
    ages = [timedelta(0), *(timedelta(minutes=random.uniform(0, 21 * 1440)) for _ in range(800))]
    polls = [Poll(random.choice(store_ids[:18]), NOW - age, random.random() < 0.7) for age in ages]
    hours = [
        row
        for store_id in store_ids[3:]
        for row in (
            *opens("09:00", "14:30", *EVERY_DAY[:5], store_id=store_id),
            *opens("17:00", random.choice(["23:59:59", "02:00", "24:00"]), 4, 5, store_id=store_id),
        )
    ]
    zones = {store_id: random.choice(ZONES) for store_id in store_ids if random.random() < 0.9}
    return Case(tuple(polls), tuple(hours), zones)


@pytest.fixture(scope="module")
def city_report(city: Case) -> str:
    return expected_of(city)


@pytest.mark.parametrize("bucket_count", BUCKET_COUNTS)
@pytest.mark.parametrize("shard_polls", SHARD_POLLS)
def test_buckets_and_shards_do_not_matter(
    city: Case, city_report: str, bucket_count: int, shard_polls: int
) -> None:
    files = files_of(city, Random(bucket_count))
    assert report_of(city, files, bucket_count, shard_polls) == city_report


def test_the_order_of_files_does_not_matter(city: Case, city_report: str) -> None:
    files = files_of(city, Random(1))
    assert report_of(city, reversed(files)) == city_report


@pytest.mark.parametrize("by", ["day", "week", "month", "total"])
def test_files_buckets_and_shards_do_not_matter_for_a_period(city: Case, by: str) -> None:
    case = replace(city, period=Period(date(2024, 10, 20), date(2024, 11, 5), by))
    expected = expected_of(case)
    files = files_of(case, Random(by))
    assert report_of(case, files) == expected
    assert report_of(case, reversed(files), 64, 1) == expected


def test_polls_in_one_file_or_a_file_a_day(city: Case, city_report: str) -> None:
    stores = [
        hours_file(city, [row.store_id for row in city.hours]),
        zones_file(city, list(city.zones)),
    ]
    by_day: dict[date, list[Poll]] = {}
    for poll in city.polls:
        by_day.setdefault(poll.timestamp.date(), []).append(poll)
    assert len(by_day) > 20
    random = Random(5)
    whole = [polls_file(city.polls, random)]
    days = [polls_file(polls, random) for polls in by_day.values()]
    for polls in (whole, days, whole + days):
        assert report_of(city, [*stores, *polls]) == city_report


def test_every_file_twice_changes_nothing(city: Case, city_report: str) -> None:
    files = files_of(city, Random(2))
    assert report_of(city, [*files, *files]) == city_report


def test_what_was_replaced_does_not_matter(city: Case, city_report: str) -> None:
    store_ids = sorted({row.store_id for row in city.hours})
    earlier = replace(
        city,
        hours=tuple(row for id_ in store_ids for row in opens("01:00", "05:00", 0, store_id=id_)),
        zones=dict.fromkeys(city.zones, "Pacific/Apia"),
    )
    files = [hours_file(earlier, store_ids), zones_file(earlier, list(city.zones))]
    assert report_of(city, [*files, *files_of(city, Random(3))]) == city_report


@pytest.mark.parametrize("days_ago", [0.5, 8, 20])
@pytest.mark.parametrize("poll_filter", list(PollFilter))
def test_a_report_as_of_an_earlier_instant(
    city: Case, days_ago: float, poll_filter: PollFilter
) -> None:
    earlier = replace(city, now=NOW - timedelta(days=days_ago), poll_filter=poll_filter.value)
    assert report_of(earlier, files_of(earlier, Random(4))) == expected_of(earlier)

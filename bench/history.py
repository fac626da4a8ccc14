"""Measure what years of stored polls cost a report, and what periods cost: `make bench-history`.

The polls of two weeks are repeated back in time, eight weeks a file, as compaction leaves them.
The shortest history is four weeks: a report reads whole weeks, so a part of the third.
"""

import tempfile
from collections.abc import Mapping
from datetime import date
from functools import cache, partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench.data_set import MEMORY_US, UPLOADED_AT, DataSet, make_data_set, recompute_shard
from bench.measuring import medians, use_one_core
from store_monitoring.domain.parameters import Period, PeriodUnit
from store_monitoring.ingest.ports import Commit
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.polls import write_polls
from store_monitoring.storage.schemas import POLLS
from testing.fakes import CountingTables, MemoryLog

_SCALE, _BUCKETS = 0.1, 8  # 456 stores with 180,000 polls in two weeks
_FORTNIGHTS_OF_FILE = 4
_STORED_FORTNIGHTS = {"4 weeks": 2, "8 weeks": 4, "1 year": 26, "10 years": 260}
_PERIODS = {
    "a week, last year": (date(2023, 10, 2), date(2023, 10, 9)),
    "four weeks, last year": (date(2023, 10, 2), date(2023, 10, 30)),
    "four weeks, nine years ago": (date(2015, 10, 5), date(2015, 11, 2)),
    "sixteen weeks, last year": (date(2023, 7, 10), date(2023, 10, 30)),
    "a year": (date(2023, 1, 1), date(2024, 1, 1)),
}
_RUNS = 9


def main() -> None:
    """Print a table of stored polls, and one of periods."""
    use_one_core()
    with tempfile.TemporaryDirectory() as name:
        data_set = make_data_set(Path(name), _SCALE, _BUCKETS)
        stored = _with_history(data_set)
        _print("polls in store", stored, dict.fromkeys(stored, ReportRequest()))
        ten_years = dict.fromkeys(_PERIODS, stored["10 years"])
        _print(
            "period, by day",
            ten_years,
            {
                name: ReportRequest(period=Period(*dates, PeriodUnit.DAY))
                for name, dates in _PERIODS.items()
            },
        )


def _with_history(data_set: DataSet) -> dict[str, DataSet]:
    """Return data sets with the last two weeks of another, repeated back in time."""
    snapshot = data_set.log.snapshot()
    now_us = snapshot.max_timestamp_us
    assert now_us is not None
    tables, stores = data_set.tables, list(snapshot.stores.values())
    since_us = now_us - MEMORY_US + 1
    polls = {}
    for file in data_set.log.polls(snapshot.version, since_us, now_us):
        read = tables.read_polls([file], since_us, now_us).cast(POLLS)
        timestamp_us = read.column("timestamp").cast(pa.int64())
        polls[file.bucket] = read.filter(pc.greater_equal(timestamp_us, since_us))

    @cache
    def commit(first: int, last: int) -> Commit:
        """Write the polls of some fortnights, counted back from now."""
        name = f"fortnights-{first}-to-{last}"
        written = tuple(
            write_polls(
                bucket,
                name,
                [pa.concat_tables(_earlier(each, number) for number in range(first, last))],
                tables,
            )
            for bucket, each in polls.items()
        )
        rows = sum(each.file.rows for each in written)
        return Commit("polls", name, rows, 0, UPLOADED_AT, written)

    data_sets = {}
    for name, fortnights in _STORED_FORTNIGHTS.items():
        log = MemoryLog()
        for first in range(0, fortnights, _FORTNIGHTS_OF_FILE):
            some = commit(first, min(first + _FORTNIGHTS_OF_FILE, fortnights))
            log.commit(log.snapshot(), stores, some)
        data_sets[name] = DataSet(data_set.folder, data_set.buckets, log)
    return data_sets


def _earlier(polls: pa.Table, fortnights: int) -> pa.Table:
    """Return the same polls so many fortnights before."""
    at_us = pc.subtract(polls.column("timestamp").cast(pa.int64()), fortnights * MEMORY_US)
    return polls.set_column(1, POLLS.field("timestamp"), at_us.cast(POLLS.field("timestamp").type))


def _print(
    title: str, data_sets: Mapping[str, DataSet], requests: Mapping[str, ReportRequest]
) -> None:
    """Plan and compute a report of each data set, taking turns; print what it took."""

    def report(name: str) -> None:
        data_set = data_sets[name]
        (data_set.folder / f"reports/{name}/plan.json").unlink(missing_ok=True)
        data_set.plan(name, request=requests[name])
        recompute_shard(name, 0, data_set.tables)

    seconds = medians({name: partial(report, name) for name in data_sets}, _RUNS)
    first = next(iter(seconds.values()))
    print(f"\n| {title} | polls stored | polls read | MB read | s | |\n|---|" + "---:|" * 5)
    for name, data_set in data_sets.items():
        counting = CountingTables(data_set.folder)
        polls_read = recompute_shard(name, 0, counting).polls_read
        print(
            f"| {name} | {data_set.polls:,} | {polls_read:,} | {counting.bytes_read / 1e6:.2f}"
            f" | {seconds[name]:.3f} | {seconds[name] / first:.2f} |"
        )


if __name__ == "__main__":
    main()

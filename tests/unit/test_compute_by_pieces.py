"""Shards that are computed in pieces: too many polls or stores, or too long a poll memory."""

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.measuring import peak_mb
from store_monitoring.domain.parameters import DAY_US, SECOND_US, PollFilter
from store_monitoring.errors import ResponseTooLargeError
from store_monitoring.ingest.parsing.columns import MAX_POLLS_PER_STORE
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.ports import Commit
from store_monitoring.reports.request import ReportRequest
from store_monitoring.reports.shard import compute_shard
from store_monitoring.storage.keys import outages_key, part_key, stores_key
from store_monitoring.storage.polls import write_polls
from store_monitoring.storage.ports import StoresFile, WrittenPolls
from store_monitoring.storage.schemas import POLLS, STORES
from store_monitoring.storage.stores import with_stores
from testing.pipeline import CLOCK_TIME, Pipeline, plan_with_outages
from tests.oracle import Case, HoursRow, Poll, Totals, csv_text, report

NOW = datetime(2024, 10, 14, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * SECOND_US


def polls_csv(polls: list[Poll]) -> str:
    rows = [
        f"{poll.store_id},{'active' if poll.active else 'inactive'},{poll.timestamp.isoformat()}"
        for poll in polls
    ]
    return "\n".join(["store_id,status,timestamp_utc", *rows])


# --- many polls -----------------------------------------------------------------------------

AGES = st.timedeltas(timedelta(), timedelta(days=16)) | st.sampled_from(
    [timedelta(), timedelta(days=7), timedelta(days=14), timedelta(hours=1)]
)
POLL = st.builds(Poll, st.sampled_from("abc"), AGES.map(lambda age: NOW - age), st.booleans())


@settings(max_examples=30)
@given(
    st.lists(st.lists(POLL, min_size=1, max_size=12), min_size=1, max_size=4),
    st.integers(0, 9),
    st.sampled_from([None, ("b",)]),
)
def test_a_part_does_not_depend_on_how_many_polls_fit(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[Poll]],
    max_polls: int,
    store_ids: tuple[str, ...] | None,
) -> None:
    pipeline = Pipeline(tmp_path_factory.mktemp("pieces"), bucket_count=2)
    for number, polls in enumerate(files):
        pipeline.ingest(f"polls/{number}.csv", polls_csv(polls))
    hours = "store_id,day,start_time_local,end_time_local\nb,0,09:00,17:00\nb,3,22:00,02:00\n"
    pipeline.ingest("business_hours/a.csv", hours)
    plan_with_outages(pipeline, ReportRequest(store_ids=store_ids))
    paths = [pipeline.folder / key("r", 0) for key in (part_key, outages_key)]
    compute_shard("r", 0, pipeline.tables)
    at_once = [pq.read_table(path) for path in paths]
    paths[0].unlink()
    compute_shard("r", 0, pipeline.tables, max_polls)
    assert [pq.read_table(path) for path in paths] == at_once


def test_a_piece_reads_only_its_weeks(tmp_path: Path) -> None:
    """Row groups of other weeks are not read."""
    pipeline = Pipeline(tmp_path, bucket_count=1)
    ages = [timedelta(days=days) for days in (0, 1, 7, 8, 14, 21, 400)]
    pipeline.ingest("polls/a.csv", polls_csv([Poll("s", NOW - age, True) for age in ages]))
    files = pipeline.log.polls(pipeline.log.snapshot().version, 0, NOW_US)
    batches = pipeline.tables.read_polls_in_batches(files, NOW_US - 8 * DAY_US, NOW_US)
    assert [batch.num_rows for batch in batches] == [5]


# --- many stores, and a long memory ---------------------------------------------------------


@pytest.mark.parametrize("poll_filter", ["all", "business_hours"])
def test_thousands_of_stores_and_ten_years_of_memory(tmp_path: Path, poll_filter: str) -> None:
    """All of them do not fit on one time axis."""
    polls = [
        Poll(f"{number:04d}", NOW - timedelta(hours=10.9 * number), number % 3 > 0)
        for number in range(8_000)
    ]
    hours = [HoursRow(poll.store_id, 0, "09:00", "17:00") for poll in polls[::800]]
    pipeline = Pipeline(tmp_path, bucket_count=1)
    pipeline.ingest("polls/a.csv", polls_csv(polls))
    rows = [f"{row.store_id},{row.day},{row.start},{row.end}\n" for row in hours]
    header = "store_id,day,start_time_local,end_time_local\n"
    pipeline.ingest("business_hours/a.csv", header + "".join(rows))
    made = pipeline.report(ReportRequest(poll_filter=PollFilter(poll_filter)), 3650)
    case = Case(now=NOW, memory_days=3650, poll_filter=poll_filter)
    expected: dict[str, Totals] = {}
    for poll in polls:  # one by one: the oracle looks at every poll for every store
        own = tuple(row for row in hours if row.store_id == poll.store_id)
        # Without hours, a store is always open: the oracle skips ten years of dates.
        expected |= report(replace(case, polls=(poll,), hours=own))
    assert made.decode() == csv_text(expected)


# --- memory ---------------------------------------------------------------------------------

MAX_MB, MAX_MB_WITH_OUTAGES = 1_300, 1_550  # of the function's 1,769
FILES = 12
HEAVY_STORES = 30
CHILD = """
import json, sys
from pathlib import Path
from bench.measuring import import_as_in_lambda, peak_mb, use_one_core
from store_monitoring.reports.shard import compute_shard
from testing.fakes import FolderTables

use_one_core()
import_as_in_lambda()
compute_shard("r", 0, FolderTables(Path(sys.argv[1])))
print(json.dumps(peak_mb()))
"""


def write_many_polls(pipeline: Pipeline, stores: int, files: int, polls: int) -> None:
    """Write `polls` polls per store and file; each changes the store's status."""
    store_ids = [f"{number:03d}" for number in range(stores)]
    tables, log = pipeline.tables, pipeline.log
    table = with_stores(STORES.empty_table(), pa.chunked_array([pa.array(store_ids)]))
    key = stores_key(0, "1")
    stores_files = [StoresFile(0, key, stores, tables.write_table(key, table))]
    for number in range(files):

        def chunks(number: int = number) -> Iterator[pa.Table]:
            step_us = 13 * DAY_US // (polls * files)
            nth = np.arange(polls) * files + number
            at = pa.array(NOW_US - nth * step_us, POLLS.field("timestamp").type)
            for store_id in store_ids:
                ids = pa.DictionaryArray.from_arrays(np.zeros(polls, np.int32), [store_id])
                yield pa.table([ids.cast(pa.string()), at, pa.array(nth % 2 == 0)], schema=POLLS)

        written: WrittenPolls = write_polls(0, f"i{number}", chunks(), tables)
        commit = Commit(Kind.POLLS, f"i{number}", written.file.rows, 0, CLOCK_TIME, (written,))
        log.commit(log.snapshot(), stores_files if not number else [], commit)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("stores", "files"), [(1, FILES), (HEAVY_STORES, 1)])
@pytest.mark.parametrize(("outages", "max_mb"), [(False, MAX_MB), (True, MAX_MB_WITH_OUTAGES)])
def test_memory_at_the_limit(
    tmp_path: Path, stores: int, files: int, outages: bool, max_mb: int
) -> None:
    """Files with the greatest allowed number of polls per store, and a bucket of such stores.

    Every other poll begins an outage, so the outages' memory is at its limit, too.
    """
    pipeline = Pipeline(tmp_path, bucket_count=1)
    write_many_polls(pipeline, stores, files, MAX_POLLS_PER_STORE)
    if outages:
        plan_with_outages(pipeline)
    else:
        pipeline.plan()
    child = [sys.executable, "-c", CHILD, str(tmp_path)]
    done = subprocess.run(
        child, check=True, capture_output=True, text=True
    )  # this test's own program
    assert json.loads(done.stdout) < max_mb
    part = pq.read_table(tmp_path / part_key("r", 0))
    assert len(part) == stores
    for row in part.to_pylist():  # up half the time, to within a step
        for window, length_us in (("hour", DAY_US // 24), ("day", DAY_US), ("week", 7 * DAY_US)):
            up_us, down_us = row[f"uptime_last_{window}_us"], row[f"downtime_last_{window}_us"]
            assert up_us + down_us == length_us
            assert abs(up_us - down_us) <= 2 * SECOND_US


def timeline_mb(pipeline: Pipeline) -> float:
    """Request the timeline of a store with too many polls; return the peak memory."""
    with pytest.raises(ResponseTooLargeError):
        pipeline.timeline("000")
    return peak_mb()


@pytest.mark.exhaustive
def test_memory_of_a_timeline_at_the_limit(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=1)
    write_many_polls(pipeline, 1, FILES, MAX_POLLS_PER_STORE)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(timeline_mb, pipeline).result() < MAX_MB

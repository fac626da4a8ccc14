"""Old data do not slow down a report: they are not read."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store_monitoring.domain.parameters import DAY_US, HOUR_US
from store_monitoring.ingest.ports import Commit
from store_monitoring.instants import to_us
from store_monitoring.reports.shard import compute_shard
from store_monitoring.storage.keys import part_key
from store_monitoring.storage.polls import write_polls
from store_monitoring.storage.schemas import POLLS
from testing.fakes import CountingTables
from testing.pipeline import CLOCK_TIME, Pipeline
from tests.cases import utc

NOW_US = to_us(utc("2024-10-14 12:00"))
STORES = 100
FORTNIGHT_DAYS, TWO_YEARS_DAYS = 14, 730
INDEX_BYTES = 64 * 1024  # Arrow first reads this much of the end of a file


def polls_of(begin_us: int, end_us: int) -> pa.Table:
    """Return hourly polls of each store, pseudorandom but reproducible."""
    hours = np.arange(begin_us // HOUR_US, end_us // HOUR_US)
    store, hour = (axis.ravel() for axis in np.meshgrid(np.arange(STORES), hours))
    at_us = hour * HOUR_US + (hour * 7919 + store) ** 2 * 2_654_435_761 % HOUR_US
    ids = pa.array([f"store-{n:03d}" for n in range(STORES)]).take(pa.array(store))
    active = (store + hour // 5) % 3 > 0
    return pa.table([ids, pa.array(at_us, POLLS.field("timestamp").type), active], schema=POLLS)


def bytes_read_for_a_report(pipeline: Pipeline, ages_days: list[int]) -> int:
    """Commit files of polls of the given ages; return how many bytes a shard reads."""
    pipeline.ingest(
        "timezones/a.csv",
        "\n".join(["store_id,timezone_str", *(f"store-{n:03d},UTC" for n in range(STORES))]),
    )
    for older, younger in pairwise(ages_days):
        polls = polls_of(NOW_US - older * DAY_US, NOW_US - younger * DAY_US)
        written = write_polls(0, f"from-{older}", [polls], pipeline.tables)
        commit = Commit("polls", f"from-{older}", written.file.rows, 0, CLOCK_TIME, (written,))
        pipeline.log.commit(pipeline.log.snapshot(), [], commit)
    counting = CountingTables(pipeline.folder)
    [shard] = pipeline.plan().shards
    receipt = compute_shard("r", shard.shard, counting)
    assert receipt.stores == STORES
    return counting.bytes_read


@pytest.mark.parametrize(
    "ages_days",
    [[TWO_YEARS_DAYS, 0], [*range(TWO_YEARS_DAYS, FORTNIGHT_DAYS, -28), FORTNIGHT_DAYS, 0]],
    ids=["one file", "a file every four weeks"],
)
def test_two_years_of_polls_cost_as_much_as_two_weeks(tmp_path: Path, ages_days: list[int]) -> None:
    recent = Pipeline(tmp_path / "recent", bucket_count=1)
    all_time = Pipeline(tmp_path / "all", bucket_count=1)
    # Row groups are weeks: of the three read, the first starts before the two weeks.
    fortnight = bytes_read_for_a_report(recent, [21, 0])
    two_years = bytes_read_for_a_report(all_time, ages_days)
    stored = sum(path.stat().st_size for path in all_time.folder.glob("polls/*/*"))
    footers = sum(
        pq.read_metadata(path).serialized_size for path in all_time.folder.glob("polls/*/*")
    )
    assert two_years - fortnight <= INDEX_BYTES + footers < stored / 10
    parts = [(p.folder / part_key("r", 0)).read_bytes() for p in (recent, all_time)]
    assert parts[0] == parts[1]

"""The outages of a shard's stores as a table, and the columns of its part about them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store_monitoring.errors import TransientError
from store_monitoring.reports import shard as shard_module
from store_monitoring.reports.shard import compute_shard
from store_monitoring.storage import arrays
from store_monitoring.storage.keys import outages_key, part_key
from store_monitoring.storage.schemas import OUTAGES
from testing.fakes import FolderTables
from testing.pipeline import Pipeline, plan_with_outages
from tests.cases import us

POLLS = """\
store_id,status,timestamp_utc
night,active,2024-10-14 06:00:00 UTC
night,inactive,2024-10-14 08:30:00.5 UTC
night,active,2024-10-15 05:00:00 UTC
b,inactive,2024-10-15 10:00:00 UTC
up,active,2024-10-15 12:00:00 UTC
"""
HOURS = """\
store_id,day,start_time_local,end_time_local
night,0,09:45,17:00
night,1,09:45,17:00
b,1,06:00,24:00
"""
ZONES = "store_id,timezone_str\nnight,Asia/Kathmandu\nb,America/New_York\nsilent,UTC\n"


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path, bucket_count=8)
    pipeline.ingest("polls/a.csv", POLLS)
    pipeline.ingest("business_hours/a.csv", HOURS)
    pipeline.ingest("timezones/a.csv", ZONES)
    return pipeline


def outages(pipeline: Pipeline) -> pa.Table:
    return pq.read_table(pipeline.folder / outages_key("r", 0))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_outages_of_all_stores(pipeline: Pipeline) -> None:
    plan_with_outages(pipeline)
    compute_shard("r", 0, pipeline.tables)
    table = outages(pipeline)
    assert table.schema.equals(OUTAGES)
    names = ("store_id", "incident", "started_at", "ended_at", "duration_us", "ongoing")
    assert [tuple(row[name] for name in names) for row in table.to_pylist()] == [
        # The week begins on a Tuesday at 12:00, 08:00 in New York.
        ("b", 1, at("2024-10-08 12:00"), at("2024-10-09 04:00"), us(hours=16), False),
        ("b", 1, at("2024-10-15 10:00"), at("2024-10-15 12:00"), us(hours=2), True),
        *(
            ("night", 1, at(start), at(end), length_us, False)
            for start, end, length_us in (
                ("2024-10-14 08:30:00.5", "2024-10-14 11:15", us(hours=2.75) - 500_000),
                ("2024-10-15 04:00", "2024-10-15 05:00", us(hours=1)),
            )
        ),
    ]


def test_local_times_have_the_offset_and_a_fraction_only_if_there_is_one(
    pipeline: Pipeline,
) -> None:
    plan_with_outages(pipeline)
    compute_shard("r", 0, pipeline.tables)
    local = outages(pipeline).select(["started_at_local", "ended_at_local"]).to_pylist()
    assert [tuple(row.values()) for row in local] == [
        ("2024-10-08T08:00:00-04:00", "2024-10-09T00:00:00-04:00"),
        ("2024-10-15T06:00:00-04:00", "2024-10-15T08:00:00-04:00"),
        ("2024-10-14T14:15:00.500000+05:45", "2024-10-14T17:00:00+05:45"),
        ("2024-10-15T09:45:00+05:45", "2024-10-15T10:45:00+05:45"),
    ]


def test_the_active_polls_around_an_incident(pipeline: Pipeline) -> None:
    plan_with_outages(pipeline)
    compute_shard("r", 0, pipeline.tables)
    around = outages(pipeline).select(["last_up_at", "next_up_at"]).to_pylist()
    night = (at("2024-10-14 06:00"), at("2024-10-15 05:00"))
    assert [tuple(row.values()) for row in around] == [(None, None)] * 2 + [night] * 2


def test_the_part_sums_them_up(pipeline: Pipeline) -> None:
    pipeline.plan()
    compute_shard("r", 0, pipeline.tables)
    rows = pq.read_table(pipeline.folder / part_key("r", 0)).to_pylist()
    names = (
        *("outages_last_week", "longest_outage_last_week_us", "incidents_last_week"),
        *("recoveries_last_week", "recovery_last_week_us", "outage_hours", "timezone"),
    )
    night_us = us(hours=3.75) - 500_000
    assert {row["store_id"]: tuple(row[name] for name in names) for row in rows} == {
        "b": (2, us(hours=16), 1, 0, 0, [24 + 8, 24 + 6], "America/New_York"),
        "night": (2, us(hours=2.75) - 500_000, 1, 1, night_us, [14, 24 + 9], "Asia/Kathmandu"),
        "silent": (0, 0, 0, 0, 0, [], "UTC"),
        "up": (0, 0, 0, 0, 0, [], None),
    }


def test_the_part_has_the_attributes(pipeline: Pipeline) -> None:
    pipeline.ingest("attributes/a.csv", "store_id,name,target_percent,city\nb,Bo,99.5,Bern\n")
    pipeline.plan()
    compute_shard("r", 0, pipeline.tables)
    rows = pq.read_table(pipeline.folder / part_key("r", 0)).to_pylist()
    names = ("name", "target_percent", "revenue_per_hour", "attributes")
    shown = {row["store_id"]: tuple(str(row[name]) for name in names) for row in rows}
    assert shown["b"] == ("Bo", "99.5000", "None", "[('city', 'Bern')]")
    assert set(shown["up"]) == {"None"}


def test_they_are_written_only_if_the_plan_includes_them(pipeline: Pipeline) -> None:
    pipeline.plan()
    compute_shard("r", 0, pipeline.tables)
    assert not (pipeline.folder / outages_key("r", 0)).exists()


def test_without_outages_the_table_is_empty(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("polls/a.csv", "store_id,status,timestamp_utc\na,active,2024-10-14 06:00:00\n")
    plan_with_outages(pipeline)
    compute_shard("r", 0, pipeline.tables)
    assert outages(pipeline).equals(OUTAGES.empty_table())


def test_a_part_exists_only_if_its_outages_do(pipeline: Pipeline) -> None:
    class Failing(FolderTables):
        def write_outages(self, *_: Any) -> None:
            raise TransientError("no")

    plan_with_outages(pipeline)
    with pytest.raises(TransientError):
        compute_shard("r", 0, Failing(pipeline.folder))
    assert not (pipeline.folder / part_key("r", 0)).exists()


@pytest.mark.parametrize(
    ("max_polls", "batch_polls", "table_outages"),
    [(2, 500_000, 100), (100, 1, 100), (100, 500_000, 1)],
)
def test_they_do_not_depend_on_how_they_are_computed(
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    max_polls: int,
    batch_polls: int,
    table_outages: int,
) -> None:
    more = [
        f"{store_id},{status},{at('2024-10-11 00:30') + timedelta(hours=5 * number)}"
        for store_id in ("up", "e", "night")
        for number, status in enumerate(["active", "inactive", "inactive", "active", "inactive"])
    ]
    pipeline.ingest("polls/b.csv", "\n".join(["store_id,status,timestamp_utc", *more]))
    plan_with_outages(pipeline)
    compute_shard("r", 0, pipeline.tables)
    expected = outages(pipeline)
    assert len(expected) == 9
    (pipeline.folder / part_key("r", 0)).unlink()
    monkeypatch.setattr(shard_module, "_BATCH_POLLS", batch_polls)
    monkeypatch.setattr(arrays, "_TABLE_OUTAGES", table_outages)
    compute_shard("r", 0, pipeline.tables, max_polls)
    assert outages(pipeline).equals(expected)

"""From a plan to a CSV: one part per shard, merged after all shards."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US, WEEK_US
from store_monitoring.errors import IncompleteReportError, MissingObjectError, NoStoresError
from store_monitoring.reports import shard as compute_shard_module
from store_monitoring.reports.formats.csv import csv_lines
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import ReportRequest
from store_monitoring.reports.shard import Receipt, compute_shard
from store_monitoring.storage.keys import part_key, plan_key, report_key
from store_monitoring.storage.schemas import PART, TOTAL_COLUMNS
from testing.fakes import CountingTables
from testing.pipeline import Pipeline
from tests.cases import us
from tests.oracle import Totals, csv_text

POLLS = """\
store_id,status,timestamp_utc
b,active,2024-10-14 11:00:00 UTC
a,active,2024-10-13 11:30:00 UTC
a,inactive,2024-10-14 11:30:00 UTC
b,active,2024-10-14 12:00:00 UTC
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """Three stores in three buckets: one polled up, one polled up and down, one never polled."""
    pipeline = Pipeline(tmp_path, bucket_count=64)
    pipeline.ingest("polls/a.csv", POLLS)
    pipeline.ingest("timezones/a.csv", "store_id,timezone_str\nc,Asia/Tokyo\n")
    return pipeline


@pytest.fixture
def plan(pipeline: Pipeline) -> Plan:
    """A plan with one shard per store."""
    plan = pipeline.plan(shard_polls=1)
    assert [shard.stores for shard in plan.shards] == [1, 1, 1]
    return plan


def compute_all(pipeline: Pipeline, plan: Plan) -> list[Receipt]:
    shards = [shard.shard for shard in plan.shards]
    return [compute_shard(plan.report_id, shard, pipeline.tables) for shard in shards]


def csv_of(pipeline: Pipeline, plan: Plan) -> list[str]:
    text = (pipeline.folder / report_key(plan.report_id, "csv")).read_text("utf-8")
    return text.splitlines()


# --- parts ----------------------------------------------------------------------------------


def test_a_part_has_the_exact_microseconds(pipeline: Pipeline) -> None:
    plan = pipeline.plan()
    compute_all(pipeline, plan)
    part = pq.read_table(pipeline.folder / part_key("r", 0))
    assert part.schema.equals(PART)
    up_a = (us(minutes=30), us(hours=23, minutes=30), us(hours=167, minutes=30))
    down_a = (us(minutes=30),) * 3
    whole, nothing = (us(hours=1), us(hours=24), us(hours=168)), (0, 0, 0)
    totals = part.select(["store_id", *TOTAL_COLUMNS])
    assert [tuple(row.values()) for row in totals.to_pylist()] == [
        ("a", *up_a, *down_a, *nothing, us(minutes=30), us(hours=2), us(hours=2.5), *nothing),
        ("b", *whole, *nothing, *nothing, us(hours=1), us(hours=1), us(hours=1), *nothing),
        ("c", *nothing, *nothing, *whole, *nothing, *nothing),
    ]


def test_receipts_have_the_numbers_of_stores_and_polls(pipeline: Pipeline, plan: Plan) -> None:
    receipts = compute_all(pipeline, plan)
    assert [receipt.shard for receipt in receipts] == [0, 1, 2]
    assert [receipt.stores for receipt in receipts] == [1, 1, 1]
    assert sorted(receipt.polls_read for receipt in receipts) == [0, 2, 2]


def test_a_shard_computed_twice_is_the_same_part(pipeline: Pipeline, plan: Plan) -> None:
    path = pipeline.folder / part_key("r", 0)
    compute_shard("r", 0, pipeline.tables)
    once = path.read_bytes()
    path.unlink()
    compute_shard("r", 0, pipeline.tables)
    assert path.read_bytes() == once


def test_an_existing_part_is_not_computed_again(pipeline: Pipeline, plan: Plan) -> None:
    first = compute_all(pipeline, plan)
    shutil.rmtree(pipeline.folder / "polls")
    shutil.rmtree(pipeline.folder / "stores")
    assert compute_all(pipeline, plan) == [replace(receipt, polls_read=0) for receipt in first]


def test_a_part_with_another_number_of_rows_is_computed_again(
    pipeline: Pipeline, plan: Plan
) -> None:
    path = pipeline.folder / part_key("r", 0)
    compute_shard("r", 0, pipeline.tables)
    once = path.read_bytes()
    pq.write_table(PART.empty_table(), path)
    compute_shard("r", 0, pipeline.tables)
    assert path.read_bytes() == once


@pytest.mark.parametrize(
    ("polls", "max_rows", "count"),
    [(1, 9, 2), (2, 9, 2), (3, 9, 1), (4, 9, 1), (5, 9, 1), (5, 1, 2), (5, 2, 2)],
)
def test_a_part_does_not_depend_on_the_batches(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, polls: int, max_rows: int, count: int
) -> None:
    [shard] = pipeline.plan().shards
    compute_shard("r", 0, pipeline.tables)
    part = (pipeline.folder / part_key("r", 0)).read_bytes()
    batches = list(shard.batches(polls, max_rows))
    assert [file for files, _ in batches for file in files] == list(shard.stores_files)
    assert [file for _, files in batches for file in files] == list(shard.polls_files)
    assert len(batches) == count
    monkeypatch.setattr(compute_shard_module, "_BATCH_POLLS", polls)
    (pipeline.folder / part_key("r", 0)).unlink()
    compute_shard("r", 0, pipeline.tables, max_polls=2 * max_rows)
    assert (pipeline.folder / part_key("r", 0)).read_bytes() == part


def test_a_report_reads_its_snapshot_only(pipeline: Pipeline, plan: Plan) -> None:
    compute_all(pipeline, plan)
    merge_report("r", pipeline.tables)
    before = csv_of(pipeline, plan)
    pipeline.ingest("polls/b.csv", POLLS.replace("inactive", "active"))
    pipeline.ingest("polls/c.csv", POLLS.replace("11:", "10:").replace("b,", "d,"))
    pipeline.ingest("timezones/b.csv", "store_id,timezone_str\ne,UTC\n")
    shutil.rmtree(pipeline.folder / "reports/r/parts")
    compute_all(pipeline, plan)
    merge_report("r", pipeline.tables)
    assert csv_of(pipeline, plan) == before


def test_polls_of_other_weeks_do_not_make_batches_smaller(pipeline: Pipeline) -> None:
    [shard] = pipeline.plan().shards
    half = replace(shard, share_read=0.5)
    rows = sum(file.rows for file in shard.polls_files)
    assert len(list(half.batches(rows // 2, rows))) == len(list(shard.batches(rows, rows))) == 1


# --- the merge ------------------------------------------------------------------------------


def test_the_report(pipeline: Pipeline, plan: Plan) -> None:
    compute_all(pipeline, plan)
    assert merge_report("r", pipeline.tables).summary.stores == 3
    assert csv_of(pipeline, plan) == [
        "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),"
        "uptime_last_week(in hours),downtime_last_hour(in minutes),"
        "downtime_last_day(in hours),downtime_last_week(in hours)",
        "a,30.00,23.50,167.50,30.00,0.50,0.50",
        "b,60.00,24.00,168.00,0.00,0.00,0.00",
        "c,0.00,0.00,0.00,60.00,24.00,168.00",
    ]


def test_a_missing_part_is_an_incomplete_report(pipeline: Pipeline, plan: Plan) -> None:
    compute_all(pipeline, plan)
    (pipeline.folder / part_key("r", 1)).unlink()
    with pytest.raises(IncompleteReportError, match=r"^shard 1 of 3 "):
        merge_report("r", pipeline.tables)
    assert not (pipeline.folder / report_key("r", "csv")).exists()


@pytest.mark.parametrize("stores", [0, 2])
def test_a_part_of_another_size_is_an_incomplete_report(
    pipeline: Pipeline, plan: Plan, stores: int
) -> None:
    compute_all(pipeline, plan)
    path = pipeline.folder / part_key("r", 1)
    pq.write_table(pa.concat_tables([PART.empty_table(), *[pq.read_table(path)] * stores]), path)
    message = rf"^shard 1 of 3 shards has {stores} stores instead of 1$"
    with pytest.raises(IncompleteReportError, match=message):
        merge_report("r", pipeline.tables)
    assert not (pipeline.folder / report_key("r", "csv")).exists()


def test_an_incomplete_report_is_written_in_no_format(pipeline: Pipeline) -> None:
    plan = pipeline.plan("r", ReportRequest(formats=tuple(Format)), shard_polls=1)
    compute_all(pipeline, plan)
    path = pipeline.folder / part_key("r", 1)
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(IncompleteReportError):
        merge_report("r", pipeline.tables)
    assert not list(pipeline.folder.glob("reports/r/report.*"))


def test_the_parts_are_read_once_for_all_formats(pipeline: Pipeline) -> None:
    def bytes_read(request: ReportRequest) -> int:
        plan = pipeline.plan("r", request, shard_polls=1, publish_changes=True)
        compute_all(pipeline, plan)
        tables = CountingTables(pipeline.folder)
        merge_report("r", tables)
        return sum(tables.bytes_read_of(part_key("r", shard.shard)) for shard in plan.shards)

    once = bytes_read(ReportRequest(formats=(Format.HTML,)))  # its parts have the trend, too
    assert once > 0
    assert bytes_read(ReportRequest(formats=tuple(Format))) == once
    assert bytes_read(ReportRequest(formats=tuple(Format), store_ids=("a", "b", "c"))) == once


@pytest.mark.parametrize("exists", [False, True], ids=["no part", "a part"])
def test_the_only_shard_is_computed_by_the_merge(pipeline: Pipeline, exists: bool) -> None:
    several = pipeline.plan(shard_polls=1)
    compute_all(pipeline, several)
    assert merge_report("r", pipeline.tables).polls_read == 0
    before = csv_of(pipeline, several)
    plan = pipeline.plan()
    path = pipeline.folder / part_key("r", 0)
    if exists:  # from an earlier attempt, or an execution of an older version
        compute_all(pipeline, plan)
    merged = merge_report("r", pipeline.tables)
    assert (merged.summary.stores, merged.polls_read) == (3, 4)
    assert csv_of(pipeline, plan) == before
    part = path.read_bytes()
    path.unlink()
    compute_all(pipeline, plan)
    assert path.read_bytes() == part


def test_an_only_shard_that_cannot_be_read_leaves_no_report(pipeline: Pipeline) -> None:
    [shard] = pipeline.plan().shards
    (pipeline.folder / shard.polls_files[0].key).unlink()
    with pytest.raises(MissingObjectError, match=shard.polls_files[0].key):
        merge_report("r", pipeline.tables)
    assert {path.name for path in pipeline.folder.glob("reports/r/*")} == {
        *("plan.json", "request.json")
    }


def test_parts_that_are_not_in_the_plan_are_ignored(pipeline: Pipeline) -> None:
    compute_all(pipeline, pipeline.plan(shard_polls=1))
    plan = pipeline.plan()
    compute_all(pipeline, plan)
    assert merge_report("r", pipeline.tables).summary.stores == 3


def test_without_a_plan_there_is_no_report(pipeline: Pipeline) -> None:
    with pytest.raises(MissingObjectError, match=plan_key("r")):
        merge_report("r", pipeline.tables)


def test_there_is_no_report_of_no_stores(tmp_path: Path) -> None:
    with pytest.raises(NoStoresError):
        Pipeline(tmp_path).report(ReportRequest(as_of_us=20_000 * DAY_US))


def test_rows_are_in_byte_order_of_store_ids(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=64)
    store_ids = ["b", "a", "B", "10", "9", "é", "z", "\U0001f354", "\uffee", "a b", "-1"]
    rows = "".join(f"{store_id},UTC\n" for store_id in store_ids)
    pipeline.ingest("timezones/a.csv", f"store_id,timezone_str\n{rows}")
    report = pipeline.report(ReportRequest(as_of_us=20_000 * DAY_US), shard_polls=1)
    reported = [line.split(",")[0] for line in report.decode().splitlines()[1:]]
    assert reported == sorted(store_ids, key=str.encode)


# --- figures --------------------------------------------------------------------------------


def lines_of(store_id: str, *lengths_us: int) -> str:
    row = dict(zip(TOTAL_COLUMNS, [*lengths_us, *[0] * 9], strict=True))
    return csv_lines(pa.RecordBatch.from_pylist([{"store_id": store_id} | row])).decode()


def test_figures_are_rounded_half_to_even() -> None:
    minute, hour = MINUTE_US // 200, HOUR_US // 200  # half a hundredth
    assert lines_of("s", minute, hour, 3 * hour, 5 * minute, 2 * hour + 1, hour + 1) == (
        "s,0.00,0.00,0.02,0.02,0.01,0.01\n"
    )


@given(
    st.lists(st.integers(0, HOUR_US), min_size=2, max_size=2),
    st.lists(st.integers(0, WEEK_US), min_size=4, max_size=4),
)
def test_figures_are_those_of_the_oracle(hour_us: list[int], long_us: list[int]) -> None:
    up = (hour_us[0], long_us[0], long_us[1])
    down = (hour_us[1], long_us[2], long_us[3])
    expected = csv_text({"s": Totals(up, down)}).splitlines(keepends=True)[1]
    assert lines_of("s", *up, *down) == expected


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1))
def test_store_ids_are_quoted_as_in_rfc_4180(store_id: str) -> None:
    nothing = (0, 0, 0)
    expected = csv_text({store_id: Totals(nothing, nothing)}).split("\n", 1)[1]
    assert lines_of(store_id, *nothing, *nothing) == expected

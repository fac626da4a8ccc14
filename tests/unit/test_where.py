"""A report of the stores whose attributes meet some conditions."""

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_monitoring.errors import (
    IncompleteReportError,
    NoStoresError,
    TooManyStoresError,
    UnknownStoreError,
)
from store_monitoring.reports import merge
from store_monitoring.reports import report as report_module
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.plan import PartInfo, Plan, read_plan
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import Condition, ReportRequest
from store_monitoring.reports.shard import compute_shard
from store_monitoring.storage.keys import part_key, report_key
from testing.pipeline import Pipeline

STORES = {
    "a": {"brand": "Nori", "region": "West"},
    "b": {"brand": "Nori", "region": "South"},
    "c": {"brand": "Oka", "region": "West"},
    "d": {"region": "North"},
    "e": {},
    "f": None,  # in no file of attributes
}
ALL = "".join(STORES)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("before"), bucket_count=3)
    polls = [f"{store_id},active,2024-10-14 10:00:00" for store_id in STORES]
    pipeline.ingest("polls/p.csv", "\n".join(["store_id,status,timestamp_utc", *polls]))
    rows = [
        ",".join([store_id, attributes.get("brand", ""), attributes.get("region", "")])
        for store_id, attributes in STORES.items()
        if attributes is not None
    ]
    pipeline.ingest("attributes/s.csv", "\n".join(["store_id,brand,region", *rows]))
    return pipeline


@pytest.fixture
def pipeline(before: Pipeline) -> Pipeline:
    shutil.rmtree(before.folder / "reports", ignore_errors=True)
    return before


def request(store_ids: str = "", **where: list[str]) -> ReportRequest:
    conditions = tuple(Condition(name, tuple(values)) for name, values in sorted(where.items()))
    return ReportRequest(store_ids=tuple(store_ids) or None, where=conditions)


def reported(pipeline: Pipeline, chosen: ReportRequest, shard_polls: int = 1) -> str:
    """Return the stores of a report, which have one letter each."""
    report = pipeline.report(chosen, shard_polls=shard_polls).decode()
    return "".join(line.split(",")[0] for line in report.splitlines()[1:])


@pytest.mark.parametrize(
    ("chosen", "stores"),
    [
        (request(), "abcdef"),
        (request(brand=["Nori"]), "ab"),
        (request(brand=["nori", "Oka"]), "c"),
        (request(region=["West", "South"]), "abc"),
        (request(brand=["Nori"], region=["West", "North"]), "a"),
        (request(brand=[""]), "def"),
        (request(brand=["", "Oka"], region=["West", ""]), "cef"),
        (request(nothing=[""]), "abcdef"),
        (request("abe", region=["West", ""]), "ae"),
    ],
)
@pytest.mark.parametrize("shard_polls", [1, 50_000_000])
def test_stores_that_meet_all_conditions_are_reported(
    pipeline: Pipeline, chosen: ReportRequest, stores: str, shard_polls: int
) -> None:
    assert reported(pipeline, chosen, shard_polls) == stores
    assert merge_report("r", pipeline.tables).summary.stores == len(stores)
    assert ReportRequest.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


@settings(max_examples=settings().max_examples // 4)
@given(
    st.dictionaries(
        st.sampled_from(["brand", "region"]),
        st.lists(st.sampled_from(["Nori", "Oka", "West", "South", "North", ""]), min_size=1),
    )
)
def test_any_conditions(before: Pipeline, where: dict[str, list[str]]) -> None:
    conditions = tuple(Condition(name, tuple(where[name])) for name in sorted(where))
    chosen = ReportRequest(where=conditions)
    expected = [
        store_id
        for store_id, attributes in STORES.items()
        if all((attributes or {}).get(name, "") in values for name, values in where.items())
    ]
    if expected:
        assert reported(before, chosen) == "".join(expected)
    else:
        with pytest.raises(NoStoresError):
            reported(before, chosen)


def test_rows_are_those_of_the_report_of_all_stores(pipeline: Pipeline) -> None:
    rows = pipeline.report().splitlines()
    assert pipeline.report(request(brand=["Nori"])).splitlines() == rows[:3]


def test_a_report_without_a_store_fails_and_writes_nothing(pipeline: Pipeline) -> None:
    chosen = request(brand=["Nori", "Oka"], region=["East"])
    with pytest.raises(NoStoresError, match=r"brand 'Nori' or 'Oka'.*region 'Ea"):
        pipeline.report(chosen)
    assert not (pipeline.folder / report_key("r", "csv")).exists()


def test_requested_stores_that_are_not_known_fail_the_report(pipeline: Pipeline) -> None:
    with pytest.raises(UnknownStoreError, match="'x'"):
        pipeline.report(request("abx", brand=["Nori"]))


def test_it_is_no_report_of_all_stores(pipeline: Pipeline) -> None:
    chosen = request(brand=["Nori"])
    assert not chosen.covers_all_stores_now
    plan = pipeline.plan("r", chosen, publish_changes=True)
    assert not plan.publishes_changes
    assert read_plan("r", pipeline.tables) == plan


# --- parts that are verified ----------------------------------------------------------------


def info_of(pipeline: Pipeline, shard: int) -> PartInfo | None:
    return PartInfo.from_metadata(pipeline.tables.read_metadata(part_key("r", shard)))


def computed(pipeline: Pipeline, chosen: ReportRequest) -> Plan:
    plan = pipeline.plan("r", chosen, shard_polls=1)
    for shard in plan.shards:
        compute_shard("r", shard.shard, pipeline.tables)
    return plan


def test_a_part_says_how_many_stores_were_read(pipeline: Pipeline) -> None:
    plan = computed(pipeline, request(brand=["Oka"]))
    assert len(plan.shards) > 1
    for shard in plan.shards:
        assert info_of(pipeline, shard.shard) == PartInfo(shard.stores)
    assert sum(shard.stores for shard in plan.shards) == len(ALL)


def test_a_part_that_leaves_stores_out_is_not_computed_again(pipeline: Pipeline) -> None:
    plan = computed(pipeline, request(brand=["Oka"]))
    receipts = [compute_shard("r", shard.shard, pipeline.tables) for shard in plan.shards]
    assert sum(receipt.polls_read for receipt in receipts) == 0
    assert sum(receipt.stores for receipt in receipts) == len(ALL)


def test_a_part_of_fewer_stores_is_an_incomplete_report(pipeline: Pipeline) -> None:
    computed(pipeline, request(brand=["Nori"]))
    [rows] = pipeline.tables.read_part(part_key("r", 1))
    stores = PartInfo.from_metadata(rows.schema.metadata)
    assert stores is not None
    fewer = rows.replace_schema_metadata(PartInfo(stores.stores_read - 1).to_metadata())
    pipeline.tables.write_part(part_key("r", 1), fewer)
    with pytest.raises(IncompleteReportError, match=r"^shard 1 of \d .*\d stores"):
        merge_report("r", pipeline.tables)
    assert compute_shard("r", 1, pipeline.tables).polls_read > 0
    assert merge_report("r", pipeline.tables).summary.stores == 2


def test_a_part_of_an_older_version_is_computed_again(pipeline: Pipeline) -> None:
    plan = computed(pipeline, request())
    [rows] = pipeline.tables.read_part(part_key("r", 0))
    pipeline.tables.write_part(part_key("r", 0), rows.replace_schema_metadata(None))
    assert compute_shard("r", 0, pipeline.tables).polls_read > 0
    assert info_of(pipeline, 0) == PartInfo(plan.shards[0].stores)


@pytest.mark.parametrize("batch_rows", [2, 100_000])
def test_formats_hold_the_stores_that_are_left(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    monkeypatch.setattr(merge, "_BATCH_ROWS", batch_rows)
    monkeypatch.setattr(report_module, "_SHEET_ROWS", 4)  # a header and three stores
    chosen = ReportRequest(formats=(Format.XLSX,), where=(Condition("region", ("West",)),))
    pipeline.report(chosen)
    with pytest.raises(TooManyStoresError):
        pipeline.report(ReportRequest(formats=(Format.XLSX,), where=(Condition("nothing", ("",)),)))

"""Reports on periods, from ingested files to all formats (rules 20 and 21)."""

import csv
import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook

from store_monitoring.domain.parameters import Period, PeriodUnit
from store_monitoring.errors import (
    InvalidRequestError,
    NoPollsError,
    TooManyGroupsError,
    TooManyStoresError,
)
from store_monitoring.reports import groups as groups_module
from store_monitoring.reports import period_summary
from store_monitoring.reports import report as report_module
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import (
    Condition,
    ReportRequest,
    checked_period,
    period_edge,
    period_from_json,
)
from store_monitoring.reports.shard import compute_shard
from testing.pipeline import Pipeline

POLLS = """store_id,status,timestamp_utc
a,active,2024-10-30 12:00:00 UTC
a,inactive,2024-11-02 20:30:00 UTC
a,active,2024-11-03 20:00:00 UTC
b,inactive,2024-11-01 00:00:00 UTC
b,active,2024-11-04 12:00:00.500000 UTC
c,active,2024-09-01 00:00:00 UTC
"""
HOURS = """store_id,day_of_week,start_time_local,end_time_local
a,5,09:00:00,17:00:00
a,6,09:00:00,17:00:00
"""
ZONES = "store_id,timezone_str\na,America/New_York\nb,Asia/Kathmandu\nc,UTC\n"
STORES = "store_id,region,target_percent\na,West,50\nb,East,99\nc,West,99\n"
NOVEMBER = ReportRequest(
    period=Period(date(2024, 11, 2), date(2024, 11, 5), PeriodUnit.DAY),
    formats=tuple(Format),
    group_by=("region",),
    include_outages=True,
)
EXPECTED = """\
store_id,window_start,window_end,uptime(in hours),downtime(in hours),no_data(in hours),\
excluded(in hours),uptime_percent
a,2024-11-02T00:00:00-04:00,2024-11-03T00:00:00-04:00,7.50,0.50,0.00,0.00,93.750
a,2024-11-03T00:00:00-04:00,2024-11-04T00:00:00-05:00,2.00,6.00,0.00,0.00,25.000
a,2024-11-04T00:00:00-05:00,2024-11-04T07:00:00.500000-05:00,0.00,0.00,0.00,0.00,
b,2024-11-02T00:00:00+05:45,2024-11-03T00:00:00+05:45,0.00,24.00,0.00,0.00,0.000
b,2024-11-03T00:00:00+05:45,2024-11-04T00:00:00+05:45,0.00,24.00,0.00,0.00,0.000
b,2024-11-04T00:00:00+05:45,2024-11-04T17:45:00.500000+05:45,0.00,17.75,0.00,0.00,0.000
c,2024-11-02T00:00:00+00:00,2024-11-03T00:00:00+00:00,0.00,0.00,24.00,0.00,
c,2024-11-03T00:00:00+00:00,2024-11-04T00:00:00+00:00,0.00,0.00,24.00,0.00,
c,2024-11-04T00:00:00+00:00,2024-11-04T12:00:00.500000+00:00,0.00,0.00,12.00,0.00,
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path, bucket_count=4)
    for key, text in (
        ("polls/a.csv", POLLS),
        ("business_hours/a.csv", HOURS),
        ("timezones/a.csv", ZONES),
        ("attributes/a.csv", STORES),
    ):
        pipeline.ingest(key, text)
    return pipeline


def read(pipeline: Pipeline, name: str) -> Any:
    return json.loads((pipeline.folder / "reports" / "r" / name).read_text())


def test_the_csv_has_a_row_for_each_store_and_window(pipeline: Pipeline) -> None:
    assert pipeline.report(NOVEMBER).decode() == EXPECTED


def test_shards_pieces_and_order_of_files_change_nothing(tmp_path: Path) -> None:
    header, *lines = POLLS.splitlines()
    one_by_one = Pipeline(tmp_path, bucket_count=16)
    one_by_one.ingest("timezones/a.csv", ZONES)
    one_by_one.ingest("business_hours/a.csv", HOURS)
    for line in reversed(lines):
        one_by_one.ingest("polls/a.csv", f"{header}\n{line}\n")
    request = replace(NOVEMBER, group_by=())
    assert one_by_one.report(request, shard_polls=1).decode() == EXPECTED
    plan = one_by_one.plan(request=request, shard_polls=1)
    assert len(plan.shards) > 1
    for shard in plan.shards:
        compute_shard("r", shard.shard, one_by_one.tables, max_polls=1)
    assert merge_report("r", one_by_one.tables).summary.stores == 3
    assert (tmp_path / "reports" / "r" / "report.csv").read_text() == EXPECTED


def test_every_format_has_the_same_rows(pipeline: Pipeline) -> None:
    pipeline.report(NOVEMBER)
    of_json = read(pipeline, "report.json")
    of_parquet = pq.read_table(pipeline.folder / "reports" / "r" / "report.parquet").to_pylist()
    rows = list(csv.DictReader(io.StringIO(EXPECTED)))
    assert len(of_json["stores"]) == len(of_parquet) == len(rows)
    for row, one, other in zip(rows, of_json["stores"], of_parquet, strict=True):
        for name, text in row.items():
            assert one[name] == other[name]
            if name.endswith(("hours)", "percent")):
                assert one[name] == (float(text) if text else None)
            else:
                assert one[name] == text
    assert [row["target"] for row in of_json["stores"]][:3] == ["met", "missed", "no data"]
    assert (pipeline.folder / "reports" / "r" / "report.xlsx").stat().st_size > 0
    page = (pipeline.folder / "reports" / "r" / "report.html").read_text()
    assert "2024-11-02" in page
    assert "West" in page


def test_groups_and_outages_are_those_of_the_windows(pipeline: Pipeline) -> None:
    pipeline.report(NOVEMBER)
    groups = read(pipeline, "groups.json")["groups"]
    assert [(row["group"]["region"], row["window_start"], row["stores"]) for row in groups] == [
        (region, f"2024-11-0{day}", stores)
        for region, stores in (("East", 1), ("West", 2))
        for day in (2, 3, 4)
    ]
    west = groups[3]
    assert (west["uptime(in hours)"], west["downtime(in hours)"]) == (7.5, 0.5)
    assert (west["no_data(in hours)"], west["stores_without_data"]) == (24.0, 1)
    assert (west["outages"], west["missed_target"]) == (1, 0)
    outages = read(pipeline, "outages.json")["outages"]
    of_a = [row for row in outages if row["store_id"] == "a"]
    assert [row["started_at_local"] for row in of_a] == [
        "2024-11-02T16:30:00-04:00",
        "2024-11-03T09:00:00-05:00",
    ]
    [of_b] = [row for row in outages if row["store_id"] == "b"]
    assert of_b["duration(in seconds)"] == (24 + 24 + 17.75) * 3600 + 0.5
    assert not of_b["ongoing"]  # the poll at the end says that it is up


def test_the_summary_has_series_and_late_data(pipeline: Pipeline) -> None:
    pipeline.report(NOVEMBER)
    summary = read(pipeline, "summary.json")
    assert summary["stores"] == 3
    assert summary["newest_poll_at"] == "2024-11-04T12:00:00.500000Z"
    assert summary["silent_stores"] == 1
    assert summary["silent"] == [{"store_id": "c", "last_poll_at": None}]
    first, second, third = summary["windows"]
    assert (first["window_start"], first["stores"], first["outages"]) == ("2024-11-02", 3, 2)
    assert (first["uptime_hours"], first["downtime_hours"]) == (7.5, 24.5)
    assert (second["mean_time_to_recovery_hours"], second["stores_missed"]) == (6.5, 2)
    assert third["uptime_percent"] == 0.0
    assert summary["total"]["downtime_hours"] == 0.5 + 6 + 24 + 24 + 17.75
    assert summary["outages"] == 3
    assert [each["group"] for each in summary["groups"]] == [{"region": "East"}, {"region": "West"}]
    assert summary["groups"][1]["windows"][1]["uptime_percent"] == 25.0


def test_totals_count_each_store_and_outage_once(pipeline: Pipeline) -> None:
    pipeline.report(NOVEMBER)
    summary = read(pipeline, "summary.json")
    assert (summary["total"]["stores_met"], summary["total"]["stores_missed"]) == (1, 1)
    assert summary["mean_time_to_recovery_hours"] == 36.13  # of 6.5, and 65.75 and half a second
    east, west = summary["groups"]
    assert [window["outages"] for window in east["windows"]] == [1, 1, 1]
    assert (east["stores"], east["outages"], east["total"]["stores_missed"]) == (1, 1, 1)
    assert (west["stores"], west["outages"], west["total"]["stores_missed"]) == (2, 2, 0)
    assert west["total"]["uptime_percent"] == 59.375  # of 9.5 and 6.5 hours


def test_the_worst_stores_are_those_of_the_whole_period(pipeline: Pipeline) -> None:
    pipeline.report(NOVEMBER)
    summary = read(pipeline, "summary.json")
    worst = [(each["store_id"], each["uptime_percent"]) for each in summary["worst_stores"]]
    assert worst == [("b", 0.0), ("a", 59.375)]  # nothing is known of c
    assert summary["worst_stores"][1] == {
        "store_id": "a",
        "name": None,
        "uptime_percent": 59.375,
        "target_percent": 50.0,
        "uptime_hours": 9.5,
        "downtime_hours": 6.5,
        "no_data_hours": 0.0,
        "outages": 2,
        "last_poll_at": "2024-11-03T20:00:00.000000Z",
    }
    bins = {each["label"]: each["stores"] for each in summary["stores_by_uptime_percent"]}
    assert {label: stores for label, stores in bins.items() if stores} == {
        "0": 1,
        "50+": 1,
        "no data": 1,
    }


def test_the_workbook_has_the_parameters_and_the_whole_period(pipeline: Pipeline) -> None:
    where = (Condition("region", ("East", "West")),)
    pipeline.report(replace(NOVEMBER, where=where, store_ids=("a", "b", "c")))
    summary = read(pipeline, "summary.json")
    sheet = load_workbook(pipeline.folder / "reports" / "r" / "report.xlsx")["Summary"]
    rows = [[cell.value for cell in row if cell.value is not None] for row in sheet.iter_rows()]
    facts = dict(row for row in rows if len(row) == 2)
    assert facts["which stores"] == "of 3 named by id, with region: East or West"
    assert facts["groups by"] == "region"
    assert facts["covered after a poll, minutes"] == 120
    assert facts["stores below their target"] == 1
    [header] = [nth for nth, row in enumerate(rows) if row[:2] == ["from", "stores"]]
    windows = [dict(zip(rows[header], row, strict=False)) for row in rows[header + 1 : header + 5]]
    assert [row["from"] for row in windows] == [
        *(f"2024-11-0{day}" for day in (2, 3, 4)),
        "whole period",
    ]
    assert [row["outages"] for row in windows] == [2, 2, 1, summary["outages"]]
    assert windows[3]["stores that missed it"] == summary["total"]["stores_missed"] == 1
    [header] = [nth for nth, row in enumerate(rows) if row[:1] == ["worst stores"]]
    assert [row[0] for row in rows[header + 1 : header + 3]] == ["b", "a"]


def test_totals_do_not_depend_on_how_rows_come(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.report(NOVEMBER)
    whole = (pipeline.folder / "reports" / "r" / "summary.json").read_text()
    for rows in (1, 2, 4):
        monkeypatch.setattr("store_monitoring.reports.merge._BATCH_ROWS", rows)
        merge_report("r", pipeline.tables)
        assert (pipeline.folder / "reports" / "r" / "summary.json").read_text() == whole


def test_windows_of_instants_are_grouped_by_their_unit(pipeline: Pipeline) -> None:
    period = period_from_json(
        {"from": "2024-11-01T20:00:00+00:00", "to": "2024-11-04T00:00:00Z", "by": "day"}
    )
    lines = pipeline.report(replace(NOVEMBER, period=period)).decode().splitlines()[1:]
    assert [line.split(",")[1] for line in lines if line[0] == "b"] == [
        "2024-11-02T01:45:00+05:45",
        "2024-11-03T00:00:00+05:45",
        "2024-11-04T00:00:00+05:45",
    ]
    stores = {
        each["window_start"]: each["stores"] for each in read(pipeline, "summary.json")["windows"]
    }
    assert stores == {"2024-11-01": 2, "2024-11-02": 3, "2024-11-03": 3, "2024-11-04": 1}


@pytest.mark.parametrize(
    ("start", "unit", "expected"),
    [
        ("2024-10-17T05:30:00.5Z", "month", ["2024-10-17", "2024-11-01"]),
        ("2024-10-30T05:30:00Z", "week", ["2024-10-30", "2024-11-04"]),
        ("2024-11-02T09:00:00+09:00", "total", ["2024-11-01"]),  # in New York
        ("2024-11-01T00:00:00+00:00", "month", ["2024-10-31", "2024-11-01"]),
        ("2024-10-30", "month", ["2024-10-30", "2024-11-01"]),
        ("2024-10-30", "total", ["2024-10-30"]),
    ],
)
def test_a_window_that_from_cuts_begins_there(
    pipeline: Pipeline, start: str, unit: str, expected: list[str]
) -> None:
    period = period_from_json({"from": start, "to": "2024-11-05", "by": unit})
    pipeline.report(replace(NOVEMBER, period=period))
    summary = read(pipeline, "summary.json")
    assert [window["window_start"] for window in summary["windows"]] == expected
    by_group = [{each["window_start"] for each in group["windows"]} for group in summary["groups"]]
    groups = read(pipeline, "groups.json")["groups"]
    assert {row["window_start"] for row in groups} == set.union(*by_group) == set(expected)


def test_a_period_after_the_newest_poll_has_no_rows(pipeline: Pipeline) -> None:
    later = Period(date(2024, 12, 1), date(2025, 1, 1), PeriodUnit.MONTH)
    made = pipeline.report(replace(NOVEMBER, period=later)).decode()
    assert made == EXPECTED.splitlines(keepends=True)[0]
    [warning] = read(pipeline, "summary.json")["warnings"]
    assert warning["code"] == "no_known_polls"


def test_a_period_without_any_polls_fails(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("timezones/a.csv", ZONES)
    with pytest.raises(NoPollsError):
        pipeline.plan(request=NOVEMBER)


def test_only_files_with_polls_that_may_be_known_are_read(pipeline: Pipeline) -> None:
    long_ago = Period(date(2024, 8, 1), date(2024, 8, 30), PeriodUnit.TOTAL)
    plan = pipeline.plan(request=replace(NOVEMBER, period=long_ago))
    assert not any(shard.polls_files for shard in plan.shards)


def test_groups_and_their_windows_have_limits_of_their_own(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups_module, "MAX_GROUPS", 2)
    monkeypatch.setattr(groups_module, "MAX_GROUP_WINDOWS", 6)
    pipeline.report(NOVEMBER)  # two groups, three windows each
    monkeypatch.setattr(groups_module, "MAX_GROUP_WINDOWS", 5)
    with pytest.raises(TooManyGroupsError, match="5 windows of groups"):
        pipeline.report(NOVEMBER)
    monkeypatch.setattr(groups_module, "MAX_GROUPS", 1)
    with pytest.raises(TooManyGroupsError, match="1 groups"):
        pipeline.report(NOVEMBER)


def test_a_summary_has_no_more_groups_than_the_api_can_return(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(period_summary, "SERIES_WINDOWS", 5)
    pipeline.report(NOVEMBER)
    groups = read(pipeline, "summary.json")["groups"]
    assert [(each["outages"], each["windows"]) for each in groups] == [(1, []), (2, [])]
    assert len(read(pipeline, "groups.json")["groups"]) == 6
    monkeypatch.setattr(period_summary, "SUMMARY_GROUPS", 1)
    pipeline.report(NOVEMBER)
    assert read(pipeline, "summary.json")["groups"] == []


def test_the_page_has_groups_and_stores_and_stays_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(tmp_path)
    polls = [f"s{nth},active,2024-10-01 00:00:0{nth % 2}\n" for nth in range(43)]
    polls.append("s42,inactive,2024-10-19 00:00:00\ns0,active,2024-10-20 00:00:00\n")
    pipeline.ingest("polls/x.csv", "store_id,status,timestamp_utc\n" + "".join(polls))
    owners = "".join(f"s{nth},Owner {nth}\n" for nth in range(43))
    pipeline.ingest("attributes/x.csv", "store_id,franchisee\n" + owners)
    year = Period(date(2024, 4, 20), date(2024, 10, 20), PeriodUnit.DAY)
    request = ReportRequest(period=year, formats=(Format.HTML,), group_by=("franchisee",))
    pipeline.report(request)
    page = (tmp_path / "reports" / "r" / "report.html").read_text()
    assert len(page.encode()) < 1_000_000
    assert page.count("franchisee: Owner") == 43 + 400 // 183
    assert "groups.csv" in page
    row = '<th scope="row" class="id">s'
    stores = page[page.index('id="stores"') : page.index('id="charts"')]
    assert stores.count(row) == 43
    assert stores.index(f"{row}42<") < stores.index(f"{row}0<")  # the worst first
    monkeypatch.setattr(period_summary, "PAGE_STORES", 2)
    pipeline.report(replace(request, period=replace(year, unit=PeriodUnit.TOTAL)))
    page = (tmp_path / "reports" / "r" / "report.html").read_text()
    assert page[page.index('id="stores"') : page.index('id="charts"')].count(row) == 2
    assert page.count("franchisee: Owner") == 2 * 43


def test_more_rows_than_a_sheet_holds_are_refused_when_planned(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    october = Period(date(2024, 10, 1), date(2024, 11, 1), PeriodUnit.DAY)
    request = replace(NOVEMBER, period=october)
    monkeypatch.setattr(report_module, "_SHEET_ROWS", 3 * 28)
    with pytest.raises(TooManyStoresError, match="xlsx holds 83 rows"):
        pipeline.plan(request=request)
    pipeline.plan(request=replace(request, period=replace(october, unit=PeriodUnit.WEEK)))
    pipeline.plan(request=replace(request, where=(Condition("region", ("East",)),)))
    monkeypatch.setattr(report_module, "_SHEET_ROWS", 3 * 31)  # and a header
    with pytest.raises(TooManyStoresError, match="xlsx holds 92 rows, not 93"):
        pipeline.report(request)


def test_more_rows_than_fit_into_memory_are_refused(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store_monitoring.reports.planner.MAX_BUCKET_ROWS", 8)
    pipeline.plan(request=replace(NOVEMBER, store_ids=("a", "c")))
    month = Period(date(2024, 10, 1), date(2024, 11, 1), PeriodUnit.DAY)
    with pytest.raises(TooManyStoresError, match="8 rows"):
        pipeline.plan(request=replace(NOVEMBER, period=month))
    pipeline.plan(request=replace(NOVEMBER, period=replace(month, unit=PeriodUnit.TOTAL)))


def test_a_stored_request_and_plan_keep_the_period(pipeline: Pipeline) -> None:
    assert ReportRequest.from_json(json.loads(json.dumps(NOVEMBER.to_json()))) == NOVEMBER
    plan = pipeline.plan(request=NOVEMBER)
    assert type(plan).from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert not NOVEMBER.covers_all_stores_now


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024-02-30", "2024-10-01T00:00:00", "2024-10", "1969-12-31", "20241001"],
)
def test_other_edges_than_dates_and_instants_with_an_offset_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        period_edge(text)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2024-10-02", "2024-10-02"), ("2024-10-02", "2024-10-01"), ("2024-01-01", "2025-02-05")],
)
def test_an_empty_or_too_long_period_is_refused(start: str, end: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^period\.to: "):
        checked_period(period_from_json({"from": start, "to": end, "by": "day"}))

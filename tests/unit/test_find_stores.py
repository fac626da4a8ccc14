"""Find stores in the rows of a report: conditions, order, pages, suggestions."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from store_monitoring import find_stores as module
from store_monitoring.errors import (
    InvalidRequestError,
    NoReportError,
    ReportRunningError,
    TooManyStoresError,
    UnknownReportError,
)
from store_monitoring.find_stores import FoundStores, ReportRowsReader, StoreQuery, find_stores
from store_monitoring.http.models import STORE_ROW_FIELDS
from store_monitoring.http.report_responses import store_page_body
from store_monitoring.reports.report import Format, Report, Status
from store_monitoring.reports.request import Condition, ReportRequest
from store_monitoring.storage.keys import report_key
from testing.fakes import MemoryReports
from testing.pipeline import CLOCK_TIME, Pipeline

POLLS = """store_id,status,timestamp_utc
a1,active,2024-10-14 10:00:00
a1,inactive,2024-10-14 12:00:00
a2,active,2024-10-14 11:00:00
b1,inactive,2024-10-14 09:00:00
b1,active,2024-10-14 09:30:00
B2,inactive,2024-10-12 10:00:00
c1,active,2024-10-14 13:00:00
"""
HOURS = """store_id,day_of_week,start_time_local,end_time_local
c1,1,09:00,10:00
"""
ZONES = "store_id,timezone_str\na1,UTC\nd1,UTC\nb1,Asia/Tokyo\n"
ATTRIBUTES = """store_id,name,target_percent,revenue_per_hour,brand,region
a1,Main Street,99,10,Nori,West
a2,Harbour,5,,Nori,South
b1,Old Main,,2.5,Oka,West
d1,,,,,North
"""
ALL = ["B2", "a1", "a2", "b1", "c1", "d1"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("stores"), bucket_count=3)
    pipeline.ingest("polls/p.csv", POLLS)
    pipeline.ingest("business_hours/h.csv", HOURS)
    pipeline.ingest("timezones/z.csv", ZONES)
    pipeline.ingest("attributes/s.csv", ATTRIBUTES)
    pipeline.report(ReportRequest(formats=(Format.CSV, Format.JSON)), shard_polls=1)
    return pipeline


@pytest.fixture
def rows(pipeline: Pipeline) -> ReportRowsReader:
    return ReportRowsReader(pipeline.tables)


@pytest.fixture(scope="module")
def report(pipeline: Pipeline) -> Any:
    """The report in JSON."""
    return json.loads((pipeline.folder / report_key("r", "json")).read_text())


def found(pipeline: Pipeline, rows: ReportRowsReader, **query: Any) -> FoundStores:
    limit, token = query.pop("limit", 100), query.pop("page_token", None)
    return find_stores(StoreQuery(**query), limit, token, "r", pipeline.reports, rows)


def ids(stores: FoundStores) -> list[str]:
    return [row["store_id"] for row in stores.stores]


def test_without_conditions_the_rows_are_those_of_the_json_report(
    pipeline: Pipeline, rows: ReportRowsReader, report: Any
) -> None:
    stores = found(pipeline, rows)
    assert stores.stores == report["stores"]
    assert stores.report == report["report"]
    assert ids(stores) == ALL
    assert (stores.found, stores.total, stores.next_page_token) == (6, 6, None)
    assert set(store_page_body(stores)) == {"report", "stores", "found", "total"}


def test_the_document_lists_the_fields_of_a_row(report: Any) -> None:
    assert list(STORE_ROW_FIELDS) == list(report["stores"][0])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"text": "a"}, ["a1", "a2", "b1"]),  # one has "Main" in its name
        ({"text": "B"}, ["B2", "a2", "b1"]),  # "Harbour"
        ({"text": "2"}, []),
        ({"text": "main"}, ["a1", "b1"]),
        ({"text": "NOR"}, ["a1", "a2", "d1"]),  # brand Nori, region North
        ({"text": ".*"}, []),
        ({"where": (Condition("brand", ("Nori",)),)}, ["a1", "a2"]),
        ({"where": (Condition("brand", ("",)),)}, ["B2", "c1", "d1"]),
        (
            {"where": (Condition("brand", ("Nori", "Oka")), Condition("region", ("West",)))},
            ["a1", "b1"],
        ),
        ({"states": ("down",)}, ["B2", "a1"]),
        ({"states": ("up", "closed")}, ["a2", "b1", "c1"]),
        ({"states": ("no data",)}, ["d1"]),
        ({"target_missed": "last_week"}, ["B2", "b1"]),
        ({"target_missed": "last_hour"}, ["B2", "a1"]),
        ({"text": "main", "states": ("down",)}, ["a1"]),
        ({"store_id": "a1"}, ["a1"]),
        ({"store_id": "b2"}, []),
        ({"store_id": "a"}, []),
    ],
)
def test_stores_that_meet_all_conditions_are_found(
    query: dict[str, Any], expected: list[str], pipeline: Pipeline, rows: ReportRowsReader
) -> None:
    stores = found(pipeline, rows, **query)
    assert ids(stores) == expected
    assert (stores.found, stores.total) == (len(expected), 6)


def test_stores_are_found_by_the_hour_in_which_an_outage_began(
    pipeline: Pipeline, rows: ReportRowsReader
) -> None:
    by_hour = {hour: ids(found(pipeline, rows, outage_hour=hour)) for hour in range(168)}
    monday = 0
    assert by_hour[monday + 12] == ["a1"]  # in UTC
    assert sorted({id_ for each in by_hour.values() for id_ in each}) == ["B2", "a1", "b1"]


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("field", [name for name in STORE_ROW_FIELDS if name != "attributes"])
def test_rows_are_sorted_by_any_field(
    field: str, sign: str, pipeline: Pipeline, rows: ReportRowsReader
) -> None:
    stores = found(pipeline, rows, sort=sign + field).stores
    assert len(stores) == 6
    values = [row[field] for row in stores]
    known = [value for value in values if value is not None]
    if "revenue" in field:  # money is text
        known = list(map(float, known))
    assert known == sorted(known, reverse=bool(sign))
    assert values[len(known) :] == [None] * (6 - len(known))
    if field.startswith("no_data"):  # equal, but for one
        tied = [row["store_id"] for row in stores if not row[field]]
        assert tied == sorted(tied)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("attributes.region", ["d1", "a2", "a1", "b1", "B2", "c1"]),
        ("-attributes.brand", ["b1", "a1", "a2", "B2", "c1", "d1"]),
    ],
)
def test_rows_are_sorted_by_an_attribute(
    sort: str, expected: list[str], pipeline: Pipeline, rows: ReportRowsReader
) -> None:
    assert ids(found(pipeline, rows, sort=sort)) == expected


def test_the_unit_of_a_field_may_be_left_out(pipeline: Pipeline, rows: ReportRowsReader) -> None:
    short, long = "-downtime_last_week", "-downtime_last_week(in hours)"
    order = ids(found(pipeline, rows, sort=short))
    assert order == ids(found(pipeline, rows, sort=long))
    assert order != ALL


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "uptime"},
        {"sort": "attributes"},
        {"sort": "uptime_last_week(in minutes)"},
        {"sort": "attributes.colour"},
        {"where": (Condition("colour", ("red",)),)},
    ],
)
def test_an_unknown_field_is_refused(
    query: dict[str, Any], pipeline: Pipeline, rows: ReportRowsReader
) -> None:
    with pytest.raises(InvalidRequestError, match=r"colour|uptime|attributes"):
        found(pipeline, rows, **query)


@pytest.mark.parametrize("sort", ["store_id", "-uptime_percent_last_week", "name"])
def test_pages_follow_each_other(sort: str, pipeline: Pipeline, rows: ReportRowsReader) -> None:
    page = found(pipeline, rows, sort=sort, limit=4)
    pages = [ids(page)]
    while page.next_page_token is not None:
        page = found(pipeline, rows, sort=sort, limit=4, page_token=page.next_page_token)
        pages.append(ids(page))
    assert [len(each) for each in pages] == [4, 2]
    assert pages[0] + pages[1] == ids(found(pipeline, rows, sort=sort))


def test_a_token_is_for_its_query_and_its_report(
    pipeline: Pipeline, rows: ReportRowsReader
) -> None:
    token = found(pipeline, rows, limit=1).next_page_token
    assert token is not None
    with pytest.raises(InvalidRequestError, match="page_token"):
        found(pipeline, rows, limit=1, page_token=token, states=("up",))
    with pytest.raises(InvalidRequestError, match="page_token"):
        find_stores(StoreQuery(), 1, token, "other", pipeline.reports, rows)
    with pytest.raises(InvalidRequestError, match="page_token"):
        found(pipeline, rows, page_token="WyJyIiwgIngiLCAtMV0=")


def complete(report_id: str, minutes: int) -> Report:
    started_at = CLOCK_TIME + timedelta(minutes=minutes)
    return Report(report_id, Status.COMPLETE, started_at, all_stores_now=True)


def test_stores_are_those_of_the_newest_report_of_all_stores(
    pipeline: Pipeline, rows: ReportRowsReader
) -> None:
    pipeline.report(report_id="later")
    reports = MemoryReports()

    def newest(page_token: str | None = None) -> FoundStores:
        return find_stores(StoreQuery(), 4, page_token, None, reports, rows)

    reports.add(replace(complete("r", 0), status=Status.RUNNING), ReportRequest())
    of_some = replace(complete("of some", 9), all_stores_now=False)
    reports.add(of_some, ReportRequest(store_ids=("a1",)))
    with pytest.raises(NoReportError):
        newest()
    reports.reports["r"] = complete("r", 0)
    first = newest()
    assert first.report["report_id"] == "r"
    reports.add(complete("later", 1), ReportRequest())
    assert newest().report["report_id"] == "later"
    second = newest(first.next_page_token)
    assert (second.report["report_id"], ids(second)) == ("r", ["c1", "d1"])


def test_the_report_must_be_complete(pipeline: Pipeline, rows: ReportRowsReader) -> None:
    reports = MemoryReports()
    with pytest.raises(UnknownReportError):
        find_stores(StoreQuery(), 1, None, "r", reports, rows)
    reports.add(replace(complete("r", 0), status=Status.RUNNING), ReportRequest())
    with pytest.raises(ReportRunningError):
        find_stores(StoreQuery(), 1, None, "r", reports, rows)


def test_a_report_of_too_many_stores_is_refused(
    pipeline: Pipeline, rows: ReportRowsReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_STORES", 5)
    with pytest.raises(TooManyStoresError, match="6"):
        found(pipeline, rows)


STORE_IDS = ["00017c6a-7a77-4a95-bb2d-40647868aff6", "00017c6a-7a77-4a95-bb2d-000000000000", "12"]


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("00017c6a-7a77-4a95-bb2d-40647868aff7", STORE_IDS[0]),  # the last character is wrong
        ("90017c6a-7a77-4a95-bb2d-40647868aff6", STORE_IDS[0]),  # the first one
        ("00017c6a-7a77-4a95bb2d-40647868aff6", STORE_IDS[0]),  # one is missing
        ("00017C6A-7A77-4A95-BB2D-40647868AFF", None),  # found
        ("13", "12"),
        ("x", None),
        ("zzzzzz", None),
    ],
)
def test_an_unknown_id_suggests_near_ones(text: str, suggested: str | None, tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    polls = "".join(f"{id_},active,2024-10-14 10:00:00\n" for id_ in STORE_IDS)
    pipeline.ingest("polls/p.csv", f"store_id,status,timestamp_utc\n{polls}")
    pipeline.report()
    stores = found(pipeline, ReportRowsReader(pipeline.tables), text=text)
    assert next(iter(stores.suggestions), None) == suggested
    if suggested:
        assert store_page_body(stores)["suggestions"][0] == suggested

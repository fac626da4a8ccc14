"""A store's timeline from ingested files; its totals equal the report's."""

import csv
import json
import re
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from local.cli.sample_data import SMALL, write_sample
from store_monitoring import timeline as read_timeline_module
from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import (
    InvalidRequestError,
    NoPollsError,
    ReportFailedError,
    ReportRunningError,
    ResponseTooLargeError,
    UnknownReportError,
    UnknownStoreError,
)
from store_monitoring.http.app import json_response
from store_monitoring.instants import to_text, to_us
from store_monitoring.reports.report import Report, Status
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import part_key, plan_key
from store_monitoring.storage.schemas import TOTAL_COLUMNS
from testing.pipeline import CLOCK_TIME, Pipeline
from tests.cases import us, utc

ROOT = Path(__file__).parents[2]
REPORT_ID = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"
AS_OF = "2024-10-12T03:00:00.000000Z"
NOW = utc("2024-10-14 12:00")
POLLS_HEADER = "store_id,status,timestamp_utc"


# --- a whole data set -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder: Path = tmp_path_factory.mktemp("sample")
    write_sample(folder / "small", shape=SMALL)
    pipeline = Pipeline(folder / "bucket")
    for kind, name in [
        ("business_hours", "menu_hours.csv"),
        ("timezones", "store_timezones.csv"),
        ("polls", "store_status.csv"),
    ]:
        pipeline.ingest(f"{kind}/{name}", (folder / "small" / name).read_bytes())
    return pipeline


@pytest.mark.parametrize("poll_filter", list(PollFilter))
@pytest.mark.parametrize("as_of", [None, AS_OF])
def test_the_totals_are_the_report_s_for_every_store(
    sample: Pipeline, as_of: str | None, poll_filter: PollFilter
) -> None:
    request = ReportRequest.from_json({"as_of": as_of, "poll_filter": poll_filter.value})
    rows = csv.DictReader(sample.report(request, report_id=REPORT_ID).decode().splitlines())
    exact = pq.read_table(sample.folder / part_key(REPORT_ID, 0)).to_pylist()
    query = {"poll_filter": poll_filter.value} | ({} if as_of is None else {"as_of": as_of})
    stores = 0
    for row, totals_us in zip(rows, exact, strict=True):
        store_id = row.pop("store_id")
        body = sample.timeline(store_id, report_id=REPORT_ID)
        assert body["totals"] == {name: totals_us[name] for name in TOTAL_COLUMNS}
        assert body["report_row"] == {name: float(value) for name, value in row.items()}
        assert (
            sum(outage["length_us"] for outage in body["outages"])
            == (body["totals"]["downtime_last_week_us"])
        )
        now = sample.timeline(store_id, **query)
        assert now.pop("snapshot") == {"report_id": None, "version": 3}
        assert body.pop("snapshot") == {"report_id": REPORT_ID, "version": 3}
        assert now == body
        stores += 1
    assert stores == SMALL.stores


def test_the_sources_of_zone_and_hours(sample: Pipeline) -> None:
    ids = sample.zones()
    bodies = {store_id: sample.timeline(store_id) for store_id in ids}
    assert {
        store_id: (body["time_zone"]["name"], body["time_zone"]["source"])
        for store_id, body in bodies.items()
    } == {
        store_id: ("America/Chicago", "default") if zone is None else (zone, "given")
        for store_id, zone in ids.items()
    }
    hours = sample.hours()
    for store_id, body in bodies.items():
        rows = hours[store_id] or set()
        assert body["business_hours"]["source"] == ("given" if rows else "default")
        assert len(body["business_hours"]["rows"]) == len(rows)
        assert all(bool(interval["openings"]) == bool(rows) for interval in body["business_time"])


# --- the documented example -----------------------------------------------------------------


def test_the_documented_example_is_the_response(tmp_path: Path) -> None:
    text = (ROOT / "docs/timeline.md").read_text(encoding="utf-8")
    pipeline = Pipeline(tmp_path)
    for kind, content in re.findall(r"^```csv (\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        outcome = pipeline.ingest(f"{kind}/a.csv", content)
        assert (outcome.error, outcome.rejected) == (None, 0)
    [query] = re.findall(r"^`GET /timeline\?(\S+)` returns", text, re.MULTILINE)
    expected, _ = re.findall(r"^```json\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    body = pipeline.timeline(**dict(parse_qsl(query)))
    assert body == json.loads(expected)
    document = json.loads((ROOT / "functions/pages/openapi.json").read_text(encoding="utf-8"))
    response = document["paths"]["/timeline"]["get"]["responses"]["200"]
    [example] = response["content"]["application/json"]["examples"].values()
    assert body == example["value"]


# --- a part of a week -----------------------------------------------------------------------

LISTS = ("business_time", "polls", "statuses", "outages")


@pytest.mark.parametrize("report_id", [None, REPORT_ID])
def test_parts_of_a_week_are_the_week(sample: Pipeline, report_id: str | None) -> None:
    sample.report(report_id=REPORT_ID)
    [store_id, *_] = sample.zones()
    query = {} if report_id is None else {"report_id": report_id}
    whole = sample.timeline(store_id, **query)
    cuts = ["2024-10-09T00:00:00Z", "2024-10-11T17:23:45.678901Z", "2024-10-13T02:00:00+02:00"]
    parts = [
        sample.timeline(store_id, **query, **part)
        for part in (
            {"to": cuts[0]},
            *({"from": start, "to": end} for start, end in pairwise(cuts)),
            {"from": cuts[-1]},
        )
    ]
    for name in LISTS:
        entries = [entry for part in parts for entry in part[name]]
        assert [entry for i, entry in enumerate(entries) if entry not in entries[:i]] == whole[name]
        assert all(len(part[name]) < len(whole[name]) for part in parts)
    assert [entry for part in parts for entry in part["polls"]] == whole["polls"]
    rest = {name: value for name, value in whole.items() if name not in LISTS}
    for part in parts:
        assert {name: value for name, value in part.items() if name not in LISTS} == rest


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"from": AS_OF, "to": AS_OF}, "to: not after from"),
    ],
)
def test_an_invalid_combination(sample: Pipeline, query: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        sample.timeline("x", **query)


def test_a_part_outside_the_week_is_empty(sample: Pipeline) -> None:
    [store_id, *_] = sample.zones()
    body = sample.timeline(store_id, to="2000-01-01")
    assert all(body[name] == [] for name in LISTS)
    document = json.loads((ROOT / "functions/pages/openapi.json").read_text(encoding="utf-8"))
    schema = {"$ref": "#/components/schemas/Timeline", "components": document["components"]}
    Draft202012Validator(schema).validate(body)


def test_a_week_that_is_too_large_is_refused_and_available_in_parts(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    start = utc("2024-10-08 00:00")
    polls = (
        f"a,{('active', 'inactive')[number % 2]},{start + timedelta(seconds=30 * number):%F %T}\n"
        for number in range(7 * 24 * 120)
    )
    pipeline.ingest("polls/a.csv", "store_id,status,timestamp_utc\n" + "".join(polls))
    with pytest.raises(ResponseTooLargeError, match="name a part"):
        json_response(HTTPStatus.OK, pipeline.timeline("a"), advice="name a part")
    for day in (8, 11, 14):
        part = {"from": f"2024-10-{day:02d}", "to": f"2024-10-{day + 1:02d}"}
        body = pipeline.timeline("a", **part)
        assert len(body["polls"]) == 24 * 120
        assert json_response(HTTPStatus.OK, body).body


# --- a small data set ----------------------------------------------------------------------------

POLLS = """\
store_id,status,timestamp_utc
a,active,2024-10-13 11:30:00 UTC
a,inactive,2024-10-14 11:30:00 UTC
b,active,2024-10-14 12:00:00 UTC
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("polls/a.csv", POLLS)
    pipeline.ingest("timezones/a.csv", "store_id,timezone_str\nc,Asia/Tokyo\n")
    return pipeline


def statuses(body: dict[str, Any]) -> list[tuple[str, str, str, str | None]]:
    return [
        (held["start"][5:16], held["end"][5:16], held["status"], held["poll_at"])
        for held in body["statuses"]
    ]


def test_the_status_of_a_store_without_polls_has_no_poll(pipeline: Pipeline) -> None:
    body = pipeline.timeline("c")
    assert statuses(body) == [("10-07T12:00", "10-14T12:00", "no data", None)]
    assert body["polls"] == []
    assert body["outages"] == []
    assert body["totals"]["no_data_last_week_us"] == us(days=7)
    assert body["week"]["start_local"] == "2024-10-07T21:00:00.000000+09:00"


def test_the_first_status_reaches_back_and_the_last_poll_before_the_week_into_it(
    pipeline: Pipeline,
) -> None:
    first, second = "2024-10-13T11:30:00.000000Z", "2024-10-14T11:30:00.000000Z"
    assert statuses(pipeline.timeline("a")) == [
        ("10-07T12:00", "10-14T11:30", "up", first),
        ("10-14T11:30", "10-14T12:00", "down", second),
    ]
    later = pipeline.timeline("a", as_of="2024-10-21T11:00:00Z")
    assert statuses(later) == [
        ("10-14T11:00", "10-14T11:30", "up", first),
        ("10-14T11:30", "10-21T11:00", "down", second),
    ]
    assert [poll["at"] for poll in later["polls"]] == [first, second]


def test_polls_that_are_older_than_the_memory_or_after_now_are_left_out(
    pipeline: Pipeline,
) -> None:
    assert pipeline.timeline("a", as_of="2024-10-28T11:30:00.000001Z")["polls"] == []
    body = pipeline.timeline("a", as_of="2024-10-14T11:29:59Z")
    assert [poll["at"] for poll in body["polls"]] == ["2024-10-13T11:30:00.000000Z"]


def test_a_single_poll_at_now_holds_for_the_whole_week(pipeline: Pipeline) -> None:
    at = "2024-10-14T12:00:00.000000Z"
    assert statuses(pipeline.timeline("b")) == [("10-07T12:00", "10-14T12:00", "up", at)]


def test_of_two_polls_at_one_instant_inactive_wins_and_both_are_listed(pipeline: Pipeline) -> None:
    conflicting = POLLS.replace("b,active", "b,inactive")
    pipeline.ingest("polls/b.csv", conflicting)
    body = pipeline.timeline("b")
    assert [held["status"] for held in body["statuses"]] == ["down"]
    assert [poll["status"] for poll in body["polls"]] == ["inactive", "active"]
    assert len(pipeline.timeline("a")["polls"]) == 2  # polls in both files appear once


def test_an_interval_lists_all_rows_that_overlap_in_it(pipeline: Pipeline) -> None:
    header = "store_id,day,start_time_local,end_time_local\n"
    rows = "a,6,22:00,02:00\na,0,01:00,04:00\na,0,08:00,09:00\n"
    pipeline.ingest("business_hours/a.csv", header + rows)
    pipeline.ingest("timezones/b.csv", "store_id,timezone_str\na,America/New_York\n")
    body = pipeline.timeline("a", as_of="2024-10-14T18:00:00Z")
    assert [
        (row["day_of_week"], row["start_time_local"]) for row in body["business_hours"]["rows"]
    ] == [(0, "01:00:00"), (0, "08:00:00"), (6, "22:00:00")]
    assert [
        (interval["start_local"], interval["end_local"], interval["openings"])
        for interval in body["business_time"]
    ] == [
        (
            "2024-10-13T22:00:00.000000-04:00",
            "2024-10-14T04:00:00.000000-04:00",
            [{"row": 2, "date": "2024-10-13"}, {"row": 0, "date": "2024-10-14"}],
        ),
        (
            "2024-10-14T08:00:00.000000-04:00",
            "2024-10-14T09:00:00.000000-04:00",
            [{"row": 1, "date": "2024-10-14"}],
        ),
    ]


# --- which snapshot -------------------------------------------------------------------------


def test_a_report_s_timeline_is_of_its_snapshot_despite_later_uploads(pipeline: Pipeline) -> None:
    request = ReportRequest(to_us(utc("2024-10-14 11:00")), PollFilter.BUSINESS_HOURS)
    pipeline.report(request, memory_days=10, report_id=REPORT_ID)
    before = pipeline.timeline("a", report_id=REPORT_ID)
    pipeline.ingest(
        "polls/b.csv", "store_id,status,timestamp_utc\na,inactive,2024-10-13 12:00:00\n"
    )
    pipeline.ingest("timezones/b.csv", "store_id,timezone_str\na,Asia/Tokyo\n")
    assert pipeline.timeline("a", report_id=REPORT_ID) == before
    assert before["as_of"] == "2024-10-14T11:00:00.000000Z"
    assert before["poll_filter"] == "business_hours"
    assert before["snapshot"] == {"report_id": REPORT_ID, "version": 2}
    now = pipeline.timeline("a")
    assert (now["snapshot"]["version"], now["time_zone"]["name"]) == (4, "Asia/Tokyo")
    assert now["as_of"] == "2024-10-14T12:00:00.000000Z"


@pytest.mark.parametrize("store_id", ["z", "A", "\xa0a"])
def test_an_unknown_store(pipeline: Pipeline, store_id: str) -> None:
    pipeline.report(report_id=REPORT_ID)
    for query in ({}, {"report_id": REPORT_ID}):
        with pytest.raises(UnknownStoreError, match=re.escape(repr(store_id))):
            pipeline.timeline(store_id, **query)


def test_a_store_of_an_empty_bucket(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=1000)
    pipeline.ingest("polls/a.csv", POLLS)
    pipeline.report(report_id=REPORT_ID)
    for query in ({}, {"report_id": REPORT_ID}):
        with pytest.raises(UnknownStoreError, match="'z'"):
            pipeline.timeline("z", **query)


def test_a_store_that_came_after_the_report(pipeline: Pipeline) -> None:
    pipeline.report(report_id=REPORT_ID)
    pipeline.ingest("timezones/b.csv", "store_id,timezone_str\nd,UTC\n")
    assert pipeline.timeline("d")["store_id"] == "d"
    with pytest.raises(UnknownStoreError):
        pipeline.timeline("d", report_id=REPORT_ID)


@pytest.mark.parametrize("bucket_count", [1, 1000])
def test_a_store_that_the_report_was_not_requested_for(tmp_path: Path, bucket_count: int) -> None:
    pipeline = Pipeline(tmp_path, bucket_count)
    pipeline.ingest("polls/a.csv", POLLS)
    pipeline.report(ReportRequest(store_ids=("a",)), report_id=REPORT_ID)
    assert pipeline.timeline("a", report_id=REPORT_ID)["store_id"] == "a"
    with pytest.raises(UnknownStoreError, match=f"{REPORT_ID} was not requested for the store 'b'"):
        pipeline.timeline("b", report_id=REPORT_ID)


def test_a_report_that_is_not_complete(pipeline: Pipeline) -> None:
    with pytest.raises(UnknownReportError, match=REPORT_ID):
        pipeline.timeline("a", report_id=REPORT_ID)
    running = Report(REPORT_ID, Status.RUNNING, CLOCK_TIME)
    for status, error in [(Status.RUNNING, ReportRunningError), (Status.FAILED, ReportFailedError)]:
        pipeline.reports.reports[REPORT_ID] = replace(running, status=status)
        with pytest.raises(error, match=REPORT_ID):
            pipeline.timeline("a", report_id=REPORT_ID)


def test_a_report_whose_plan_has_expired(pipeline: Pipeline) -> None:
    pipeline.report(report_id=REPORT_ID)
    (pipeline.folder / plan_key(REPORT_ID)).unlink()
    with pytest.raises(UnknownReportError, match=REPORT_ID):
        pipeline.timeline("a", report_id=REPORT_ID)


def test_without_polls_there_is_no_now(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("timezones/a.csv", "store_id,timezone_str\na,UTC\n")
    with pytest.raises(NoPollsError, match="as_of"):
        pipeline.timeline("a")
    assert pipeline.timeline("a", as_of="2024-10-14T12:00:00Z")["polls"] == []


@pytest.mark.parametrize("other", [{"as_of": AS_OF}, {"poll_filter": "all"}])
def test_a_report_has_its_own_as_of_and_filter(pipeline: Pipeline, other: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError, match="report_id"):
        pipeline.timeline("a", report_id=REPORT_ID, **other)


def test_as_of_is_returned_in_full(pipeline: Pipeline) -> None:
    body = pipeline.timeline("a", as_of="2024-10-14T09:00:00+02:00")
    assert body["as_of"] == body["week"]["end"] == to_text(to_us(utc("2024-10-14 07:00")))


@settings(max_examples=settings().max_examples // 2)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.timedeltas(timedelta(), timedelta(days=16))
                | st.integers(0, 16 * 24).map(lambda hours: timedelta(hours=hours)),
                st.booleans(),
            ),
            min_size=1,
            max_size=8,
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 12),
    st.sampled_from(PollFilter),
)
def test_the_number_of_polls_read_at_once_does_not_matter(
    files: list[list[tuple[timedelta, bool]]], rows_at_once: int, poll_filter: PollFilter
) -> None:
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), bucket_count=1)
        hours = "store_id,day,start_time_local,end_time_local\ns,0,09:00,17:00\ns,3,22:00,02:00\n"
        pipeline.ingest("business_hours/a.csv", hours)
        for number, polls in enumerate(files):
            rows = [
                f"s,{'active' if active else 'inactive'},{(NOW - age).isoformat()}\n"
                for age, active in polls
            ]
            pipeline.ingest(f"polls/{number}.csv", f"{POLLS_HEADER}\n{''.join(rows)}")
        query = {"as_of": NOW.isoformat(), "poll_filter": poll_filter.value}
        at_once = pipeline.timeline("s", **query)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(read_timeline_module, "_MAX_ROWS_AT_ONCE", rows_at_once)
            assert pipeline.timeline("s", **query) == at_once


def test_more_polls_than_a_timeline_can_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier polls do not count, nor do those of other stores."""
    pipeline = Pipeline(tmp_path)
    monkeypatch.setattr(read_timeline_module, "MAX_POLLS", 3)
    ages = [timedelta(days=days) for days in (8, 9, 10, 11, 1, 2)]
    rows = "".join(f"s,active,{(NOW - age).isoformat()}\n" for age in ages)
    pipeline.ingest("polls/a.csv", f"{POLLS_HEADER}\n{rows}t,active,{NOW.isoformat()}\n")
    assert len(pipeline.timeline("s", as_of=NOW.isoformat())["polls"]) == 3
    pipeline.ingest("polls/b.csv", f"{POLLS_HEADER}\ns,active,{NOW.isoformat()}\n")
    with pytest.raises(ResponseTooLargeError, match=r"\b3 polls"):
        pipeline.timeline("s", as_of=NOW.isoformat())

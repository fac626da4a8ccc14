"""The system as users see it: uploads to S3 and requests over HTTP."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests

from local.emulator.faults import Fault, Kind
from tests.e2e.conftest import PATIENCE_SECONDS, User, until
from tests.oracle import (
    Case,
    HoursRow,
    Period,
    Poll,
    Totals,
    csv_text,
    period_csv_text,
    report,
)

Report = dict[str, Totals]


@pytest.fixture(scope="module")
def of_all(sample: dict[str, bytes]) -> Report:
    """The oracle's report on the sample."""
    return report(_case(sample))


@pytest.fixture(scope="module")
def some(of_all: Report) -> list[str]:
    """A tenth of the stores: the oracle takes seconds for all."""
    return sorted(of_all)[::10]


def test_a_report_equals_the_oracles(user: User, of_all: Report) -> None:
    assert user.report().decode() == csv_text(of_all)


def test_both_variants_of_every_endpoint(user: User) -> None:
    by_get = user.get("/trigger_report")
    assert by_get.status_code == 202
    report_id = by_get.json()["report_id"]
    user.ended(report_id)
    by_path = user.get(f"/get_report/{report_id}").json()
    by_query = user.get("/get_report", params={"report_id": report_id}).json()
    assert by_path["status"] == by_query["status"] == "Complete"
    assert by_path["stores"] == by_query["stores"]


def test_a_running_report_shows_progress_and_no_url(user: User) -> None:
    seen: list[dict[str, Any]] = []

    def is_computed() -> bool | None:
        seen.append(user.get(f"/get_report/{report_id}").json())
        progress = seen[-1].get("progress", {"shards_done": 0, "shards_total": 1})
        return progress["shards_done"] == progress["shards_total"] or None

    merging = "StepFunctions lambda:Invoke local-PlanAndMergeFunction merge"
    user.cloud.inject(Fault(Kind.SLOW, merging, seconds=600))
    try:
        report_id = user.trigger()
        file = user.get(f"/get_report/{report_id}", headers={"Accept": "text/csv"})
        assert (file.status_code, file.json()["status"]) == (202, "Running")
        until(is_computed)
    finally:
        user.cloud.inject()
    assert {response["status"] for response in seen} == {"Running"}
    assert not any("url" in response for response in seen)
    progress = [response["progress"] for response in seen if "progress" in response]
    done = [step["shards_done"] for step in progress]
    assert done == sorted(done)
    assert {step["shards_total"] for step in progress} == {done[-1]}


def test_a_shard_that_fails_fails_the_report(user: User, of_all: Report) -> None:
    data = user.cloud.outputs["DataBucketName"]
    s3 = user.cloud.client("s3")
    listed = s3.list_objects_v2(Bucket=data, Prefix="polls/")["Contents"]
    key = listed[0]["Key"]
    original = s3.get_object(Bucket=data, Key=key)["Body"].read()
    s3.put_object(Bucket=data, Key=key, Body=b"not Parquet")
    try:
        report_id = user.trigger()
        response = user.ended(report_id)
    finally:
        s3.put_object(Bucket=data, Key=key, Body=original)
    assert response["status"] == "Failed"
    assert response["error"]["code"] == "ArrowInvalid"
    assert response["error"]["step"] == "shard 0"
    assert "Traceback" not in json.dumps(response)
    assert "url" not in response
    download = user.get(f"/get_report/{report_id}", headers={"Accept": "text/csv"})
    assert download.status_code == 409
    assert download.json()["status"] == "Failed"
    assert user.report().decode() == csv_text(of_all)


def test_a_function_that_cannot_be_loaded_fails_the_report(user: User) -> None:
    with _functions_broken(user, "ComputeShardFunction"):
        response = user.ended(user.trigger())
    assert response["status"] == "Failed"
    assert response["error"]["step"].startswith("shard ")


def test_an_aborted_execution_leaves_no_report_running(user: User) -> None:
    report_id = user.trigger()
    machine = user.cloud.outputs["StateMachineArn"]
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{report_id}"
    user.cloud.client("stepfunctions").stop_execution(executionArn=execution)
    response = user.ended(report_id)
    assert response["status"] == "Failed"
    assert response["error"]["code"] == "ABORTED"


def test_as_of_moves_the_windows(user: User, sample: dict[str, bytes], some: list[str]) -> None:
    as_of = datetime(2024, 9, 30, 12, 0, 0, 250, tzinfo=UTC)
    made = user.report(as_of=as_of.isoformat(), store_ids=some)
    assert made.decode() == csv_text(report(_of_stores(_case(sample, now=as_of), some)))


def test_a_report_on_a_period_equals_the_oracles(
    user: User, sample: dict[str, bytes], some: list[str]
) -> None:
    period = {"from": "2024-09-28", "to": "2024-10-01", "by": "day"}
    made = user.report(period=period, store_ids=some)
    days = Period(date(2024, 9, 28), date(2024, 10, 1), "day")
    case = replace(_of_stores(_case(sample), some), period=days)
    assert made.decode() == period_csv_text(case)


def test_selected_stores_in_all_formats(user: User, of_all: Report) -> None:
    chosen = sorted(of_all)[:5]
    report_id = user.trigger(
        store_ids=chosen,
        formats=["csv", "json", "parquet", "xlsx", "html"],
        group_by=["brand"],
        include=["outages"],
        target_percent=99.5,
    )
    response = user.ended(report_id)
    assert response["stores"] == 5
    files = {
        format_: requests.get(url, timeout=PATIENCE_SECONDS).content
        for format_, url in response["urls"].items()
    }
    wanted = {store_id: of_all[store_id] for store_id in chosen}
    assert files["csv"].decode() == csv_text(wanted)
    for table in ("groups", "outages"):
        assert json.loads(files[f"{table}.json"]).keys() == {"report", table}
        assert {f"{table}.csv", f"{table}.parquet"} < files.keys()
    document = json.loads(files["json"])
    assert [record["store_id"] for record in document["stores"]] == chosen
    assert document["report"]["report_id"] == report_id
    assert document["summary"]["stores"] == 5
    summary = user.get(f"/reports/{report_id}/summary").json()
    assert summary.pop("groups") == json.loads(files["groups.json"])["groups"]
    assert summary == {"report": document["report"]} | document["summary"]
    assert files["parquet"].startswith(b"PAR1")
    assert files["xlsx"].startswith(b"PK")
    assert files["html"].startswith(b"<!doctype html>")
    opened = requests.get(response["open_url"], timeout=PATIENCE_SECONDS)
    assert opened.content == files["html"]
    assert opened.headers["Content-Type"].startswith("text/html")
    assert opened.headers["Content-Disposition"] == "inline"


def test_stores_are_selected_by_their_attributes(user: User, sample: dict[str, bytes]) -> None:
    attributes = csv.DictReader(io.StringIO(sample["attributes/stores.csv"].decode()))
    wanted = [
        row["store_id"]
        for row in attributes
        if row["brand"] == "Nori" and row["region"] in ("West", "South")
    ]
    assert wanted
    of_all = user.report().decode().splitlines()
    some = user.report(where={"Brand": "Nori", "region": ["West", "South"]}).decode().splitlines()
    assert some == of_all[:1] + [row for row in of_all[1:] if row.split(",")[0] in wanted]


def test_an_attribute_that_no_store_has_is_refused(user: User) -> None:
    response = user.post("/trigger_report", json={"where": {"brnd": "Nori"}})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    message = response.json()["error"]["message"]
    assert message.startswith("where: ")
    assert "brand, franchisee, region" in message


def test_a_report_of_no_store_fails(user: User) -> None:
    response = user.ended(user.trigger(where={"brand": "Nobody's"}))
    assert (response["status"], response["error"]["code"]) == ("Failed", "NoStores")
    assert "brand" in response["error"]["message"]


def test_an_unreadable_file_changes_nothing(user: User) -> None:
    before = user.report()
    outcome = user.upload("polls/photo.csv", b"\x89PNG\r\n\x1a\n")
    assert outcome["status"] == "Failed"
    assert "header" in outcome["error"]
    missing = user.upload("polls/columns.csv", b"store_id,state\na,active\n")
    assert "status, timestamp_utc" in missing["error"]
    assert user.upload("menus/x.csv", b"a,b\n")["status"] == "Failed"
    assert user.report() == before


def test_invalid_rows_are_rejected_and_the_others_ingested(user: User) -> None:
    lines = [
        "store_id,status,timestamp_utc",
        "e2e-rejects,Active,2024-08-02 10:00:00 UTC",
        "e2e-rejects,asleep,2024-08-02 11:00:00 UTC",
        ",active,2024-08-02 11:00:00 UTC",
        "e2e-rejects,active,noon",
    ]
    outcome = user.upload("polls/some_bad.csv", "\n".join(lines).encode())
    assert (outcome["status"], outcome["rows"], outcome["rejected"]) == ("Committed", "1", "3")
    rejects = user.cloud.client("s3").get_object(
        Bucket=user.cloud.outputs["DataBucketName"], Key=outcome["rejects_key"]
    )
    rows = list(csv.reader(io.TextIOWrapper(rejects["Body"], "utf-8", newline="")))
    assert [row[0] for row in rows] == ["line", "3", "4", "5"]
    assert [row[2] for row in rows[1:]] == lines[2:]


def test_the_same_file_twice_and_then_more_polls(user: User, sample: dict[str, bytes]) -> None:
    before = user.report()
    again = user.upload("polls/again.csv", sample["polls/store_status.csv"])
    assert again["status"] == "Unchanged"
    assert user.report() == before
    more = b"store_id,status,timestamp_utc\ne2e-new-store,active,2024-10-14 23:55:18.727055 UTC\n"
    assert user.upload("polls/more.csv", more)["status"] == "Committed"
    after = user.report()
    new_lines = set(after.splitlines()) - set(before.splitlines())
    assert new_lines == {b"e2e-new-store,60.00,24.00,168.00,0.00,0.00,0.00"}


@contextmanager
def _functions_broken(user: User, *logical_ids: str) -> Iterator[None]:
    """Point functions at a handler that does not exist, so that every call fails."""
    client = user.cloud.client("lambda")
    names = [
        function["FunctionName"]
        for function in client.list_functions()["Functions"]
        if function["FunctionName"].endswith(logical_ids)
    ]
    assert len(names) == len(logical_ids)
    for name in names:
        client.update_function_configuration(FunctionName=name, Handler="app.nothing")
    try:
        yield
    finally:
        for name in names:
            client.update_function_configuration(FunctionName=name, Handler="app.lambda_handler")


def _case(sample: dict[str, bytes], now: datetime | None = None) -> Case:
    def rows(key: str) -> Iterator[list[str]]:
        lines = csv.reader(io.StringIO(sample[key].decode()))
        next(lines)
        return lines

    polls = (
        Poll(store_id, _instant(text), status == "active")
        for store_id, status, text in rows("polls/store_status.csv")
    )
    hours = (
        HoursRow(store_id, int(day), start, end)
        for store_id, day, start, end in rows("business_hours/menu_hours.csv")
    )
    zones = {row[0]: row[1] for row in rows("timezones/store_timezones.csv")}
    return Case(tuple(polls), tuple(hours), zones, now)


def _of_stores(case: Case, store_ids: list[str]) -> Case:
    return replace(
        case,
        polls=tuple(poll for poll in case.polls if poll.store_id in store_ids),
        hours=tuple(row for row in case.hours if row.store_id in store_ids),
        zones={store_id: case.zones[store_id] for store_id in store_ids if store_id in case.zones},
    )


def _instant(text: str) -> datetime:
    whole_seconds, _, fraction = text.removesuffix(" UTC").partition(".")
    instant = datetime.fromisoformat(whole_seconds).replace(tzinfo=UTC)
    return instant.replace(microsecond=int(fraction.ljust(6, "0") or 0))

"""Reports on the run's own stores: their bytes, their files, and the calls about them."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.cases import EVERY_DAY, opens, utc
from tests.e2e.conftest import PATIENCE_SECONDS, send_form
from tests.e2e.guarded.conformance.conftest import NO_STORE, Deployment
from tests.e2e.inputs import Inputs
from tests.oracle import Case, Period, Poll, csv_text, period_csv_text, report

NOW = utc("2001-05-14 12:00")
AS_OF = "2001-05-14T12:00:00.000000Z"
FORMATS = ["csv", "json", "parquet", "xlsx", "html"]


@pytest.fixture(scope="module")
def case(deployment: Deployment) -> Case:
    """What was uploaded of three stores, gzipped: one has hours and a zone, one is always up."""
    up, down, unpolled = (deployment.store(name) for name in ("up", "down", "unpolled"))
    inputs = Inputs(
        polls=(Poll(up, NOW, active=True), *_hourly_polls(down)),
        hours=(*opens("08:30", "23:59", *EVERY_DAY, store_id=down), *_overnight(unpolled)),
        zones={down: "Asia/Kathmandu"},
    )
    for key, content in inputs.files().items():
        form = deployment.create_upload(key.partition("/")[0], "rows.csv.gz")
        assert send_form(form, gzip.compress(content)).status_code == 204
        outcome = deployment.ended_upload(form)
        assert (outcome["status"], outcome["rejected"]) == ("Committed", 0), outcome
    return Case(inputs.polls, inputs.hours, inputs.zones, NOW)


def _hourly_polls(store_id: str) -> Iterator[Poll]:
    for hour in range(200):
        yield Poll(store_id, NOW - timedelta(hours=hour, minutes=7), active=hour % 5 != 0)


def _overnight(store_id: str) -> Any:
    return opens("20:00", "04:00", *EVERY_DAY, store_id=store_id)


@pytest.fixture(scope="module")
def request_body(deployment: Deployment, case: Case) -> dict[str, Any]:
    return {"as_of": AS_OF, "store_ids": sorted(report(case))}


@pytest.fixture(scope="module")
def complete(deployment: Deployment, request_body: dict[str, Any]) -> dict[str, Any]:
    """A report in all formats."""
    report_id = deployment.trigger(**request_body, formats=FORMATS, include=["outages"])
    response = deployment.ended(report_id)
    assert response["status"] == "Complete", response
    return response


def test_a_report_equals_the_oracles(case: Case, complete: dict[str, Any]) -> None:
    assert requests.get(complete["url"], timeout=PATIENCE_SECONDS).text == csv_text(report(case))
    assert (complete["as_of"], complete["stores"]) == (AS_OF, 3)


def test_a_report_on_a_period_equals_the_oracles(
    deployment: Deployment, case: Case, request_body: dict[str, Any]
) -> None:
    stores = {"store_ids": request_body["store_ids"]}
    made = deployment.report(
        period={"from": "2001-04-30", "to": "2001-05-13", "by": "week"}, **stores
    )
    period = Period(date(2001, 4, 30), date(2001, 5, 13), "week")
    assert made.decode() == period_csv_text(replace(case, now=None, period=period))


def test_every_format_can_be_downloaded(complete: dict[str, Any]) -> None:
    files = {
        name: requests.get(url, timeout=PATIENCE_SECONDS) for name, url in complete["urls"].items()
    }
    assert {response.status_code for response in files.values()} == {200}
    assert {*FORMATS, "outages.csv", "outages.json", "outages.parquet"} <= files.keys()
    contents = {name: response.content for name, response in files.items()}
    assert json.loads(contents["json"])["report"]["report_id"] == complete["report_id"]
    for name, start in (("parquet", b"PAR1"), ("xlsx", b"PK"), ("html", b"<!doctype html>")):
        assert contents[name].startswith(start)
    opened = requests.get(complete["open_url"], timeout=PATIENCE_SECONDS)
    assert opened.content == contents["html"]
    assert opened.headers["Content-Type"].startswith("text/html")


def test_a_link_is_signed_and_ends(complete: dict[str, Any]) -> None:
    left = datetime.fromisoformat(complete["expires_at"]) - datetime.now(UTC)
    assert left.total_seconds() <= 900
    url = complete["url"]
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    headers = requests.get(url, timeout=PATIENCE_SECONDS).headers
    file = f"store-report-{complete['report_id']}.csv"
    assert headers["Content-Disposition"] == f'attachment; filename="{file}"'


def test_both_ways_to_name_a_report(deployment: Deployment, complete: dict[str, Any]) -> None:
    report_id = complete["report_id"]
    by_path = deployment.get(f"/get_report/{report_id}").json()
    by_query = deployment.get("/get_report", params={"report_id": report_id}).json()
    assert by_path["status"] == by_query["status"] == "Complete"
    assert by_path["stores"] == by_query["stores"]


@pytest.mark.parametrize(
    "variant", [{"headers": {"Accept": "text/csv"}}, {"params": {"download": "true"}}]
)
def test_the_file_itself_can_be_requested(
    deployment: Deployment, complete: dict[str, Any], variant: dict[str, dict[str, str]]
) -> None:
    path = f"/get_report/{complete['report_id']}"
    assert deployment.get(path, allow_redirects=False, **variant).status_code == 303
    followed = deployment.get(path, **variant)
    assert followed.content.startswith(b"store_id,uptime_last_hour(in minutes),")


def test_a_report_is_listed_with_its_summary_and_its_stores(
    deployment: Deployment, complete: dict[str, Any]
) -> None:
    report_id, found, query = complete["report_id"], None, "?limit=100"
    while found is None:
        response = deployment.get(f"/reports{query}")
        reports = {each["report_id"]: each for each in response.json()["reports"]}
        found = reports.get(report_id)
        query = response.links["next"]["url"] if found is None else ""
    assert (found["status"], found["stores"], found["as_of"]) == ("Complete", 3, AS_OF)
    document = requests.get(complete["urls"]["json"], timeout=PATIENCE_SECONDS).json()
    summary = deployment.get(f"/reports/{report_id}/summary").json()
    assert summary == {"report": document["report"]} | document["summary"]
    assert deployment.get(f"/reports/{report_id}/stores").json()["stores"] == document["stores"]
    assert deployment.post(f"/reports/{report_id}/retry").status_code == 409


@pytest.mark.parametrize("name", ["up", "down", "unpolled"])
def test_a_store_s_timeline_has_its_row(
    deployment: Deployment, complete: dict[str, Any], name: str
) -> None:
    store_id = deployment.store(name)
    query = {"report_id": complete["report_id"]}
    by_path = deployment.get(f"/stores/{store_id}/timeline", params=query).json()
    by_query = deployment.get("/timeline", params={"store_id": store_id, **query}).json()
    assert by_path == by_query
    text = requests.get(complete["url"], timeout=PATIENCE_SECONDS).text
    [row] = [line for line in text.splitlines() if line.startswith(f"{store_id},")]
    assert list(by_path["report_row"].values()) == [float(each) for each in row.split(",")[1:]]


def test_an_unknown_store_fails_the_report_and_is_named(deployment: Deployment) -> None:
    report_id = deployment.trigger(store_ids=[NO_STORE])
    response = deployment.ended(report_id)
    assert (response["status"], response["error"]["code"]) == ("Failed", "UnknownStore")
    assert f"'{NO_STORE}'" in response["error"]["message"]
    file = deployment.get(f"/get_report/{report_id}", headers={"Accept": "text/csv"})
    assert (file.status_code, file.json()["status"]) == (409, "Failed")


def test_unknown_and_malformed_ids(deployment: Deployment) -> None:
    unknown = deployment.get(f"/get_report/{uuid4()}")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_report")
    for text in ("nonsense", "1", "../etc", "%00", "a" * 500):
        response = deployment.get("/get_report", params={"report_id": text})
        assert response.status_code == 400, text
        assert response.json()["error"]["code"] == "malformed_report_id"
    assert deployment.get("/get_report").status_code == 400


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"store_ids": [' + b"9" * 5000 + b"]}", "not JSON"),
        (b'{"as_of": 5}', "as_of"),
        (b'{"as_of": "yesterday"}', "as_of"),
        (b'{"poll_filter": "some"}', "poll_filter"),
        (b'{"asof": null}', "asof"),
    ],
)
def test_an_invalid_request_is_refused_with_the_reason(
    deployment: Deployment, body: bytes, reason: str
) -> None:
    response = deployment.post("/trigger_report", data=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert reason in response.json()["error"]["message"]


@pytest.mark.parametrize("header", ["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"])
def test_a_repeated_request_gets_the_same_report_with_its_current_status(
    deployment: Deployment, request_body: dict[str, Any], header: str
) -> None:
    headers = {header: str(uuid4())}
    first = deployment.post("/trigger_report", json=request_body, headers=headers).json()
    deployment.ended(first["report_id"])
    second = deployment.post("/trigger_report", json=request_body, headers=headers)
    assert second.status_code == 202
    assert second.json() == {"report_id": first["report_id"], "status": "Complete"}


def test_a_key_with_another_body_is_refused(
    deployment: Deployment, request_body: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    deployment.post("/trigger_report", json=request_body, headers=headers)
    other = request_body | {"formats": ["json"]}
    response = deployment.post("/trigger_report", json=other, headers=headers)
    code = response.json()["error"]["code"]
    assert (response.status_code, code) == (422, "idempotency_key_reused")


def test_a_key_that_is_too_long_is_refused(deployment: Deployment) -> None:
    headers = {"Idempotency-Key": "k" * 256}
    response = deployment.post("/trigger_report", json={"store_ids": [NO_STORE]}, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")

"""Uploads through forms, without AWS credentials."""

import csv
import io
from typing import Any

import pytest
import requests

from store_monitoring.ingest.parsing.kinds import Kind
from tests.e2e.conftest import PATIENCE_SECONDS, send_form, until
from tests.e2e.guarded.conformance.conftest import Deployment


def polls(deployment: Deployment, store: str) -> bytes:
    """Return a file with a poll, and with a row that is rejected."""
    times = ("active,2001-05-14 12:00:00 UTC", "maybe,2001-05-14 13:00:00 UTC")
    return deployment.csv("store_id,status,timestamp_utc", *(f"{store},{each}" for each in times))


def test_a_file_is_uploaded_and_its_rejects_can_be_downloaded(deployment: Deployment) -> None:
    form, content = deployment.create_upload(), polls(deployment, "uploaded")
    assert deployment.get(f"/uploads/{form['upload_id']}").json()["status"] == "Pending"
    assert send_form(form, content).status_code == 204
    outcome = deployment.ended_upload(form)
    assert (outcome["status"], outcome["rows"], outcome["rejected"]) == ("Committed", 1, 1)
    response = requests.get(outcome["rejects_url"], timeout=PATIENCE_SECONDS)
    assert "attachment" in response.headers["Content-Disposition"]
    [reject] = csv.DictReader(io.StringIO(response.text))
    assert (reject["line"], "maybe" in reject["text"]) == ("3", True)
    [row] = outcome["rejected_rows"]
    assert (row["line"], row["reason"], row["text"]) == (3, reject["reason"], reject["text"])
    assert deployment.upload("polls", content)["status"] == "Unchanged"


@pytest.mark.parametrize(
    ("kind", "header", "good", "bad"),
    [
        ("business_hours", "day,start_time_local,end_time_local", "0,09:00,17:00", "7,09:00,17:00"),
        ("timezones", "timezone_str", "Asia/Kathmandu", "Asia/Nowhere"),
        ("special_hours", "date,start_time_local,end_time_local", "2001-12-25,,", "2001,,"),
        (
            "exclusions",
            "start_utc,end_utc,reason",
            "2001-12-25 00:00:00,2001-12-26 00:00:00,",
            "2001-12-25 00:00:00,2001-12-24 00:00:00,",
        ),
        ("attributes", "name,target_percent", "Nori,99.5", "Nori,0"),
    ],
)
def test_reference_data_are_uploaded(
    deployment: Deployment, kind: str, header: str, good: str, bad: str
) -> None:
    rows = (f"uploaded,{good}", f"wrong,{bad}")
    outcome = deployment.upload(kind, deployment.csv(f"store_id,{header}", *rows))
    assert (outcome["status"], outcome["rows"], outcome["rejected"]) == ("Committed", 1, 1)
    wrong = {"count": 1, "store_ids": [deployment.store("wrong")]}
    assert outcome["stores_with_rejected_rows"] == wrong


def test_a_form_used_twice_is_two_uploads(deployment: Deployment) -> None:
    form = deployment.create_upload()
    for number in range(2):
        assert send_form(form, polls(deployment, f"twice-{number}")).status_code == 204

    def both() -> dict[str, Any] | None:
        response: dict[str, Any] = deployment.get(f"/uploads/{form['upload_id']}").json()
        statuses = {each["status"] for each in (response, *response.get("earlier", ()))}
        return response if "earlier" in response and "Retrying" not in statuses else None

    response = until(both)
    [earlier] = response["earlier"]
    assert [each["status"] for each in (response, earlier)] == ["Committed", "Committed"]
    assert response["rejects_url"] != earlier["rejects_url"]


def test_uploads_are_listed_newest_first(deployment: Deployment) -> None:
    used, unused = deployment.create_upload(), deployment.create_upload("timezones")
    assert send_form(used, polls(deployment, "listed")).status_code == 204
    deployment.ended_upload(used)
    outcomes: dict[str, Any] = {}
    query = "?limit=2"
    while len(outcomes) < 2:
        response = deployment.get(f"/uploads{query}")
        page = response.json()
        assert 0 < len(page["uploads"]) <= 2
        created = [each["created_at"] for each in page["uploads"]]
        assert created == sorted(created, reverse=True)
        ours = (used["upload_id"], unused["upload_id"])
        outcomes |= {
            each["upload_id"]: each for each in page["uploads"] if each.get("upload_id") in ours
        }
        query = response.links["next"]["url"] if len(outcomes) < 2 else ""
    assert outcomes[unused["upload_id"]]["status"] == "Pending"
    assert outcomes[unused["upload_id"]]["kind"] == "timezones"
    found = outcomes[used["upload_id"]]
    assert (found["status"], found["filename"]) == ("Committed", "polls.csv")
    assert (found["rows"], found["rejected"], found["rejected_rows"][0]["line"]) == (1, 1, 3)
    assert requests.get(found["rejects_url"], timeout=PATIENCE_SECONDS).status_code == 200


@pytest.mark.parametrize("kind", list(Kind))
def test_an_unreadable_file_fails_with_the_reason(deployment: Deployment, kind: str) -> None:
    outcome = deployment.upload(kind, b"a,b\n1,2\n")
    assert outcome["status"] == "Failed"
    assert outcome["reason"].startswith("missing column store_id")


@pytest.mark.parametrize("key", ["polls/others.csv", "business_hours/mine.csv", "../data/x"])
def test_a_form_is_valid_for_its_own_key_only(deployment: Deployment, key: str) -> None:
    response = send_form(deployment.create_upload(), polls(deployment, "refused"), key=key)
    assert (response.status_code, "AccessDenied" in response.text) == (403, True)


def test_a_form_s_content_type_cannot_be_changed(deployment: Deployment) -> None:
    form, content = deployment.create_upload(), polls(deployment, "refused")
    assert send_form(form, content, **{"Content-Type": "text/html"}).status_code == 403


def test_an_empty_file_and_a_form_without_policy_are_refused(deployment: Deployment) -> None:
    form = deployment.create_upload()
    assert "EntityTooSmall" in send_form(form, b"").text
    bare = form | {"fields": {"key": form["fields"]["key"]}}
    response = send_form(bare, polls(deployment, "refused"))
    assert (response.status_code, "AccessDenied" in response.text) == (403, True)


@pytest.mark.parametrize(
    "upload_id",
    [
        *("nonsense", "polls.1f4de9a6-93b9-4b8b-a7a7-1f6f1c6b2f10."),
        "polls.1f4de9a6-93b9-4b8b-a7a7-1f6f1c6b2f10.never_issued.csv",
        *("polls%2F..%2Fx", "a" * 900),
    ],
)
def test_an_unknown_upload(deployment: Deployment, upload_id: str) -> None:
    response = deployment.get(f"/uploads/{upload_id}")
    assert response.status_code in (403, 404)
    assert response.json()["error"]["code"] in ("unknown_upload", "forbidden")


@pytest.mark.parametrize(
    "body", [{}, {"kind": "reports", "filename": "a"}, {"kind": "polls", "filename": ""}, []]
)
def test_an_invalid_request_is_refused(deployment: Deployment, body: object) -> None:
    response = deployment.post("/uploads", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")

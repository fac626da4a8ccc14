"""Uploads with an API key and without AWS credentials."""

import csv
import io
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from store_monitoring.ingest.parsing.kinds import Kind as UploadKind
from tests.e2e.conftest import User, until

POLLS = (
    b"store_id,status,timestamp_utc\n"
    b"uploaded,active,2024-10-14 12:00:00 UTC\n"
    b"uploaded,maybe,2024-10-14 13:00:00 UTC\n"
)


def create_form(guarded: User, kind: str = "polls", filename: str = "polls.csv") -> dict[str, Any]:
    response = guarded.post("/uploads", json={"kind": kind, "filename": filename})
    assert response.status_code == 201, response.text
    form: dict[str, Any] = response.json()
    return form


def post_form(form: dict[str, Any], content: bytes, **changes: str) -> requests.Response:
    fields, file = form["fields"] | changes, {"file": ("polls.csv", content)}
    return requests.post(form["url"], data=fields, files=file, timeout=30)


def ended(guarded: User, form: dict[str, Any]) -> dict[str, Any]:
    def poll() -> dict[str, Any] | None:
        response = guarded.get(f"/uploads/{form['upload_id']}").json()
        return None if response["status"] in ("Pending", "Retrying") else response

    return until(poll)


def test_a_file_is_uploaded_and_its_rejects_can_be_downloaded(guarded: User) -> None:
    form = create_form(guarded)
    assert guarded.get(f"/uploads/{form['upload_id']}").json()["status"] == "Pending"
    assert post_form(form, POLLS).status_code == 204
    outcome = ended(guarded, form)
    assert (outcome["status"], outcome["rows"], outcome["rejected"]) == ("Committed", 1, 1)
    response = requests.get(outcome["rejects_url"], timeout=30)
    assert "attachment" in response.headers["Content-Disposition"]
    [reject] = csv.DictReader(io.StringIO(response.text))
    assert (reject["line"], "maybe" in reject["text"]) == ("3", True)
    [row] = outcome["rejected_rows"]
    assert (row["line"], row["reason"], row["text"]) == (3, reject["reason"], reject["text"])

    again = create_form(guarded)
    post_form(again, POLLS)
    assert ended(guarded, again)["status"] == "Unchanged"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (
            "special_hours",
            b"store_id,date,start_time_local,end_time_local\nuploaded,2024-12-25,,\nother,2024,,\n",
        ),
        (
            "exclusions",
            b"store_id,start_utc,end_utc,reason\n"
            b"uploaded,2024-12-25 00:00:00,2024-12-26 00:00:00,\n"
            b"other,2024-12-25 00:00:00,2024-12-24 00:00:00,\n",
        ),
    ],
)
def test_special_hours_and_exclusions_are_uploaded(
    guarded: User, kind: str, content: bytes
) -> None:
    form = create_form(guarded, kind=kind, filename="calendar.csv")
    assert post_form(form, content).status_code == 204
    outcome = ended(guarded, form)
    assert (outcome["status"], outcome["rows"], outcome["rejected"]) == ("Committed", 1, 1)
    assert outcome["stores_with_rejected_rows"] == {"count": 1, "store_ids": ["other"]}


def test_attributes_are_uploaded(guarded: User) -> None:
    form = create_form(guarded, kind="attributes", filename="stores.csv")
    content = b"store_id,brand,target_percent\nuploaded,Nori,99.5\nother,Nori,0\n"
    assert post_form(form, content).status_code == 204
    outcome = ended(guarded, form)
    assert (outcome["status"], outcome["rows"], outcome["rejected"]) == ("Committed", 1, 1)
    assert outcome["stores_with_rejected_rows"] == {"count": 1, "store_ids": ["other"]}


def test_a_form_used_twice_is_two_uploads(guarded: User) -> None:
    form = create_form(guarded)
    for number in range(2):
        content = POLLS.replace(b"uploaded", f"twice-{number}".encode())
        assert post_form(form, content).status_code == 204

    def both() -> dict[str, Any] | None:
        response: dict[str, Any] = guarded.get(f"/uploads/{form['upload_id']}").json()
        return response if response.get("earlier") and response["status"] != "Retrying" else None

    response = until(both)
    [earlier] = response["earlier"]
    assert [each["status"] for each in (response, earlier)] == ["Committed", "Committed"]
    assert response["rejects_url"] != earlier["rejects_url"]


def test_uploads_are_listed_newest_first(guarded: User) -> None:
    used, unused = create_form(guarded), create_form(guarded, kind="timezones")
    assert post_form(used, POLLS.replace(b"uploaded", b"listed")).status_code == 204
    ended(guarded, used)
    outcomes: dict[str, Any] = {}
    query = "?limit=2"
    while len(outcomes) < 2:
        response = guarded.get(f"/uploads{query}")
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
    assert requests.get(found["rejects_url"], timeout=30).status_code == 200


def test_deleted_rejected_rows_have_no_link(guarded: User) -> None:
    form = create_form(guarded)
    assert post_form(form, POLLS.replace(b"uploaded", b"deleted")).status_code == 204
    key = urlsplit(ended(guarded, form)["rejects_url"]).path.partition("/rejects/")[2]
    bucket = guarded.cloud.outputs["DataBucketName"]
    guarded.s3.delete_object(Bucket=bucket, Key=f"rejects/{key}")
    outcome = guarded.get(f"/uploads/{form['upload_id']}").json()
    assert outcome["rejected"] == 1
    assert "rejects_url" not in outcome


def test_a_form_that_is_not_used_in_time_is_expired(guarded: User) -> None:
    form = create_form(guarded)
    table = guarded.cloud.outputs["IngestTableName"]
    key = {"log": {"S": f"uploads/{form['fields']['key']}"}, "entry": {"S": "form"}}
    guarded.dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET form_ends_at = :then",
        ExpressionAttributeValues={":then": {"S": "2024-01-01T00:00:00+00:00"}},
    )
    assert guarded.get(f"/uploads/{form['upload_id']}").json()["status"] == "Expired"


@pytest.mark.parametrize("kind", list(UploadKind))
def test_an_unreadable_file_fails_with_the_reason(guarded: User, kind: str) -> None:
    form = create_form(guarded, kind=kind)
    assert post_form(form, b"a,b\n1,2\n").status_code == 204
    outcome = ended(guarded, form)
    assert outcome["status"] == "Failed"
    assert outcome["reason"].startswith("missing column store_id")


@pytest.mark.parametrize(
    "key", ["polls/others.csv", "business_hours/mine.csv", "../data/reports/x", ""]
)
def test_a_form_is_valid_for_its_own_key_only(guarded: User, key: str) -> None:
    response = post_form(create_form(guarded), POLLS, key=key)
    assert (response.status_code, "AccessDenied" in response.text) == (403, True)


def test_a_form_s_content_type_cannot_be_changed(guarded: User) -> None:
    assert (
        post_form(create_form(guarded), POLLS, **{"Content-Type": "text/html"}).status_code == 403
    )


def test_an_empty_file_and_a_form_without_policy_are_refused(guarded: User) -> None:
    form = create_form(guarded)
    assert "EntityTooSmall" in post_form(form, b"").text
    bare = requests.post(
        form["url"],
        data={"key": form["fields"]["key"]},
        files={"file": ("polls.csv", POLLS)},
        timeout=30,
    )
    assert (bare.status_code, "AccessDenied" in bare.text) == (403, True)


@pytest.mark.parametrize(
    "upload_id",
    [
        *("nonsense", "polls.1f4de9a6-93b9-4b8b-a7a7-1f6f1c6b2f10."),
        "polls.1f4de9a6-93b9-4b8b-a7a7-1f6f1c6b2f10.never_issued.csv",
        *("polls%2F..%2Fx", "a" * 900),
    ],
)
def test_an_unknown_upload(guarded: User, upload_id: str) -> None:
    response = guarded.get(f"/uploads/{upload_id}")
    assert response.status_code in (403, 404)
    assert response.json()["error"]["code"] in ("unknown_upload", "forbidden")


@pytest.mark.parametrize(
    "body", [{}, {"kind": "reports", "filename": "a"}, {"kind": "polls", "filename": ""}, []]
)
def test_an_invalid_request_is_refused(guarded: User, body: object) -> None:
    response = guarded.post("/uploads", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")

"""Uploads through the API: where they may go, and what is told of them."""

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from store_monitoring.adapters.upload_forms import S3UploadForms, upload_origin
from store_monitoring.errors import InvalidRequest, UnknownUpload
from store_monitoring.ingest.kinds import Kind
from store_monitoring.upload_answer import form_body, upload_body
from store_monitoring.use_cases.offer_upload import UPLOAD_LIMIT_BYTES, UploadForm, offer_upload
from store_monitoring.use_cases.read_upload import read_upload
from store_monitoring.use_cases.upload import UploadPlace, UploadRequest
from store_monitoring.use_cases.upload_outcomes import UploadOutcome, UploadStatus
from tests.fakes import FolderFiles, MemoryUploads

NUMBER = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"
KEY = f"polls/{NUMBER}-polls.csv"
ENDED_AT = datetime(2024, 10, 15, tzinfo=UTC)
NASTY = ["../../etc/passwd", "a/b.csv", "${filename}", "nul\0byte", "ä" * 200, "?x=1#y", ".", " "]


@pytest.fixture
def forms() -> S3UploadForms:
    return S3UploadForms("inbox", form_seconds=60)


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path)


def request(**changes: Any) -> UploadRequest:
    return UploadRequest.from_json({"kind": "polls", "filename": "polls.csv"} | changes)


def conditions(form: UploadForm) -> list[Any]:
    policy = json.loads(b64decode(form.fields["policy"]))
    found: list[Any] = policy["conditions"]
    return found


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ([], "the body is not a JSON object"),
        ({"kind": "polls", "filename": "a", "key": "b"}, "unknown field 'key'"),
        ({"filename": "a.csv"}, "kind: not one of polls, business_hours, timezones"),
        ({"kind": ["polls"], "filename": "a.csv"}, "kind: not one of"),
        ({"kind": "reports", "filename": "a.csv"}, "kind: not one of"),
        ({"kind": "polls"}, "filename: not a string of 1 to 255 characters"),
        ({"kind": "polls", "filename": ""}, "filename: not"),
        ({"kind": "polls", "filename": 7}, "filename: not"),
        ({"kind": "polls", "filename": "n" * 256}, "filename: not"),
    ],
)
def test_what_is_not_understood_is_named(body: object, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{problem}"):
        UploadRequest.from_json(body)


@pytest.mark.parametrize("filename", NASTY)
def test_a_filename_cannot_leave_its_prefix(filename: str, forms: S3UploadForms) -> None:
    form = offer_upload(request(filename=filename), forms)
    key = form.fields["key"]
    prefix, _, rest = key.partition("/")
    assert prefix == "polls"
    assert "/" not in rest
    assert key.isascii()
    assert "$" not in key  # S3 puts the file's own name in place of ${filename}
    assert len(key) < 200
    assert UploadPlace.from_id(form.upload_id).key == key


def test_a_form_is_for_its_own_key_and_no_other(forms: S3UploadForms) -> None:
    first, second = (offer_upload(request(), forms) for _ in range(2))
    assert first.fields["key"] != second.fields["key"]
    for form in (first, second):
        assert [each for each in conditions(form) if "key" in each] == [{"key": form.fields["key"]}]
        assert {"bucket": "inbox"} in conditions(form)


def test_a_form_has_limits(forms: S3UploadForms) -> None:
    form = offer_upload(request(), forms)
    assert ["content-length-range", 1, UPLOAD_LIMIT_BYTES] in conditions(form)
    assert {"Content-Type": "application/octet-stream"} in conditions(form)
    policy = json.loads(b64decode(form.fields["policy"]))
    signed_at = datetime.strptime(form.fields["x-amz-date"], "%Y%m%dT%H%M%S%z")
    assert (datetime.fromisoformat(policy["expiration"]) - signed_at).total_seconds() == 60
    body = form_body(form, ENDED_AT)
    assert body["expires_at"] == "2024-10-15T00:00:00.000000Z"
    assert body["limit_bytes"] == UPLOAD_LIMIT_BYTES


def test_forms_are_sent_to_the_bucket_s_own_region(forms: S3UploadForms) -> None:
    form = offer_upload(request(), forms)
    assert upload_origin("inbox") == "https://inbox.s3.eu-central-1.amazonaws.com"
    assert form.url == f"{upload_origin('inbox')}/"
    assert form.fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"


@pytest.mark.parametrize(
    "upload_id",
    [
        "",
        "polls",
        "polls.0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11",
        "polls.0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11.",
        "reports.0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11.a.csv",
        "polls.0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11.a/b",
        "polls.0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11.a\n",
        "polls.0B6C7C0E-6F0A-4C43-9D5E-3A1F0A6B7C11.a",
    ],
)
def test_an_id_that_we_never_give_out_is_unknown(upload_id: str, files: FolderFiles) -> None:
    with pytest.raises(UnknownUpload):
        read_upload(upload_id, MemoryUploads(), files)


def ended(status: UploadStatus, **values: Any) -> UploadOutcome:
    return UploadOutcome(key=KEY, etag="etag", status=status, ended_at=ENDED_AT, **values)


def told(outcome: UploadOutcome | None, files: FolderFiles) -> dict[str, Any]:
    """Return what is told of an upload whose outcome is this."""
    uploads, place = MemoryUploads(), UploadPlace(Kind.POLLS, NUMBER, "polls.csv")
    if outcome is not None:
        uploads.record(outcome)
    body = upload_body(read_upload(place.upload_id, uploads, files), ENDED_AT)
    assert body.pop("upload_id") == place.upload_id
    return body


def test_an_upload_that_nothing_is_heard_of_is_pending(files: FolderFiles) -> None:
    assert told(None, files) == {"status": "Pending"}


def test_what_was_ingested_is_told(files: FolderFiles) -> None:
    outcome = ended(UploadStatus.COMMITTED, rows=7)
    assert told(outcome, files) == {
        "status": "Committed",
        "ended_at": "2024-10-15T00:00:00.000000Z",
        "rows": 7,
        "rejected": 0,
    }


def test_rejected_rows_can_be_downloaded(files: FolderFiles) -> None:
    outcome = ended(UploadStatus.UNCHANGED, rows=7, rejected=2, rejects_key="rejects/i.csv")
    body = told(outcome, files)
    assert body["rejected"] == 2
    assert body["rejects_url"] == files.presigned_url("rejects/i.csv", "rejected-polls.csv")
    assert body["expires_at"] == "2024-10-15T00:00:00.000000Z"


def test_stores_with_rejected_rows_are_named(files: FolderFiles) -> None:
    outcome = ended(
        UploadStatus.COMMITTED, rejected=3, partial_stores=2, partial_store_ids=("a", "b")
    )
    body = told(outcome, files)
    assert body["stores_with_rejected_rows"] == {"count": 2, "store_ids": ["a", "b"]}


@pytest.mark.parametrize(
    ("filename", "rejects"),
    [
        *(("x.csv.gz", "x.csv"), ("x.CSV", "x.csv"), ("x", "x.csv"), ("x.gz", "x.csv")),
        *(("x.txt", "x.txt.csv"), (".csv", ".csv"), ("a.csv.b.csv", "a.csv.b.csv")),
    ],
)
def test_rejected_rows_have_one_ending(filename: str, rejects: str, files: FolderFiles) -> None:
    place = UploadPlace(Kind.POLLS, NUMBER, filename)
    key = "rejects/i.csv"
    uploads = MemoryUploads()
    uploads.record(replace(ended(UploadStatus.COMMITTED, rejects_key=key), key=place.key))
    view = read_upload(place.upload_id, uploads, files)
    assert view.rejects_url == files.presigned_url(key, f"rejected-{rejects}")


def test_why_a_file_was_not_taken_is_told(files: FolderFiles) -> None:
    outcome = ended(UploadStatus.FAILED, error="it is empty")
    assert told(outcome, files) == {
        "status": "Failed",
        "ended_at": "2024-10-15T00:00:00.000000Z",
        "reason": "it is empty",
    }

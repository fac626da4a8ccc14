"""Uploads through the API: presigned POSTs and the status of an upload."""

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import RFC_4122, UUID

import pytest

from store_monitoring.aws.inbox import S3PresignedPosts, upload_origin
from store_monitoring.errors import UnknownUploadError
from store_monitoring.http.upload_responses import (
    presigned_post_body,
    upload_body,
    upload_page_body,
)
from store_monitoring.ingest.outcomes import (
    UnusedPost,
    Upload,
    UploadCursor,
    UploadOutcome,
    UploadStatus,
)
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.uploads import (
    UPLOAD_LIMIT_BYTES,
    PresignedPost,
    UploadRequest,
    UploadTarget,
    create_upload,
    list_uploads,
    read_upload,
)
from testing.fakes import FolderFiles, MemoryInbox, MemoryUploads

NUMBER = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"
KEY = f"polls/{NUMBER}-polls.csv"
ENDED_AT = datetime(2024, 10, 15, tzinfo=UTC)
NOW = datetime(2024, 10, 14, 12, tzinfo=UTC)
EXPIRES_AT = NOW + timedelta(minutes=15)
NASTY = ["../../etc/passwd", "a/b.csv", "${filename}", "nul\0byte", "ä" * 200, "?x=1#y", ".", " "]


@pytest.fixture
def forms() -> S3PresignedPosts:
    return S3PresignedPosts("inbox", form_seconds=60)


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path)


def request(**changes: Any) -> UploadRequest:
    return replace(UploadRequest(Kind.POLLS, "polls.csv"), **changes)


def created(
    forms: S3PresignedPosts, uploads: MemoryUploads | None = None, **changes: Any
) -> PresignedPost:
    return create_upload(request(**changes), NOW, EXPIRES_AT, forms, uploads or MemoryUploads())


def conditions(form: PresignedPost) -> list[Any]:
    policy = json.loads(b64decode(form.fields["policy"]))
    found: list[Any] = policy["conditions"]
    return found


@pytest.mark.parametrize("filename", NASTY)
def test_a_filename_cannot_leave_its_prefix(filename: str, forms: S3PresignedPosts) -> None:
    form = created(forms, filename=filename)
    key = form.fields["key"]
    prefix, _, rest = key.partition("/")
    assert prefix == "polls"
    assert "/" not in rest
    assert key.isascii()
    assert "$" not in key  # S3 replaces ${filename} by the name of the file
    assert len(key) < 200
    assert UploadTarget.from_id(form.upload_id).key == key


def test_a_presigned_post_is_for_one_key(forms: S3PresignedPosts) -> None:
    first, second = (created(forms) for _ in range(2))
    assert first.fields["key"] != second.fields["key"]
    for form in (first, second):
        assert [each for each in conditions(form) if "key" in each] == [{"key": form.fields["key"]}]
        assert {"bucket": "inbox"} in conditions(form)


def test_a_presigned_post_has_limits(forms: S3PresignedPosts) -> None:
    form = created(forms)
    assert ["content-length-range", 1, UPLOAD_LIMIT_BYTES] in conditions(form)
    assert {"Content-Type": "application/octet-stream"} in conditions(form)
    policy = json.loads(b64decode(form.fields["policy"]))
    signed_at = datetime.strptime(form.fields["x-amz-date"], "%Y%m%dT%H%M%S%z")
    assert (datetime.fromisoformat(policy["expiration"]) - signed_at).total_seconds() == 60
    body = presigned_post_body(form, ENDED_AT)
    assert body["expires_at"] == "2024-10-15T00:00:00.000000Z"
    assert body["limit_bytes"] == UPLOAD_LIMIT_BYTES


def test_presigned_posts_are_for_the_region_of_the_bucket(forms: S3PresignedPosts) -> None:
    form = created(forms)
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
def test_an_invalid_id_is_unknown(upload_id: str, files: FolderFiles) -> None:
    with pytest.raises(UnknownUploadError):
        read_upload(upload_id, NOW, MemoryUploads(), MemoryInbox(), files)


def ended(status: UploadStatus, **values: Any) -> UploadOutcome:
    return UploadOutcome(key=KEY, etag="etag", status=status, ended_at=ENDED_AT, **values)


def body_of(files: FolderFiles, *outcomes: UploadOutcome) -> dict[str, Any]:
    """Return the response body of an upload with these outcomes."""
    uploads, target = MemoryUploads(), UploadTarget(Kind.POLLS, NUMBER, "polls.csv")
    uploads.issue(UnusedPost(target.key, NOW, EXPIRES_AT))
    for outcome in outcomes:
        uploads.record(outcome)
    view = read_upload(target.upload_id, NOW, uploads, MemoryInbox(), files)
    body: dict[str, Any] = dict(upload_body(view, ENDED_AT))
    assert body.pop("upload_id") == target.upload_id
    return body


def test_an_upload_without_an_outcome_is_pending(files: FolderFiles) -> None:
    assert body_of(files) == {"status": "Pending"}


def test_the_counts_of_an_ingested_upload_are_returned(files: FolderFiles) -> None:
    outcome = ended(UploadStatus.COMMITTED, rows=7)
    assert body_of(files, outcome) == {
        "status": "Committed",
        "ended_at": "2024-10-15T00:00:00.000000Z",
        "rows": 7,
        "rejected": 0,
    }


def write_rejects(files: FolderFiles, *rows: str) -> None:
    path = files.folder / "rejects" / "i.csv"
    path.parent.mkdir()
    path.write_text("".join(f"{row}\n" for row in ("line,reason,text", *rows)))


def test_rejected_rows_can_be_downloaded(files: FolderFiles) -> None:
    write_rejects(files, '3,"no status","7,,"')
    outcome = ended(UploadStatus.UNCHANGED, rows=7, rejected=2, rejects_key="rejects/i.csv")
    body = body_of(files, outcome)
    assert body["rejected"] == 2
    assert body["rejects_url"] == files.presigned_url("rejects/i.csv", "rejected-polls.csv")
    assert body["expires_at"] == "2024-10-15T00:00:00.000000Z"


def test_the_first_rejected_rows_are_shown(files: FolderFiles) -> None:
    write_rejects(files, *(f'{line},"no ""status""","{line},{"é" * 300}"' for line in range(3, 99)))
    body = body_of(files, ended(UploadStatus.COMMITTED, rejected=96, rejects_key="rejects/i.csv"))
    assert [row["line"] for row in body["rejected_rows"]] == [3, 4, 5, 6, 7]
    assert body["rejected_rows"][0] == {
        "line": 3,
        "reason": 'no "status"',
        "text": "3," + "é" * 198,
    }


def test_a_long_rejected_row_is_left_out_of_the_preview(files: FolderFiles) -> None:
    write_rejects(files, '3,"no status","7,,"', f'4,"no status","{"é" * 20_000}"', "")
    body = body_of(files, ended(UploadStatus.COMMITTED, rejected=2, rejects_key="rejects/i.csv"))
    assert [row["line"] for row in body["rejected_rows"]] in ([3], [3, 4])
    assert len(body["rejected_rows"][-1]["text"]) <= 200


def test_deleted_rejected_rows_have_no_link(files: FolderFiles) -> None:
    body = body_of(files, ended(UploadStatus.COMMITTED, rejected=1, rejects_key="rejects/i.csv"))
    assert body["rejected"] == 1
    assert not body.keys() & {"rejects_url", "rejected_rows"}


def listed(files: FolderFiles, uploads: MemoryUploads, **page: Any) -> dict[str, Any]:
    found = list_uploads(page.get("limit", 20), None, NOW, uploads, MemoryInbox(), files)
    return dict(upload_page_body(found, ENDED_AT))


def test_uploads_are_listed_newest_first(files: FolderFiles) -> None:
    uploads = MemoryUploads()
    used = UploadTarget(Kind.POLLS, NUMBER, "polls.csv")
    direct = Upload("timezones/zones.csv", "e", NOW + timedelta(seconds=2), "v")
    misplaced = Upload("other/zones.csv", "e", NOW + timedelta(seconds=3), "v")
    pending = UploadTarget.new(UploadRequest(Kind.EXCLUSIONS, "maintenance.csv"), NOW)
    uploads.issue(UnusedPost(used.key, NOW, EXPIRES_AT))
    uploads.issue(UnusedPost(pending.key, NOW + timedelta(seconds=1), EXPIRES_AT))
    uploads.record(replace(ended(UploadStatus.COMMITTED, rows=7), uploaded_at=NOW))
    for upload in (direct, misplaced):
        uploads.record(UploadOutcome.failed(upload, UploadStatus.FAILED, ENDED_AT, "it is empty"))
    failed = {
        "filename": "zones.csv",
        "status": "Failed",
        "ended_at": "2024-10-15T00:00:00.000000Z",
        "reason": "it is empty",
    }
    assert listed(files, uploads)["uploads"] == [
        {"created_at": "2024-10-14T12:00:03.000000Z"} | failed,
        {"kind": "timezones", "created_at": "2024-10-14T12:00:02.000000Z"} | failed,
        {
            "upload_id": pending.upload_id,
            "kind": "exclusions",
            "filename": "maintenance.csv",
            "created_at": "2024-10-14T12:00:01.000000Z",
            "status": "Pending",
        },
        {
            "upload_id": used.upload_id,
            "kind": "polls",
            "filename": "polls.csv",
            "created_at": "2024-10-14T12:00:00.000000Z",
            "status": "Committed",
            "ended_at": "2024-10-15T00:00:00.000000Z",
            "rows": 7,
            "rejected": 0,
        },
    ]


def test_a_page_of_uploads_names_the_next_one(files: FolderFiles) -> None:
    uploads = MemoryUploads()
    for number in range(3):
        uploads.issue(UnusedPost(f"polls/{number}.csv", NOW, EXPIRES_AT))
    first = listed(files, uploads, limit=2)
    after = UploadCursor.from_token(first["next_page_token"])
    rest = list_uploads(2, after, NOW, uploads, MemoryInbox(), files)
    assert (len(first["uploads"]), len(rest.uploads), rest.end) == (2, 1, None)


@pytest.mark.parametrize("token", ["", "x", "WzFd", "WyIiLCAiIiwgIiJd", "W" * 4000, "W1tbW1s="])
def test_text_that_is_no_token_of_uploads_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="next_page_token"):
        UploadCursor.from_token(token)


def test_stores_with_rejected_rows_are_named(files: FolderFiles) -> None:
    outcome = ended(
        UploadStatus.COMMITTED, rejected=3, partial_stores=2, partial_store_ids=("a", "b")
    )
    body = body_of(files, outcome)
    assert body["stores_with_rejected_rows"] == {"count": 2, "store_ids": ["a", "b"]}


@pytest.mark.parametrize(
    ("filename", "rejects"),
    [
        *(("x.csv.gz", "x.csv"), ("x.CSV", "x.csv"), ("x", "x.csv"), ("x.gz", "x.csv")),
        *(("x.txt", "x.txt.csv"), (".csv", ".csv"), ("a.csv.b.csv", "a.csv.b.csv")),
    ],
)
def test_the_file_of_rejected_rows_has_one_extension(
    filename: str, rejects: str, files: FolderFiles
) -> None:
    target = UploadTarget(Kind.POLLS, NUMBER, filename)
    key = "rejects/i.csv"
    write_rejects(files)
    uploads = MemoryUploads()
    uploads.record(replace(ended(UploadStatus.COMMITTED, rejects_key=key), key=target.key))
    view = read_upload(target.upload_id, NOW, uploads, MemoryInbox(), files)
    assert view.uses[0].rejects_url == files.presigned_url(key, f"rejected-{rejects}")


def test_the_reason_of_a_failed_upload_is_returned(files: FolderFiles) -> None:
    outcome = ended(UploadStatus.FAILED, error="it is empty")
    assert body_of(files, outcome) == {
        "status": "Failed",
        "ended_at": "2024-10-15T00:00:00.000000Z",
        "reason": "it is empty",
    }


def test_a_retrying_upload_has_a_reason_and_no_end(files: FolderFiles) -> None:
    outcome = ended(UploadStatus.RETRYING, error="cannot read polls/a.csv: SlowDown")
    assert body_of(files, outcome) == {
        "status": "Retrying",
        "reason": "cannot read polls/a.csv: SlowDown",
    }


def test_both_uses_of_a_presigned_post_are_returned(files: FolderFiles) -> None:
    later = replace(
        ended(UploadStatus.FAILED, error="it is empty"), version="2", uploaded_at=ENDED_AT
    )
    first = replace(ended(UploadStatus.COMMITTED, rows=7), version="1", uploaded_at=NOW)
    body = body_of(files, later, first)
    assert (body["status"], body["reason"]) == ("Failed", "it is empty")
    assert body["earlier"] == [
        {
            "status": "Committed",
            "ended_at": "2024-10-15T00:00:00.000000Z",
            "rows": 7,
            "rejected": 0,
        }
    ]


def test_an_id_contains_the_time_of_issue(forms: S3PresignedPosts) -> None:
    first, second = (created(forms).upload_id.split(".")[1] for _ in range(2))
    assert first != second
    for number in map(UUID, (first, second)):
        assert (number.version, number.variant) == (7, RFC_4122)
        assert datetime.fromtimestamp((number.int >> 80) / 1000, UTC) == NOW


def test_a_valid_id_that_was_never_issued_is_unknown(files: FolderFiles) -> None:
    target = UploadTarget.new(request(), NOW)
    with pytest.raises(UnknownUploadError):
        read_upload(target.upload_id, NOW, MemoryUploads(), MemoryInbox(), files)


@pytest.mark.parametrize(
    ("now", "has_arrived", "status"),
    [
        (NOW, False, "Pending"),
        (EXPIRES_AT, False, "Expired"),
        (EXPIRES_AT, True, "Pending"),
    ],
)
def test_an_unused_presigned_post_expires(
    now: datetime, has_arrived: bool, status: str, forms: S3PresignedPosts, files: FolderFiles
) -> None:
    uploads, inbox = MemoryUploads(), MemoryInbox()
    form = created(forms, uploads)
    if has_arrived:
        inbox.objects[form.fields["key"], "v"] = b"..."
    view = read_upload(form.upload_id, now, uploads, inbox, files)
    assert upload_body(view, ENDED_AT) == {"upload_id": form.upload_id, "status": status}

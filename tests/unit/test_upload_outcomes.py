"""Outcomes of uploads: the DynamoDB implementation and the fake behave the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.stub import Stubber

from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.upload_table import DynamoDbUploads
from store_monitoring.errors import CommitConflictError, OutcomeRecordedError, TransientError
from store_monitoring.ingest.outcomes import (
    UnusedPost,
    Upload,
    UploadCursor,
    UploadOutcome,
    Uploads,
    UploadStatus,
)
from store_monitoring.ingest.ports import Commit, IngestLog
from testing.fakes import MemoryLog, MemoryUploads
from tests.cases import utc
from tests.unit.ingest_table import ingest_table

AT = utc("2024-10-15 00:00:00.5")
UPLOAD = Upload("polls/a.csv", "e", AT - timedelta(seconds=2), "v1")
FINAL = (UploadStatus.COMMITTED, UploadStatus.UNCHANGED, UploadStatus.FAILED)


@pytest.fixture
def table() -> Iterator[Any]:
    with ingest_table("ingests"):
        yield boto3.client("dynamodb")


@pytest.fixture(params=["memory", "dynamodb"])
def log(request: pytest.FixtureRequest) -> Any:
    """An ingest log with the outcomes of uploads as its `uploads`."""
    if request.param == "memory":
        return MemoryLog()
    request.getfixturevalue("table")
    uploads = DynamoDbUploads("ingests", retention_days=90, clock=lambda: AT)
    log: Any = DynamoDbIngestLog("ingests", 64, uploads=uploads)
    log.uploads = uploads
    return log


@pytest.fixture
def uploads(log: Any) -> Uploads:
    found: Uploads = log.uploads
    return found


def outcome(status: UploadStatus, **values: Any) -> UploadOutcome:
    if status in (UploadStatus.RETRYING, UploadStatus.FAILED):
        return replace(UploadOutcome.failed(UPLOAD, status, AT, "S3 is slow"), **values)
    return UploadOutcome(
        key=UPLOAD.key,
        etag=UPLOAD.etag,
        version=UPLOAD.version,
        uploaded_at=UPLOAD.uploaded_at,
        status=status,
        ended_at=AT,
        ingest_id="i",
        rows=10,
        rejected=1,
        rejects_key="rejects/i.csv",
        **values,
    )


@pytest.mark.parametrize("status", [UploadStatus.RETRYING, *FINAL])
def test_a_recorded_outcome_can_be_read(uploads: Uploads, status: UploadStatus) -> None:
    assert uploads.get(UPLOAD) is None
    recorded = outcome(status)
    assert uploads.record(recorded) == recorded
    assert uploads.get(UPLOAD) == recorded
    assert list(uploads.of_key(UPLOAD.key)) == [recorded]
    assert uploads.get(replace(UPLOAD, version_id="v2")) is None
    assert list(uploads.of_key("polls/b.csv")) == []


def test_uploads_under_one_key_are_listed_newest_first(uploads: Uploads) -> None:
    committed = outcome(UploadStatus.COMMITTED)
    recorded = [
        replace(committed, version=f"v{9 - number}", uploaded_at=AT + timedelta(seconds=number))
        for number in range(3)
    ]
    for each in recorded:
        uploads.record(each)
    assert list(uploads.of_key(UPLOAD.key)) == recorded[::-1]


@pytest.mark.parametrize("later", FINAL)
def test_a_retrying_upload_can_get_any_outcome(uploads: Uploads, later: UploadStatus) -> None:
    uploads.record(outcome(UploadStatus.RETRYING))
    uploads.record(outcome(UploadStatus.RETRYING, error="S3 is still slow"))
    assert uploads.record(outcome(later)) == outcome(later)
    assert uploads.get(UPLOAD) == outcome(later)


@pytest.mark.parametrize("later", [UploadStatus.RETRYING, *FINAL])
@pytest.mark.parametrize("final", FINAL)
def test_a_final_outcome_stays(uploads: Uploads, final: UploadStatus, later: UploadStatus) -> None:
    first = uploads.record(outcome(final))
    assert uploads.record(replace(outcome(later), ended_at=AT + timedelta(hours=1))) == first
    assert uploads.get(UPLOAD) == first


def test_a_redriven_upload_can_be_committed(uploads: Uploads) -> None:
    failed = outcome(UploadStatus.FAILED, can_be_redriven=True)
    uploads.record(failed)
    assert uploads.record(outcome(UploadStatus.RETRYING)) == failed
    again = replace(failed, error="S3 is down")
    assert uploads.record(again) == again
    assert uploads.record(outcome(UploadStatus.COMMITTED)) == outcome(UploadStatus.COMMITTED)
    assert uploads.record(failed) == outcome(UploadStatus.COMMITTED)


def test_a_commit_records_the_outcome(log: IngestLog, uploads: Uploads) -> None:
    uploads.record(outcome(UploadStatus.RETRYING))
    commit = Commit("polls", "i", 10, 1, AT)
    log.commit(log.snapshot(), [], commit, outcome(UploadStatus.COMMITTED))
    assert uploads.get(UPLOAD) == outcome(UploadStatus.COMMITTED)
    assert log.snapshot().version == 1


def test_a_commit_on_an_old_snapshot_records_no_outcome(log: IngestLog, uploads: Uploads) -> None:
    old = log.snapshot()
    log.commit(old, [], Commit("polls", "h", 10, 1, AT))
    with pytest.raises(CommitConflictError):
        log.commit(old, [], Commit("polls", "i", 10, 1, AT), outcome(UploadStatus.COMMITTED))
    assert uploads.get(UPLOAD) is None


def test_an_upload_that_has_ended_is_not_committed_again(log: IngestLog, uploads: Uploads) -> None:
    ended = uploads.record(outcome(UploadStatus.COMMITTED))
    commit = Commit("polls", "i", 10, 1, AT)
    with pytest.raises(OutcomeRecordedError, match=r"^the outcome .* is already recorded$"):
        log.commit(log.snapshot(), [], commit, outcome(UploadStatus.COMMITTED))
    assert (log.snapshot().version, uploads.get(UPLOAD)) == (0, ended)


def test_an_unversioned_object_is_identified_by_its_event() -> None:
    uploads = MemoryUploads()
    first = replace(UPLOAD, version_id=None)
    again = replace(first, uploaded_at=AT)
    uploads.record(UploadOutcome.failed(first, UploadStatus.FAILED, AT, "it is empty"))
    assert uploads.get(first) is not None
    assert uploads.get(again) is None


def test_outcomes_from_before_versioning_are_the_oldest(table: Any) -> None:
    uploads = DynamoDbUploads("ingests", retention_days=90)
    table.put_item(
        TableName="ingests",
        Item={
            "log": {"S": "uploads"},
            "entry": {"S": UPLOAD.key},
            "etag": {"S": "f"},
            "status": {"S": "Failed"},
            "ended_at": {"S": "2024-10-15T00:00:00.500000+00:00"},
            "rows": {"N": "0"},
            "rejected": {"N": "0"},
            "error": {"S": "the file is empty"},
        },
    )
    before = UploadOutcome(
        key=UPLOAD.key,
        etag="f",
        status=UploadStatus.FAILED,
        ended_at=AT,
        error="the file is empty",
    )
    assert uploads.of_key(UPLOAD.key) == [before]
    later = uploads.record(outcome(UploadStatus.COMMITTED))
    assert uploads.of_key(UPLOAD.key) == [later, before]


def test_stores_with_rejected_rows_are_recorded(uploads: Uploads) -> None:
    recorded = replace(
        outcome(UploadStatus.COMMITTED), partial_stores=2, partial_store_ids=("a", "b")
    )
    uploads.record(recorded)
    assert uploads.get(UPLOAD) == recorded


def test_outcomes_expire(table: Any) -> None:
    DynamoDbUploads("ingests", retention_days=90).record(outcome(UploadStatus.RETRYING))
    [item] = table.scan(TableName="ingests")["Items"]
    assert {name: TypeDeserializer().deserialize(value) for name, value in item.items()} == {
        "log": "uploads/polls/a.csv",
        "entry": "v1",
        "etag": "e",
        "status": "Retrying",
        "uploaded_at": "2024-10-14T23:59:58.500000+00:00",
        "ended_at": "2024-10-15T00:00:00.500000+00:00",
        "expires_at": int((AT + timedelta(days=90)).timestamp()),
        "rows": 0,
        "rejected": 0,
        "error": "S3 is slow",
        "can_be_redriven": False,
        "partial_stores": 0,
        "partial_store_ids": [],
        "list": "uploads",
        "created_at": "2024-10-14T23:59:58.500000Z",
    }


def test_a_presigned_post_is_unused_until_an_upload_has_an_outcome(uploads: Uploads) -> None:
    form = UnusedPost(UPLOAD.key, AT - timedelta(minutes=1), AT)
    assert uploads.unused_post(UPLOAD.key) is None
    uploads.issue(form)
    assert uploads.unused_post(UPLOAD.key) == form
    assert list(uploads.of_key(UPLOAD.key)) == []
    assert uploads.newest(10).entries == (form,)
    retrying = uploads.record(outcome(UploadStatus.RETRYING))
    assert uploads.unused_post(UPLOAD.key) is None
    assert uploads.newest(10).entries == (retrying,)


def test_a_commit_uses_the_presigned_post(log: IngestLog, uploads: Uploads) -> None:
    uploads.issue(UnusedPost(UPLOAD.key, AT - timedelta(minutes=1), AT))
    committed = outcome(UploadStatus.COMMITTED)
    log.commit(log.snapshot(), [], Commit("polls", "i", 10, 1, AT), committed)
    assert uploads.newest(10).entries == (committed,)


def test_a_presigned_post_from_before_the_index_can_be_read(table: Any) -> None:
    item = {
        "log": {"S": f"uploads/{UPLOAD.key}"},
        "entry": {"S": "form"},
        "form_ends_at": {"S": "2024-10-15T00:00:00.500000+00:00"},
    }
    table.put_item(TableName="ingests", Item=item)
    form = DynamoDbUploads("ingests", retention_days=90).unused_post(UPLOAD.key)
    assert form == UnusedPost(UPLOAD.key, AT, AT)


def test_pages_of_uploads_follow_each_other(uploads: Uploads) -> None:
    """Two of them have the same time."""
    for number, at in enumerate((0, 3, 1, 1, 2)):
        upload = Upload(f"polls/{number}.csv", "e", AT + timedelta(seconds=at), "v")
        uploads.record(UploadOutcome.failed(upload, UploadStatus.FAILED, AT, "it is empty"))
    uploads.issue(UnusedPost("polls/form.csv", AT + timedelta(seconds=4), AT))
    page = uploads.newest(2)
    assert len(page.entries) == 2
    keys = [entry.key for entry in page.entries]
    while page.end is not None:
        page = uploads.newest(2, UploadCursor.from_token(page.end.to_token()))
        keys += [entry.key for entry in page.entries]
    assert keys[:3] == ["polls/form.csv", "polls/1.csv", "polls/4.csv"]
    assert sorted(keys[3:5]) == ["polls/2.csv", "polls/3.csv"]
    assert keys[5:] == ["polls/0.csv"]


def test_expired_uploads_are_not_listed(table: Any) -> None:
    def listed(after: timedelta) -> int:
        uploads = DynamoDbUploads("ingests", retention_days=90, clock=lambda: AT + after)
        return len(uploads.newest(10).entries)

    uploads = DynamoDbUploads("ingests", retention_days=90)
    uploads.record(outcome(UploadStatus.COMMITTED))
    uploads.issue(UnusedPost("polls/form.csv", AT - timedelta(1), AT + timedelta(seconds=1)))
    expires_at = [timedelta(days=90), timedelta(days=90, seconds=1)]
    assert [listed(after) for after in (timedelta(0), *expires_at)] == [2, 1, 0]


def test_a_recorded_outcome_that_expires_meanwhile_does_not_count(table: Any) -> None:
    with cancelled("ConditionalCheckFailed") as (uploads, stub):
        stub.add_response("get_item", {})
        late = outcome(UploadStatus.COMMITTED)
        assert uploads.record(late) == late


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError"])
def test_a_recording_that_is_cancelled_may_be_tried_again(table: Any, code: str) -> None:
    with (
        cancelled(code) as (uploads, _),
        pytest.raises(TransientError, match=r"^cannot record the upload: ") as raised,
    ):
        uploads.record(outcome(UploadStatus.COMMITTED))
    assert "TransactWriteItems" not in str(raised.value)  # it may become the upload's reason


@contextmanager
def cancelled(code: str) -> Iterator[tuple[DynamoDbUploads, Stubber]]:
    """Return a table that cancels a transaction because of its first write."""
    uploads = DynamoDbUploads("ingests", retention_days=90)
    with Stubber(uploads._client) as stub:
        stub.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            http_status_code=400,
            modeled_fields={"CancellationReasons": [{"Code": code}, {"Code": "None"}]},
        )
        yield uploads, stub

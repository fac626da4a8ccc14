"""Messages about uploads: they are ingested, skipped or retried."""

import io
import json
import time
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.stub import Stubber

from store_monitoring.aws.upload_queue import UploadQueue, deliveries_in, receives
from store_monitoring.errors import CommitConflictError, TransientError
from store_monitoring.ingest.deadline import RESERVE_SECONDS, Deadline
from store_monitoring.ingest.delivery import (
    ingest_upload,
    record_failed_attempt,
)
from store_monitoring.ingest.ingest_file import ingest_file
from store_monitoring.ingest.outcomes import (
    NO_REASON,
    Delivery,
    Upload,
    UploadOutcome,
    UploadStatus,
    fail_upload,
)
from testing.fakes import FolderTables, MemoryInbox, MemoryLog
from tests.cases import utc

ROOT = Path(__file__).parents[2]
UPLOADED_AT = utc("2024-10-15 00:00")
SENT_AT = UPLOADED_AT + timedelta(seconds=1)
FAILED_AT = UPLOADED_AT + timedelta(hours=1)
UPLOAD = Upload("polls/a.csv", "e", UPLOADED_AT, "v")
POLLS = b"store_id,status,timestamp_utc\na,active,2024-10-14 10:00:00 UTC\n"


class System:
    """The ports of ingest, as fakes."""

    def __init__(self, folder: Path) -> None:
        self.inbox = MemoryInbox({("polls/a.csv", "v"): POLLS})
        self.tables = FolderTables(folder)
        self.log = MemoryLog()
        self.uploads = self.log.uploads

    def deliver(self, sent_at: datetime = SENT_AT, upload: Upload = UPLOAD) -> UploadOutcome | None:
        """Ingest the upload of a message."""
        return ingest_upload(
            Delivery(upload, sent_at),
            4,
            Deadline.within(900),
            lambda: FAILED_AT,
            self.inbox,
            self.tables,
            self.log,
            self.uploads,
            future_tolerance=timedelta(0),
        )

    def status(self) -> UploadStatus | None:
        recorded = self.uploads.get(UPLOAD)
        return None if recorded is None else recorded.status


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(tmp_path)


def test_an_upload_is_ingested_once(system: System) -> None:
    first = system.deliver()
    assert first is not None
    assert first.status is UploadStatus.COMMITTED
    assert system.deliver() is None
    assert system.uploads.get(UPLOAD) == first
    assert len(system.log.commits) == 1


def test_an_upload_that_no_longer_exists_has_failed(system: System) -> None:
    system.inbox.objects.clear()
    outcome = system.deliver()
    assert outcome is not None
    assert outcome.status is UploadStatus.FAILED
    assert "polls/a.csv" in str(outcome.error)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TransientError("cannot read polls/a.csv: SlowDown"), "cannot read polls/a.csv: SlowDown"),
        (OverflowError("arn:aws:s3:::secret"), "ingest failed: OverflowError"),
    ],
)
def test_a_failed_attempt_is_recorded_as_retrying(
    system: System, error: Exception, reason: str
) -> None:
    record_failed_attempt(UPLOAD, error, FAILED_AT, system.uploads)
    recorded = system.uploads.get(UPLOAD)
    assert recorded is not None
    assert (recorded.status, recorded.error) == (UploadStatus.RETRYING, reason)
    assert system.deliver() is not None
    assert system.status() is UploadStatus.COMMITTED


@pytest.mark.parametrize("last", [None, "cannot read polls/a.csv: SlowDown"])
def test_an_upload_delivered_too_often_has_failed_with_the_last_reason(
    system: System, last: str | None
) -> None:
    if last is not None:
        record_failed_attempt(UPLOAD, TransientError(last), FAILED_AT, system.uploads)
    outcome = fail_upload(Delivery(UPLOAD, SENT_AT), FAILED_AT, system.uploads)
    assert (outcome.status, outcome.error) == (UploadStatus.FAILED, last or NO_REASON)
    assert outcome.can_be_redriven
    again = fail_upload(Delivery(UPLOAD, SENT_AT), FAILED_AT + timedelta(1), system.uploads)
    assert again == outcome


def test_an_upload_that_was_committed_after_all_has_not_failed(system: System) -> None:
    committed = system.deliver()
    assert fail_upload(Delivery(UPLOAD, SENT_AT), FAILED_AT, system.uploads) == committed


def test_a_failed_upload_is_ingested_only_if_redriven(system: System) -> None:
    failed = fail_upload(Delivery(UPLOAD, SENT_AT), FAILED_AT, system.uploads)
    # A duplicate of the event is skipped.
    assert system.deliver(sent_at=SENT_AT + timedelta(seconds=1)) is None
    assert system.uploads.get(UPLOAD) == failed
    assert system.deliver(sent_at=FAILED_AT + timedelta(days=1)) is not None
    assert system.status() is UploadStatus.COMMITTED


def test_a_file_that_cannot_be_read_is_never_redriven(system: System) -> None:
    system.inbox.objects["polls/a.csv", "v"] = b"nonsense"
    failed = system.deliver()
    system.inbox.objects["polls/a.csv", "v"] = POLLS
    assert system.deliver(sent_at=FAILED_AT + timedelta(days=1)) is None
    assert system.uploads.get(UPLOAD) == failed


# --- time -----------------------------------------------------------------------------------


def ingest_in(system: System, content: bytes, seconds_left: Any) -> UploadOutcome:
    return ingest_file(
        UPLOAD,
        io.BytesIO(content),
        4,
        Deadline(lambda: next(seconds_left)),
        lambda: FAILED_AT,
        system.tables,
        system.log,
        system.uploads,
        future_tolerance=timedelta(0),
    )


def test_a_file_that_takes_too_long_fails_for_good(system: System) -> None:
    lines = b"a,active,2024-10-14 10:00:00 UTC\n" * 1_100_000
    seconds_left = iter([900, 500, *[RESERVE_SECONDS - 1] * 1000])
    outcome = ingest_in(system, POLLS + lines, seconds_left)
    assert outcome.status is UploadStatus.FAILED
    assert "15 minutes" in str(outcome.error)
    assert not outcome.can_be_redriven
    assert system.log.commits == []


def test_time_lost_to_other_ingests_is_a_transient_error(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commit(*_: object) -> None:
        raise CommitConflictError("version 0 is not current")

    monkeypatch.setattr(system.log, "commit", commit)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    seconds_left = (RESERVE_SECONDS + left for left in count(5, -0.1))
    with pytest.raises(TransientError):
        ingest_in(system, POLLS, seconds_left)
    assert system.uploads.get(UPLOAD) is None


# --- messages -------------------------------------------------------------------------------


def sample(**changes: Any) -> SQSRecord:
    [record] = json.loads((ROOT / "events/ingest.json").read_text())["Records"]
    return SQSRecord(record | changes)


def test_a_message_names_a_version_of_an_object() -> None:
    [delivery] = deliveries_in(sample())
    assert delivery == Delivery(
        Upload(
            "polls/store_status.csv",
            "0123456789abcdef0123456789abcdef",
            UPLOADED_AT,
            "096fKKXTRTtl3on89fVO.nfljtsv6qko",
        ),
        UPLOADED_AT + timedelta(milliseconds=500),
    )
    assert receives(sample()) == 1


def test_keys_are_decoded() -> None:
    body = sample().body.replace("store_status.csv", "store+status+%C3%A4%2B.csv")
    [delivery] = deliveries_in(sample(body=body))
    assert delivery.upload.key == "polls/store status ä+.csv"


def test_an_event_of_an_unversioned_bucket_has_no_version() -> None:
    body = json.loads(sample().body)
    del body["Records"][0]["s3"]["object"]["versionId"]
    [delivery] = deliveries_in(sample(body=json.dumps(body)))
    assert delivery.upload.version_id is None
    assert delivery.upload.version == ("0123456789abcdef0123456789abcdef-2024-10-15T00:00:00+00:00")


def test_the_test_message_of_s3_has_no_uploads() -> None:
    body = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "inbox"}
    assert list(deliveries_in(sample(body=json.dumps(body)))) == []


@pytest.mark.parametrize(
    "code", ["ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight", "InternalError"]
)
def test_a_message_that_cannot_be_hidden_is_still_ingested(code: str) -> None:
    queue = UploadQueue("https://sqs.eu-central-1.amazonaws.com/123456789012/uploads")
    with Stubber(queue._client) as stub:
        stub.add_response(
            "change_message_visibility",
            {},
            {
                "QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/uploads",
                "ReceiptHandle": sample().receipt_handle,
                "VisibilityTimeout": 7,
            },
        )
        status = 500 if code == "InternalError" else 400
        stub.add_client_error("change_message_visibility", code, http_status_code=status)
        queue.hide(sample(), 7)
        queue.hide(sample(), 7)

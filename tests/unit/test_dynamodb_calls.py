"""Calls of DynamoDB: reads are consistent, and a transient error says what failed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from store_monitoring.aws.checkpoint import DynamoDbCheckpointStore
from store_monitoring.aws.clients import FAIL_FAST
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.aws.upload_table import DynamoDbUploads
from store_monitoring.errors import TransientError
from store_monitoring.ingest.outcomes import UnusedPost, Upload, UploadOutcome, UploadStatus
from store_monitoring.ingest.ports import Commit, Replacement, Reversal, Snapshot
from store_monitoring.notifications.store_changes import Checkpoint
from store_monitoring.reports.ports import PageRequest
from store_monitoring.reports.report import Failure, Report, Status
from store_monitoring.reports.request import IdempotencyKey, ReportRequest
from tests.cases import utc

AT = utc("2024-10-15 00:00")
REPORT = Report("r", Status.FAILED, AT)
KEY = IdempotencyKey.of("me", "k", ReportRequest())
EMPTY = Snapshot(0, {}, None)
COMMIT = Commit("polls", "a", 1, 0, AT)
UPLOAD = Upload("polls/a.csv", "etag", AT, "v1")
FAILED = UploadOutcome.failed(UPLOAD, UploadStatus.FAILED, AT, "it is empty")


@dataclass
class BusyDynamoDb:
    """Refuses calls as DynamoDB does when it is busy, and records them."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    item: dict[str, Any] | None = None
    """What reads return; None if they are refused, too."""

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, arguments))
        if operation == "GetItem" and self.item is not None:
            return {"Item": self.item}
        response: Any = {
            "Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }
        raise ClientError(response, operation)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> BusyDynamoDb:
    busy = BusyDynamoDb()
    monkeypatch.setattr(BaseClient, "_make_api_call", lambda _, *call: busy.call(*call))
    return busy


def refused(action: str) -> Any:
    """Return a context that expects the error of an action that DynamoDB was too busy for."""
    return pytest.raises(TransientError, match=f"^cannot {action}: ")


@pytest.fixture
def log() -> DynamoDbIngestLog:
    return DynamoDbIngestLog("ingests", 64)


@pytest.fixture
def reports() -> ReportTable:
    return ReportTable("reports", timedelta(days=90), lambda: AT)


@pytest.fixture
def uploads() -> DynamoDbUploads:
    return DynamoDbUploads("ingests", 90, clock=lambda: AT)


@pytest.fixture
def checkpoints() -> DynamoDbCheckpointStore:
    return DynamoDbCheckpointStore("reports")


@pytest.mark.parametrize(
    "read",
    [
        lambda log: log.snapshot(),
        lambda log: log.committed("polls", "a"),
        lambda log: log.polls(1, 0, 1),
        lambda log: log.stores_changes("polls", "a"),
        lambda log: log.taken_back_changes("polls"),
        lambda log: log.replaced_before(AT),
        lambda log: log.take_back(EMPTY, [], Reversal("polls", "a")),
    ],
)
def test_reads_of_the_ingest_log_are_strongly_consistent(
    dynamodb: BusyDynamoDb, log: DynamoDbIngestLog, read: Callable[[DynamoDbIngestLog], Any]
) -> None:
    with refused("read the ingest log"):
        read(log)
    [(operation, arguments)] = dynamodb.calls
    assert operation in ("GetItem", "Query")
    assert arguments["ConsistentRead"] is True


def test_an_entry_names_its_compaction(dynamodb: BusyDynamoDb, log: DynamoDbIngestLog) -> None:
    """Only those of older versions are looked for in the records of all compactions."""
    dynamodb.item = {"replaced_in": {"N": "1"}, "replaced_by": {"S": "x"}}
    assert log.replaced_by("a") == "x"
    assert [operation for operation, _ in dynamodb.calls] == ["GetItem"]


def test_the_newest_poll_is_found_without_reading_all_entries(
    monkeypatch: pytest.MonkeyPatch, log: DynamoDbIngestLog
) -> None:
    pages = [
        {"entry": {"S": "a"}, "greatest_us": {"N": "9"}},
        {"entry": {"S": "b"}, "greatest_us": {"N": "8"}},
        {"entry": {"S": "c"}, "greatest_us": {"N": "7"}},
    ]
    heads = []

    def call(_: Any, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            heads.append(arguments["TransactItems"][0]["Put"]["Item"])
            return {}
        if "IndexName" not in arguments:
            return {"Items": []}
        page = pages.pop(0)
        return {"Items": [page], "LastEvaluatedKey": {"entry": page["entry"]}}

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    log.take_back(EMPTY, [], Reversal("polls", "a"))
    assert [head["greatest_us"] for head in heads] == [{"N": "8"}]
    assert len(pages) == 1  # the last one is not read


@pytest.mark.parametrize(
    "write",
    [
        lambda log: log.commit(EMPTY, [], COMMIT),
        lambda log: log.replace(EMPTY, ["b"], COMMIT),
        lambda log: log.replace_stores(EMPTY, []),
    ],
)
def test_a_commit_that_is_refused_may_be_tried_again(
    dynamodb: BusyDynamoDb, log: DynamoDbIngestLog, write: Callable[[DynamoDbIngestLog], Any]
) -> None:
    with refused("commit to the ingest log"):
        write(log)


def test_a_deletion_of_entries_that_is_refused_may_be_tried_again(
    dynamodb: BusyDynamoDb, log: DynamoDbIngestLog
) -> None:
    dynamodb.item = {"ingest_ids": {"L": []}}
    with refused("delete replaced entries"):
        log.delete_replacement(Replacement("x", ()))


@pytest.mark.parametrize(
    "read",
    [
        lambda uploads: uploads.get(UPLOAD),
        lambda uploads: uploads.of_key(UPLOAD.key),
        lambda uploads: uploads.unused_post(UPLOAD.key),
    ],
)
def test_reads_of_uploads_are_strongly_consistent(
    dynamodb: BusyDynamoDb, uploads: DynamoDbUploads, read: Callable[[DynamoDbUploads], Any]
) -> None:
    with refused("read the uploads"):
        read(uploads)
    [(_, arguments)] = dynamodb.calls
    assert arguments["ConsistentRead"] is True


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (lambda uploads: uploads.record(FAILED), "record the upload"),
        (lambda uploads: uploads.issue(UnusedPost("k", AT, AT)), "record the presigned POST"),
        (lambda uploads: uploads.newest(1), "list the uploads"),
    ],
)
def test_a_refused_call_about_an_upload_is_a_transient_error(
    dynamodb: BusyDynamoDb,
    uploads: DynamoDbUploads,
    call: Callable[[DynamoDbUploads], Any],
    action: str,
) -> None:
    with refused(action):
        call(uploads)


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (lambda reports: reports.claim(KEY, "r", AT), "claim the idempotency key"),
        (lambda reports: reports.add(REPORT, ReportRequest()), "record the report"),
        (lambda reports: reports.delete("r"), "delete the report"),
        (lambda reports: reports.get("r"), "read the report"),
        (lambda reports: reports.fail("r", Failure("E", "e"), AT), "mark the report Failed"),
        (lambda reports: reports.restart(REPORT, AT), "restart the report"),
        (lambda reports: reports.newest_of_all_stores(), "find the newest report"),
        (lambda reports: reports.newest(PageRequest(1)), "list the reports"),
    ],
)
def test_a_refused_call_about_a_report_is_a_transient_error(
    dynamodb: BusyDynamoDb, reports: ReportTable, call: Callable[[ReportTable], Any], action: str
) -> None:
    with refused(action):
        call(reports)


def test_the_search_for_the_newest_report_is_bounded(
    monkeypatch: pytest.MonkeyPatch, reports: ReportTable
) -> None:
    """It ends after 2,000 reports, even if all of them are of a few stores."""
    limits = []

    def none_matches(_: Any, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        limits.append(arguments["Limit"])
        assert len(limits) <= 20
        return {"Items": [], "LastEvaluatedKey": {"report_id": {"S": f"{len(limits)}"}}}

    monkeypatch.setattr(BaseClient, "_make_api_call", none_matches)
    assert reports.newest_of_all_stores() is None
    assert limits == [100] * 20


def test_a_report_is_read_strongly_consistent(dynamodb: BusyDynamoDb, reports: ReportTable) -> None:
    with pytest.raises(TransientError):
        reports.get("r")
    [(_, arguments)] = dynamodb.calls
    assert arguments["ConsistentRead"] is True


def test_the_checkpoint_is_read_strongly_consistent(
    dynamodb: BusyDynamoDb, checkpoints: DynamoDbCheckpointStore
) -> None:
    with refused("read the checkpoint of store changes"):
        checkpoints.get()
    [(_, arguments)] = dynamodb.calls
    assert arguments["ConsistentRead"] is True
    with refused("record the checkpoint of store changes"):
        checkpoints.advance(None, Checkpoint("r", 1))


def test_calls_fail_before_the_response_of_an_api_call_is_due(reports: ReportTable) -> None:
    log, uploads = (
        DynamoDbIngestLog("ingests", 64, FAIL_FAST),
        DynamoDbUploads("ingests", 90, FAIL_FAST),
    )
    for each in (log, uploads, reports):
        config: Any = each._client.meta.config
        assert (config.connect_timeout, config.read_timeout) == (2, 5)
        assert config.retries["total_max_attempts"] == 2

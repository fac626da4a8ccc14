"""Events and notifications about ended reports, and the checkpoint of store changes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Metrics
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from moto import mock_aws

from store_monitoring import metrics
from store_monitoring.aws.checkpoint import DynamoDbCheckpointStore
from store_monitoring.aws.events import EventBus, SnsNotifications
from store_monitoring.errors import TransientError
from store_monitoring.notifications.events import Event, EventType
from store_monitoring.notifications.report_events import announce_end, end_event, end_notification
from store_monitoring.notifications.store_changes import Checkpoint, CheckpointStore
from store_monitoring.reports.report import Failure, Report, Status
from testing.fakes import MemoryCheckpointStore, RecordedEvents, RecordedNotifications
from tests.cases import utc

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:report"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:readers"
COMPLETE = Report(
    "r",
    Status.COMPLETE,
    utc("2024-10-15 00:00"),
    utc("2024-10-15 00:01"),
    as_of="2024-10-14T23:55:18.727055Z",
    stores=7,
)
OF_ALL_STORES = replace(COMPLETE, all_stores_now=True, headline={"now": {"up": 4, "no_data": 3}})
FAILED = Report(
    "r",
    Status.FAILED,
    utc("2024-10-15 00:00"),
    utc("2024-10-15 00:01"),
    failure=Failure("NoPolls", "no polls yet"),
)

# --- events and notifications of a report ----------------------------------------------------


def test_the_event_of_a_complete_report() -> None:
    assert end_event(COMPLETE) == Event(
        EventType.REPORT_COMPLETED,
        {
            "report_id": "r",
            "status": "Complete",
            "started_at": "2024-10-15T00:00:00.000000Z",
            "ended_at": "2024-10-15T00:01:00.000000Z",
            "as_of": "2024-10-14T23:55:18.727055Z",
            "stores": 7,
            "poll_filter": "all",
            "formats": ["csv"],
        },
    )


def test_the_event_of_a_failed_report() -> None:
    event = end_event(FAILED)
    assert event.type is EventType.REPORT_FAILED
    assert event.detail["error"] == {"code": "NoPolls", "message": "no polls yet"}


@pytest.mark.parametrize("report", [COMPLETE, FAILED], ids=["complete", "failed"])
def test_a_notification_contains_the_event_s_detail(report: Report) -> None:
    subject, text = end_notification(report)
    assert subject == f"Store report: {report.status.value}"
    assert json.loads(text) == end_event(report).detail


# --- metrics, then event, then notification --------------------------------------------------

DENIED = ClientError(
    {"Error": {"Code": "AccessDeniedException", "Message": "no"}},
    "PutEvents",
)


@pytest.fixture
def measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], dict[str, float]]:
    """The metrics that were written since the last call."""
    monkeypatch.setattr(metrics, "_metrics", Metrics(namespace="StoreMonitoring", service="stack"))

    def values() -> dict[str, float]:
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        return {
            metric["Name"]: sum(line[metric["Name"]])
            for line in lines
            for directive in line["_aws"]["CloudWatchMetrics"]
            for metric in directive["Metrics"]
        }

    return values


@pytest.mark.parametrize(
    ("report", "values"),
    [
        (COMPLETE, {"ReportsCompleted": 1, "ReportSeconds": 60, "StoresReported": 7}),
        (
            OF_ALL_STORES,
            {
                **{"ReportsCompleted": 1, "ReportSeconds": 60, "StoresReported": 7},
                "StoresWithoutData": 3,
            },
        ),
        (FAILED, {"ReportsFailed": 1}),
    ],
    ids=["complete", "of all stores", "failed"],
)
def test_an_ended_report_has_metrics_an_event_and_a_notification(
    report: Report, values: dict[str, float], measured: Callable[[], dict[str, float]]
) -> None:
    bus, notifications = RecordedEvents(), RecordedNotifications()
    announce_end(report, bus, notifications)
    assert measured() == values
    assert bus.events == [end_event(report)]
    assert notifications.sent == [end_notification(report)]


@pytest.mark.parametrize(
    "error", [DENIED, TransientError("slow down")], ids=["denied", "throttled"]
)
def test_a_refused_event_does_not_hide_a_failed_report(
    error: Exception, measured: Callable[[], dict[str, float]]
) -> None:
    notifications = RecordedNotifications()
    with pytest.raises(type(error)):  # so that Lambda retries
        announce_end(FAILED, RecordedEvents(error), notifications)
    assert measured() == {"ReportsFailed": 1}
    assert notifications.sent == [end_notification(FAILED)]


def test_a_refused_notification_does_not_hide_a_failed_report(
    measured: Callable[[], dict[str, float]],
) -> None:
    bus = RecordedEvents()
    with pytest.raises(TransientError):
        announce_end(FAILED, bus, RecordedNotifications(TransientError("slow down")))
    assert measured() == {"ReportsFailed": 1}
    assert bus.events == [end_event(FAILED)]


# --- events ---------------------------------------------------------------------------------


def events(count: int) -> list[Event]:
    return [Event(EventType.STORE_RECOVERED, {"store_id": str(n)}) for n in range(count)]


@pytest.mark.parametrize(
    ("count", "batches"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])]
)
def test_events_are_published_in_batches_and_in_order(count: int, batches: list[int]) -> None:
    bus = EventBus(MACHINE)
    published: list[dict[str, Any]] = []
    sizes: list[int] = []

    def put_events(Entries: list[dict[str, Any]]) -> dict[str, int]:  # noqa: N803  # its name
        sizes.append(len(Entries))
        published.extend(Entries)
        return {"FailedEntryCount": 0}

    bus._client.put_events = put_events
    bus.publish(events(count))
    assert sizes == batches
    assert published == [
        {
            "Source": "store-monitoring",
            "Resources": [MACHINE],
            "DetailType": "StoreRecovered",
            "Detail": json.dumps({"store_id": str(n)}),
        }
        for n in range(count)
    ]


def test_a_refused_event_is_a_transient_error() -> None:
    bus = EventBus(MACHINE)
    with Stubber(bus._client) as stub:
        stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": []}, {"Entries": ANY})
        with pytest.raises(TransientError, match="1 of 2 events"):
            bus.publish(events(2))


# --- notifications ---------------------------------------------------------------------------


def test_a_notification_is_sent_to_the_topic() -> None:
    notifications = SnsNotifications(TOPIC)
    with Stubber(notifications._client) as stub:
        stub.add_response(
            "publish", {}, {"TopicArn": TOPIC, "Subject": "subject", "Message": "text"}
        )
        notifications.send("subject", "text")
        stub.assert_no_pending_responses()


def test_without_a_topic_nothing_is_sent() -> None:
    notifications = SnsNotifications("")
    with Stubber(notifications._client):  # it refuses all calls
        notifications.send("subject", "text")


# --- the checkpoint of store changes ---------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> Iterator[str]:
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="reports",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "report_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "report_id", "KeyType": "HASH"}],
        )
        yield "reports"


@pytest.fixture(params=["memory", "dynamodb"])
def checkpoints(request: pytest.FixtureRequest, table: str) -> CheckpointStore:
    if request.param == "memory":
        return MemoryCheckpointStore()
    boto3.client("dynamodb").delete_item(TableName=table, Key={"report_id": {"S": "last_told"}})
    return DynamoDbCheckpointStore(table)


FIRST, SECOND, THIRD = Checkpoint("r1", 1), Checkpoint("r2", 2), Checkpoint("r3", 3)


def test_at_first_there_is_no_checkpoint(checkpoints: CheckpointStore) -> None:
    assert checkpoints.get() is None


def test_the_last_checkpoint_is_stored(checkpoints: CheckpointStore) -> None:
    checkpoints.advance(None, FIRST)
    assert checkpoints.get() == FIRST
    second = replace(SECOND, started_at="2024-10-15T00:00:00.000000Z")
    checkpoints.advance(FIRST, second)
    assert checkpoints.get() == second


def test_a_checkpoint_from_before_starts_were_recorded_is_read(table: str) -> None:
    item = {"report_id": {"S": "last_told"}, "told": {"S": "r1"}, "now_us": {"N": "1"}}
    boto3.client("dynamodb").put_item(TableName=table, Item=item)
    checkpoints = DynamoDbCheckpointStore(table)
    assert checkpoints.get() == Checkpoint("r1", 1, started_at="")
    checkpoints.advance(FIRST, SECOND)
    assert checkpoints.get() == SECOND


@pytest.mark.parametrize("before", [None, FIRST], ids=["none", "another"])
def test_a_concurrent_checkpoint_is_not_overwritten(
    checkpoints: CheckpointStore, before: Checkpoint | None
) -> None:
    checkpoints.advance(None, SECOND)
    with pytest.raises(TransientError, match=r"^another call moved the checkpoint"):
        checkpoints.advance(before, THIRD)
    assert checkpoints.get() == SECOND

"""Published events and notifications about reports and stores, and scheduled reports."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.emulator.cloud import LocalCloud
from local.emulator.faults import Fault, Kind
from tests.e2e.conftest import User, until
from tests.template.translation import only, translated

TOPIC = "arn:aws:sns:us-east-1:123456789012:readers"


@dataclass(frozen=True)
class Listener:
    """A queue and the messages that it received."""

    cloud: LocalCloud
    url: str

    @classmethod
    def queue(cls, cloud: LocalCloud, name: str) -> "Listener":
        return cls(cloud, cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"])

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:us-east-1:123456789012:{self.url.rpartition('/')[2]}"

    def receive(self) -> Iterator[dict[str, Any]]:
        """Remove and yield the messages received so far."""
        queues = self.cloud.client("sqs")
        while messages := queues.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                queues.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                yield json.loads(message["Body"])


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    """A user of a cloud that publishes notifications and starts scheduled reports."""
    overrides = {
        "StoreEventLimit": "3",
        "NotificationTopicArn": TOPIC,
        "ReportSchedule": "rate(1 hour)",
        "ScheduledRequest": "last_day",
        "ScheduleZone": "America/Chicago",
    }
    with LocalCloud(parameter_overrides=overrides) as cloud:
        cloud.client("sns").create_topic(Name="readers")
        yield User(cloud)


@pytest.fixture(scope="module")
def bus(user: User) -> Listener:
    """Receives all events of the service."""
    listener = Listener.queue(user.cloud, "events")
    events = user.cloud.client("events")
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["store-monitoring"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": listener.arn}])
    return listener


@pytest.fixture(scope="module")
def mail(user: User) -> Listener:
    """Receives all notifications."""
    listener = Listener.queue(user.cloud, "mail")
    user.cloud.client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=listener.arn)
    return listener


def published_events(user: User, bus: Listener, **request: Any) -> list[dict[str, Any]]:
    """Make a report; return the events about it, in order, once all are published."""
    report_id = user.trigger(**request)
    status = user.ended(report_id)["status"]
    last = "store changes published" if status == "Complete" else "report ended"
    function = "PublishStoreChangesFunction" if status == "Complete" else "EndReportFunction"

    def all_published() -> dict[str, Any] | None:
        lines = user.cloud.logs(function).splitlines()
        return {} if any(report_id in line and last in line for line in lines) else None

    until(all_published)
    events = list(bus.receive())
    assert {event["detail"]["report_id"] for event in events} == {report_id}
    assert {tuple(event["resources"]) for event in events} == {
        (user.cloud.outputs["StateMachineArn"],)
    }
    return events


def poll(user: User, hour: int, date: str = "2024-10-14", **statuses: str) -> None:
    rows = [f"{store_id},{status},{date} {hour}:00:00" for store_id, status in statuses.items()]
    content = "\n".join(["store_id,status,timestamp_utc", *rows]).encode()
    assert user.upload(f"polls/{date}-{hour}.csv", content)["status"] == "Committed"


def test_reports_and_changes_of_stores(user: User, bus: Listener, mail: Listener) -> None:
    up, down = "active", "inactive"

    [no_stores] = published_events(user, bus, as_of="2024-10-14T00:00:00Z")
    error = no_stores["detail"]["error"]
    assert (error["code"], error["step"]) == ("NoStores", "plan")

    [failed] = published_events(user, bus)
    assert (failed["detail-type"], failed["detail"]["error"]["code"]) == ("ReportFailed", "NoPolls")

    poll(user, 10, a=up, b=down, c=up, d=up)
    [first] = published_events(user, bus)
    assert first["detail-type"] == "ReportCompleted"
    assert first["detail"]["stores"] == 4
    assert first["detail"]["as_of"] == "2024-10-14T10:00:00.000000Z"

    poll(user, 11, a=down, b=up, c=up)
    [second, *changes] = published_events(user, bus)
    assert second["detail-type"] == "ReportCompleted"
    assert [(event["detail-type"], event["detail"]["store_id"]) for event in changes] == [
        ("StoreWentDown", "a"),
        ("StoreRecovered", "b"),
    ]
    assert {event["detail"]["as_of"] for event in changes} == {"2024-10-14T11:00:00.000000Z"}

    poll(user, 12, a=up, b=down, c=down, d=down)
    [third, many] = published_events(user, bus)
    assert many["detail-type"] == "ManyStoresChanged"
    assert (many["detail"]["went_down"], many["detail"]["recovered"]) == (3, 1)

    later = "2024-11-14"  # all polls so far are no longer known
    poll(user, 10, later, a=up, d=up)
    [fourth, *changes] = published_events(user, bus)
    assert [(event["detail-type"], event["detail"]["store_id"]) for event in changes] == [
        ("StoreRecovered", "d"),
        ("StoreWentSilent", "b"),
        ("StoreWentSilent", "c"),
    ]

    poll(user, 11, later, b=down)
    [fifth, heard] = published_events(user, bus)
    assert heard["detail-type"] == "StoreHeardAgain"
    assert (heard["detail"]["store_id"], heard["detail"]["status"]) == ("b", "down")

    # A report on selected stores publishes no changes.
    [some] = published_events(user, bus, store_ids=["a"])
    assert some["detail-type"] == "ReportCompleted"

    notifications = list(mail.receive())
    reports = [no_stores, failed, first, second, third, fourth, fifth, some]
    assert [notification["Subject"] for notification in notifications] == [
        f"Store report: {report['detail']['status']}" for report in reports
    ]
    assert [json.loads(notification["Message"]) for notification in notifications] == [
        report["detail"] for report in reports
    ]


def test_the_schedule_starts_one_report_per_scheduled_time(user: User) -> None:
    target = only(translated(), "AWS::Scheduler::Schedule").properties["Target"]
    event = target["Input"].replace("<aws.scheduler.scheduled-time>", "2024-10-15T00:00:00Z")
    functions = user.cloud.client("lambda")
    before = {report["report_id"] for report in user.get("/reports").json()["reports"]}
    user.cloud.inject(Fault(Kind.THROTTLED, "local-StartScheduledReportFunction-* states:*"))
    response = functions.invoke(
        FunctionName="local-StartScheduledReportFunction", Payload=event.encode()
    )
    assert "FunctionError" in response  # so that the scheduler retries
    user.cloud.inject()
    for _ in range(2):  # the scheduler may call twice
        response = functions.invoke(
            FunctionName="local-StartScheduledReportFunction", Payload=event.encode()
        )
        assert "FunctionError" not in response
    after = {report["report_id"]: report for report in user.get("/reports").json()["reports"]}
    [report_id] = after.keys() - before
    assert user.ended(report_id)["status"] == "Complete"
    # In Chicago, the scheduled time is still on the 14th.
    expected = {"from": "2024-10-13", "to": "2024-10-14", "by": "day"}
    assert after[report_id]["request"]["period"] == expected

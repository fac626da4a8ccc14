"""A cloud that keeps its data: nothing that was acknowledged is lost, however it ends."""

import itertools
import os
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError

from local.emulator.cloud import LocalCloud, LocalCloudError
from local.emulator.faults import Fault, Kind
from tests.e2e.conftest import PATIENCE_SECONDS, User, until
from tests.e2e.inputs import NOW, Inputs, polls_csv
from tests.oracle import Poll

ANOTHER_TEMPLATE = Path(__file__).parents[1] / "integration/fixtures/local_cloud/template.yaml"
CLIENTS = 4
KEYS = 5
FIRST = 1_000_000
AS_OF = f"{NOW:%FT%TZ}"


def cloud_in(folder: Path) -> LocalCloud:
    return LocalCloud(parameter_overrides={"BucketCount": "4"}, keep=folder)


def kill(cloud: LocalCloud) -> None:
    """Kill the server of a cloud: nothing in it can react."""
    os.kill(cloud.pid, signal.SIGKILL)


def poll(number: int) -> Poll:
    """Return the poll of a store that is in no other file."""
    return Poll(f"store-{number}", NOW, active=number % 2 == 0)


@dataclass
class Load:
    """Uploads and reports of concurrent clients, and what clouds acknowledged."""

    uploads: dict[tuple[str, str], int] = field(default_factory=dict)
    """The number of each upload, by its key and version."""
    report_ids: dict[str, str] = field(default_factory=dict)
    """The report of each idempotency key."""
    csv: dict[str, bytes] = field(default_factory=dict)
    """The CSV of each report that was seen Complete, by its id."""
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def run(self, cloud: LocalCloud, acknowledgements: int, kill_after_seconds: float) -> None:
        """Load a cloud; kill it some time after so many acknowledgements."""
        acknowledged = threading.Semaphore(0)
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in range(CLIENTS):
                pool.submit(self._call_until_it_fails, User(cloud), acknowledged.release)
            for _ in range(acknowledgements):
                assert acknowledged.acquire(timeout=600)
            # Any moment will do: it is not a wait for something.
            threading.Event().wait(kill_after_seconds)
            kill(cloud)

    def _call_until_it_fails(self, user: User, acknowledged: Callable[[], None]) -> None:
        with suppress(BotoCoreError, ClientError, requests.RequestException):
            while True:
                number = next(self.numbers)
                key = f"polls/{number % KEYS}.csv"  # each key has many versions
                version_id = user.put(key, polls_csv([poll(number)]))
                self.uploads[key, version_id] = number
                acknowledged()
                if number % KEYS == 0:
                    name = f"report-{number}"
                    self.report_ids[name] = trigger_once(user, name)
                    acknowledged()

    def check(self, user: User) -> None:
        """Check that all that was acknowledged is there, and ends as it would have."""
        for name, report_id in self.report_ids.items():
            assert trigger_once(user, name) == report_id
            response = user.ended(report_id)
            if response["status"] == "Failed":
                assert response["can_retry"], response
                assert user.post(f"/reports/{report_id}/retry").status_code == 202
                response = user.ended(report_id)
            assert response["status"] == "Complete", response
            content = requests.get(response["url"], timeout=PATIENCE_SECONDS).content
            assert self.csv.setdefault(report_id, content) == content
        for (key, version_id), number in self.uploads.items():
            outcome = until(lambda key=key, id_=version_id: user.outcome(key, id_))  # type: ignore[misc]  # mypy cannot infer lambdas with defaults
            assert outcome["status"] == "Committed", outcome
            assert content_of(user, key, version_id) == polls_csv([poll(number)])


def trigger_once(user: User, key: str) -> str:
    """Return the report of an idempotency key."""
    response = user.post("/trigger_report", json={"as_of": AS_OF}, headers={"Idempotency-Key": key})
    response.raise_for_status()
    report_id: str = response.json()["report_id"]
    return report_id


def content_of(user: User, key: str, version_id: str) -> bytes:
    bucket = user.cloud.outputs["InboxBucketName"]
    content: bytes = user.s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"].read()
    return content


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.exhaustive)])
def test_a_cloud_that_is_killed_under_load_loses_nothing_that_it_acknowledged(
    tmp_path: Path, kills: int
) -> None:
    moments = random.Random(kills)
    load = Load()
    with cloud_in(tmp_path) as first:
        User(first).upload("polls/first.csv", polls_csv([poll(FIRST)]))  # reports need a poll
        load.run(first, moments.randint(1, 30), moments.random() / 2)
    for _ in range(kills - 1):
        with cloud_in(tmp_path) as cloud:
            load.run(cloud, moments.randint(1, 30), moments.random() / 2)
    with cloud_in(tmp_path) as last:
        user = User(last)
        load.check(user)
        # An upload whose response was lost may have been kept.
        content = user.report(as_of=AS_OF)
        present = {int(line.split(b",")[0].removeprefix(b"store-")) for line in rows(content)}
        assert set(load.uploads.values()) <= present
        assert content == Inputs(tuple(map(poll, present))).report()


def rows(csv: bytes) -> list[bytes]:
    return csv.splitlines()[1:]


def test_what_was_in_progress_is_ended_or_continued(tmp_path: Path) -> None:
    with cloud_in(tmp_path) as cloud:
        user = User(cloud)
        user.upload("polls/old.csv", polls_csv([poll(0)]))
        complete = user.trigger(as_of=AS_OF)
        assert user.ended(complete)["status"] == "Complete"
        form = user.post("/uploads", json={"kind": "polls", "filename": "late.csv"}).json()
        inbox, data = cloud.outputs["InboxBucketName"], cloud.outputs["DataBucketName"]
        described = {"ContentType": "text/plain", "Metadata": {"by": "me"}}
        user.s3.put_object(Bucket=data, Key="note", Body=b"a note", **described)
        user.s3.delete_object(Bucket=inbox, Key="polls/old.csv")
        versions = listing(user, inbox)
        cloud.inject(
            Fault(Kind.SILENT, "local-IngestFunction-* s3:GetObject *", seconds=600),
            Fault(Kind.SILENT, "local-PlanAndMergeFunction-* dynamodb:*", seconds=600),
        )
        waiting = user.put("polls/new.csv", polls_csv([poll(1)]))
        running = user.trigger(as_of=AS_OF)
        until(lambda: len(cloud.injected_faults()) == 2 or None)
        kill(cloud)
        with pytest.raises(LocalCloudError, match=str(tmp_path)):
            until(cloud.check)

    with cloud_in(tmp_path) as cloud:
        user = User(cloud)
        response = user.ended(running)
        assert (response["status"], response["error"]["code"]) == ("Failed", "LocalCloudStopped")
        outcome = until(lambda: user.outcome("polls/new.csv", waiting))
        assert outcome["status"] == "Committed"
        assert user.post(f"/reports/{running}/retry").status_code == 202
        assert user.ended(running)["status"] == "Complete"

        url = user.get(f"/get_report/{complete}").json()["url"]
        assert requests.get(url, timeout=PATIENCE_SECONDS).content == Inputs((poll(0),)).report()
        assert versions == [each for each in listing(user, inbox) if each[0] != "polls/new.csv"]
        # Forms stay signed: pages of other origins need a valid signature.
        address = f"{cloud.endpoint_url}/{inbox}"
        files = {"file": polls_csv([poll(2)])}
        headers = {"Origin": "https://example.com"}
        posted = requests.post(
            address, data=form["fields"], files=files, headers=headers, timeout=PATIENCE_SECONDS
        )
        assert posted.ok, posted.text
        found = user.s3.get_object(Bucket=data, Key="note")
        assert found["Body"].read() == b"a note"
        assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"by": "me"})


def listing(user: User, bucket: str) -> list[tuple[Any, ...]]:
    """Return all versions and delete markers of a bucket, those of a key from new to old."""
    found = user.s3.list_object_versions(Bucket=bucket)
    return [
        (each["Key"], each["VersionId"], each["LastModified"], each["IsLatest"], each.get("ETag"))
        for each in (*found.get("Versions", []), *found.get("DeleteMarkers", []))
    ]


def test_messages_and_events_are_kept_until_they_are_processed(tmp_path: Path) -> None:
    def queue(cloud: LocalCloud, name: str) -> tuple[str, str]:
        """Return the URL and the ARN of a queue; create it unless it exists."""
        url = cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:123456789012:{name}"

    def bodies(cloud: LocalCloud, name: str) -> list[str]:
        received = cloud.client("sqs").receive_message(
            QueueUrl=queue(cloud, name)[0], VisibilityTimeout=0, MaxNumberOfMessages=10
        )
        return [message["Body"] for message in received.get("Messages", [])]

    def move(cloud: LocalCloud, source: str, destination: str) -> None:
        arns = {name: queue(cloud, name)[1] for name in (source, destination)}
        cloud.client("sqs").start_message_move_task(
            SourceArn=arns[source], DestinationArn=arns[destination]
        )

    with LocalCloud(ANOTHER_TEMPLATE, keep=tmp_path) as cloud:
        sqs, (url, _) = cloud.client("sqs"), queue(cloud, "failures")
        for body in ("deleted", "kept"):
            sqs.send_message(QueueUrl=url, MessageBody=body)
        [received] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
        sqs.send_message(QueueUrl=queue(cloud, "from")[0], MessageBody="moved")
        move(cloud, "from", "to")
        cloud.client("s3").put_object(Bucket=cloud.outputs["RecordsBucket"], Key="hold")
        cloud.client("lambda").invoke(
            FunctionName="local-RecordFunction",
            InvocationType="Event",
            Payload=b'{"a": "\xc3\xa9"}',
        )
        kill(cloud)  # before the function has ended
    with LocalCloud(ANOTHER_TEMPLATE, keep=tmp_path) as cloud:
        s3, records = cloud.client("s3"), cloud.outputs["RecordsBucket"]
        s3.delete_object(Bucket=records, Key="hold")
        until(lambda: s3.list_objects_v2(Bucket=records).get("Contents"))
        assert bodies(cloud, "from") == []
        assert bodies(cloud, "to") == ["moved"]
        assert bodies(cloud, "failures") == ["kept"]
        move(cloud, "failures", "to")
        assert bodies(cloud, "failures") == []
        assert sorted(bodies(cloud, "to")) == ["kept", "moved"]
    with pytest.raises(LocalCloudError, match="another template"):
        cloud_in(tmp_path)

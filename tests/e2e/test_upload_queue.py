"""The upload queue: every upload is ingested and gets a final outcome."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from local.emulator.cloud import LocalCloud
from local.emulator.faults import Fault, Kind
from store_monitoring.errors import TransientError
from store_monitoring.ingest.outcomes import NO_REASON
from tests.e2e.conftest import User, until

KEY = "polls/store_status.csv"
READS = "local-IngestFunction-* s3:GetObject local-inbox-*"
CONCURRENCY = 8


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    """A user of a cloud that ingests as many files at once as the event source mapping allows."""
    overrides = {"IngestConcurrency": str(CONCURRENCY), "BucketCount": "4"}
    with LocalCloud(parameter_overrides=overrides, environments=CONCURRENCY) as cloud:
        yield User(cloud)


def polls(number: int) -> bytes:
    """Return a file with one poll, which no other file has."""
    header = "store_id,status,timestamp_utc"
    return f"{header}\nstore-{number},active,2024-10-14 12:00:00 UTC\n".encode()


def waiting(user: User, queue: str) -> int:
    """Return how many messages are in a queue, visible or not."""
    sqs = user.cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=f"local-{queue}")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def check_all_commit(user: User, files: int, first: int) -> None:
    """Upload files at once; check that all are committed."""

    def put(number: int) -> tuple[str, str]:
        key = f"polls/{number}.csv"
        return key, user.put(key, polls(number))

    before = _version(user)
    with ThreadPoolExecutor(20) as pool:
        uploads = list(pool.map(put, range(first, first + files)))
    until(lambda: waiting(user, "UploadQueue") == 0 or None, patience_seconds=1800)
    outcomes = [user.outcome(*upload) for upload in uploads]
    assert Counter(outcome and outcome["status"] for outcome in outcomes) == {"Committed": files}
    assert _version(user) == before + files


def _version(user: User) -> int:
    head = user.dynamodb.get_item(
        TableName=user.cloud.outputs["IngestTableName"],
        Key={"log": {"S": "head"}, "entry": {"S": "head"}},
        ConsistentRead=True,
    )
    return int(head["Item"]["version"]["N"]) if "Item" in head else 0


@pytest.mark.parametrize(
    "files",
    [
        16,
        pytest.param(200, marks=pytest.mark.exhaustive),
        pytest.param(1000, marks=pytest.mark.soak),
    ],
)
def test_many_files_at_once_all_commit(user: User, files: int) -> None:
    # Files that an earlier case has not uploaded.
    check_all_commit(user, files, first=1000 * files)


def test_successive_files_under_one_key_are_uploads_of_their_own(user: User) -> None:
    versions = [user.put(KEY, polls(number)) for number in range(8)]
    outcomes = [until(partial(user.outcome, KEY, version)) for version in versions]
    assert [outcome["status"] for outcome in outcomes] == ["Committed"] * 8
    assert len({outcome["ingest_id"] for outcome in outcomes}) == 8


def test_a_transient_error_is_never_a_failure(user: User) -> None:
    seen: set[tuple[str, str | None]] = set()

    def ended() -> dict[str, Any] | None:
        recorded = user.recorded("polls/slow.csv", version_id)
        if recorded is not None:
            seen.add((recorded["status"], recorded.get("error")))
        return user.outcome("polls/slow.csv", version_id)

    user.cloud.inject(*(Fault(Kind.THROTTLED, READS, nth=nth) for nth in range(1, 7)))
    version_id = user.put("polls/slow.csv", polls(100))
    assert until(ended)["status"] == "Committed"
    assert seen <= {
        ("Retrying", str(TransientError.cannot("read polls/slow.csv"))),
        ("Committed", None),
    }


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Kind.KILLED, NO_REASON), (Kind.BROKEN, str(TransientError.cannot("read {key}")))],
)
def test_a_final_failure_can_be_redriven(user: User, kind: Kind, reason: str) -> None:
    """The procedure of docs/alarms.md."""
    key = f"polls/{kind}.csv"
    user.cloud.inject(Fault(kind, READS))
    version_id = user.put(key, polls(200 + ord(kind[0])))
    failed = until(lambda: user.outcome(key, version_id))
    assert (failed["status"], failed["error"]) == ("Failed", reason.format(key=key))
    until(lambda: waiting(user, "IngestFailures") == 1 or None)
    user.cloud.inject()
    assert user.outcome(key, version_id) == failed

    sqs = user.cloud.client("sqs")
    sqs.start_message_move_task(
        SourceArn=user.cloud.outputs["IngestFailuresArn"],
        DestinationArn=user.cloud.outputs["UploadQueueArn"],
    )

    def after() -> dict[str, Any] | None:
        outcome = user.outcome(key, version_id)
        return None if outcome == failed else outcome

    redriven = until(after)
    assert (redriven["status"], redriven["rows"]) == ("Committed", "1")
    assert waiting(user, "IngestFailures") == 0


def test_a_message_without_an_upload_waits_for_operators(user: User) -> None:
    sqs = user.cloud.client("sqs")
    queue = sqs.get_queue_url(QueueName="local-UploadQueue")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Event": "s3:TestEvent"}))
    until(lambda: waiting(user, "UploadQueue") == 0 or None)
    assert waiting(user, "IngestFailures") == 0
    sqs.send_message(QueueUrl=queue, MessageBody="nonsense")
    until(lambda: waiting(user, "IngestFailures") == 1 or None)

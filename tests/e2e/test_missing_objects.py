"""Every function reports a missing object as missing.

S3 returns 404 only to callers that may list the bucket; to others it returns that access is denied.
A function would take that permanent error for a transient one.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.emulator.faults import Fault, Kind
from tests.e2e.conftest import User, until
from tests.e2e.faulty import Trials, trials_in_new_cloud
from tests.e2e.inputs import NOW, hourly_polls, polls_csv

EVENTS = Path(__file__).parents[2] / "events"
GONE = "there is no such object"


@pytest.fixture(scope="module")
def trials() -> Iterator[Trials]:
    with trials_in_new_cloud() as trials:
        yield trials


@pytest.fixture
def user(trials: Trials) -> User:
    return trials.user


def error_of(user: User, function: str, event: dict[str, Any]) -> tuple[str, str]:
    """Call a function; return the name of its error, and the message."""
    response = user.cloud.client("lambda").invoke(
        FunctionName=f"local-{function}", Payload=json.dumps(event)
    )
    assert "FunctionError" in response
    error = json.load(response["Payload"])
    return error["errorType"], error["errorMessage"]


def delete(user: User, bucket: str, prefix: str) -> None:
    """Delete all versions of the objects under a prefix."""
    s3, name = user.cloud.client("s3"), user.cloud.outputs[bucket]
    listing = s3.list_object_versions(Bucket=name, Prefix=prefix)
    assert listing["Versions"]
    for item in listing["Versions"]:
        s3.delete_object(Bucket=name, Key=item["Key"], VersionId=item["VersionId"])


@pytest.mark.parametrize(
    "function", ["PlanFunction", "MergeFunction", "PublishStoreChangesFunction"]
)
def test_a_report_without_its_request_or_plan(user: User, function: str) -> None:
    report_id = str(uuid4())
    event = {"report_id": report_id} | json.loads(
        (EVENTS / "publish_store_changes.json").read_text()
    )
    event["detail"]["report_id"] = report_id
    name, message = error_of(user, function, event)
    assert name == "MissingObjectError"
    assert report_id in message
    assert GONE in message


def test_a_timeline_of_a_report_whose_plan_has_expired(user: User) -> None:
    report_id = user.trigger(as_of=f"{NOW:%FT%TZ}")
    assert user.ended(report_id)["status"] == "Complete"
    delete(user, "DataBucketName", f"reports/{report_id}/plan.json")
    response = user.get("/stores/store-0/timeline", params={"report_id": report_id})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_report")


@pytest.mark.parametrize("missing", ["plan.json", "request.json", "parts/"])
def test_stores_of_a_report_that_has_expired(missing: str, user: User) -> None:
    report_id = user.trigger(as_of=f"{NOW:%FT%TZ}")
    assert user.ended(report_id)["status"] == "Complete"
    delete(user, "DataBucketName", f"reports/{report_id}/{missing}")
    response = user.get(f"/reports/{report_id}/stores")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_report")


def test_an_upload_that_is_removed_before_it_is_read(user: User) -> None:
    key = "polls/removed.csv"
    slow = Fault(Kind.SLOW, "local-IngestFunction-* s3:GetObject local-inbox-*", nth=1, seconds=2)
    user.cloud.inject(slow)
    user.cloud.client("s3").put_object(
        Bucket=user.cloud.outputs["InboxBucketName"], Key=key, Body=b"store_id"
    )
    until(lambda: user.cloud.injected_faults() or None)
    delete(user, "InboxBucketName", key)
    user.cloud.inject()
    removed = f"{key} was replaced or removed"
    until(lambda: removed in user.cloud.logs("IngestFunction") or None, patience_seconds=60)


def test_committed_files_that_are_missing(user: User) -> None:
    polls = polls_csv(hourly_polls("store-9", hours=3))
    assert user.upload("polls/store-9.csv", polls)["status"] == "Committed"
    zones = user.upload("timezones/store-9.csv", b"store_id,timezone_str\nstore-9,UTC\n")
    for prefix in ("polls/", "stores/"):
        delete(user, "DataBucketName", prefix)
    name, message = error_of(user, "CompactFunction", {})
    assert (name, GONE in message) == ("MissingObjectError", True)
    name, _ = error_of(user, "TakeBackIngestFunction", {"ingest_id": zones["ingest_id"]})
    assert name == "CannotTakeBackError"

    user.cloud.client("s3").put_object(
        Bucket=user.cloud.outputs["InboxBucketName"],
        Key="timezones/more.csv",
        Body="store_id,timezone_str\n" + "".join(f"store-{n},UTC\n" for n in range(9)),
    )
    until(lambda: GONE in user.cloud.logs("IngestFunction") or None, patience_seconds=60)

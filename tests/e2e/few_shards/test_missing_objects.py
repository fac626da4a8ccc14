"""Every function reports a missing object as missing.

S3 returns 404 only to callers that may list the bucket; to others it returns that access is denied.
A function would take that permanent error for a transient one.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.emulator.faults import Fault, Kind
from tests.e2e.conftest import User, until
from tests.e2e.faulty import Trials
from tests.e2e.inputs import NOW, Inputs, hourly_polls, polls_csv

EVENTS = Path(__file__).parents[3] / "events"
GONE = "there is no such object"


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
    ("function", "step"),
    [
        ("PlanAndMergeFunction", {"step": "plan", "inline_shards": 40}),
        ("PlanAndMergeFunction", {"step": "merge"}),
        ("PublishStoreChangesFunction", {}),
    ],
)
def test_a_report_without_its_request_or_plan(
    user: User, function: str, step: dict[str, Any]
) -> None:
    report_id = str(uuid4())
    event = {"report_id": report_id, **step} | json.loads(
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
    slow = Fault(Kind.SLOW, "local-IngestFunction-* s3:GetObject local-inbox-*", nth=1, seconds=600)
    user.cloud.inject(slow)
    user.cloud.client("s3").put_object(
        Bucket=user.cloud.outputs["InboxBucketName"], Key=key, Body=b"store_id"
    )
    until(lambda: user.cloud.injected_faults() or None)
    delete(user, "InboxBucketName", key)
    user.cloud.inject()
    removed = f"{key} was replaced or removed"
    until(lambda: removed in user.cloud.logs("IngestFunction") or None)


@contextmanager
def missing(user: User, *prefixes: str) -> Iterator[None]:
    """Delete objects in the data bucket; restore them at the end, since it keeps versions."""
    s3, bucket = user.s3, user.cloud.outputs["DataBucketName"]
    listings = [s3.list_objects_v2(Bucket=bucket, Prefix=prefix) for prefix in prefixes]
    keys = [item["Key"] for listing in listings for item in listing["Contents"]]
    markers = [s3.delete_object(Bucket=bucket, Key=key)["VersionId"] for key in keys]
    yield
    for key, marker in zip(keys, markers, strict=True):
        s3.delete_object(Bucket=bucket, Key=key, VersionId=marker)


def test_committed_files_that_are_missing(user: User, trials: Trials) -> None:
    polls, before = hourly_polls("store-9", hours=3), trials.inputs
    assert user.upload("polls/store-9.csv", polls_csv(polls))["status"] == "Committed"
    zones = user.upload("timezones/store-9.csv", b"store_id,timezone_str\nstore-9,UTC\n")
    with missing(user, "polls/", "stores/"):
        name, message = error_of(user, "CompactFunction", {})
        assert (name, GONE in message) == ("MissingObjectError", True)
        name, _ = error_of(user, "TakeBackIngestFunction", {"ingest_id": zones["ingest_id"]})
        assert name == "CannotTakeBackError"

        key = "timezones/store-9-again.csv"
        again = user.put(key, b"store_id,timezone_str\nstore-9,Asia/Tokyo\n")
        recorded = until(lambda: user.recorded(key, again))
        assert recorded["status"] == "Retrying"
        assert "MissingObjectError" in recorded["error"]
    assert until(lambda: user.outcome(key, again))["status"] == "Committed"
    zones_after = before.zones | {"store-9": "Asia/Tokyo"}
    trials.now_has(Inputs((*before.polls, *polls), before.hours, zones_after))

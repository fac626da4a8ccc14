"""Many reports and uploads at once: each report shows its own snapshot."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import requests

from local.emulator.cloud import LocalCloud
from tests.cases import EVERY_DAY, opens
from tests.e2e.conftest import User
from tests.e2e.inputs import NOW, Inputs, a_few_stores, hourly_polls, hours_csv, polls_csv
from tests.oracle import HoursRow, Poll


@dataclass(frozen=True)
class Upload:
    """One file and its rows."""

    key: str
    polls: tuple[Poll, ...] = ()
    hours: tuple[HoursRow, ...] = ()

    @property
    def content(self) -> bytes:
        return polls_csv(self.polls) if self.polls else hours_csv(self.hours)

    def added_to(self, inputs: Inputs) -> Inputs:
        return inputs.with_polls(self.polls).with_hours(self.hours)


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with user_of_new_cloud() as user:
        yield user


@contextmanager
def user_of_new_cloud() -> Iterator[User]:
    """A user of a separate cloud, in which a report has two shards."""
    small = {"BucketCount": "2", "ShardPolls": "1", "MapConcurrency": "4"}
    with LocalCloud(parameter_overrides=small) as cloud:
        user = User(cloud)
        for key, content in a_few_stores().files().items():
            assert user.upload(key, content)["status"] == "Committed"
        yield user


def test_fifteen_reports_at_once_and_eight_uploads_meanwhile(user: User) -> None:
    check_reports_and_uploads_at_once(user, report_count=15, upload_count=8)


@pytest.mark.exhaustive
def test_fifty_reports_at_once_and_twenty_uploads_meanwhile() -> None:
    with user_of_new_cloud() as user:
        check_reports_and_uploads_at_once(user, report_count=50, upload_count=20)


def check_reports_and_uploads_at_once(user: User, report_count: int, upload_count: int) -> None:
    # One store per upload, so that the order of uploads does not matter.
    uploads = [
        Upload(f"polls/{number}.csv", polls=hourly_polls(f"new-{number}", hours=9))
        if number % 2
        else Upload(
            f"business_hours/{number}.csv",
            hours=opens("06:00", "18:15", *EVERY_DAY, store_id=f"new-{number}"),
        )
        for number in range(upload_count)
    ]
    with ThreadPoolExecutor(report_count + upload_count) as pool:
        uploaded = pool.map(partial(_ingest_id, user), uploads)
        started = pool.map(lambda _: user.trigger(as_of=f"{NOW:%FT%TZ}"), range(report_count))
        ended = pool.map(user.ended, started)
        ingest_ids = dict(zip(uploaded, uploads, strict=True))
        reports = {response["report_id"]: response for response in ended}
    assert len(ingest_ids) == upload_count
    assert len(reports) == report_count
    assert {response["status"] for response in reports.values()} == {"Complete"}

    versions = {
        entry["entry"]["S"]: int(entry["version"]["N"])
        for kind in ("polls", "business_hours")
        for entry in _entries(user, kind)
    }
    snapshots = {report_id: _version(user, report_id) for report_id in reports}
    expected = {}
    for version in set(snapshots.values()):
        inputs = a_few_stores()
        for ingest_id, upload in ingest_ids.items():
            if versions[ingest_id] <= version:
                inputs = upload.added_to(inputs)
        expected[version] = inputs.report()
    for report_id, version in snapshots.items():
        content = requests.get(reports[report_id]["url"], timeout=30).content
        assert content == expected[version], (report_id, version)

    everything = a_few_stores()
    for upload in uploads:
        everything = upload.added_to(everything)
    assert user.report(as_of=f"{NOW:%FT%TZ}") == everything.report()


def test_two_uploads_of_hours_for_the_same_stores_at_once(user: User) -> None:
    *both, _, _ = stores = [f"store-{number}" for number in range(2, 7)]
    first, second = (
        tuple(
            row
            for store_id in (*both, own)
            for row in opens(opening, "20:00", *EVERY_DAY, store_id=store_id)
        )
        for own, opening in (("store-5", "05:00"), ("store-6", "11:00"))
    )
    uploads = [
        Upload("business_hours/1.csv", hours=first),
        Upload("business_hours/2.csv", hours=second),
    ]
    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(partial(_ingest_id, user), uploads))) == 2
    inputs = a_few_stores().of_stores(stores)
    # S3 decides which of the two is later, but it is the same one for all stores.
    assert user.report(as_of=f"{NOW:%FT%TZ}", store_ids=stores) in {
        inputs.with_hours(first).with_hours(second).report(),
        inputs.with_hours(second).with_hours(first).report(),
    }


def _ingest_id(user: User, upload: Upload) -> str:
    """Upload a file; return the id of its ingest."""
    outcome = user.upload(upload.key, upload.content)
    assert outcome["status"] == "Committed", outcome
    ingest_id: str = outcome["ingest_id"]
    return ingest_id


def _entries(user: User, kind: str) -> list[dict[str, Any]]:
    """Return the entries of all ingests of a kind."""
    entries: list[dict[str, Any]] = user.cloud.client("dynamodb").query(
        TableName=user.cloud.outputs["IngestTableName"],
        KeyConditionExpression="#log = :kind",
        ExpressionAttributeNames={"#log": "log"},
        ExpressionAttributeValues={":kind": {"S": kind}},
    )["Items"]
    return entries


def _version(user: User, report_id: str) -> int:
    """Return the version of the ingest log that a report was planned from."""
    bucket, key = user.cloud.outputs["DataBucketName"], f"reports/{report_id}/plan.json"
    plan = json.load(user.cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"])
    version: int = plan["version"]
    return version

"""Many reports and uploads at once: each report shows its own snapshot."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import requests

from tests.cases import EVERY_DAY, opens
from tests.e2e.conftest import PATIENCE_SECONDS, User
from tests.e2e.faulty import Trials
from tests.e2e.inputs import NOW, Inputs, hourly_polls, hours_csv, polls_csv
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


@pytest.mark.parametrize(
    ("report_count", "upload_count"),
    [(15, 8), pytest.param(50, 20, marks=pytest.mark.exhaustive)],
)
def test_many_reports_at_once_and_uploads_meanwhile(
    trials: Trials, report_count: int, upload_count: int
) -> None:
    # One store per upload, so that the order of uploads does not matter.
    names = [f"{number}-of-{upload_count}" for number in range(upload_count)]
    uploads = [
        Upload(f"polls/{name}.csv", polls=hourly_polls(name, hours=9))
        if number % 2
        else Upload(
            f"business_hours/{name}.csv",
            hours=opens("06:00", "18:15", *EVERY_DAY, store_id=name),
        )
        for number, name in enumerate(names)
    ]
    user, before = trials.user, trials.inputs
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
        inputs = before
        for ingest_id, upload in ingest_ids.items():
            if versions[ingest_id] <= version:
                inputs = upload.added_to(inputs)
        expected[version] = inputs.report()
    for report_id, version in snapshots.items():
        content = requests.get(reports[report_id]["url"], timeout=PATIENCE_SECONDS).content
        assert content == expected[version], (report_id, version)

    everything = before
    for upload in uploads:
        everything = upload.added_to(everything)
    trials.now_has(everything)


def test_two_uploads_of_hours_for_the_same_stores_at_once(trials: Trials) -> None:
    user, before = trials.user, trials.inputs
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
    # S3 decides which of the two is later, but it is the same one for all stores.
    either = [
        before.with_hours(first).with_hours(second),
        before.with_hours(second).with_hours(first),
    ]
    report = user.report(as_of=f"{NOW:%FT%TZ}", store_ids=stores)
    [after] = [inputs for inputs in either if inputs.of_stores(stores).report() == report]
    trials.now_has(after)


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

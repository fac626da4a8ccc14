"""Compaction, which is scheduled, and operators' functions: taking back, and deleting a store."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import PATIENCE_SECONDS, User

EVENTS = Path(__file__).parents[2] / "events"
POLLS = "store_id,status,timestamp_utc\n"
ZONES = "store_id,timezone_str\n"


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    """A user of a separate cloud, in which all stores share one bucket's files."""
    with LocalCloud(parameter_overrides={"BucketCount": "1"}) as cloud:
        yield User(cloud)


def polls(user: User, hour: int, *stores: str) -> dict[str, Any]:
    rows = [f"{store},active,2024-10-14 {hour:02}:00:00\n" for store in stores]
    return user.upload(f"polls/{hour}.csv", (POLLS + "".join(rows)).encode())


def zones(user: User, **zone_of: str) -> dict[str, Any]:
    rows = [f"{store},{zone}\n" for store, zone in zone_of.items()]
    return user.upload("timezones/z.csv", (ZONES + "".join(rows)).encode())


def call(user: User, function: str, **event: Any) -> dict[str, Any]:
    """Invoke a function by its name, as operators do."""
    response = user.cloud.client("lambda").invoke(
        FunctionName=f"local-{function}Function", Payload=json.dumps(event).encode()
    )
    result: dict[str, Any] = json.load(response["Payload"])
    return result


def test_ingests_are_taken_back(user: User) -> None:
    """Current polls, compacted polls, and reference data."""
    zones(user, a="UTC", b="Asia/Tokyo")
    compacted = [polls(user, hour, "a", "b") for hour in range(8, 11)]
    report = user.report()
    wrong = [polls(user, 12, "a", "x"), zones(user, a="Asia/Tokyo", y="UTC")]
    assert user.report() != report
    for outcome in wrong:
        taken_back = call(user, "TakeBackIngest", ingest_id=outcome["ingest_id"])
        assert taken_back["ingest_id"] == outcome["ingest_id"], taken_back
    assert user.report() == report

    assert call(user, "Compact")["ingests_replaced"] == 3
    taken_back = call(user, "TakeBackIngest", ingest_id=compacted[2]["ingest_id"])
    assert taken_back["kind"] == "polls", taken_back
    assert user.ended(user.trigger())["as_of"] == "2024-10-14T09:00:00.000000Z"
    assert polls(user, 10, "a", "b")["status"] == "Committed"
    assert user.report() == report


def test_an_ingest_that_is_not_committed_is_an_error(user: User) -> None:
    event = json.loads((EVENTS / "take_back_ingest.json").read_bytes())
    error = call(user, "TakeBackIngest", **event)
    assert error["errorType"] == "UnknownIngestError"
    assert error["errorMessage"].startswith(f"no ingest '{event['ingest_id']}' is committed")


def objects(user: User) -> dict[tuple[str, str], bytes]:
    """Return all versions of all objects in the data bucket; Parquet as text."""
    bucket = user.cloud.outputs["DataBucketName"]
    found = {}
    for page in user.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for each in page.get("Versions", ()):
            place = {"Key": each["Key"], "VersionId": each["VersionId"]}
            content = user.s3.get_object(Bucket=bucket, **place)["Body"].read()
            if each["Key"].endswith(".parquet"):
                content = str(pq.read_table(io.BytesIO(content)).to_pydict()).encode()
            found[each["Key"], each["VersionId"]] = content
    return found


def test_a_store_is_deleted_everywhere(user: User) -> None:
    deleted, kept = "store-to-delete", "store-that-stays"
    hours = "store_id,day,start_time_local,end_time_local\n"
    row = f"{deleted},0,09:00,17:00\n{deleted},7,09:00,17:00\n{kept},0,09:00,17:00\n"
    user.upload("business_hours/h.csv", (hours + row).encode())
    zones(user, **{deleted: "UTC", kept: "UTC"})
    for hour in (1, 2, 3):
        polls(user, hour, deleted, kept, "a")
    call(user, "Compact")
    polls(user, 4, deleted, kept)
    polls(user, 5, deleted)
    of_others = user.trigger(store_ids=[kept])
    of_all, of_it = user.trigger(formats=["csv", "json"]), user.trigger(store_ids=[deleted])
    urls = {each: user.ended(each)["url"] for each in (of_others, of_all, of_it)}
    csv_of_others = requests.get(urls[of_others], timeout=PATIENCE_SECONDS).content
    rest = [line for line in user.report().splitlines() if deleted.encode() not in line]
    assert any(deleted.encode() in content for content in objects(user).values())

    done = call(user, "DeleteStore", store_id=deleted)
    assert done["polls_files"] >= 3, done
    assert (done["reports"] >= 3, done["rejects"]) == (True, 1)

    left = {place for place, content in objects(user).items() if deleted.encode() in content}
    assert left == set()
    nothing = {"polls_files": 0, "stores_files": 0, "reports": 0, "rejects": 0}
    assert call(user, "DeleteStore", store_id=deleted) == nothing
    responses = {each: user.get(f"/get_report/{each}") for each in urls}
    assert [response.status_code for response in responses.values()] == [200, 404, 404]
    again = requests.get(responses[of_others].json()["url"], timeout=PATIENCE_SECONDS).content
    assert again == csv_of_others
    assert user.report(as_of="2024-10-14T10:00:00Z").splitlines() == rest


def test_an_empty_store_id_is_refused(user: User) -> None:
    assert call(user, "DeleteStore", store_id="")["errorType"] == "InvalidRequestError"
    event = json.loads((EVENTS / "delete_store.json").read_bytes())
    assert call(user, "DeleteStore", **event)["polls_files"] == 0


def test_files_are_deleted_long_after_compaction_replaced_them(user: User) -> None:
    for hour in (20, 21):
        polls(user, hour, "a")
    report = user.report()
    scheduled = json.loads((EVENTS / "compact.json").read_bytes())
    assert call(user, "Compact", **scheduled)["ingests_replaced"] >= 2
    assert user.report() == report
    make_replacements_old(user)
    before = current_polls_files(user)
    deleted = call(user, "Compact", **scheduled)["files_deleted"]
    assert deleted == before - current_polls_files(user) > 0
    assert user.report() == report


def current_polls_files(user: User) -> int:
    bucket = user.cloud.outputs["DataBucketName"]
    count: int = user.s3.list_objects_v2(Bucket=bucket, Prefix="polls/")["KeyCount"]
    return count


def make_replacements_old(user: User) -> None:
    table = user.cloud.outputs["IngestTableName"]
    for replaced in user.dynamodb.query(
        TableName=table,
        KeyConditionExpression="#log = :replaced",
        ExpressionAttributeNames={"#log": "log"},
        ExpressionAttributeValues={":replaced": {"S": "replaced"}},
    )["Items"]:
        replaced["replaced_at"] = {"S": "2024-01-01T00:00:00+00:00"}
        user.dynamodb.put_item(TableName=table, Item=replaced)

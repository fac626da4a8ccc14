"""The compact function, invoked with its schedule's event."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import User

EVENT = (Path(__file__).parents[2] / "events" / "compact.json").read_bytes()


@pytest.fixture(scope="module")
def user(sample: dict[str, bytes]) -> Iterator[User]:
    """A user of a separate cloud, who uploads the sample's polls in four files."""
    with LocalCloud() as cloud:
        user = User(cloud)
        for key, content in sample.items():
            header, *lines = content.splitlines(keepends=True)
            parts = 4 if key.startswith("polls/") else 1
            for part in range(parts):
                text = header + b"".join(lines[part::parts])
                outcome = user.upload(f"{key}.{part}.gz", gzip.compress(text))
                assert outcome["status"] == "Committed", outcome
        yield user


def test_a_report_is_the_same_after_compaction(user: User) -> None:
    before = user.report()
    functions = user.cloud.client("lambda")
    for ingests in (4, 0):
        response = functions.invoke(FunctionName="local-CompactFunction", Payload=EVENT)
        done = {"ingests_replaced": ingests, "files_deleted": 0}
        assert json.load(response["Payload"]) == done
    assert user.report() == before


def test_files_that_were_replaced_long_ago_are_deleted(user: User) -> None:
    functions = user.cloud.client("lambda")
    functions.invoke(FunctionName="local-CompactFunction", Payload=EVENT)
    make_replacements_old(user)
    response = functions.invoke(FunctionName="local-CompactFunction", Payload=EVENT)
    done = json.load(response["Payload"])
    assert done["files_deleted"] > 0
    listing = user.s3.list_objects_v2(Bucket=user.cloud.outputs["DataBucketName"], Prefix="polls/")
    assert listing["KeyCount"] == done["files_deleted"] / 4  # one file per bucket, not four
    assert user.report()


def make_replacements_old(user: User) -> None:
    table = user.cloud.outputs["IngestTableName"]
    [replaced] = user.dynamodb.query(
        TableName=table,
        KeyConditionExpression="#log = :replaced",
        ExpressionAttributeNames={"#log": "log"},
        ExpressionAttributeValues={":replaced": {"S": "replaced"}},
    )["Items"]
    replaced["replaced_at"] = {"S": "2024-01-01T00:00:00+00:00"}
    user.dynamodb.put_item(TableName=table, Item=replaced)

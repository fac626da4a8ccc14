"""Deletion of objects in the data bucket."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from store_monitoring.aws.objects import S3Objects
from store_monitoring.errors import TransientError


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(
            Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield client


def keys_of(s3: Any) -> list[str]:
    return [each["Key"] for each in s3.list_objects_v2(Bucket="data").get("Contents", ())]


def test_objects_are_deleted_and_missing_ones_are_ignored(s3: Any) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket="data", Key=key, Body=b"")
    S3Objects("data").delete(["a", "b", "gone"])
    assert keys_of(s3) == ["c"]
    S3Objects("data").delete([])
    assert keys_of(s3) == ["c"]


def test_deletes_are_sent_in_batches(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store_monitoring.aws.objects._AT_ONCE", 2)
    keys = [f"{n}" for n in range(5)]
    for key in keys:
        s3.put_object(Bucket="data", Key=key, Body=b"")
    S3Objects("data").delete(keys)
    assert keys_of(s3) == []


def test_an_object_that_cannot_be_deleted_is_an_error(s3: Any) -> None:
    objects = S3Objects("data")
    response = {"Errors": [{"Key": "a", "Code": "InternalError", "Message": "Try again"}]}
    with Stubber(objects._client) as stub:
        stub.add_response("delete_objects", response)
        with pytest.raises(TransientError, match="a: InternalError"):
            objects.delete(["a"])

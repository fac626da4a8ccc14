"""Whether the tables and buckets can be reached."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from store_monitoring.aws.health import CACHE_SECONDS, Health


@pytest.fixture(autouse=True)
def _account() -> Iterator[None]:
    """An account with one table and one bucket."""
    with mock_aws():
        boto3.client("s3").create_bucket(
            Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        boto3.client("dynamodb").create_table(
            TableName="reports",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "report_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "report_id", "KeyType": "HASH"}],
        )
        yield


def test_existing_tables_and_buckets_are_reachable() -> None:
    health = Health({"report table": "reports"}, {"data bucket": "data"})
    assert health.unreachable() == []


def test_missing_ones_are_named() -> None:
    health = Health(
        tables={"report table": "reports", "ingest table": "ingests"},
        buckets={"data bucket": "data", "inbox bucket": "inbox"},
    )
    assert health.unreachable() == ["ingest table", "inbox bucket"]


def test_a_result_is_cached_for_a_few_seconds() -> None:
    seconds = 100.0
    health = Health({"report table": "reports"}, {"data bucket": "data"}, lambda: seconds)
    assert health.unreachable() == []
    boto3.client("dynamodb").delete_table(TableName="reports")
    seconds += CACHE_SECONDS - 0.001
    assert health.unreachable() == []
    seconds += 0.001
    assert health.unreachable() == ["report table"]
    boto3.client("s3").delete_bucket(Bucket="data")
    assert health.unreachable() == ["report table"]
    seconds += CACHE_SECONDS
    assert health.unreachable() == ["report table", "data bucket"]

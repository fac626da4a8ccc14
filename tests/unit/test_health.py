"""Whether the tables and buckets answer."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from store_monitoring.adapters.health import Health


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


def test_what_is_there_answers() -> None:
    health = Health({"report table": "reports"}, {"data bucket": "data"})
    assert health.unreachable() == []


def test_what_does_not_answer_is_told() -> None:
    health = Health(
        tables={"report table": "reports", "ingest table": "ingests"},
        buckets={"data bucket": "data", "inbox bucket": "inbox"},
    )
    assert health.unreachable() == ["ingest table", "inbox bucket"]

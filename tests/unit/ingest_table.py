"""The DynamoDB ingest table of the template, in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto import mock_aws


@contextmanager
def ingest_table(name: str = "ingests") -> Iterator[str]:
    """Create the table in a mocked DynamoDB; yield its name."""
    with mock_aws():
        create_ingest_table(boto3.client("dynamodb"), name)
        yield name


def create_ingest_table(dynamodb: Any, name: str) -> None:
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "log", "AttributeType": "S"},
            {"AttributeName": "entry", "AttributeType": "S"},
            {"AttributeName": "greatest_us", "AttributeType": "N"},
            {"AttributeName": "list", "AttributeType": "S"},
            {"AttributeName": "created_at", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "log", "KeyType": "HASH"},
            {"AttributeName": "entry", "KeyType": "RANGE"},
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by_greatest_timestamp",
                "KeySchema": [
                    {"AttributeName": "log", "KeyType": "HASH"},
                    {"AttributeName": "greatest_us", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_creation",
                "KeySchema": [
                    {"AttributeName": "list", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )

"""The DynamoDB ingest table of the template, in memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto import mock_aws


@contextmanager
def ingest_table(name: str = "ingests") -> Iterator[str]:
    """Create the table; yield its name."""
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "log", "AttributeType": "S"},
                {"AttributeName": "entry", "AttributeType": "S"},
                {"AttributeName": "greatest_us", "AttributeType": "N"},
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
        )
        yield name

"""The local cloud's DynamoDB: a transaction that fails changes nothing."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.emulator.dynamodb import isolate_transactions

VALUE = {":value": {"S": "new"}}


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    isolate_transactions()
    with mock_aws():
        client: Any = boto3.client("dynamodb")
        for name, keys in (("one", ["a"]), ("two", ["a", "b"])):
            client.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
            )
            item = {key: {"S": "x"} for key in keys}
            client.put_item(TableName=name, Item=item | {"value": {"S": "old"}})
        yield client


def contents(dynamodb: Any) -> list[Any]:
    return [dynamodb.scan(TableName=name)["Items"] for name in ("one", "two")]


def writes(*, fails: bool) -> list[Any]:
    condition = "attribute_exists(a)" if fails else "attribute_not_exists(a)"
    update = {
        "UpdateExpression": "SET #value = :value",
        "ExpressionAttributeNames": {"#value": "value"},
        "ExpressionAttributeValues": VALUE,
    }
    both = {"a": {"S": "x"}, "b": {"S": "x"}}
    return [
        {"Update": {"TableName": "one", "Key": {"a": {"S": "x"}}, **update}},
        {"Update": {"TableName": "two", "Key": both, **update}},
        {"Put": {"TableName": "one", "Item": {"a": {"S": "y"}}}},
        {"Put": {"TableName": "two", "Item": {"a": {"S": "x"}, "b": {"S": "y"}}}},
        {
            "ConditionCheck": {
                "TableName": "two",
                "Key": {"a": {"S": "x"}, "b": {"S": "none"}},
                "ConditionExpression": condition,
            }
        },
    ]


def test_a_transaction_that_fails_changes_nothing(dynamodb: Any) -> None:
    before = contents(dynamodb)
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=writes(fails=True))
    assert contents(dynamodb) == before


def test_a_transaction_that_succeeds_changes_all(dynamodb: Any) -> None:
    dynamodb.transact_write_items(TransactItems=writes(fails=False))
    one, two = contents(dynamodb)
    assert [item.get("value") for item in one] == [{"S": "new"}, None]
    assert [item.get("value") for item in two] == [{"S": "new"}, None]

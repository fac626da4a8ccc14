"""DynamoDB items as plain dicts: strings, ints, lists and dicts; no floats, no None."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_item(values: dict[str, Any]) -> dict[str, Any]:
    """Return an item; None values are omitted."""
    return {
        name: _serializer.serialize(value) for name, value in values.items() if value is not None
    }


def from_item(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item's values."""
    return {name: _plain(_deserializer.deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value)
        case list():
            return [_plain(element) for element in value]
        case dict():
            return {key: _plain(element) for key, element in value.items()}
        case _:
            return value


def item_bytes(item: Mapping[str, Any]) -> int:
    """Return an upper estimate of the size of an item, as DynamoDB counts it.

    >>> item_bytes({"log": "polls", "rows": 12345, "files": [{"bucket": 7}]})
    37
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Any) -> int:
    match value:
        case str():
            return len(value.encode())
        case bool() | None:
            return 1
        case int() | float() | Decimal():
            return len(str(value)) // 2 + 2
        case Mapping():
            return 3 + len(value) + item_bytes(value)
        case _:
            return 3 + len(value) + sum(map(_value_bytes, value))

"""DynamoDB: patches of moto's transactions and of its responses.

moto copies all tables before a transaction and restores the copies if it fails. That undoes
concurrent writes, and takes longer the larger a table is. Here calls run one at a time, and a
transaction copies only what it changes.

moto looks for each of the ten types in each value that it returns, by several names. Here it takes
the type that the value has.
"""

import copy
import threading
from collections.abc import Callable
from typing import Any

from moto.core.model import StructureShape
from moto.core.serialize import JSONSerializer
from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local.emulator.patching import patch, replace


def isolate_transactions() -> None:
    """Make moto's DynamoDB run one call at a time, and undo only a failed transaction's writes."""
    lock = threading.Lock()

    @patch(DynamoHandler, "call_action")
    def call_action(original: Callable[[DynamoHandler], Any], handler: DynamoHandler) -> Any:
        with lock:
            return original(handler)

    @patch(DynamoDBBackend, "transact_write_items")
    def transact_write_items(
        original: Callable[..., None], backend: DynamoDBBackend, writes: list[dict[str, Any]]
    ) -> None:
        operations = [operation for write in writes for operation in write.items()]
        tables = {operation["TableName"] for _, operation in operations} & set(backend.tables)
        before = {name: _snapshot(backend.tables[name]) for name in tables}
        for kind, operation in operations:
            if kind == "Update" and operation["TableName"] in tables:
                _replace_by_copy(backend.tables[operation["TableName"]], operation["Key"])
        succeeded = False
        try:
            original(backend, writes)
            succeeded = True
        finally:
            if not succeeded:
                for name, items in before.items():
                    backend.tables[name].items.clear()
                    backend.tables[name].items.update(items)

    replace(models, "copy", _Copies())


def serialize_values_by_type() -> None:
    """Make moto serialize a value of an attribute by the type that it has."""

    @patch(JSONSerializer, "_serialize_type_structure")
    def serialize(
        original: Callable[..., None],
        serializer: JSONSerializer,
        serialized: dict[str, Any],
        value: Any,
        shape: StructureShape,
        key: str,
    ) -> None:
        if shape.name != "AttributeValue" or not isinstance(value, dict):
            original(serializer, serialized, value, shape, key)
            return
        serialized[key] = {}
        for name, content in value.items():
            serializer._serialize(serialized[key], content, shape.members[name], name)


class _Copies:
    """Replaces the module `copy` where moto would copy whole tables before a transaction."""

    @staticmethod
    def deepcopy(value: Any) -> Any:
        return value if isinstance(value, Table) else copy.deepcopy(value)


def _snapshot(table: Table) -> dict[Any, Any]:
    """Return a table's items in dicts that later puts and deletes do not change."""
    return {
        hash_key: dict(items) if table.has_range_key else items
        for hash_key, items in table.items.items()
    }


def _replace_by_copy(table: Table, key: dict[str, Any]) -> None:
    """Replace an item by a copy, since an update changes an item in place."""
    hash_key = DynamoType(key[table.hash_key_attr])
    if not table.has_range_key:
        if hash_key in table.items:
            table.items[hash_key] = copy.deepcopy(table.items[hash_key])
        return
    range_key = DynamoType(key[str(table.range_key_attr)])
    items = table.items.get(hash_key, {})
    if range_key in items:
        items[range_key] = copy.deepcopy(items[range_key])

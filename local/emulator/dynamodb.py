"""DynamoDB: what moto's transactions leave to be mended.

moto copies the tables before a transaction, and puts the copies back if it fails. So it undid what
other calls had written meanwhile, and took the longer the more a table had. Here calls follow each
other, and only what a transaction touches is copied.
"""

import copy
import threading
from collections.abc import Callable
from typing import Any

from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local.emulator.patching import replace


def isolate_transactions() -> None:
    """Make moto's DynamoDB do one call at a time."""
    lock = threading.Lock()

    def alone(original: Callable[[DynamoHandler], Any]) -> Callable[[DynamoHandler], Any]:
        def call_action(handler: DynamoHandler) -> Any:
            with lock:
                return original(handler)

        return call_action

    replace(DynamoHandler, "call_action", alone)
    replace(models, "copy", lambda _original: _Copies())
    replace(DynamoDBBackend, "transact_write_items", _undone_if_it_fails)


class _Copies:
    """Stands for the module `copy` where moto copies tables before transactions: it need not."""

    @staticmethod
    def deepcopy(value: Any) -> Any:
        return value if isinstance(value, Table) else copy.deepcopy(value)


def _undone_if_it_fails(
    original: Callable[[DynamoDBBackend, list[dict[str, Any]]], None],
) -> Callable[[DynamoDBBackend, list[dict[str, Any]]], None]:
    def transact_write_items(backend: DynamoDBBackend, writes: list[dict[str, Any]]) -> None:
        operations = [operation for write in writes for operation in write.items()]
        tables = {operation["TableName"] for _, operation in operations} & set(backend.tables)
        before = {name: _snapshot(backend.tables[name]) for name in tables}
        for kind, operation in operations:
            if kind == "Update" and operation["TableName"] in tables:
                _set_apart(backend.tables[operation["TableName"]], operation["Key"])
        succeeded = False
        try:
            original(backend, writes)
            succeeded = True
        finally:
            if not succeeded:
                for name, items in before.items():
                    backend.tables[name].items.clear()
                    backend.tables[name].items.update(items)

    return transact_write_items


def _snapshot(table: Table) -> dict[Any, Any]:
    """Return a table's items, which later puts and deletes leave as they are."""
    return {
        hash_key: dict(items) if table.has_range_key else items
        for hash_key, items in table.items.items()
    }


def _set_apart(table: Table, key: dict[str, Any]) -> None:
    """Put a copy in an item's place: an update changes items as they stand."""
    hash_key = DynamoType(key[table.hash_key_attr])
    if not table.has_range_key:
        if hash_key in table.items:
            table.items[hash_key] = copy.deepcopy(table.items[hash_key])
        return
    range_key = DynamoType(key[str(table.range_key_attr)])
    items = table.items.get(hash_key, {})
    if range_key in items:
        items[range_key] = copy.deepcopy(items[range_key])

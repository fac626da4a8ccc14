"""DynamoDB: what moto's transactions leave to be mended.

moto copies the tables before a transaction, and puts the copies back if it fails. So it undid what
other calls had written meanwhile. Here calls follow each other.
"""

import threading
from collections.abc import Callable
from typing import Any

from moto.dynamodb.responses import DynamoHandler

from local.patching import replace


def keep_transactions_apart() -> None:
    """Make moto's DynamoDB do one call at a time."""
    lock = threading.Lock()

    def alone(original: Callable[[DynamoHandler], Any]) -> Callable[[DynamoHandler], Any]:
        def call_action(handler: DynamoHandler) -> Any:
            with lock:
                return original(handler)

        return call_action

    replace(DynamoHandler, "call_action", alone)

"""S3: patches for versions of objects and for the events about them."""

import functools
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from moto.s3 import notifications
from moto.s3.models import FakeKey, S3Backend

from local.emulator.patching import patch, replace


def serialize_puts() -> None:
    """Make moto's S3 put one object at a time: of two concurrent puts of a key it loses one."""
    lock = threading.Lock()

    @patch(S3Backend, "put_object")
    def put_object(original: Callable[..., FakeKey], *arguments: Any, **named: Any) -> FakeKey:
        with lock:
            return original(*arguments, **named)


def add_versions_to_events() -> None:
    """Make moto's notifications contain an object's key and version in S3's form."""

    @patch(notifications, "_get_s3_event")
    def event(
        original: Callable[..., dict[str, Any]],
        event_name: str,
        bucket: Any,
        key: FakeKey,
        notification_id: str,
    ) -> dict[str, Any]:
        document = original(event_name, bucket, key, notification_id)
        if key.version_id != "null":
            document["Records"][0]["s3"]["object"]["versionId"] = key.version_id
        return document

    # S3 does not escape the slashes of a key.
    replace(notifications, "quote_plus", functools.partial(quote_plus, safe="/"))

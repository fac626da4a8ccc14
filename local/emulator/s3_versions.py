"""S3: patches for versions of objects and for the events about them."""

import functools
import threading
from collections.abc import Callable
from typing import Any

from moto.s3 import notifications
from moto.s3.models import FakeKey, S3Backend

from local.emulator.patching import replace


def serialize_puts() -> None:
    """Make moto's S3 put one object at a time: of two concurrent puts of a key it loses one."""
    lock = threading.Lock()

    def with_lock(original: Callable[..., FakeKey]) -> Callable[..., FakeKey]:
        @functools.wraps(original)
        def put_object(*arguments: Any, **named: Any) -> FakeKey:
            with lock:
                return original(*arguments, **named)

        return put_object

    replace(S3Backend, "put_object", with_lock)


def add_versions_to_events() -> None:
    """Make moto's notifications contain an object's key and version in S3's form."""

    def with_version(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def event(event_name: str, bucket: Any, key: FakeKey, notification_id: str) -> Any:
            document = original(event_name, bucket, key, notification_id)
            if key.version_id != "null":
                document["Records"][0]["s3"]["object"]["versionId"] = key.version_id
            return document

        return event

    replace(notifications, "_get_s3_event", with_version)
    # S3 does not escape the slashes of a key.
    replace(notifications, "quote_plus", lambda original: functools.partial(original, safe="/"))

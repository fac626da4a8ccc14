"""Glue: a patch that refuses an update of a table that was updated since it was read."""

import threading
from collections.abc import Callable
from http import HTTPStatus

from moto.core.responses import EmptyResult
from moto.glue.exceptions import GlueClientError
from moto.glue.responses import GlueResponse

from local.emulator.patching import patch


class _ConcurrentModificationError(GlueClientError):
    code = HTTPStatus.BAD_REQUEST

    def __init__(self) -> None:
        super().__init__("ConcurrentModificationException", "the table was updated since")


def check_versions() -> None:
    """Make moto's Glue check the `VersionId` of updates, by which Iceberg's commits are atomic."""
    lock = threading.Lock()

    @patch(GlueResponse, "update_table")
    def update_table(
        original: Callable[[GlueResponse], EmptyResult], response: GlueResponse
    ) -> EmptyResult:
        wanted = response.parameters
        with lock:
            table = response.glue_backend.get_table(
                wanted["DatabaseName"], wanted["TableInput"]["Name"]
            )
            current = table.as_dict()["VersionId"]
            if wanted.get("VersionId", current) != current:
                raise _ConcurrentModificationError
            return original(response)

"""Unit tests have no network, and credentials of no AWS account."""

import functools
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore import session
from botocore.loaders import create_loader

from local.emulator.dynamodb import isolate_transactions, serialize_values_by_type
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.upload_table import DynamoDbUploads
from testing.pipeline import Pipeline
from tests.unit.ingest_table import ingest_table

ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "session",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


# moto copies and serializes DynamoDB's values slowly.
isolate_transactions()
serialize_values_by_type()

# The same models of services for all sessions, of which moto has one for each test.
_create_loader = functools.cache(create_loader)


@pytest.fixture(autouse=True, scope="module")
def _no_network() -> Iterator[None]:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a unit test wants the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        for name, value in ACCOUNT.items():
            patch.setenv(name, value)
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION"):
            patch.delenv(name, raising=False)
        patch.setattr(session, "create_loader", _create_loader)
        yield


@pytest.fixture(params=["memory", "dynamodb"])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline whose ingest log is in memory, and one whose log is in DynamoDB."""
    if request.param == "memory":
        yield Pipeline(tmp_path, bucket_count=3)
        return
    with ingest_table() as table:
        uploads = DynamoDbUploads(table, retention_days=90)
        log: Any = DynamoDbIngestLog(table, 3, uploads=uploads)
        log.uploads = uploads
        yield Pipeline(tmp_path, bucket_count=3, log=log)


@pytest.fixture
def memory(tmp_path: Path) -> Pipeline:
    """A pipeline whose ingest log is in memory."""
    return Pipeline(tmp_path, bucket_count=3)

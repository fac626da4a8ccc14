"""An uploaded object as a stream, without a network."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import ReadTimeoutError

from store_monitoring.aws.inbox import S3Inbox
from store_monitoring.errors import SupersededUploadError, TransientError
from store_monitoring.ingest.outcomes import Upload
from store_monitoring.ingest.parsing.lines import LineReader
from tests.cases import utc

UPLOAD = Upload("polls/store status.csv", "e", utc("2024-10-15"), "v")
CONTENT = b"store_id,timezone_str\n" + b"s,UTC\n" * 10_000


@pytest.fixture
def inbox() -> S3Inbox:
    return S3Inbox("inbox")


@contextmanager
def holding(inbox: S3Inbox, body: IO[bytes], size: int) -> Iterator[Stubber]:
    """Stub an inbox with one object."""
    with Stubber(inbox._client) as stub:
        stub.add_response(
            "get_object",
            {"Body": StreamingBody(body, size)},
            {
                "Bucket": "inbox",
                "Key": "polls/store status.csv",
                "IfMatch": '"e"',
                "VersionId": "v",
            },
        )
        yield stub


class BrokenConnection(io.BytesIO):
    """A body whose connection breaks."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise ReadTimeoutError(HTTPConnectionPool("inbox"), "/", "Read timed out.")


@pytest.mark.parametrize("content", [CONTENT, gzip.compress(CONTENT)], ids=["plain", "gzipped"])
def test_an_object_is_read_block_by_block(inbox: S3Inbox, content: bytes) -> None:
    with (
        holding(inbox, io.BytesIO(content), len(content)),
        inbox.open(UPLOAD) as stream,
    ):
        blocks = [block.data for block in LineReader(stream, 1000).blocks()]
    assert b"".join(blocks) == CONTENT
    assert len(blocks) == pytest.approx(len(CONTENT) / 1000, abs=2)


def test_a_connection_that_breaks_is_a_transient_error(inbox: S3Inbox) -> None:
    with (
        holding(inbox, BrokenConnection(), 100),
        inbox.open(UPLOAD) as stream,
        pytest.raises(TransientError, match="polls/store status"),
    ):
        stream.read()


def test_an_object_that_ends_early_is_a_transient_error(inbox: S3Inbox) -> None:
    with (
        holding(inbox, io.BytesIO(b"half"), 8),
        inbox.open(UPLOAD) as stream,
        pytest.raises(TransientError, match="polls/store status"),
    ):
        stream.read()


@pytest.mark.parametrize(
    ("code", "http_status", "error"),
    [
        ("SlowDown", 503, TransientError),
        ("InternalError", 500, TransientError),
        ("AccessDenied", 403, ClientError),
    ],
)
def test_only_some_errors_are_transient(
    inbox: S3Inbox, code: str, http_status: int, error: type[Exception]
) -> None:
    with Stubber(inbox._client) as stub:
        stub.add_client_error("get_object", code, http_status_code=http_status)
        with pytest.raises(error) as raised:
            inbox.open(UPLOAD)
    assert code in str(raised.value.__cause__ or raised.value)


@pytest.mark.parametrize(
    ("code", "status"), [("PreconditionFailed", 412), ("NoSuchKey", 404), ("NoSuchVersion", 404)]
)
def test_an_object_that_no_longer_exists_is_superseded(
    inbox: S3Inbox, code: str, status: int
) -> None:
    with Stubber(inbox._client) as stub:
        stub.add_client_error("get_object", code, http_status_code=status)
        with pytest.raises(SupersededUploadError, match="polls/store status"):
            inbox.open(UPLOAD)

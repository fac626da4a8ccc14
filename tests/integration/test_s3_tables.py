"""Objects of S3 whose content is wanted whole are read by one signed request each."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.errors import MissingObjectError, TransientError


class Handler(BaseHTTPRequestHandler):
    """Responds as S3 does, with the status that is the last part of the key."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.received.append((self.command, self.path, self.headers["authorization"]))
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Content-Length", "7")
        self.send_header("ETag", '"0"')
        self.send_header("Last-Modified", "Thu, 31 Oct 2024 12:00:00 GMT")
        self.end_headers()
        self.wfile.write(b"content")

    def log_message(self, *_: object) -> None:
        """Write no log."""


class Server(ThreadingHTTPServer):
    """A server that remembers what it received."""

    received: list[tuple[str, str, str]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.received = []
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield server
        server.shutdown()


def test_an_object_is_read_by_one_signed_request(server: Server) -> None:
    assert s3_tables("data").read_bytes("reports/r/200") == b"content"
    [(method, path, authorization)] = server.received
    assert (method, path) == ("GET", "/data/reports/r/200")
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-central-1/s3/aws4_request" in authorization


def test_errors_are_those_of_the_other_requests(server: Server) -> None:
    tables = s3_tables("data")
    with pytest.raises(MissingObjectError):
        tables.read_bytes("404")
    with pytest.raises(TransientError):
        tables.read_bytes("403")
    assert len(server.received) == 2


def test_a_server_error_is_retried_a_few_times(server: Server) -> None:
    with pytest.raises(TransientError):
        s3_tables("data").read_bytes("503")
    assert len(server.received) == 4

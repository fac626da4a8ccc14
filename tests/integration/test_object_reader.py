"""Objects are read by one signed request each; anything unusual is left to Arrow."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from store_monitoring.aws.object_reader import ObjectReader

KEY = "polls/bucket=007/a b+c.parquet"
CREDENTIALS = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


class Handler(BaseHTTPRequestHandler):
    """Answers as its server's `behaviour` says."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.received.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.server.clients.add(self.client_address)
        content = unquote(self.path).encode()
        behaviour = self.server.behaviours.pop() if self.server.behaviours else "200"
        if behaviour == "disconnect":
            self.close_connection = True
            return
        self.send_response(int(behaviour) if behaviour.isdigit() else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:5] if behaviour == "short" else content)
        self.close_connection = behaviour in {"short", "close"}

    def log_message(self, *_: object) -> None:
        """Write no log."""


class Server(ThreadingHTTPServer):
    """A server that names what it received; each response is of the next `behaviour`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[tuple[str, dict[str, str]]] = []
        self.clients: set[tuple[str, int]] = set()
        self.behaviours: list[str] = []
        self.readers: list[ObjectReader] = []

    def reader(self, **environment: str) -> ObjectReader:
        endpoint = f"http://127.0.0.1:{self.server_port}"
        environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint, **environment}
        self.readers.append(ObjectReader("data", environment))
        return self.readers[-1]

    def server_close(self) -> None:
        for reader in self.readers:
            for connection in reader._idle:
                connection.close()
        super().server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("token", ["", "session"])
def test_a_request_is_signed_as_botocore_signs_it(server: Server, token: str) -> None:
    assert server.reader(AWS_SESSION_TOKEN=token).read(KEY) == f"/data/{KEY}".encode()
    [(path, headers)] = server.received
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(
        "GET", f"http://{headers['host']}{path}", {name: headers[name] for name in signed}
    )
    request.context["timestamp"] = headers["x-amz-date"]
    auth = S3SigV4Auth(Credentials("AKIDEXAMPLE", "secret", token or None), "s3", "eu-central-1")
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    assert headers["authorization"].endswith(f"Signature={auth.signature(to_sign, request)}")
    assert auth.scope(request) in headers["authorization"]
    assert headers.get("x-amz-security-token", "") == token


def test_connections_are_used_again(server: Server) -> None:
    reader = server.reader()
    for name in ("a", "b", "c"):
        assert reader.read(name) == f"/data/{name}".encode()
    assert len(server.clients) == 1
    names = [str(number) for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(reader.read, names)) == [f"/data/{name}".encode() for name in names]
    assert len(server.clients) <= 5


@pytest.mark.parametrize("ended", ["disconnect", "close", "short"])
def test_a_closed_connection_is_opened_again(server: Server, ended: str) -> None:
    reader = server.reader()
    assert reader.read("a") is not None
    server.behaviours = [ended]
    assert [reader.read("b"), reader.read("c")] == [b"/data/b", b"/data/c"]


@pytest.mark.parametrize(
    "behaviours", [["403"], ["404"], ["503"], ["301"], ["disconnect"] * 2, ["short"] * 2]
)
def test_anything_else_is_left_to_arrow(server: Server, behaviours: list[str]) -> None:
    reader = server.reader()
    server.behaviours = behaviours
    assert reader.read("a") is None
    assert reader.read("a") == b"/data/a"


@pytest.mark.parametrize("missing", CREDENTIALS)
def test_without_credentials_or_region_nothing_is_requested(server: Server, missing: str) -> None:
    assert server.reader(**{missing: ""}).read("a") is None
    assert not server.received


def test_on_aws_the_bucket_is_named_by_the_host() -> None:
    for region, domain in (("eu-central-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")):
        reader = ObjectReader("data", {**CREDENTIALS, "AWS_REGION": region})
        connection = reader._connect()
        assert (connection.host, connection.port) == (f"data.s3.{region}.{domain}", 443)

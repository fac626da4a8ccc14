"""The HTTP server: many requests on one connection."""

import socket
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from local.emulator.http_server import serve
from local.emulator.settings import HOST


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Respond as the path requests: by default, with the request's body."""
    match environ["PATH_INFO"]:
        case "/ignored":
            start_response("200 OK", [("Content-Length", "3")])
            return [b"yes"]
        case "/broken":
            raise RuntimeError("as asked")
        case "/204" | "/304" as code:
            start_response(f"{code[1:]} Nothing", [])
            return []
        case _:
            start_response("200 OK", [])
            return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]


@pytest.fixture(scope="module")
def port() -> int:
    return serve(application, 0)


@pytest.fixture
def connection(port: int) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(HOST, port, timeout=30)
    connection.connect()
    connection.auto_open = 0  # An error, rather than a new connection.
    yield connection
    connection.close()


def request(
    connection: HTTPConnection, method: str, path: str, body: bytes | Iterator[bytes] | None = None
) -> bytes:
    connection.request(method, path, body)
    response = connection.getresponse()
    assert response.status == 200
    return response.read()


def test_a_connection_is_kept_alive(connection: HTTPConnection) -> None:
    assert [request(connection, "POST", "/", text) for text in (b"one", b"", b"two")] == [
        *(b"one", b"", b"two")
    ]


def test_an_unread_body_is_not_taken_for_the_next_request(connection: HTTPConnection) -> None:
    assert request(connection, "PUT", "/ignored", b"GET / HTTP/1.1\r\n\r\n" * 1000) == b"yes"
    assert request(connection, "PUT", "/", b"next") == b"next"


def test_a_body_may_be_chunked(connection: HTTPConnection) -> None:
    assert request(connection, "PUT", "/", iter([b"one", b"two"])) == b"onetwo"
    assert request(connection, "PUT", "/", b"next") == b"next"


@pytest.mark.parametrize("request_line", [b"HEAD /ignored", b"GET /204", b"GET /304"])
def test_a_response_without_content_is_followed_by_the_next_response(
    port: int, request_line: bytes
) -> None:
    requests = [request_line, b"GET /ignored"]
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(b"".join(each + b" HTTP/1.1\r\n\r\n" for each in requests))
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as received:
            _, second, third = received.read().split(b"HTTP/1.1 ")
    assert second.endswith(b"\r\n\r\n")
    assert (b"Content-Length" in second) == request_line.startswith(b"HEAD")
    assert third.endswith(b"\r\n\r\nyes")


def test_an_exception_of_the_application_is_a_server_error(connection: HTTPConnection) -> None:
    connection.request("GET", "/broken")
    assert connection.getresponse().status == 500


def test_expect_100_continue_gets_100(connection: HTTPConnection) -> None:
    connection.putrequest("PUT", "/")
    connection.putheader("Expect", "100-continue")
    connection.putheader("Content-Length", "4")
    connection.endheaders()
    with connection.sock.makefile("rb") as received:
        assert received.readline().split()[1] == b"100"
    connection.send(b"wait")
    assert connection.getresponse().read() == b"wait"


def test_an_incomplete_body_gets_no_response(port: int) -> None:
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def status_of(port: int, head: bytes) -> bytes:
    """Send the headers of a request; return the status; check that the connection then ends."""
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(head)
        with connection.makefile("rb") as received:
            received_bytes = received.read()
    assert received_bytes.count(b"HTTP/1.1 ") == 1
    return received_bytes.split()[1]


@pytest.mark.parametrize("length", [b"-1", b"ten", b"1e3", b"+5", b"1_0", b"5, 6", b"\xb2"])
def test_an_invalid_length_is_a_bad_request(port: int, length: bytes) -> None:
    assert status_of(port, b"PUT / HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n") == b"400"


def test_two_lengths_and_invalid_chunks_are_bad_requests(port: int) -> None:
    twice = b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
    chunked = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n"
    assert status_of(port, twice) == b"400"
    assert status_of(port, chunked) == b"400"


@pytest.mark.parametrize("length", [b"9" * 10, b"9" * 40])
def test_a_body_that_is_too_large_is_refused_unread(port: int, length: bytes) -> None:
    assert status_of(port, b"PUT / HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n") == b"413"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((b"127.0.0.1", b"200"), (b"localhost:80", b"200"), (b"[::1]:80", b"200")),
        *((b"evil.example", b"403"), (b"127.0.0.1.evil.example:80", b"403"), (b"10.0.0.1", b"403")),
    ],
)
def test_only_loopback_hosts_are_served(port: int, host: bytes, status: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n\r\n"
    assert status_of(port, head) == status

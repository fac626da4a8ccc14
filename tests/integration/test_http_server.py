"""One connection, request after request."""

import socket
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from local.http_server import serve
from local.settings import HOST


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the body, unless nobody wants it."""
    ignored = environ["PATH_INFO"] == "/ignored"
    start_response("200 OK", [("Content-Length", "3")] if ignored else [])
    return [b"yes"] if ignored else [environ["wsgi.input"].read()]


@pytest.fixture(scope="module")
def port() -> int:
    return serve(echo, 0)


@pytest.fixture
def connection(port: int) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(HOST, port, timeout=30)
    connection.connect()
    connection.auto_open = 0  # It is this connection, or an error.
    yield connection
    connection.close()


def answer(connection: HTTPConnection, method: str, path: str, body: object = None) -> bytes:
    connection.request(method, path, body)
    response = connection.getresponse()
    assert response.status == 200
    return response.read()


def test_a_connection_lasts(connection: HTTPConnection) -> None:
    assert [answer(connection, "POST", "/", text) for text in (b"one", b"", b"two")] == [
        *(b"one", b"", b"two")
    ]


def test_a_body_that_nobody_reads_is_not_the_next_request(connection: HTTPConnection) -> None:
    assert answer(connection, "PUT", "/ignored", b"GET / HTTP/1.1\r\n\r\n" * 1000) == b"yes"
    assert answer(connection, "PUT", "/", b"next") == b"next"


def test_a_body_may_come_in_chunks(connection: HTTPConnection) -> None:
    assert answer(connection, "PUT", "/", iter([b"one", b"two"])) == b"onetwo"
    assert answer(connection, "PUT", "/", b"next") == b"next"


def test_an_answer_to_head_has_no_body(connection: HTTPConnection) -> None:
    assert answer(connection, "HEAD", "/ignored") == b""
    assert answer(connection, "PUT", "/", b"next") == b"next"


def test_who_waits_is_told_to_go_on(connection: HTTPConnection) -> None:
    connection.putrequest("PUT", "/")
    connection.putheader("Expect", "100-continue")
    connection.putheader("Content-Length", "4")
    connection.endheaders()
    with connection.sock.makefile("rb") as received:
        assert received.readline().split()[1] == b"100"
    connection.send(b"wait")
    assert connection.getresponse().read() == b"wait"


def test_a_body_that_breaks_off_is_not_answered(port: int) -> None:
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""

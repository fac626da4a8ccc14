"""What nobody in their right mind sends: each has an answer, and a polite one."""

import json
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest

from tests.e2e.conftest import User

NASTY = [
    "a/b",
    "../../etc/passwd",
    "%2e%2e%2f",
    "\N{PILE OF POO}ä\u202e",
    "nul\0byte",
    "'; DROP TABLE reports; --",
    "<img src=x onerror=alert(1)>",
    "a" * 4_000,
]


def refused(user: User, body: bytes, content_type: str = "application/json") -> tuple[int, str]:
    answer = user.post("/trigger_report", data=body, headers={"Content-Type": content_type})
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("report_id", NASTY)
def test_what_is_no_report_id(user: User, report_id: str) -> None:
    by_path = user.get(f"/get_report/{quote(report_id, safe='')}")
    by_query = user.get("/get_report", params={"report_id": report_id})
    for answer in (by_path, by_query):
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_report_id")


@pytest.mark.parametrize("store_id", NASTY)
def test_a_strange_store_id_is_only_unknown(user: User, store_id: str) -> None:
    answer = user.ended(user.trigger(store_ids=[store_id]))
    assert answer["error"]["code"] == "UnknownStore"
    assert repr(store_id) in answer["error"]["message"]


def test_a_body_of_ten_megabytes(user: User) -> None:
    body = json.dumps({"store_ids": ["x" * 1000] * 9_900}).encode()
    assert 9_000_000 < len(body) < 10 * 1024 * 1024
    assert refused(user, body) == (413, "request_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b'{"store_ids": ' + b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"as_of": ' + b"9" * 100_000 + b"}",
        b"\xff\xfe\x00",
        b'{"as_of": NaN}',
        b'{"store_ids": ["\\ud800"]}',
        b"null",
    ],
    ids=["never closed", "deep", "long number", "no text", "not a number", "half a pair", "null"],
)
def test_a_body_that_makes_no_sense(user: User, body: bytes) -> None:
    assert refused(user, body) == (400, "invalid_request")


def test_a_flood_of_headers(user: User) -> None:
    few = {f"X-Flood-{number}": "x" * 50 for number in range(80)}
    assert user.get("/healthz", headers=few).status_code == 200
    # The server itself ends a conversation that has more than a hundred.
    url = urlsplit(user.cloud.api_url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=30)
    connection.putrequest("GET", "/healthz")
    for number in range(5_000):
        connection.putheader(f"X-Flood-{number}", "x" * 50)
    connection.endheaders()
    assert connection.getresponse().status == 431
    connection.close()
    assert user.get("/healthz").status_code == 200


@pytest.mark.parametrize("query", ["download=maybe", "download=TRUE", "download="])
def test_a_download_that_is_neither_wanted_nor_not(user: User, query: str) -> None:
    answer = user.get(f"/get_report/{uuid4()}?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert "download" in answer.json()["error"]["message"]

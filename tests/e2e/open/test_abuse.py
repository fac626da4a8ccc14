"""Hostile requests: each gets a clear error response."""

import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest

from tests.e2e.conftest import PATIENCE_SECONDS, User

HOSTILE = [
    "a/b",
    "../../etc/passwd",
    "%2e%2e%2f",
    "\N{PILE OF POO}ä\u202e",
    "'; DROP TABLE reports; --",
    "<img src=x onerror=alert(1)>",
]
INVALID_STORE_IDS = ["nul\0byte", "a" * 4_000]


def refused(user: User, body: bytes, content_type: str = "application/json") -> tuple[int, str]:
    response = user.post("/trigger_report", data=body, headers={"Content-Type": content_type})
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("report_id", HOSTILE + INVALID_STORE_IDS)
def test_an_invalid_report_id_is_refused(user: User, report_id: str) -> None:
    by_path = user.get(f"/get_report/{quote(report_id, safe='')}")
    by_query = user.get("/get_report", params={"report_id": report_id})
    for response in (by_path, by_query):
        assert (response.status_code, response.json()["error"]["code"]) == (
            400,
            "malformed_report_id",
        )


@pytest.mark.parametrize("store_id", HOSTILE)
def test_a_hostile_store_id_is_only_unknown(user: User, store_id: str) -> None:
    response = user.ended(user.trigger(store_ids=[store_id]))
    assert response["error"]["code"] == "UnknownStore"
    assert repr(store_id) in response["error"]["message"]


@pytest.mark.parametrize("store_id", INVALID_STORE_IDS)
def test_an_invalid_store_id_is_refused(user: User, store_id: str) -> None:
    assert refused(user, json.dumps({"store_ids": [store_id]}).encode()) == (400, "invalid_request")


def test_all_unknown_stores_are_named(user: User) -> None:
    store_ids = [f"nobody-{number:03d}" for number in range(101)]
    error = user.ended(user.trigger(store_ids=store_ids))["error"]
    assert error["code"] == "UnknownStore"
    named = ", ".join(map(repr, store_ids[:100]))
    assert named in error["message"]
    assert error["message"].endswith("1 more")


@pytest.mark.parametrize(
    "position",
    [
        ["\ud800", "\ud800"],
        ["2024-10-15T00:00:00.000000Z", "idempotency_key#0"],
        ["yesterday", "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"],
    ],
)
def test_a_well_formed_page_token_with_invalid_content_is_refused(
    user: User, position: list[str]
) -> None:
    token = urlsafe_b64encode(json.dumps(position).encode()).decode()
    response = user.get("/reports", params={"page_token": token})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert "page_token" in response.json()["error"]["message"]


@pytest.mark.parametrize("as_of", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z"])
def test_the_first_and_the_last_allowed_instant(user: User, as_of: str) -> None:
    assert user.ended(user.trigger(as_of=as_of))["status"] == "Complete"


def test_a_body_of_ten_megabytes_is_refused(user: User) -> None:
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
def test_an_invalid_body_is_refused(user: User, body: bytes) -> None:
    assert refused(user, body) == (400, "invalid_request")


def test_the_api_survives_a_flood_of_headers(user: User) -> None:
    few = {f"X-Flood-{number}": "x" * 50 for number in range(80)}
    assert user.get("/healthz", headers=few).status_code == 200
    # The server itself refuses requests with more than a hundred headers.
    url = urlsplit(user.cloud.api_url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=PATIENCE_SECONDS)
    connection.putrequest("GET", "/healthz")
    for number in range(5_000):
        connection.putheader(f"X-Flood-{number}", "x" * 50)
    with suppress(ConnectionError):  # the server need not read all of them
        connection.endheaders()
    assert connection.getresponse().status == 431
    connection.close()
    assert user.get("/healthz").status_code == 200


@pytest.mark.parametrize("query", ["download=maybe", "download=TRUE", "download="])
def test_an_invalid_download_parameter_is_refused(user: User, query: str) -> None:
    response = user.get(f"/get_report/{uuid4()}?{query}")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert "download" in response.json()["error"]["message"]

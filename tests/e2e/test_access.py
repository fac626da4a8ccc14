"""Who may call: an API that asks for a key."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import User

KEY = {"x-api-key": "open-sesame"}
NO_REPORT = "1f4de9a6-93b9-4b8b-a7a7-1f6f1c6b2f10"
WITH_KEY = [
    ("POST", "/trigger_report", 202),
    ("GET", "/trigger_report", 202),
    ("GET", f"/get_report/{NO_REPORT}", 404),
    ("GET", f"/get_report?report_id={NO_REPORT}", 404),
    ("GET", "/reports", 200),
    ("GET", "/timeline?store_id=1", 404),
    ("POST", "/uploads", 400),
    ("GET", "/uploads/1", 404),
]
OPEN = ["/", "/console/console.js", "/healthz"]


@pytest.fixture(scope="module")
def guarded() -> Iterator[User]:
    with LocalCloud(api_key=KEY["x-api-key"]) as cloud:
        yield User(cloud)


@pytest.mark.parametrize(("method", "path", "status"), WITH_KEY)
def test_the_key_opens_the_api(guarded: User, method: str, path: str, status: int) -> None:
    assert guarded.ask(method, path, headers=KEY).status_code == status


@pytest.mark.parametrize(("method", "path", "status"), WITH_KEY)
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"x-api-key": ""}])
def test_without_the_key_nothing_is_told(
    guarded: User, method: str, path: str, status: int, headers: dict[str, str]
) -> None:
    answer = guarded.ask(method, path, headers=headers)
    assert answer.status_code == 403
    message = "the header x-api-key has no valid key"
    assert answer.json() == {"error": {"code": "forbidden", "message": message}}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_needs_no_key(guarded: User, path: str) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *(("HEAD", path, "GET") for path in ("/", "/reports")),
        *(("OPTIONS", path, "GET") for path in ("/", "/reports")),
        *(("PUT", "/", "GET"), ("PUT", "/trigger_report", "GET, POST")),
        *(("DELETE", f"/get_report/{NO_REPORT}", "GET"), ("POST", "/healthz", "GET")),
        *(("TRACE", "/reports", "GET"), ("TRACE", "/uploads", "POST"), ("PATCH", "/docs", "GET")),
        *(("POST", "/timeline", "GET"), ("GET", f"/reports/{NO_REPORT}/retry", "POST")),
    ],
)
@pytest.mark.parametrize("headers", [{}, KEY])
def test_a_method_that_is_not_there_is_refused(
    guarded: User, method: str, path: str, allowed: str, headers: dict[str, str]
) -> None:
    answer = guarded.ask(method, path, headers=headers)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.headers["Cache-Control"] == "no-store"
    if method != "HEAD":
        assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("content_type", ["application/json", "text/csv", "text/html", "x/y"])
def test_whatever_comes_with_it(guarded: User, content_type: str) -> None:
    answer = guarded.ask("PUT", "/uploads", headers={"Content-Type": content_type}, data=b"<b>")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("method", ["GET", "HEAD", "TRACE"])
def test_an_address_with_nothing_is_refused(guarded: User, method: str) -> None:
    answer = guarded.ask(method, "/nowhere", headers=KEY)
    assert answer.status_code == 403
    if method != "HEAD":
        assert answer.json()["error"]["code"] == "forbidden"


def test_one_key_is_one_caller_and_keys_are_a_callers_own(guarded: User) -> None:
    headers = KEY | {"Idempotency-Key": str(uuid4())}
    answers = [guarded.post("/trigger_report", headers=headers).json() for _ in range(2)]
    assert answers[0]["report_id"] == answers[1]["report_id"]


def test_a_body_beyond_what_the_gateway_takes_is_refused(guarded: User) -> None:
    answer = guarded.post("/trigger_report", headers=KEY, data=b" " * (10 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")

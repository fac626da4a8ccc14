"""Who may call: an API that asks for a key."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from local.cloud import EmbeddedCloud
from tests.e2e.conftest import User

KEY = {"x-api-key": "open-sesame"}
NO_REPORT = "1f4de9a6-93b9-4b8b-a7a7-1f6f1c6b2f10"
WITH_KEY = [
    ("POST", "/trigger_report", 202),
    ("GET", "/trigger_report", 202),
    ("GET", f"/get_report/{NO_REPORT}", 404),
    ("GET", f"/get_report?report_id={NO_REPORT}", 404),
    ("GET", "/reports", 200),
    ("POST", "/uploads", 400),
    ("GET", "/uploads/1", 404),
]
OPEN = ["/", "/console/console.js", "/healthz"]


@pytest.fixture(scope="module")
def guarded() -> Iterator[User]:
    with EmbeddedCloud(api_key=KEY["x-api-key"]) as cloud:
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
    assert answer.json() == {"error": {"code": "forbidden", "message": "Forbidden"}}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_needs_no_key(guarded: User, path: str) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("HEAD", path) for path in ("/", "/reports")),
        *(("OPTIONS", path) for path in ("/", "/reports")),
        *(("PUT", path) for path in ("/", "/trigger_report")),
        *(("DELETE", f"/get_report/{NO_REPORT}"), ("POST", "/healthz"), ("GET", "/nowhere")),
    ],
)
def test_what_is_not_there_is_refused(guarded: User, method: str, path: str) -> None:
    answer = guarded.ask(method, path, headers=KEY)
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

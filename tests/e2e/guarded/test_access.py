"""Access to an API that requires a key."""

from uuid import uuid4

import pytest

from tests.e2e.conftest import User
from tests.e2e.guarded.conftest import KEY

NO_REPORT = "1f4de9a6-93b9-4b8b-a7a7-1f6f1c6b2f10"
WITH_KEY = [
    ("POST", "/trigger_report", 202),
    ("GET", "/trigger_report", 202),
    ("GET", f"/get_report/{NO_REPORT}", 404),
    ("GET", f"/get_report?report_id={NO_REPORT}", 404),
    ("GET", "/reports", 200),
    ("GET", "/timeline?store_id=nobody", 404),
    ("POST", "/uploads", 400),
    ("GET", "/uploads/1", 404),
]
OPEN = ["/", "/console/console.js", "/healthz"]


@pytest.fixture
def stranger(guarded: User) -> User:
    """A user without the key."""
    return User(guarded.cloud)


@pytest.mark.parametrize(("method", "path", "status"), WITH_KEY)
def test_the_key_gives_access(guarded: User, method: str, path: str, status: int) -> None:
    assert guarded.request(method, path).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *(("HEAD", path, "GET") for path in ("/", "/reports")),
        *(("PUT", "/", "GET"), ("PUT", "/trigger_report", "GET, POST")),
        *(("DELETE", f"/get_report/{NO_REPORT}", "GET"), ("POST", "/healthz", "GET")),
        *(
            ("TRACE", "/reports", "GET"),
            ("TRACE", "/uploads", "GET, POST"),
            ("PATCH", "/docs", "GET"),
        ),
        *(("POST", "/timeline", "GET"), ("GET", f"/reports/{NO_REPORT}/retry", "POST")),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"x-api-key": KEY}])
def test_an_unsupported_method_is_refused(
    stranger: User, method: str, path: str, allowed: str, headers: dict[str, str]
) -> None:
    response = stranger.request(method, path, headers=headers)
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)
    assert response.headers["Cache-Control"] == "no-store"
    if method != "HEAD":
        assert response.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("content_type", ["application/json", "text/csv", "text/html", "x/y"])
def test_an_unsupported_method_is_refused_with_any_content_type(
    stranger: User, content_type: str
) -> None:
    response = stranger.request(
        "PUT", "/uploads", headers={"Content-Type": content_type}, data=b"<b>"
    )
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("method", ["GET", "HEAD", "TRACE"])
def test_an_unknown_path_is_refused(guarded: User, method: str) -> None:
    response = guarded.request(method, "/nowhere")
    assert response.status_code == 403
    if method != "HEAD":
        assert response.json()["error"]["code"] == "forbidden"


def test_idempotency_keys_belong_to_the_caller_of_an_api_key(guarded: User) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    responses = [guarded.post("/trigger_report", headers=headers).json() for _ in range(2)]
    assert responses[0]["report_id"] == responses[1]["report_id"]


def test_a_body_beyond_the_gateway_s_limit_is_refused(guarded: User) -> None:
    response = guarded.post("/trigger_report", data=b" " * (10 * 1024 * 1024 + 1))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")

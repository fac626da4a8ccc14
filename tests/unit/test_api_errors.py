"""What an HTTP caller gets when something goes wrong."""

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.errors import (
    IdempotencyKeyReusedError,
    IncompleteReportError,
    InvalidRequestError,
    MalformedReportIdError,
    NoPollsError,
    ReportFailedError,
    ReportRunningError,
    RequestTooLargeError,
    TransientError,
    UnknownReportError,
    UnknownStoreError,
)
from store_monitoring.http.app import (
    decode_path_parameter,
    json_body,
    json_response,
    new_app,
    page_response,
)


def call(error: Exception) -> dict[str, Any]:
    """Answer a request whose handling raises an error."""
    app = new_app(cors_origin="")

    @app.get("/")
    def get() -> Response[str]:
        raise error

    return app.resolve({"httpMethod": "GET", "path": "/", "headers": {}}, LambdaContext())


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequestError("as_of: not a string"), 400, "invalid_request"),
        (MalformedReportIdError("a report_id is a UUID"), 400, "malformed_report_id"),
        (UnknownReportError("there is no report 1"), 404, "unknown_report"),
        (UnknownStoreError("no input contains the store 1"), 404, "unknown_store"),
        (NoPollsError("no polls have been ingested"), 409, "no_polls"),
        (ReportRunningError("the report 1 is still Running"), 409, "report_running"),
        (ReportFailedError("the report 1 Failed"), 409, "report_failed"),
        (RequestTooLargeError("the body has more"), 413, "request_too_large"),
        (IdempotencyKeyReusedError("this key came"), 422, "idempotency_key_reused"),
        (TransientError("cannot read the report"), 503, "unavailable"),
    ],
)
def test_an_error_that_is_meant_for_the_caller(error: Exception, status: int, code: str) -> None:
    response = call(error)
    assert response["statusCode"] == status
    assert json.loads(response["body"]) == {"error": {"code": code, "message": str(error)}}
    assert response["multiValueHeaders"]["Content-Type"] == ["application/json"]


def test_a_response_must_not_be_cached_framed_or_sniffed() -> None:
    headers = call(UnknownReportError("no"))["multiValueHeaders"]
    assert headers["Cache-Control"] == ["no-store"]
    assert headers["Content-Security-Policy"] == ["default-src 'none'; frame-ancestors 'none'"]
    assert headers["X-Content-Type-Options"] == ["nosniff"]
    assert headers["Referrer-Policy"] == ["no-referrer"]
    assert headers["Strict-Transport-Security"] == ["max-age=63072000"]


@pytest.mark.parametrize("character", ["a", '"', "ü", "\N{PILE OF POO}"])
def test_a_response_too_large_for_lambda_is_an_error(
    character: str,
) -> None:
    app = new_app(cors_origin="")

    @app.get("/<count>")
    def get(count: str) -> Response[str]:
        return json_response(HTTPStatus.OK, character * int(count), advice="be modest")

    def get_response(count: int) -> tuple[int, int]:
        event = {"httpMethod": "GET", "path": f"/{count}", "headers": {}}
        returned = app.resolve(event, LambdaContext())
        if returned["statusCode"] == 422:
            error = json.loads(returned["body"])["error"]
            assert error["code"] == "response_too_large"
            assert error["message"].endswith(": be modest")
        # As Lambda's runtime writes it.
        return returned["statusCode"], len(json.dumps(returned, ensure_ascii=False).encode())

    fits, does_not = 0, 7 * 1024 * 1024
    while does_not - fits > 1024:
        middle = (fits + does_not) // 2
        fits, does_not = (middle, does_not) if get_response(middle)[0] == 200 else (fits, middle)
    _, size = get_response(fits)
    assert 6 * 1024 * 1024 - 128 * 1024 < size < 6 * 1024 * 1024
    assert get_response(does_not)[0] == 422


@pytest.mark.parametrize("letter", ["a", "ü"])
def test_a_body_that_is_too_large_is_refused(letter: str) -> None:
    limit = 1024 * 1024
    body = json.dumps(letter * ((limit - 2) // len(letter.encode())), ensure_ascii=False)
    assert len(body.encode()) == limit
    assert json_body(APIGatewayProxyEvent({"body": body}))
    with pytest.raises(RequestTooLargeError):
        json_body(APIGatewayProxyEvent({"body": f"{body} "}))


def test_a_transient_error_has_a_retry_after_header() -> None:
    assert call(TransientError("slow down"))["multiValueHeaders"]["Retry-After"] == ["2"]


def test_another_error_has_no_retry_after_header() -> None:
    assert "Retry-After" not in call(UnknownReportError("no"))["multiValueHeaders"]


@pytest.mark.parametrize("error", [KeyError("secret"), IncompleteReportError("secret")])
def test_an_unexpected_error_is_logged_but_not_shown(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    response = call(error)
    assert response["statusCode"] == 500
    assert json.loads(response["body"]) == {
        "error": {"code": "internal_error", "message": "something went wrong on our side"}
    }
    assert "secret" in caplog.text


def test_an_unknown_route_is_not_found() -> None:
    event = {"httpMethod": "GET", "path": "/nothing", "headers": {}}
    response = new_app(cors_origin="").resolve(event, LambdaContext())
    assert response["statusCode"] == 404
    assert json.loads(response["body"])["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "body", ["{", "[" * 100_000, f"[{'9' * 5000}]", base64.b64encode(b"\xff").decode()]
)
def test_a_body_that_is_not_json_is_invalid(body: str) -> None:
    event = APIGatewayProxyEvent({"body": body, "isBase64Encoded": body == "/w=="})
    with pytest.raises(InvalidRequestError, match="the body is not JSON"):
        json_body(event)


def test_no_body_is_an_empty_object() -> None:
    assert json_body(APIGatewayProxyEvent({"body": None})) == {}


@pytest.mark.parametrize("path", ["/", "/broken", "/nothing"])
@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        ("https://example.com", "https://example.com", ["https://example.com"]),
        ("https://example.com", "https://example.org", None),
        ("*", "https://example.org", ["*"]),
        ("", "https://example.com", None),
    ],
)
def test_a_page_of_the_allowed_origin_may_read_responses(
    path: str, allowed: str, origin: str, expected: list[str] | None
) -> None:
    app = new_app(allowed)

    @app.get("/")
    def get() -> Response[str]:
        return page_response("text/plain", "hello")

    @app.get("/broken")
    def get_broken() -> Response[str]:
        raise UnknownReportError("no")

    event = {"httpMethod": "GET", "path": path, "headers": {"Origin": origin}}
    response = app.resolve(event, LambdaContext())
    assert response["multiValueHeaders"].get("Access-Control-Allow-Origin") == expected


@pytest.mark.parametrize("encoded", ["%ff", "%C3", "a%2Fb%ED%A0%80"])
def test_a_path_that_is_not_utf_8(encoded: str) -> None:
    with pytest.raises(InvalidRequestError, match="the path is not UTF-8"):
        decode_path_parameter(encoded)

"""What an HTTP caller gets when something goes wrong."""

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
from store_monitoring.http.app import json_response, new_app, next_page_link, page_response


def call(error: Exception, accept: str = "*/*") -> dict[str, Any]:
    """Return the response to a request whose handler raises an error."""
    app = new_app(cors_origin="")

    @app.get("/")
    def get() -> Response[str]:
        raise error

    event = {"httpMethod": "GET", "path": "/", "headers": {"accept": accept}}
    return app.resolve(event, LambdaContext())


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


def test_an_error_about_a_field_names_it() -> None:
    error = json.loads(call(InvalidRequestError.about("period.to", "not after from"))["body"])
    assert error["error"] == {
        "code": "invalid_request",
        "message": "period.to: not after from",
        "field": "period.to",
    }


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (UnknownReportError("there is no report 1"), 404, "Not Found"),
        (KeyError("secret"), 500, "Internal Server Error"),
    ],
)
def test_problem_details_for_those_who_accept_them(
    error: Exception, status: int, title: str
) -> None:
    plain = json.loads(call(error)["body"])
    response = call(error, accept="application/json, Application/Problem+JSON;q=0.9")
    assert response["multiValueHeaders"]["Content-Type"] == ["application/problem+json"]
    assert json.loads(response["body"]) == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": plain["error"]["message"],
        **plain,
    }


def test_the_next_page_is_linked() -> None:
    query = {"limit": "5", "page_token": "old"}
    event = APIGatewayProxyEvent({"queryStringParameters": query})
    assert next_page_link(event, "a b==") == {"Link": '<?limit=5&page_token=a+b%3D%3D>; rel="next"'}


@pytest.mark.parametrize("asked", ['"{}"', 'W/"{}"', '"other", "{}"'])
def test_a_page_is_not_sent_again(asked: str) -> None:
    def get(headers: dict[str, str]) -> Response[str]:
        event = APIGatewayProxyEvent({"headers": headers})
        return page_response(event, "text/plain", "hello")

    first = get({})
    tag = str(first.headers["ETag"])
    assert (first.status_code, first.body) == (200, "hello")
    again = get({"if-none-match": asked.format(tag.strip('"'))})
    assert (again.status_code, again.body) == (304, "")
    assert again.headers["ETag"] == tag
    assert get({"if-none-match": '"other"'}).status_code == 200


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
    assert json.loads(response["body"])["error"]["code"] == "internal_error"
    assert "secret" not in response["body"]
    assert "secret" in caplog.text


def test_an_unknown_route_is_not_found() -> None:
    event = {"httpMethod": "GET", "path": "/nothing", "headers": {}}
    response = new_app(cors_origin="").resolve(event, LambdaContext())
    assert response["statusCode"] == 404
    assert json.loads(response["body"])["error"]["code"] == "not_found"


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
        return page_response(app.current_event, "text/plain", "hello")

    @app.get("/broken")
    def get_broken() -> Response[str]:
        raise UnknownReportError("no")

    event = {"httpMethod": "GET", "path": path, "headers": {"Origin": origin}}
    response = app.resolve(event, LambdaContext())
    assert response["multiValueHeaders"].get("Access-Control-Allow-Origin") == expected

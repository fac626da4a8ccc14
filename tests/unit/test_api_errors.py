"""What an HTTP caller gets when something goes wrong."""

import json
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import Response

from store_monitoring.api import new_app
from store_monitoring.errors import (
    IncompleteReport,
    InvalidRequest,
    MalformedReportId,
    TransientError,
    UnknownReport,
)


def call(error: Exception) -> dict[str, Any]:
    """Answer a request whose handling raises an error."""
    app = new_app()

    @app.get("/")
    def get() -> Response[str]:
        raise error

    return app.resolve({"httpMethod": "GET", "path": "/", "headers": {}}, None)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequest("as_of: not a string"), 400, "invalid_request"),
        (MalformedReportId("a report_id is a UUID"), 400, "malformed_report_id"),
        (UnknownReport("there is no report 1"), 404, "unknown_report"),
        (TransientError("cannot read the report"), 503, "unavailable"),
    ],
)
def test_an_error_that_is_meant_for_the_caller(error: Exception, status: int, code: str) -> None:
    answer = call(error)
    assert answer["statusCode"] == status
    assert json.loads(answer["body"]) == {"error": {"code": code, "message": str(error)}}
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]


def test_what_can_pass_says_when_to_come_again() -> None:
    assert call(TransientError("slow down"))["multiValueHeaders"]["Retry-After"] == ["2"]


def test_what_cannot_pass_does_not() -> None:
    assert "Retry-After" not in call(UnknownReport("no"))["multiValueHeaders"]


@pytest.mark.parametrize("error", [KeyError("secret"), IncompleteReport("secret")])
def test_a_bug_is_not_shown(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    answer = call(error)
    assert answer["statusCode"] == 500
    assert json.loads(answer["body"]) == {
        "error": {"code": "internal_error", "message": "something went wrong on our side"}
    }
    assert "secret" in caplog.text  # but logged

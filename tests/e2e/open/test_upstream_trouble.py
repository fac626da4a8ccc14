"""The services behind the API cannot be reached."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import User

REQUESTS = {
    "trigger": ("POST", "/trigger_report", "TriggerReportFunction"),
    "get": ("GET", f"/get_report/{uuid4()}", "GetReportFunction"),
    "list": ("GET", "/reports", "ListReportsFunction"),
    "timeline": ("GET", "/stores/1/timeline", "GetTimelineFunction"),
}


@contextmanager
def unreachable(user: User, service: str, logical_id: str) -> Iterator[None]:
    """Point a function at an endpoint of a service where nothing listens."""
    client = user.cloud.client("lambda")
    [function] = [
        function
        for function in client.list_functions()["Functions"]
        if function["FunctionName"].endswith(logical_id)
    ]
    function_name, variables = function["FunctionName"], function["Environment"]["Variables"]
    closed = {f"AWS_ENDPOINT_URL_{service}": "http://127.0.0.1:1"}
    client.update_function_configuration(
        FunctionName=function_name, Environment={"Variables": variables | closed}
    )
    try:
        yield
    finally:
        client.update_function_configuration(
            FunctionName=function_name, Environment={"Variables": variables}
        )


@pytest.mark.parametrize("name", REQUESTS)
def test_without_its_table_the_api_is_unavailable(user: User, name: str) -> None:
    method, path, function = REQUESTS[name]
    with unreachable(user, "DYNAMODB", function):
        response = user.request(method, path)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) > 0
    assert user.request(method, path).status_code in (200, 202, 404)


@pytest.mark.parametrize(("service", "is_recorded"), [("S3", False), ("SFN", True)])
def test_a_report_that_cannot_be_started_is_failed_if_recorded_and_its_key_starts_it(
    user: User, service: str, is_recorded: bool
) -> None:
    def newest() -> dict[str, dict[str, Any]]:
        reports = user.get("/reports", params={"limit": 1}).json()["reports"]
        return {report["report_id"]: report for report in reports}

    headers, before = {"Idempotency-Key": str(uuid4())}, newest()
    with unreachable(user, service, "TriggerReportFunction"):
        response = user.post("/trigger_report", headers=headers)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    recorded = [report for report_id, report in newest().items() if report_id not in before]
    assert [report["error"]["code"] for report in recorded] == ["NotStarted"] * is_recorded
    retried = user.post("/trigger_report", headers=headers)
    assert retried.status_code == 202
    assert {report["report_id"] for report in recorded} <= {retried.json()["report_id"]}
    assert user.ended(retried.json()["report_id"])["status"] == "Complete"

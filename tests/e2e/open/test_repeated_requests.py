"""Repeated requests with an idempotency key."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import requests

from tests.e2e.conftest import User

AT_ONCE = 100


def executions(user: User) -> set[str]:
    pages = user.cloud.client("stepfunctions").get_paginator("list_executions")
    machine = user.cloud.outputs["StateMachineArn"]
    return {
        execution["name"]
        for page in pages.paginate(stateMachineArn=machine)
        for execution in page["executions"]
    }


def test_a_hundred_requests_at_once_with_one_key_start_one_execution(user: User) -> None:
    before = executions(user)
    headers = {"Idempotency-Key": str(uuid4())}

    def post(_: int) -> requests.Response:
        return requests.post(f"{user.cloud.api_url}/trigger_report", headers=headers, timeout=120)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        responses = list(pool.map(post, range(AT_ONCE)))
    assert {response.status_code for response in responses} == {202}
    [report_id] = {response.json()["report_id"] for response in responses}
    assert executions(user) - before == {report_id}
    assert user.ended(report_id)["status"] == "Complete"


@pytest.mark.parametrize("header", ["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"])
def test_a_repeated_request_gets_the_same_report_with_its_current_status(
    user: User, header: str
) -> None:
    headers, body = {header: str(uuid4())}, {"as_of": "2024-10-14T12:00:00Z"}
    first = user.post("/trigger_report", json=body, headers=headers).json()
    user.ended(first["report_id"])
    second = user.post("/trigger_report", json=body, headers=headers)
    assert second.status_code == 202
    assert second.json() == {"report_id": first["report_id"], "status": "Complete"}


def test_a_key_with_another_body_is_refused(user: User) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    user.post("/trigger_report", json={}, headers=headers)
    response = user.post("/trigger_report", json={"formats": ["json"]}, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (
        422,
        "idempotency_key_reused",
    )


def test_a_key_that_is_too_long_is_refused(user: User) -> None:
    response = user.post("/trigger_report", headers={"Idempotency-Key": "k" * 256})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")

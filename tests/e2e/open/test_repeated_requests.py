"""Repeated requests with an idempotency key."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import requests

from tests.e2e.conftest import PATIENCE_SECONDS, User

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
        return requests.post(
            f"{user.cloud.api_url}/trigger_report", headers=headers, timeout=PATIENCE_SECONDS
        )

    with ThreadPoolExecutor(AT_ONCE) as pool:
        responses = list(pool.map(post, range(AT_ONCE)))
    assert {response.status_code for response in responses} == {202}
    [report_id] = {response.json()["report_id"] for response in responses}
    assert executions(user) - before == {report_id}
    assert user.ended(report_id)["status"] == "Complete"

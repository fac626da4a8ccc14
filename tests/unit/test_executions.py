"""The executions of the state machine, without a network."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from store_monitoring.aws.executions import StateMachineExecutions
from store_monitoring.errors import TransientError
from store_monitoring.reports.failures import failure
from store_monitoring.reports.report import Failure, Report, Status
from tests.cases import utc

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:report"
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:report:r"
STARTED_AT = utc("2024-10-15 00:00")
REPORT = Report("r", Status.RUNNING, STARTED_AT)


@pytest.fixture
def executions() -> StateMachineExecutions:
    return StateMachineExecutions(MACHINE)


def description(status: str, **more: str) -> dict[str, str | datetime]:
    return {
        "executionArn": EXECUTION,
        "stateMachineArn": MACHINE,
        "status": status,
        "startDate": STARTED_AT,
        **more,
    }


def failure_of(executions: StateMachineExecutions, response: dict[str, Any]) -> Failure | None:
    with Stubber(executions._client) as stub:
        stub.add_response("describe_execution", response, {"executionArn": EXECUTION})
        return executions.failure("r")


@pytest.mark.parametrize(("attempt", "name"), [(1, "r"), (2, "r-2")])
def test_an_execution_is_named_by_its_report_and_attempt(
    executions: StateMachineExecutions, attempt: int, name: str
) -> None:
    with Stubber(executions._client) as stub:
        stub.add_response(
            "start_execution",
            {"executionArn": EXECUTION, "startDate": STARTED_AT},
            {
                "stateMachineArn": MACHINE,
                "name": name,
                "input": json.dumps({"report_id": "r", "execution": name}),
            },
        )
        executions.start(replace(REPORT, attempt=attempt))
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_an_execution_that_may_still_succeed_has_not_failed(
    executions: StateMachineExecutions, status: str
) -> None:
    assert failure_of(executions, description(status)) is None


def test_a_report_that_is_running_after_its_execution_succeeded_has_none_any_more(
    executions: StateMachineExecutions,
) -> None:
    found = failure_of(executions, description("SUCCEEDED"))
    assert found is not None
    assert found.error == "ExecutionDoesNotExist"


def test_a_failed_execution_has_a_reason(executions: StateMachineExecutions) -> None:
    response = description("FAILED", error="NoPolls", cause='{"errorMessage": "no polls yet"}')
    assert failure_of(executions, response) == Failure("NoPolls", "no polls yet")


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED"])
def test_an_aborted_or_timed_out_execution_has_no_cause(
    executions: StateMachineExecutions, status: str
) -> None:
    assert failure_of(executions, description(status)) == failure(status)


def test_a_missing_execution_has_failed(executions: StateMachineExecutions) -> None:
    with Stubber(executions._client) as stub:
        stub.add_client_error("describe_execution", "ExecutionDoesNotExist")
        gone = executions.failure("r")
    assert gone is not None
    assert gone.error == "ExecutionDoesNotExist"


@pytest.mark.parametrize(
    ("code", "error"),
    [("ThrottlingException", TransientError), ("StateMachineDoesNotExist", ClientError)],
)
def test_only_some_errors_are_transient(
    executions: StateMachineExecutions, code: str, error: type[Exception]
) -> None:
    with Stubber(executions._client) as stub:
        stub.add_client_error("start_execution", code)
        with pytest.raises(error) as raised:
            executions.start(REPORT)
    assert code in str(raised.value.__cause__ or raised.value)  # the log has it, callers do not
    assert (code in str(raised.value)) == (error is ClientError)

"""Executions of the report state machine in Step Functions."""

import json
from collections.abc import Mapping
from typing import Any

import boto3

from store_monitoring.aws.clients import FAIL_FAST, transient_errors
from store_monitoring.aws.report_table import failure_from_cause
from store_monitoring.reports.failures import EXECUTION_GONE
from store_monitoring.reports.report import Failure, Report


class StateMachineExecutions:
    """Executions of one state machine; the name of each is its report id and attempt."""

    def __init__(self, state_machine_arn: str) -> None:
        self._state_machine_arn = state_machine_arn
        self._client = boto3.client("stepfunctions", config=FAIL_FAST)

    def start(self, report: Report) -> None:
        """Start a report's execution; do nothing if it already exists."""
        try:
            with transient_errors("start the report"):
                self._client.start_execution(
                    stateMachineArn=self._state_machine_arn,
                    name=report.execution,
                    input=json.dumps(
                        {"report_id": report.report_id, "execution": report.execution}
                    ),
                )
        except self._client.exceptions.ExecutionAlreadyExists:
            return

    def failure(self, execution: str) -> Failure | None:
        """Return why an execution failed; None if it is running.

        An execution that succeeded has marked its report Complete. If the report is still Running,
        it was deleted and recorded again, so it has no execution.
        """
        arn = self._state_machine_arn.replace(":stateMachine:", ":execution:")
        try:
            with transient_errors("describe the report's execution"):
                found = self._client.describe_execution(executionArn=f"{arn}:{execution}")
        except self._client.exceptions.ExecutionDoesNotExist:
            return EXECUTION_GONE
        return EXECUTION_GONE if found["status"] == "SUCCEEDED" else failure_of(found)


def failure_of(execution: Mapping[str, Any]) -> Failure | None:
    """Return why an execution, as described by Step Functions, failed; None if it did not."""
    status = execution["status"]
    if status in ("RUNNING", "PENDING_REDRIVE", "SUCCEEDED"):
        return None
    return failure_from_cause(execution.get("error") or status, execution.get("cause") or "")

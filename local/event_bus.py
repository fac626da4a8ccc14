"""EventBridge: tells the functions that rules name how executions of state machines ended."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.events.models import events_backends
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution import Execution

from local.aws import Functions


class EventBus:
    """Matches events with moto's rules, and passes them to the rules' functions."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def execution_ended(self, execution: Execution) -> None:
        """Publish what Step Functions publishes when an execution has ended."""
        self._publish(_status_change(execution))

    def _publish(self, event: dict[str, Any]) -> None:
        bus = events_backends[event["account"]][event["region"]].event_buses["default"]
        for rule in list(bus.rules.values()):
            if rule.state != "ENABLED" or not rule.event_pattern.matches_event(event):
                continue
            for target in rule.targets:
                if target["Arn"].split(":")[2] == "lambda":
                    self._functions.invoke_event(target["Arn"], json.dumps(event).encode())


def _status_change(execution: Execution) -> dict[str, Any]:
    succeeded = execution.exec_status is ExecutionStatus.SUCCEEDED
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": execution.account_id,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": execution.region_name,
        "resources": [execution.exec_arn],
        "detail": {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": execution.status,
            "startDate": _milliseconds(execution.start_date),
            "stopDate": _milliseconds(execution.stop_date),
            "input": json.dumps(execution.input_data),
            "inputDetails": {"included": True},
            "output": json.dumps(execution.output) if succeeded else None,
            "outputDetails": {"included": True} if succeeded else None,
            "error": execution.error,
            "cause": execution.cause,
        },
    }


def _milliseconds(instant: datetime) -> int:
    return int(instant.replace(tzinfo=instant.tzinfo or UTC).timestamp() * 1000)

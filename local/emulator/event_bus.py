"""EventBridge: patches that let moto's rules run functions and receive Step Functions' events."""

import copy
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.events.models import Rule, events_backends
from moto.events.utils import EventMessageType
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution import Execution

from local.emulator.aws import Functions
from local.emulator.patching import patch


def route_events(functions: Functions) -> None:
    """Make moto's rules run the functions among their targets, and skip disabled rules."""

    @patch(Rule, "send_to_targets")
    def send_to_targets(
        original: Callable[..., None], rule: Rule, event: EventMessageType, *transform: bool
    ) -> None:
        # A schedule has no pattern, and moto would match it with every event.
        on_schedule = rule.scheduled_expression is not None
        if rule.state != "ENABLED" or on_schedule or not rule.event_pattern.matches_event(event):
            return
        others = copy.copy(rule)
        others.targets = [each for each in rule.targets if not _is_function(each["Arn"])]
        for target in rule.targets:
            if _is_function(target["Arn"]):
                functions.invoke_event(target["Arn"], json.dumps(_as_sent(event)).encode())
        original(others, event, *transform)


def publish_execution_ended(execution: Execution) -> None:
    """Publish the event that Step Functions publishes when an execution has ended."""
    bus = events_backends[execution.account_id][execution.region_name].event_buses["default"]
    for rule in list(bus.rules.values()):
        rule.send_to_targets(_status_change(execution))


def _is_function(arn: str) -> bool:
    return arn.split(":")[2] == "lambda"


def _as_sent(event: EventMessageType) -> dict[str, Any]:
    """Return an event as targets receive it: with a text for its time, without moto's own field."""
    sent: dict[str, Any] = {
        name: value for name, value in event.items() if name != "ingestion-time"
    }
    if not isinstance(event["time"], str):
        sent["time"] = _text(datetime.fromtimestamp(event["time"], UTC))
    return sent


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _status_change(execution: Execution) -> EventMessageType:
    succeeded = execution.exec_status is ExecutionStatus.SUCCEEDED
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": execution.account_id,
        "time": _text(datetime.now(UTC)),
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


def _milliseconds(instant: datetime | None) -> int | None:
    if instant is None:
        return None
    return int(instant.replace(tzinfo=instant.tzinfo or UTC).timestamp() * 1000)

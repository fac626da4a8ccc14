"""The table of reports, in DynamoDB. The state machine writes it too."""

import json
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from store_monitoring.adapters.aws_errors import error_code, transient_errors
from store_monitoring.adapters.dynamodb_items import from_item, to_item
from store_monitoring.instants import to_text
from store_monitoring.use_cases.report import Failure, Format, Report, ReportRequest, Status


class ReportTable:
    """Reports in a DynamoDB table whose key is `report_id`.

    Parameters
    ----------
    name : str
    retention : timedelta
        How long a report is kept.
    """

    def __init__(self, name: str, retention: timedelta) -> None:
        self._name = name
        self._retention = retention
        self._client = boto3.client("dynamodb")

    def add(self, report: Report, request: ReportRequest) -> None:
        """Add a report that is Running."""
        item = {
            "report_id": report.report_id,
            "status": report.status.value,
            "requested_as_of": None if request.as_of_us is None else to_text(request.as_of_us),
            "poll_filter": request.poll_filter.value,
            "stores_requested": None if request.store_ids is None else len(request.store_ids),
            "formats": [format_.value for format_ in request.formats],
            "started_at": report.started_at.isoformat(),
            "expires_at": int((report.started_at + self._retention).timestamp()),
        }
        with transient_errors("record the report"):
            self._client.put_item(
                TableName=self._name,
                Item=to_item(item),
                ConditionExpression="attribute_not_exists(report_id)",
            )

    def get(self, report_id: str) -> Report | None:
        """Return a report as it stands, strongly consistent."""
        with transient_errors("read the report"):
            answer = self._client.get_item(
                TableName=self._name, Key=to_item({"report_id": report_id}), ConsistentRead=True
            )
        return _report(from_item(answer["Item"])) if "Item" in answer else None

    def fail(self, report_id: str, failure: Failure, ended_at: datetime) -> None:
        """Mark a report Failed if it is Running; otherwise change nothing."""
        values = {
            ":running": Status.RUNNING.value,
            ":failed": Status.FAILED.value,
            ":ended_at": ended_at.isoformat(),
            ":error": failure.error,
            ":cause": failure.message,
        }
        try:
            with transient_errors("mark the report Failed"):
                self._client.update_item(
                    TableName=self._name,
                    Key=to_item({"report_id": report_id}),
                    ConditionExpression="#status = :running",
                    UpdateExpression=(
                        "SET #status = :failed, ended_at = :ended_at,"
                        " #error = :error, cause = :cause"
                    ),
                    ExpressionAttributeNames={"#status": "status", "#error": "error"},
                    ExpressionAttributeValues=to_item(values),
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise


def _report(item: dict[str, Any]) -> Report:
    status = Status(item["status"])
    failed = status is Status.FAILED
    return Report(
        report_id=item["report_id"],
        status=status,
        started_at=datetime.fromisoformat(item["started_at"]),
        as_of=item.get("as_of"),
        shards_total=item.get("shards_total"),
        stores=item.get("stores"),
        failure=_failure(item) if failed else None,
        formats=tuple(Format(name) for name in item["formats"]),
    )


def _failure(item: dict[str, Any]) -> Failure:
    failure = failure_from_cause(item["error"], item["cause"])
    if "failed_shard" in item:
        return Failure(failure.error, f"shard {item['failed_shard']}: {failure.message}")
    return failure


def failure_from_cause(error: str, cause: str) -> Failure:
    """Return a failure as Step Functions reports it.

    The cause of a Lambda's error is JSON with its message and its stack trace; the trace is for
    the log, not for the requester.
    """
    try:
        message = json.loads(cause)["errorMessage"] or cause
    except (ValueError, KeyError, TypeError):
        message = cause
    return Failure(error, message)

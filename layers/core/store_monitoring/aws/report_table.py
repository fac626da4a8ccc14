"""The table of reports, in DynamoDB. The state machine writes it too."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from store_monitoring.aws.aws_errors import transient_errors
from store_monitoring.aws.clients import FAIL_FAST
from store_monitoring.aws.dynamodb_items import from_item, to_item
from store_monitoring.domain.poll_filter import PollFilter
from store_monitoring.errors import IdempotencyKeyReusedError
from store_monitoring.instants import to_text, to_us
from store_monitoring.logs import logger
from store_monitoring.reports.failures import error_code, has_public_message, public_message
from store_monitoring.reports.idempotency import IdempotencyKey
from store_monitoring.reports.pages import Cursor, PageRequest, ReportPage
from store_monitoring.reports.report import Failure, Format, Report, Status, report_id_of
from store_monitoring.reports.request import ReportRequest

_STEP = re.compile(r"[a-z ]+(?: \d+)?: ")  # as the state machine names its steps

_KEY_LASTS = timedelta(hours=24)

_BY_START = "by_start"  # the index of all reports in the order of their starts

_LOG = "reports"  # its one partition, in which idempotency keys have no place


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ReportTable:
    """Reports in a DynamoDB table whose key is `report_id`, beside idempotency keys.

    Parameters
    ----------
    name : str
    retention : timedelta
        How long a report is kept. DynamoDB may take days to delete what has expired; until then
        it is there no longer for anyone who asks here.
    clock : callable
        Returns the time.
    """

    def __init__(
        self, name: str, retention: timedelta, clock: Callable[[], datetime] = _utc_now
    ) -> None:
        self._name = name
        self._retention = retention
        self._clock = clock
        self._client = boto3.client("dynamodb", config=FAIL_FAST)

    def claim(self, key: IdempotencyKey, report_id: str, now: datetime) -> str:
        """Let a key stand for a report for a day; return the id of the one that it stands for.

        Raises
        ------
        IdempotencyKeyReusedError
            If it stands for the report of another request.
        """
        item = {
            **_key_of(key),
            "stands_for": report_id,
            "request_digest": key.request_digest,
            "expires_at": int((now + _KEY_LASTS).timestamp()),
        }
        try:
            with transient_errors("claim the idempotency key"):
                self._client.put_item(
                    TableName=self._name,
                    Item=to_item(item),
                    # DynamoDB deletes what has expired when it comes to it.
                    ConditionExpression="attribute_not_exists(report_id) OR expires_at <= :now",
                    ExpressionAttributeValues=to_item({":now": int(now.timestamp())}),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            claimed = _item_there(error)
        else:
            return report_id
        if claimed["request_digest"] != key.request_digest:
            raise IdempotencyKeyReusedError("this Idempotency-Key came with another request before")
        stands_for: str = claimed["stands_for"]
        return stands_for

    def release(self, key: IdempotencyKey) -> None:
        """Let a key stand for nothing."""
        with transient_errors("release the idempotency key"):
            self._client.delete_item(TableName=self._name, Key=to_item(_key_of(key)))

    def add(self, report: Report, request: ReportRequest) -> Report:
        """Add a report that is Running; return it, or the one of its id that is there already."""
        item = {
            "report_id": report.report_id,
            "log": _LOG,
            "status": report.status.value,
            "requested_as_of": None if request.as_of_us is None else to_text(request.as_of_us),
            "poll_filter": request.poll_filter.value,
            "stores_requested": None if request.store_ids is None else len(request.store_ids),
            "formats": [format_.value for format_ in request.formats],
            "execution": report.execution,
            "attempt": report.attempt,
            "started_at": _text(report.started_at),
            "expires_at": int((report.started_at + self._retention).timestamp()),
        }
        try:
            with transient_errors("record the report"):
                self._client.put_item(
                    TableName=self._name,
                    Item=to_item(item),
                    ConditionExpression="attribute_not_exists(report_id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            return _report(_item_there(error))
        return report

    def delete(self, report_id: str) -> None:
        """Delete a report, so that it is unknown."""
        with transient_errors("delete the report"):
            self._client.delete_item(TableName=self._name, Key=to_item({"report_id": report_id}))

    def get(self, report_id: str) -> Report | None:
        """Return a report as it stands, strongly consistent; None if it has expired."""
        with transient_errors("read the report"):
            answer = self._client.get_item(
                TableName=self._name, Key=to_item({"report_id": report_id}), ConsistentRead=True
            )
        item = from_item(answer["Item"]) if "Item" in answer else None
        return None if item is None or item["expires_at"] <= self._now() else _report(item)

    def fail(self, execution: str, failure: Failure, ended_at: datetime) -> None:
        """Mark the report that an execution makes Failed.

        Change nothing if it is not Running, or another execution makes it by now.
        """
        report_id = report_id_of(execution)
        values = {
            ":execution": execution,
            ":running": Status.RUNNING.value,
            ":failed": Status.FAILED.value,
            ":ended_at": _text(ended_at),
            ":error": failure.error,
            ":cause": failure.detail or failure.message,
        }
        try:
            with transient_errors("mark the report Failed"):
                self._client.update_item(
                    TableName=self._name,
                    Key=to_item({"report_id": report_id}),
                    ConditionExpression="#status = :running AND execution = :execution",
                    UpdateExpression=(
                        "SET #status = :failed, ended_at = :ended_at,"
                        " #error = :error, cause = :cause"
                    ),
                    ExpressionAttributeNames={"#status": "status", "#error": "error"},
                    ExpressionAttributeValues=to_item(values),
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # it has ended, or is not there
        logger.warning("report failed", report_id=report_id, failure=asdict(failure))

    def restart(self, failed: Report, now: datetime) -> Report:
        """Mark a Failed report Running, with its next attempt; return it.

        Should it have been restarted since it was read, return it as it stands.
        """
        attempt = failed.attempt + 1
        values = {
            ":failed": Status.FAILED.value,
            ":last": failed.execution,
            ":running": Status.RUNNING.value,
            ":execution": replace(failed, attempt=attempt).execution,
            ":attempt": attempt,
            ":restarted_at": _text(now),
        }
        try:
            with transient_errors("restart the report"):
                answer = self._client.update_item(
                    TableName=self._name,
                    Key=to_item({"report_id": failed.report_id}),
                    ConditionExpression="#status = :failed AND execution = :last",
                    UpdateExpression=(
                        "SET #status = :running, execution = :execution, attempt = :attempt,"
                        " restarted_at = :restarted_at"
                        " REMOVE ended_at, #error, cause, failure, failed_step, map_runs"
                    ),
                    ExpressionAttributeNames={"#status": "status", "#error": "error"},
                    ExpressionAttributeValues=to_item(values),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            return _report(_item_there(error))
        return _report(from_item(answer["Attributes"]))

    def newest(self, page: PageRequest) -> ReportPage:
        """Return a page of reports, newest first; a report of a moment ago may be missing.

        A page may be shorter than its limit although others follow: expired ones are left out.
        """
        start: dict[str, Any] = {}
        if page.after is not None:
            place = {"started_at": page.after.started_at, "report_id": page.after.report_id}
            start["ExclusiveStartKey"] = to_item({"log": _LOG} | place)
        with transient_errors("list the reports"):
            answer = self._client.query(
                TableName=self._name,
                IndexName=_BY_START,
                KeyConditionExpression="#log = :log",
                FilterExpression="expires_at > :now",
                ExpressionAttributeNames={"#log": "log"},
                ExpressionAttributeValues=to_item({":log": _LOG, ":now": self._now()}),
                ScanIndexForward=False,
                Limit=page.limit,
                **start,
            )
        reports = tuple(_report(from_item(item)) for item in answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return ReportPage(reports)
        last = from_item(answer["LastEvaluatedKey"])
        return ReportPage(reports, Cursor(last["started_at"], last["report_id"]))

    def _now(self) -> int:
        """Return the time as DynamoDB's expiry has it."""
        return int(self._clock().timestamp())


def _key_of(key: IdempotencyKey) -> dict[str, str]:
    return {"report_id": f"idempotency_key#{key.digest}"}


def _item_there(error: ClientError) -> dict[str, Any]:
    # Only this error has an item, and the types know of none.
    answer: dict[str, Any] = {**error.response}
    return from_item(answer["Item"])


def _text(instant: datetime) -> str:
    # In UTC and with all digits, so that the order of texts is the order of time.
    return to_text(to_us(instant))


def _report(item: dict[str, Any]) -> Report:
    status = Status(item["status"])
    failed = status is Status.FAILED
    return Report(
        report_id=item["report_id"],
        status=status,
        started_at=datetime.fromisoformat(item["started_at"]),
        ended_at=datetime.fromisoformat(item["ended_at"]) if "ended_at" in item else None,
        as_of=item.get("as_of"),
        shards_total=item.get("shards_total"),
        stores=item.get("stores"),
        failure=_failure(item) if failed else None,
        poll_filter=PollFilter(item["poll_filter"]),
        formats=tuple(Format(name) for name in item["formats"]),
        attempt=item["attempt"],
        restarted_at=(
            datetime.fromisoformat(item["restarted_at"]) if "restarted_at" in item else None
        ),
    )


def _failure(item: dict[str, Any]) -> Failure:
    if "failure" in item:
        failure = _failure_from_output(json.loads(item["failure"]))
    else:  # it was marked by end_report, or before the state machine kept the whole error output
        failure = failure_from_cause(item["error"], item["cause"])
    if "failed_step" in item:
        message = f"{item['failed_step']}: {failure.message}"
        return Failure(failure.error, message, failure.detail)
    return failure


def failure_from_cause(error: str, cause: str) -> Failure:
    """Return a failure as Step Functions reports it.

    The cause of a Lambda's error is JSON with its message and its stack trace. The message of one
    of our errors is for callers; all else is not, and our own words stand for it. The cause of a
    Fail state of ours is the error output that led to it, as JSON. Before either may be the name of
    the step.

    Examples
    --------
    >>> failure_from_cause("NoPollsError", 'plan: {"errorMessage": "no polls yet"}')
    Failure(error='NoPolls', message='plan: no polls yet')
    """
    error = error_code(error)
    before, brace, rest = cause.partition("{")
    step = before if _STEP.fullmatch(before) else ""
    match _decoded(brace + rest):
        case {"errorMessage": str(message)} if message and has_public_message(error):
            return Failure(error, f"{step}{message}", cause)
        case {"Error": str()} as output:
            return Failure(error, f"{step}{_failure_from_output(output).message}", cause)
        case _ if has_public_message(error) and not brace:  # as `fail` has written it
            return Failure(error, cause)
        case _:
            return Failure(error, f"{step}{public_message(error)}", cause)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _failure_from_output(output: dict[str, str]) -> Failure:
    """Return a failure from an error output of a state, in which `Cause` may be missing."""
    return failure_from_cause(output["Error"], output.get("Cause") or "")

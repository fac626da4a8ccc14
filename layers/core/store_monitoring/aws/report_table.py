"""The table of reports in DynamoDB. The state machine writes to it, too."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import boto3
from botocore.exceptions import ClientError

from store_monitoring.aws.clients import FAIL_FAST, transient_errors
from store_monitoring.aws.dynamodb_items import from_item, to_item
from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import IdempotencyKeyReusedError, UnknownReportError
from store_monitoring.instants import to_text, to_us, utc_now
from store_monitoring.logs import logger
from store_monitoring.reports.failures import error_code, has_public_message, public_message
from store_monitoring.reports.ports import Cursor, PageRequest, ReportPage
from store_monitoring.reports.report import (
    Failure,
    Format,
    Report,
    ReportWarning,
    Status,
    TableName,
    report_id_of,
)
from store_monitoring.reports.request import IdempotencyKey, ReportRequest

_STEP = re.compile(r"[a-z ]+(?: \d+)?: ")  # the state machine's name of a step
_KEY_LIFETIME = timedelta(hours=24)
_BY_START = "by_start"  # index of all reports, sorted by start time
_LOG = "reports"  # its only partition; idempotency keys are not in it
_SEARCHED_AT_ONCE = 100  # the newest report of all stores is usually among the first
_SEARCHED_PAGES = 20


class ReportTable:
    """A DynamoDB table of reports and idempotency keys, with the key `report_id`.

    Parameters
    ----------
    name : str
    retention : timedelta
        How long a report is kept. DynamoDB may take days to delete an expired item; methods of
        this class ignore it at once.
    clock : callable
        Returns the current time.
    """

    def __init__(
        self, name: str, retention: timedelta, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._name = name
        self._retention = retention
        self._clock = clock
        self._client = boto3.client("dynamodb", config=FAIL_FAST)

    def claim(self, key: IdempotencyKey, report_id: str, now: datetime) -> str:
        """Claim a key for a report for a day; return the id of the report that holds the key.

        Raises
        ------
        IdempotencyKeyReusedError
            If the key was used with a different request.
        """
        item = {
            "report_id": f"idempotency_key#{key.digest}",
            "stands_for": report_id,
            "request_digest": key.request_digest,
            "expires_at": int((now + _KEY_LIFETIME).timestamp()),
        }
        try:
            with transient_errors("claim the idempotency key"):
                self._client.put_item(
                    TableName=self._name,
                    Item=to_item(item),
                    # DynamoDB deletes expired items only after a while.
                    ConditionExpression="attribute_not_exists(report_id) OR expires_at <= :now",
                    ExpressionAttributeValues=to_item({":now": int(now.timestamp())}),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            claimed = _existing_item(error)
        else:
            return report_id
        if claimed["request_digest"] != key.request_digest:
            raise IdempotencyKeyReusedError("this Idempotency-Key came with another request before")
        holder: str = claimed["stands_for"]
        return holder

    def add(self, report: Report, request: ReportRequest) -> Report:
        """Add a Running report; return it, or the existing report with its id."""
        item = {
            "report_id": report.report_id,
            "log": _LOG,
            "status": report.status.value,
            "requested_as_of": None if request.as_of_us is None else to_text(request.as_of_us),
            "poll_filter": request.poll_filter.value,
            "stores_requested": None if request.store_ids is None else len(request.store_ids),
            "formats": [format_.value for format_ in request.formats],
            "tables": [table.value for table in request.tables],
            "all_stores_now": report.all_stores_now,
            "outline": json.dumps(report.outline),
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
            return _report(_existing_item(error))
        return report

    def delete(self, report_id: str) -> None:
        """Delete a report from the table."""
        with transient_errors("delete the report"):
            self._client.delete_item(TableName=self._name, Key=to_item({"report_id": report_id}))

    def get(self, report_id: str) -> Report | None:
        """Return a report, with a strongly consistent read; None if unknown or expired."""
        with transient_errors("read the report"):
            response = self._client.get_item(
                TableName=self._name, Key=to_item({"report_id": report_id}), ConsistentRead=True
            )
        item = from_item(response["Item"]) if "Item" in response else None
        return None if item is None or item["expires_at"] <= self._now() else _report(item)

    def fail(self, execution: str, failure: Failure, ended_at: datetime) -> None:
        """Mark the report of an execution as Failed.

        Change nothing if the report is not Running, or if it has another execution by now.
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
            return  # it has ended, or does not exist
        logger.warning("report failed", report_id=report_id, failure=asdict(failure))

    def restart(self, failed: Report, now: datetime) -> Report:
        """Mark a Failed report as Running, with its next attempt; return it.

        If it was restarted since it was read, return its current status.

        Raises
        ------
        UnknownReportError
            If it was deleted since it was read.
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
                response = self._client.update_item(
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
            if "Item" not in error.response:
                raise UnknownReportError(f"there is no report {failed.report_id}") from None
            return _report(_existing_item(error))
        return _report(from_item(response["Attributes"]))

    def newest_of_all_stores(self) -> Report | None:
        """Return the newest Complete report of all stores as of the last poll, with all polls.

        Reports of older versions are not found. The read is eventually consistent.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=_BY_START,
            KeyConditionExpression="#log = :log",
            FilterExpression="#status = :complete AND all_stores_now = :true AND expires_at > :now",
            ExpressionAttributeNames={"#log": "log", "#status": "status"},
            ExpressionAttributeValues=to_item(
                {
                    ":log": _LOG,
                    ":complete": Status.COMPLETE.value,
                    ":true": True,
                    ":now": self._now(),
                }
            ),
            ScanIndexForward=False,
            PaginationConfig={"PageSize": _SEARCHED_AT_ONCE},
        )
        with transient_errors("find the newest report"):
            items = (item for page in islice(pages, _SEARCHED_PAGES) for item in page["Items"])
            newest = next(items, None)
        return None if newest is None else _report(from_item(newest))

    def newest(self, page: PageRequest) -> ReportPage:
        """Return a page of reports, newest first; the read is eventually consistent.

        A page may be shorter than its limit although others follow: expired reports are skipped.
        """
        start: dict[str, Any] = {}
        if page.after is not None:
            cursor = {"started_at": page.after.started_at, "report_id": page.after.report_id}
            start["ExclusiveStartKey"] = to_item({"log": _LOG} | cursor)
        with transient_errors("list the reports"):
            response = self._client.query(
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
        reports = tuple(_report(from_item(item)) for item in response["Items"])
        if "LastEvaluatedKey" not in response:
            return ReportPage(reports)
        last = from_item(response["LastEvaluatedKey"])
        return ReportPage(reports, Cursor(last["started_at"], last["report_id"]))

    def _now(self) -> int:
        """Return the current time in seconds, the unit of DynamoDB's TTL."""
        return int(self._clock().timestamp())


def _existing_item(error: ClientError) -> dict[str, Any]:
    # The type stubs do not know the item of this error.
    response: dict[str, Any] = {**error.response}
    return from_item(response["Item"])


def _text(instant: datetime) -> str:
    # In UTC with all digits, so that texts sort by time.
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
        tables=tuple(TableName(name) for name in item.get("tables", ())),
        attempt=item["attempt"],
        restarted_at=(
            datetime.fromisoformat(item["restarted_at"]) if "restarted_at" in item else None
        ),
        all_stores_now=item.get("all_stores_now", False),
        outline=json.loads(item.get("outline", "null")),
        headline=json.loads(item.get("headline", "null")),
        warnings=tuple(ReportWarning(**each) for each in json.loads(item.get("warnings", "[]"))),
    )


def _failure(item: dict[str, Any]) -> Failure:
    if "failure" in item:
        failure = _failure_from_output(json.loads(item["failure"]))
    else:  # marked by end_report, or before the state machine stored the error output
        failure = failure_from_cause(item["error"], item["cause"])
    return replace(failure, step=item.get("failed_step", failure.step))


def failure_from_cause(error: str, cause: str) -> Failure:
    """Return the failure for an error and a cause as Step Functions reports them.

    The cause of a Lambda error is JSON with its message and its stack trace. Callers get the
    message only if the error is one of our own; otherwise they get a general one. The cause of our
    Fail states is the error output that led to them, as JSON. The name of the step may precede
    either.

    Examples
    --------
    >>> failure_from_cause("NoPollsError", 'plan: {"errorMessage": "no polls yet"}')
    Failure(error='NoPolls', message='no polls yet', step='plan')
    """
    error = error_code(error)
    before, brace, rest = cause.partition("{")
    step = before.removesuffix(": ") if _STEP.fullmatch(before) else None
    match _decoded(brace + rest):
        case {"errorMessage": str(message)} if message and has_public_message(error):
            return Failure(error, message, cause, step)
        case {"Error": str()} as output:
            return Failure(error, _failure_from_output(output).message, cause, step)
        case _ if has_public_message(error) and cause and not brace:  # as written by `fail`
            return Failure(error, cause)
        case _:
            return Failure(error, public_message(error), cause, step)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _failure_from_output(output: dict[str, str]) -> Failure:
    """Return a failure from an error output of a state, in which `Cause` may be missing."""
    return failure_from_cause(output["Error"], output.get("Cause") or "")

"""The table of reports: the DynamoDB implementation and the fake behave the same."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import boto3
import pytest
from moto import mock_aws

from store_monitoring.aws.report_table import ReportTable, failure_from_cause
from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import IdempotencyKeyReusedError, UnknownReportError
from store_monitoring.logs import logger
from store_monitoring.reports.failures import public_message
from store_monitoring.reports.lifecycle import find_report, retry_report
from store_monitoring.reports.ports import Cursor, PageRequest, ReportPage, Reports
from store_monitoring.reports.queries import list_reports
from store_monitoring.reports.report import Failure, Format, Report, ReportWarning, Status
from store_monitoring.reports.request import Condition, IdempotencyKey, ReportRequest
from testing.fakes import MemoryExecutions, MemoryReports
from tests.cases import utc

STARTED_AT = utc("2024-10-15 00:00:00.5")
RUNNING = Report("r", Status.RUNNING, STARTED_AT)
FOREIGN = (
    "User: arn:aws:sts::123456789012:assumed-role/plan/local-PlanAndMergeFunction"
    " is not authorized to perform: dynamodb:GetItem on resource:"
    " arn:aws:dynamodb:us-east-1:123456789012:table/ingest"
)
LEAK = r"arn:|\d{12}|assumed-role"
BUG = public_message("KeyError")
FAILURE = Failure("NoPolls", "no polls yet")


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("dynamodb")


@dataclass
class Clock:
    """A clock that returns the time it is set to."""

    now: datetime = STARTED_AT

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(dynamodb: Any, clock: Clock) -> Iterator[ReportTable]:
    dynamodb.create_table(
        TableName="reports",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("report_id", "log", "started_at")
        ],
        KeySchema=[{"AttributeName": "report_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_start",
                "KeySchema": [
                    {"AttributeName": "log", "KeyType": "HASH"},
                    {"AttributeName": "started_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    yield ReportTable("reports", timedelta(days=90), clock)
    dynamodb.delete_table(TableName="reports")


@pytest.fixture(params=["memory", "dynamodb"])
def reports(request: pytest.FixtureRequest, clock: Clock) -> Reports:
    if request.param == "memory":
        return MemoryReports(clock=clock)
    return request.getfixturevalue("table")


def write(dynamodb: Any, **values: dict[str, str]) -> None:
    """Write attributes of the report, as the state machine does."""
    dynamodb.update_item(
        TableName="reports",
        Key={"report_id": {"S": "r"}},
        AttributeUpdates={name: {"Value": value} for name, value in values.items()},
    )


def test_an_unknown_report_is_none(reports: Reports) -> None:
    assert reports.get("r") is None


def test_a_report_that_was_added_is_running(reports: Reports) -> None:
    reports.add(RUNNING, ReportRequest())
    assert reports.get("r") == RUNNING


def test_a_running_report_can_fail_once(reports: Reports) -> None:
    reports.add(RUNNING, ReportRequest())
    reports.fail("r", FAILURE, STARTED_AT)
    reports.fail("r", Failure("Another", "too late"), STARTED_AT)
    assert reports.get("r") == replace(
        RUNNING, status=Status.FAILED, failure=FAILURE, ended_at=STARTED_AT
    )


def test_an_unknown_report_cannot_fail(reports: Reports) -> None:
    reports.fail("r", FAILURE, STARTED_AT)
    assert reports.get("r") is None


def test_a_report_is_added_once(reports: Reports) -> None:
    assert reports.add(RUNNING, ReportRequest()) == RUNNING
    reports.fail("r", FAILURE, STARTED_AT)
    failed = reports.get("r")
    later = replace(RUNNING, started_at=STARTED_AT + timedelta(seconds=1))
    assert reports.add(later, ReportRequest()) == failed == reports.get("r")
    assert failed != later


def test_what_was_requested_can_be_read(reports: Reports) -> None:
    request = ReportRequest(
        None, PollFilter.BUSINESS_HOURS, formats=(Format.HTML, Format.CSV), group_by=("brand",)
    )
    report = replace(
        RUNNING,
        poll_filter=request.poll_filter,
        formats=request.formats,
        tables=request.tables,
        all_stores_now=True,
    )
    reports.add(report, request)
    assert report.tables
    assert reports.get("r") == report


def test_an_item_of_an_older_version_can_be_read(dynamodb: Any, table: ReportTable) -> None:
    table.add(replace(RUNNING, all_stores_now=True, outline={"stores": 1}), ReportRequest())
    names = ("tables", "all_stores_now", "outline")
    dynamodb.update_item(
        TableName="reports",
        Key={"report_id": {"S": "r"}},
        UpdateExpression="REMOVE " + ", ".join(names),
    )
    report = table.get("r")
    assert report == RUNNING
    assert report.all_stores_now is False


def test_an_operator_finds_the_whole_cause_in_the_log(
    table: ReportTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[dict[str, Any]] = []
    [handler] = logger.handlers
    monkeypatch.setattr(
        handler, "emit", lambda record: lines.append(json.loads(handler.format(record)))
    )
    table.add(RUNNING, ReportRequest())
    for _ in range(2):
        table.fail("r", replace(FAILURE, detail="a stack trace"), STARTED_AT)
    [line] = lines
    assert (line["level"], line["message"], line["report_id"]) == ("WARNING", "report failed", "r")
    assert line["failure"] == {
        "error": "NoPolls",
        "message": "no polls yet",
        "detail": "a stack trace",
        "step": None,
    }


# --- attempts -------------------------------------------------------------------------------

REPORT_ID = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"
LATER = STARTED_AT + timedelta(hours=1)


@pytest.fixture
def failed(reports: Reports) -> Report:
    """A report that failed at its first attempt."""
    reports.add(replace(RUNNING, report_id=REPORT_ID), ReportRequest())
    reports.fail(REPORT_ID, FAILURE, STARTED_AT)
    report = reports.get(REPORT_ID)
    assert report is not None
    return report


def test_a_failed_report_is_restarted_once(reports: Reports, failed: Report) -> None:
    restarted = reports.restart(failed, LATER)
    assert restarted == Report(REPORT_ID, Status.RUNNING, STARTED_AT, attempt=2, restarted_at=LATER)
    assert restarted.execution == f"{REPORT_ID}-2"
    assert reports.get(REPORT_ID) == restarted
    assert reports.restart(failed, LATER + timedelta(seconds=1)) == restarted


def test_a_report_that_was_deleted_is_not_restarted(reports: Reports, failed: Report) -> None:
    deleted = replace(failed, report_id="01234567-89ab-4cde-8f01-23456789abce")
    with pytest.raises(UnknownReportError, match=deleted.report_id):
        reports.restart(deleted, LATER)


def test_an_earlier_execution_cannot_fail_a_restarted_report(
    reports: Reports, failed: Report
) -> None:
    restarted = reports.restart(failed, LATER)
    reports.fail(failed.execution, Failure("ABORTED", "late"), LATER)
    assert reports.get(REPORT_ID) == restarted
    reports.fail(restarted.execution, FAILURE, LATER)
    again = reports.get(REPORT_ID)
    assert again is not None
    assert (again.status, again.failure) == (Status.FAILED, FAILURE)
    assert reports.restart(again, LATER).attempt == 3


# --- idempotency keys -----------------------------------------------------------------------


KEY = IdempotencyKey.of("me", "k", ReportRequest())
SAME_KEY_OF_ANOTHER_REQUEST = IdempotencyKey.of("me", "k", ReportRequest(as_of_us=0))


def test_a_key_returns_the_first_report(reports: Reports) -> None:
    assert reports.claim(KEY, "first", STARTED_AT) == "first"
    assert reports.claim(KEY, "second", STARTED_AT) == "first"
    with pytest.raises(IdempotencyKeyReusedError, match=r"^this Idempotency-Key came with another"):
        reports.claim(SAME_KEY_OF_ANOTHER_REQUEST, "second", STARTED_AT)


def test_an_expired_key_can_be_claimed(reports: Reports) -> None:
    reports.claim(KEY, "first", STARTED_AT)
    a_day_later = STARTED_AT + timedelta(hours=24)
    assert reports.claim(SAME_KEY_OF_ANOTHER_REQUEST, "second", a_day_later) == "second"


# --- the list -------------------------------------------------------------------------------


def pages(reports: Reports, limit: int) -> Iterator[list[Report]]:
    page = reports.newest(PageRequest(limit))
    yield list(page.reports)
    while page.end is not None:
        page = reports.newest(PageRequest(limit, Cursor.from_token(page.end.to_token())))
        yield list(page.reports)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
def test_reports_are_listed_newest_first_page_by_page(reports: Reports, limit: int) -> None:
    added = [
        Report(str(UUID(int=number)), Status.RUNNING, STARTED_AT + timedelta(seconds=number / 2))
        for number in (3, 0, 4, 1, 2)
    ]
    for report in added:
        reports.add(report, ReportRequest())
    reports.claim(KEY, added[0].report_id, STARTED_AT)
    newest_first = sorted(added, key=lambda report: report.started_at, reverse=True)
    listed = [report for page in pages(reports, limit) for report in page]
    assert listed == newest_first
    assert all(len(page) <= limit for page in pages(reports, limit))


def test_outline_and_headline_can_be_read(dynamodb: Any, table: ReportTable) -> None:
    outline = {"poll_filter": "all", "where": {"brand": ["Nori"]}}
    added = table.add(replace(RUNNING, outline=outline), ReportRequest())
    assert table.get("r") == added
    headline = {"now": {"up": 1}, "uptime_percent": {"last_week": 99.5}}
    write(dynamodb, status={"S": "Complete"}, headline={"S": json.dumps(headline)})
    [listed] = table.newest(PageRequest(1)).reports
    assert (listed.outline, listed.headline) == (outline, headline)


def test_the_newest_report_of_all_stores_is_found(
    reports: Reports, table: ReportTable, dynamodb: Any, clock: Clock
) -> None:
    def add(number: int, **request: Any) -> Report:
        at = STARTED_AT + timedelta(seconds=number)
        chosen = ReportRequest(**request)
        report = Report(
            *(str(UUID(int=number)), Status.COMPLETE, at),
            as_of="x",
            stores=1,
            all_stores_now=chosen.covers_all_stores_now,
        )
        return reports.add(report, chosen)

    assert reports.newest_of_all_stores() is None
    add(9, store_ids=("1",))
    add(8, where=(Condition("brand", ("Nori",)),))
    add(7, as_of_us=0)
    add(6, poll_filter=PollFilter.BUSINESS_HOURS)
    assert reports.newest_of_all_stores() is None
    add(1)
    newest = add(2, formats=(Format.CSV, Format.HTML), group_by=("brand",))
    running = Report(str(UUID(int=3)), Status.RUNNING, STARTED_AT, all_stores_now=True)
    reports.add(running, ReportRequest())
    found = reports.newest_of_all_stores()
    assert found is not None
    assert found.report_id == newest.report_id
    clock.now += timedelta(days=91)
    assert reports.newest_of_all_stores() is None


def test_no_reports_are_no_page(reports: Reports) -> None:
    assert reports.newest(PageRequest(1)) == ReportPage(())


def test_an_expired_report_is_gone_before_dynamodb_deletes_it(
    reports: Reports, clock: Clock
) -> None:
    older = replace(RUNNING, report_id=REPORT_ID)
    younger = replace(
        RUNNING, report_id=str(UUID(int=1)), started_at=STARTED_AT + timedelta(days=1)
    )
    for report in (older, younger):
        reports.add(report, ReportRequest())
    clock.now = STARTED_AT + timedelta(days=90) - timedelta(seconds=1)
    assert reports.get(older.report_id) == older
    assert [report for page in pages(reports, 10) for report in page] == [younger, older]
    clock.now = STARTED_AT + timedelta(days=90)
    assert reports.get(older.report_id) is None
    assert reports.get(younger.report_id) == younger
    assert [report for page in pages(reports, 1) for report in page] == [younger]


def test_an_expired_report_is_unknown_and_cannot_be_retried(reports: Reports, clock: Clock) -> None:
    reports.add(replace(RUNNING, report_id=REPORT_ID), ReportRequest())
    reports.fail(REPORT_ID, FAILURE, STARTED_AT)
    clock.now = STARTED_AT + timedelta(days=90)
    with pytest.raises(UnknownReportError):
        retry_report(REPORT_ID, clock.now, reports, MemoryExecutions())
    with pytest.raises(UnknownReportError):
        find_report(REPORT_ID, clock.now, reports, MemoryExecutions())
    assert list_reports(PageRequest(10), clock.now, reports, MemoryExecutions()).reports == ()


def test_attributes_written_by_the_state_machine_are_read(
    dynamodb: Any, table: ReportTable
) -> None:
    table.add(RUNNING, ReportRequest())
    write(dynamodb, as_of={"S": "2024-10-14T23:55:18.727055Z"}, shards_total={"N": "8"})
    planned = replace(RUNNING, as_of="2024-10-14T23:55:18.727055Z", shards_total=8)
    assert table.get("r") == planned
    write(dynamodb, warnings={"S": '[{"code": "old", "message": "all polls are old"}]'})
    planned = replace(planned, warnings=(ReportWarning("old", "all polls are old"),))
    assert table.get("r") == planned
    write(dynamodb, status={"S": "Complete"}, stores={"N": "4560"})
    table.fail("r", FAILURE, STARTED_AT)
    assert table.get("r") == replace(planned, status=Status.COMPLETE, stores=4560)


def test_the_step_that_failed_is_named(dynamodb: Any, table: ReportTable) -> None:
    table.add(RUNNING, ReportRequest())
    cause = json.dumps({"errorMessage": "cannot read polls", "errorType": "TransientError"})
    write(
        dynamodb,
        status={"S": "Failed"},
        error={"S": "TransientError"},
        cause={"S": cause},
        failed_step={"S": "shard 3"},
    )
    report = table.get("r")
    assert report is not None
    assert report.failure == Failure("TransientError", "cannot read polls", step="shard 3")


def test_without_its_attribute_the_step_is_that_of_the_cause(
    dynamodb: Any, table: ReportTable
) -> None:
    table.add(RUNNING, ReportRequest())
    cause = 'merge: {"errorMessage": "cannot read polls"}'
    write(dynamodb, status={"S": "Failed"}, error={"S": "TransientError"}, cause={"S": cause})
    report = table.get("r")
    assert report is not None
    assert report.failure == Failure("TransientError", "cannot read polls", step="merge")


@pytest.mark.parametrize(
    ("output", "failure"),
    [
        (
            {"Error": "NoPolls", "Cause": json.dumps({"errorMessage": "none", "stackTrace": []})},
            Failure("NoPolls", "none", step="plan"),
        ),
        (
            {"Error": "States.Timeout"},
            Failure("States.Timeout", public_message("States.Timeout"), step="plan"),
        ),
        (
            {"Error": "States.Timeout", "Cause": ""},
            Failure("States.Timeout", public_message("States.Timeout"), step="plan"),
        ),
        ({"Error": "NoPolls"}, Failure("NoPolls", BUG, step="plan")),
        (
            {"Error": "ClientError", "Cause": json.dumps({"errorMessage": FOREIGN})},
            Failure("ClientError", BUG, step="plan"),
        ),
        (
            {"Error": "DynamoDB.AmazonDynamoDBException", "Cause": FOREIGN},
            Failure("DynamoDB.AmazonDynamoDBException", public_message("DynamoDB.X"), step="plan"),
        ),
    ],
)
def test_an_error_output_of_the_state_machine_is_parsed(
    dynamodb: Any, table: ReportTable, output: dict[str, str], failure: Failure
) -> None:
    table.add(RUNNING, ReportRequest())
    write(
        dynamodb,
        status={"S": "Failed"},
        failure={"S": json.dumps(output)},
        failed_step={"S": "plan"},
    )
    report = table.get("r")
    assert report is not None
    assert report.failure == failure


def test_a_restart_leaves_nothing_of_the_last_attempt(dynamodb: Any, table: ReportTable) -> None:
    table.add(RUNNING, ReportRequest())
    [before] = dynamodb.scan(TableName="reports")["Items"]
    write(
        dynamodb,
        status={"S": "Failed"},
        ended_at={"S": "2024-10-15T00:01:00Z"},
        error={"S": "States.Timeout"},
        cause={"S": ""},
        failure={"S": '{"Error": "States.Timeout"}'},
        failed_step={"S": "plan"},
        map_runs={"N": "7"},
    )
    failed = table.get("r")
    assert failed is not None
    table.restart(failed, LATER)
    [after] = dynamodb.scan(TableName="reports")["Items"]
    assert after.keys() - before.keys() == {"restarted_at"}


def test_a_deleted_report_is_unknown_and_others_are_not(table: ReportTable) -> None:
    other = replace(RUNNING, report_id="other")
    for report in (RUNNING, other):
        table.add(report, ReportRequest())
    table.delete("r")
    assert table.get("r") is None
    assert table.get("other") == other


def test_the_item_of_a_new_report(dynamodb: Any, table: ReportTable) -> None:
    table.add(RUNNING, ReportRequest(0, PollFilter.BUSINESS_HOURS, ("1", "2")))
    [item] = dynamodb.scan(TableName="reports")["Items"]
    assert item == {
        "report_id": {"S": "r"},
        "log": {"S": "reports"},
        "status": {"S": "Running"},
        "requested_as_of": {"S": "1970-01-01T00:00:00.000000Z"},
        "poll_filter": {"S": "business_hours"},
        "stores_requested": {"N": "2"},
        "formats": {"L": [{"S": "csv"}]},
        "tables": {"L": []},
        "all_stores_now": {"BOOL": False},
        "outline": {"S": "null"},
        "execution": {"S": "r"},
        "attempt": {"N": "1"},
        "started_at": {"S": "2024-10-15T00:00:00.500000Z"},
        "expires_at": {"N": str(int(STARTED_AT.timestamp()) + 90 * 86_400)},
    }


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ('{"errorMessage": "no polls yet", "stackTrace": ["secret"]}', "no polls yet"),
        ('merge: {"errorMessage": "slow down"}', "slow down"),
        ('merge: {"Error": "NoPolls", "Cause": "{\\"errorMessage\\": \\"none\\"}"}', "none"),
        ('shard 12: {"Error": "States.Timeout"}', "it took longer than allowed"),
        ('merge: {"Error": "E", "Cause": "{\\"errorMessage\\": \\"secret\\"}"}', BUG),
        ('{"Error": "E", "Cause": "out of {memory}"}', BUG),
        ('{"errorMessage": "cut off, and then "stackTr', BUG),
        (f'{FOREIGN}: {{"errorMessage": "none"}}', "none"),
        ("no polls yet", "no polls yet"),
        ("merge: no polls yet", "merge: no polls yet"),
        ('{"other": 1}', BUG),
    ],
)
def test_only_our_part_of_a_cause_is_returned(cause: str, message: str) -> None:
    failure = failure_from_cause("NoPolls", cause)
    assert (failure.error, failure.message) == ("NoPolls", message)
    assert failure.detail == (cause if "{" in cause else None)
    before, brace, _ = cause.partition(": {")
    assert failure.step == (before if brace and before in ("merge", "shard 12") else None)


def test_the_step_of_an_error_that_is_not_returned_is_named() -> None:
    failure = failure_from_cause("KeyError", 'shard 3: {"errorMessage": "secret"}')
    assert failure == Failure("KeyError", BUG, step="shard 3")


@pytest.mark.parametrize("error", ["ClientError", "KeyError", "States.TaskFailed", "S3.Exception"])
@pytest.mark.parametrize(
    "cause", ["", "1", "[]", FOREIGN, f"merge: {FOREIGN}", json.dumps({"errorMessage": FOREIGN})]
)
def test_a_cause_of_aws_is_stored_but_not_returned(
    dynamodb: Any, table: ReportTable, error: str, cause: str
) -> None:
    failure = failure_from_cause(error, cause)
    assert not re.search(LEAK, failure.message)
    assert failure.detail == cause
    table.add(RUNNING, ReportRequest())
    table.fail("r", failure, LATER)
    report = table.get("r")
    assert report is not None
    assert report.failure == failure
    [item] = dynamodb.scan(TableName="reports")["Items"]
    assert item["cause"]["S"] == (cause or failure.message)

"""The table of reports: the one in DynamoDB, and the tests' own, which is to be no different."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from store_monitoring.adapters.report_table import ReportTable, failure_from_cause
from store_monitoring.domain.poll_filter import PollFilter
from store_monitoring.use_cases.ports import Reports
from store_monitoring.use_cases.report import Failure, Report, ReportRequest, Status
from tests.cases import utc
from tests.fakes import MemoryReports

STARTED_AT = utc("2024-10-15 00:00:00.5")
RUNNING = Report("r", Status.RUNNING, STARTED_AT)
FAILURE = Failure("NoPolls", "no polls yet")


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("dynamodb")


@pytest.fixture
def table(dynamodb: Any) -> Iterator[ReportTable]:
    dynamodb.create_table(
        TableName="reports",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "report_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "report_id", "KeyType": "HASH"}],
    )
    yield ReportTable("reports", retention=timedelta(days=90))
    dynamodb.delete_table(TableName="reports")


@pytest.fixture(params=["memory", "dynamodb"])
def reports(request: pytest.FixtureRequest) -> Reports:
    if request.param == "memory":
        return MemoryReports()
    return request.getfixturevalue("table")


def write(dynamodb: Any, **values: dict[str, str]) -> None:
    """Write attributes of the report, as the state machine does."""
    dynamodb.update_item(
        TableName="reports",
        Key={"report_id": {"S": "r"}},
        AttributeUpdates={name: {"Value": value} for name, value in values.items()},
    )


def test_a_report_that_was_not_added_is_none(reports: Reports) -> None:
    assert reports.get("r") is None


def test_a_report_that_was_added_is_running(reports: Reports) -> None:
    reports.add(RUNNING, ReportRequest())
    assert reports.get("r") == RUNNING


def test_a_running_report_can_fail_once(reports: Reports) -> None:
    reports.add(RUNNING, ReportRequest())
    reports.fail("r", FAILURE, STARTED_AT)
    reports.fail("r", Failure("Another", "too late"), STARTED_AT)
    assert reports.get("r") == replace(RUNNING, status=Status.FAILED, failure=FAILURE)


def test_what_the_state_machine_wrote_is_read(dynamodb: Any, table: ReportTable) -> None:
    table.add(RUNNING, ReportRequest())
    write(dynamodb, as_of={"S": "2024-10-14T23:55:18.727055Z"}, shards_total={"N": "8"})
    planned = replace(RUNNING, as_of="2024-10-14T23:55:18.727055Z", shards_total=8)
    assert table.get("r") == planned
    write(dynamodb, status={"S": "Complete"}, stores={"N": "4560"})
    table.fail("r", FAILURE, STARTED_AT)
    assert table.get("r") == replace(planned, status=Status.COMPLETE, stores=4560)


def test_the_shard_that_failed_is_named(dynamodb: Any, table: ReportTable) -> None:
    table.add(RUNNING, ReportRequest())
    cause = json.dumps({"errorMessage": "cannot read polls", "errorType": "TransientError"})
    write(
        dynamodb,
        status={"S": "Failed"},
        error={"S": "TransientError"},
        cause={"S": cause},
        failed_shard={"N": "3"},
    )
    report = table.get("r")
    assert report is not None
    assert report.failure == Failure("TransientError", "shard 3: cannot read polls")


def test_what_is_kept_of_a_new_report(dynamodb: Any, table: ReportTable) -> None:
    table.add(RUNNING, ReportRequest(0, PollFilter.BUSINESS_HOURS))
    [item] = dynamodb.scan(TableName="reports")["Items"]
    assert item == {
        "report_id": {"S": "r"},
        "status": {"S": "Running"},
        "requested_as_of": {"S": "1970-01-01T00:00:00.000000Z"},
        "poll_filter": {"S": "business_hours"},
        "formats": {"L": [{"S": "csv"}]},
        "started_at": {"S": "2024-10-15T00:00:00.500000+00:00"},
        "expires_at": {"N": str(int(STARTED_AT.timestamp()) + 90 * 86_400)},
    }


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ('{"errorMessage": "no polls yet", "stackTrace": ["secret"]}', "no polls yet"),
        ("the execution timed out", "the execution timed out"),
        ('{"other": 1}', '{"other": 1}'),
        ("[]", "[]"),
        ("1", "1"),
        ("", ""),
    ],
)
def test_a_cause_is_told_without_its_trace(cause: str, message: str) -> None:
    assert failure_from_cause("NoPolls", cause) == Failure("NoPolls", message)

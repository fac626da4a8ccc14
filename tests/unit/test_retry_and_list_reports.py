"""Retry failed reports, and list reports."""

from dataclasses import replace
from datetime import timedelta

import pytest

from store_monitoring.errors import ReportNotFailedError, TransientError, UnknownReportError
from store_monitoring.reports.lifecycle import retry_report
from store_monitoring.reports.ports import PageRequest
from store_monitoring.reports.queries import list_reports
from store_monitoring.reports.report import Failure, Report, Status
from testing.fakes import MemoryExecutions, MemoryReports
from tests.cases import utc

STARTED_AT = utc("2024-10-15 00:00")
LATER = STARTED_AT + timedelta(hours=1)
RUNNING = Report("r", Status.RUNNING, STARTED_AT, shards_total=3)
FAILED = replace(
    RUNNING, status=Status.FAILED, failure=Failure("NoPolls", "no polls yet"), ended_at=LATER
)
COMPLETE = replace(RUNNING, status=Status.COMPLETE, stores=7)
VANISHED = Failure("ExecutionDoesNotExist", "the report's execution no longer exists")
THROTTLED = MemoryExecutions(start_error=TransientError("cannot start the report: slow down"))
SECOND_ATTEMPT = replace(RUNNING, attempt=2, restarted_at=LATER)


def reports_of(*reports: Report) -> MemoryReports:
    return MemoryReports({report.report_id: report for report in reports})


# --- retry ----------------------------------------------------------------------------------


def test_a_failed_report_is_retried_by_another_execution() -> None:
    reports, executions = reports_of(FAILED), MemoryExecutions()
    assert retry_report("r", LATER, reports, executions) == SECOND_ATTEMPT
    assert reports.get("r") == SECOND_ATTEMPT
    assert executions.started == ["r-2"]


def test_each_attempt_has_a_number() -> None:
    reports, executions = reports_of(replace(FAILED, attempt=9)), MemoryExecutions()
    assert retry_report("r", LATER, reports, executions).attempt == 10
    assert executions.started == ["r-10"]


@pytest.mark.parametrize("report", [RUNNING, COMPLETE, SECOND_ATTEMPT])
def test_only_a_failed_report_can_be_retried(report: Report) -> None:
    reports, executions = reports_of(report), MemoryExecutions()
    with pytest.raises(ReportNotFailedError, match=report.status):
        retry_report("r", LATER, reports, executions)
    assert reports.get("r") == report
    assert executions.started == []


def test_an_unknown_report_cannot_be_retried() -> None:
    with pytest.raises(UnknownReportError):
        retry_report("r", LATER, MemoryReports(), MemoryExecutions())


def test_a_report_whose_execution_vanished_can_be_retried() -> None:
    reports, executions = reports_of(RUNNING), MemoryExecutions(failures={"r": VANISHED})
    assert retry_report("r", LATER, reports, executions).attempt == 2
    assert executions.started == ["r-2"]


class Overtaken(MemoryReports):
    """Reports, one of which is restarted by another call after it was read."""

    def get(self, report_id: str) -> Report:
        return FAILED


def test_two_concurrent_retries_start_the_same_execution() -> None:
    reports, executions = Overtaken({"r": SECOND_ATTEMPT}), MemoryExecutions()
    a_moment_later = LATER + timedelta(milliseconds=1)
    assert retry_report("r", a_moment_later, reports, executions) == SECOND_ATTEMPT
    assert executions.started == ["r-2"]


def test_of_two_concurrent_retries_a_failing_one_does_not_fail_the_report() -> None:
    reports = Overtaken({"r": SECOND_ATTEMPT})
    with pytest.raises(TransientError):
        retry_report("r", LATER + timedelta(milliseconds=1), reports, THROTTLED)
    assert reports.reports["r"] == SECOND_ATTEMPT


def test_a_retry_that_cannot_be_started_leaves_the_report_failed() -> None:
    reports = reports_of(FAILED)
    with pytest.raises(TransientError):
        retry_report("r", LATER, reports, THROTTLED)
    report = reports.get("r")
    assert report is not None
    assert (report.status, report.attempt, report.ended_at) == (Status.FAILED, 2, LATER)
    assert report.failure is not None
    assert report.failure.error == "NotStarted"


# --- list -----------------------------------------------------------------------------------


def test_a_report_is_listed_with_its_current_status() -> None:
    others = [replace(COMPLETE, report_id="c"), replace(FAILED, report_id="f")]
    reports = reports_of(RUNNING, *others)
    executions = MemoryExecutions(failures=dict.fromkeys(("r", "c", "f"), VANISHED))
    page = list_reports(PageRequest(10), LATER, reports, executions)
    dead = replace(RUNNING, status=Status.FAILED, failure=VANISHED, ended_at=LATER)
    assert sorted(page.reports, key=lambda report: report.report_id) == [*others, dead]
    assert reports.get("r") == dead


def test_a_running_report_is_listed_as_running() -> None:
    page = list_reports(PageRequest(10), LATER, reports_of(RUNNING), MemoryExecutions())
    assert page.reports == (RUNNING,)


def test_an_attempt_that_just_began_is_not_marked_failed() -> None:
    reports = reports_of(SECOND_ATTEMPT)
    executions = MemoryExecutions(failures={"r-2": VANISHED})
    for seconds, status in ((60, Status.RUNNING), (61, Status.FAILED)):
        now = LATER + timedelta(seconds=seconds)
        [report] = list_reports(PageRequest(10), now, reports, executions).reports
        assert report.status is status

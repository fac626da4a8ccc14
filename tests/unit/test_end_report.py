"""End a report after its execution has ended."""

from dataclasses import replace

import pytest

from store_monitoring.reports.lifecycle import end_report
from store_monitoring.reports.report import Failure, Report, Status
from testing.fakes import MemoryReports
from tests.cases import utc

NOW = utc("2024-10-15 00:01")
REPORT_ID = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"
RUNNING = Report(REPORT_ID, Status.RUNNING, utc("2024-10-15 00:00"))
COMPLETE = Report(REPORT_ID, Status.COMPLETE, RUNNING.started_at, NOW, stores=7)
ABORTED = Failure("ABORTED", "the report's execution is ABORTED")


def test_a_running_report_whose_execution_failed_is_marked_failed() -> None:
    reports = MemoryReports({REPORT_ID: RUNNING})
    ended = end_report(REPORT_ID, ABORTED, NOW, reports)
    assert ended == Report(REPORT_ID, Status.FAILED, RUNNING.started_at, NOW, failure=ABORTED)
    assert reports.reports[REPORT_ID] == ended


@pytest.mark.parametrize("failure", [None, ABORTED])
def test_an_ended_report_does_not_change(failure: Failure | None) -> None:
    assert end_report(REPORT_ID, failure, NOW, MemoryReports({REPORT_ID: COMPLETE})) == COMPLETE


@pytest.mark.parametrize("failure", [None, ABORTED])
def test_an_execution_without_a_report_is_ignored(failure: Failure | None) -> None:
    assert end_report(REPORT_ID, failure, NOW, MemoryReports()) is None


@pytest.mark.parametrize("failure", [None, ABORTED])
@pytest.mark.parametrize("status", [Status.RUNNING, Status.COMPLETE, Status.FAILED])
def test_the_end_of_an_earlier_execution_is_ignored(
    failure: Failure | None, status: Status
) -> None:
    again = replace(RUNNING, status=status, attempt=2, restarted_at=NOW)
    reports = MemoryReports({again.report_id: again})
    assert end_report(RUNNING.execution, failure, NOW, reports) is None
    assert reports.reports == {again.report_id: again}


def test_the_end_of_the_second_execution_ends_the_report() -> None:
    again = replace(RUNNING, attempt=2, restarted_at=NOW)
    reports = MemoryReports({again.report_id: again})
    ended = end_report(again.execution, ABORTED, NOW, reports)
    assert ended == replace(again, status=Status.FAILED, ended_at=NOW, failure=ABORTED)

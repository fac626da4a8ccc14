"""How a report ends when its execution has."""

import pytest

from store_monitoring.use_cases.end_report import end_report
from store_monitoring.use_cases.report import Failure, Report, Status
from tests.cases import utc
from tests.fakes import MemoryReports

NOW = utc("2024-10-15 00:01")
RUNNING = Report("r", Status.RUNNING, utc("2024-10-15 00:00"))
COMPLETE = Report("r", Status.COMPLETE, RUNNING.started_at, NOW, stores=7)
ABORTED = Failure("ABORTED", "the report's execution is ABORTED")


def test_a_report_that_could_not_say_so_itself_is_failed() -> None:
    reports = MemoryReports({"r": RUNNING})
    ended = end_report("r", ABORTED, NOW, reports)
    assert ended == Report("r", Status.FAILED, RUNNING.started_at, NOW, failure=ABORTED)
    assert reports.reports["r"] == ended


@pytest.mark.parametrize("failure", [None, ABORTED])
def test_a_report_that_has_ended_stays_as_it_is(failure: Failure | None) -> None:
    assert end_report("r", failure, NOW, MemoryReports({"r": COMPLETE})) == COMPLETE


@pytest.mark.parametrize("failure", [None, ABORTED])
def test_an_execution_may_be_no_report_s(failure: Failure | None) -> None:
    assert end_report("r", failure, NOW, MemoryReports()) is None


def test_a_report_that_runs_again_has_not_ended() -> None:
    assert end_report("r", None, NOW, MemoryReports({"r": RUNNING})) is None

"""Whether a report that says it is Running is."""

from datetime import datetime, timedelta

from store_monitoring.errors import UnknownReport
from store_monitoring.use_cases.ports import Executions, Reports
from store_monitoring.use_cases.report import Report, Status

_START_GRACE = timedelta(minutes=1)  # a report is recorded a moment before its execution starts


def find_report(report_id: str, now: datetime, reports: Reports, executions: Executions) -> Report:
    """Return a report as it stands.

    Raises
    ------
    UnknownReport
    """
    report = reports.get(report_id)
    if report is None:
        raise UnknownReport(f"there is no report {report_id}")
    return as_it_stands(report, now, reports, executions)


def as_it_stands(report: Report, now: datetime, reports: Reports, executions: Executions) -> Report:
    """Return a report, made Failed if it says it is Running and its execution has failed.

    The state machine marks its report itself, and `end_report` is told of its end: this is for
    what neither could see, such as an execution that never started.
    """
    if report.status is not Status.RUNNING or now - report.attempted_at <= _START_GRACE:
        return report
    failure = executions.failure(report.execution)
    if failure is None:
        return report
    reports.fail(report.execution, failure, now)
    return reports.get(report.report_id) or report

"""Start a report."""

from datetime import datetime
from uuid import uuid4

from store_monitoring.errors import TransientError
from store_monitoring.use_cases.ports import Executions, Reports
from store_monitoring.use_cases.report import Failure, Report, ReportRequest, Status


def start_report(
    request: ReportRequest, now: datetime, reports: Reports, executions: Executions
) -> Report:
    """Record a new report as Running and start its execution.

    Raises
    ------
    TransientError
        If the execution could not be started; the report is then Failed, not left Running.
    """
    report = Report(str(uuid4()), Status.RUNNING, started_at=now)
    reports.add(report, request)
    try:
        executions.start(report.report_id, request)
    except TransientError as error:
        reports.fail(report.report_id, Failure("NotStarted", str(error)), now)
        raise
    return report

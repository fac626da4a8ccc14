"""Start a report."""

from datetime import datetime
from uuid import uuid4

from store_monitoring.errors import TransientError
from store_monitoring.storage.keys import request_key
from store_monitoring.use_cases.ports import Executions, ReportFiles, Reports
from store_monitoring.use_cases.report import Failure, Report, ReportRequest, Status


def start_report(
    request: ReportRequest,
    now: datetime,
    reports: Reports,
    executions: Executions,
    files: ReportFiles,
) -> Report:
    """Record a new report as Running and start its execution.

    The request is an object of its own: ten thousand store ids are more than the state machine
    carries.

    Raises
    ------
    TransientError
        If the execution could not be started; the report is then Failed, not left Running.
    """
    report = Report(str(uuid4()), Status.RUNNING, started_at=now, formats=request.formats)
    files.write_json(request_key(report.report_id), request.to_json())
    reports.add(report, request)
    try:
        executions.start(report.report_id)
    except TransientError as error:
        reports.fail(report.report_id, Failure("NotStarted", str(error)), now)
        raise
    return report

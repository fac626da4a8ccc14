"""The life cycle of a report: start it, refresh its status, retry it, end it."""

from contextlib import ExitStack
from datetime import datetime, timedelta
from uuid import uuid4

from store_monitoring.errors import ReportNotFailedError, UnknownReportError
from store_monitoring.reports.failures import NOT_STARTED, never_started
from store_monitoring.reports.ports import Executions, Reports
from store_monitoring.reports.report import Failure, Report, Status, report_id_of
from store_monitoring.reports.request import IdempotencyKey, ReportRequest
from store_monitoring.storage.keys import request_key
from store_monitoring.storage.ports import ReportFiles

_START_GRACE = timedelta(minutes=1)  # a report is recorded before its execution starts


def find_report(report_id: str, now: datetime, reports: Reports, executions: Executions) -> Report:
    """Return a report with its current status.

    Raises
    ------
    UnknownReportError
    """
    report = reports.get(report_id)
    if report is None:
        raise UnknownReportError(f"there is no report {report_id}")
    return refresh_status(report, now, reports, executions)


def refresh_status(
    report: Report, now: datetime, reports: Reports, executions: Executions
) -> Report:
    """Return a report with its current status.

    A Running report whose execution failed is marked Failed. Usually the state machine has done so
    or, after the execution, `end_report`. This covers the other cases, such as an execution that
    was never started.
    """
    if report.status is not Status.RUNNING or now - report.attempted_at <= _START_GRACE:
        return report
    failure = executions.failure(report.execution)
    if failure is None:
        return report
    reports.fail(report.execution, failure, now)
    return reports.get(report.report_id) or report


def start_report(
    request: ReportRequest,
    now: datetime,
    reports: Reports,
    executions: Executions,
    files: ReportFiles,
    key: IdempotencyKey | None = None,
) -> Report:
    """Record a new report as Running and start its execution.

    The request is written to S3: ten thousand store ids exceed the input limit of Step Functions.

    An idempotency key stands for one report. A repeated key returns it with its current status. If
    it was never started, it is started now: the first caller may have crashed, or Step Functions
    did not respond. Every step is idempotent.

    Raises
    ------
    IdempotencyKeyReusedError
        If the key was used with another request.
    TransientError
        If the report could not be started. If it is recorded, it is marked Failed.
    """
    own_id = str(uuid4())
    report_id = own_id if key is None else reports.claim(key, own_id, now)
    # Before the report is recorded: from then on it can be retried, and a retry needs the request.
    files.write_json(request_key(report_id), request.to_json())
    report = Report(
        report_id,
        Status.RUNNING,
        started_at=now,
        poll_filter=request.poll_filter,
        formats=request.formats,
        tables=request.tables,
        all_stores_now=request.covers_all_stores_now,
        outline=request.outline(),
    )
    report = reports.add(report, request)
    if report.failure is not None and never_started(report.failure):
        report = reports.restart(report, now)
    if report.status is Status.RUNNING and report.shards_total is None:
        _start_execution(report, now, reports, executions)
    return report


def _start_execution(
    report: Report, now: datetime, reports: Reports, executions: Executions
) -> None:
    """Start the execution of a report; if that fails, mark the report Failed."""
    with ExitStack() as undo:
        # If a concurrent call recorded this attempt, that call may have started the execution.
        if report.attempted_at == now:
            undo.callback(reports.fail, report.execution, NOT_STARTED, now)
        executions.start(report)
        undo.pop_all()


def retry_report(report_id: str, now: datetime, reports: Reports, executions: Executions) -> Report:
    """Start another execution for a Failed report. It reuses the parts of earlier executions.

    Concurrent calls start the same execution, so it runs once.

    Raises
    ------
    UnknownReportError
    ReportNotFailedError
        If the report is Running or Complete.
    TransientError
        If the execution could not be started. The report is marked Failed again.
    """
    report = find_report(report_id, now, reports, executions)
    if report.status is not Status.FAILED:
        raise ReportNotFailedError(
            f"the report is {report.status.value}: only one that failed is retried"
        )
    restarted = reports.restart(report, now)
    if restarted.status is Status.RUNNING:
        _start_execution(restarted, now, reports, executions)
    return restarted


def end_report(
    execution: str, failure: Failure | None, now: datetime, reports: Reports
) -> Report | None:
    """Return the report whose execution has ended, after marking it Failed if necessary.

    An execution marks its report Complete or Failed itself, unless it was aborted or timed out.

    Parameters
    ----------
    execution : str
    failure : Failure or None
        Why the execution failed; None if it succeeded.
    now : datetime
    reports : port

    Returns
    -------
    Report or None
        None if the report does not exist, or a later execution has taken over.
    """
    if failure is not None:
        reports.fail(execution, failure, now)
    report = reports.get(report_id_of(execution))
    if report is None or report.execution != execution or report.status is Status.RUNNING:
        return None
    return report

"""The life cycle of a report: started, retried, refreshed, ended."""

from contextlib import ExitStack
from datetime import datetime, timedelta
from uuid import uuid4

from store_monitoring.errors import ReportNotFailedError, UnknownReportError
from store_monitoring.reports.failures import NOT_STARTED
from store_monitoring.reports.idempotency import IdempotencyKey
from store_monitoring.reports.ports import Executions, Reports
from store_monitoring.reports.report import Failure, Report, Status, report_id_of
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import request_key
from store_monitoring.storage.ports import ReportFiles

_START_GRACE = timedelta(minutes=1)  # a report is recorded a moment before its execution starts


def find_report(report_id: str, now: datetime, reports: Reports, executions: Executions) -> Report:
    """Return a report as it stands.

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


def start_report(
    request: ReportRequest,
    now: datetime,
    reports: Reports,
    executions: Executions,
    files: ReportFiles,
    key: IdempotencyKey | None = None,
) -> Report:
    """Record a new report as Running and start its execution.

    The request is an object of its own: ten thousand store ids are more than the state machine
    carries.

    A request whose key was used before gets the report of that time, as it stands. Should that
    not have come to its plan, it is started again: who asked first may have broken down halfway,
    and each step done twice does no harm.

    Raises
    ------
    IdempotencyKeyReusedError
        If the key came with another request before.
    TransientError
        If the report could not be started; it is then Failed, not left Running, and its key free.
    """
    own_id = str(uuid4())
    report_id = own_id if key is None else reports.claim(key, own_id, now)
    with ExitStack() as undo:
        if report_id == own_id:
            undo.callback(_give_up, report_id, now, reports, key)
        report = Report(
            report_id,
            Status.RUNNING,
            started_at=now,
            poll_filter=request.poll_filter,
            formats=request.formats,
        )
        report = reports.add(report, request)
        if report.status is Status.RUNNING and report.shards_total is None:
            files.write_json(request_key(report_id), request.to_json())
            executions.start(report)
        undo.pop_all()
    return report


def _give_up(report_id: str, now: datetime, reports: Reports, key: IdempotencyKey | None) -> None:
    reports.fail(report_id, NOT_STARTED, now)
    if key is not None:
        reports.release(key)


def retry_report(report_id: str, now: datetime, reports: Reports, executions: Executions) -> Report:
    """Start another execution for a Failed report; what the last ones left is not done again.

    Of several calls at the same time each starts the same execution: it starts once.

    Raises
    ------
    UnknownReportError
    ReportNotFailedError
        If it is Running or Complete.
    TransientError
        If the execution could not be started; the report is then Failed, as before.
    """
    report = find_report(report_id, now, reports, executions)
    if report.status is not Status.FAILED:
        raise ReportNotFailedError(
            f"the report is {report.status.value}: only one that failed is retried"
        )
    restarted = reports.restart(report, now)
    with ExitStack() as undo:
        if restarted.restarted_at == now:  # by this call, not by one at the same time
            undo.callback(reports.fail, restarted.execution, NOT_STARTED, now)
        if restarted.status is Status.RUNNING:
            executions.start(restarted)
        undo.pop_all()
    return restarted


def end_report(
    execution: str, failure: Failure | None, now: datetime, reports: Reports
) -> Report | None:
    """Return how a report stands now that an execution that makes it has ended.

    The execution marked it Complete or Failed itself, unless it was aborted or timed out.

    Parameters
    ----------
    execution : str
    failure : Failure or None
        Why the execution ended without success, if it did.
    now : datetime
    reports : port

    Returns
    -------
    Report or None
        None if there is no such report, or if another execution makes it by now.
    """
    if failure is not None:
        reports.fail(execution, failure, now)
    report = reports.get(report_id_of(execution))
    if report is None or report.execution != execution or report.status is Status.RUNNING:
        return None
    return report

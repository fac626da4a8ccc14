"""Start a report."""

from contextlib import ExitStack
from datetime import datetime
from uuid import uuid4

from store_monitoring.storage.keys import request_key
from store_monitoring.use_cases.failures import NOT_STARTED
from store_monitoring.use_cases.idempotency import IdempotencyKey
from store_monitoring.use_cases.ports import Executions, ReportFiles, Reports
from store_monitoring.use_cases.report import Report, ReportRequest, Status


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
    IdempotencyKeyReused
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

"""Try a failed report again."""

from contextlib import ExitStack
from datetime import datetime

from store_monitoring.errors import ReportNotFailed
from store_monitoring.use_cases.failures import NOT_STARTED
from store_monitoring.use_cases.ports import Executions, Reports
from store_monitoring.use_cases.report import Report, Status
from store_monitoring.use_cases.running_report import find_report


def retry_report(report_id: str, now: datetime, reports: Reports, executions: Executions) -> Report:
    """Start another execution for a Failed report; what the last ones left is not done again.

    Of several calls at the same time each starts the same execution: it starts once.

    Raises
    ------
    UnknownReport
    ReportNotFailed
        If it is Running or Complete.
    TransientError
        If the execution could not be started; the report is then Failed, as before.
    """
    report = find_report(report_id, now, reports, executions)
    if report.status is not Status.FAILED:
        raise ReportNotFailed(
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

"""End a report whose execution has ended."""

from datetime import datetime

from store_monitoring.use_cases.ports import Reports
from store_monitoring.use_cases.report import Failure, Report, Status


def end_report(
    report_id: str, failure: Failure | None, now: datetime, reports: Reports
) -> Report | None:
    """Return how a report stands now that its execution has ended.

    The execution marked it Complete or Failed itself, unless it was aborted or timed out.

    Parameters
    ----------
    report_id : str
    failure : Failure or None
        Why the execution ended without success, if it did.
    now : datetime
    reports : port

    Returns
    -------
    Report or None
        None if there is no such report, or if it is Running again.
    """
    if failure is not None:
        reports.fail(report_id, failure, now)
    report = reports.get(report_id)
    return None if report is None or report.status is Status.RUNNING else report

"""End a report whose execution has ended."""

from datetime import datetime

from store_monitoring.use_cases.ports import Reports
from store_monitoring.use_cases.report import Failure, Report, Status, report_id_of


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

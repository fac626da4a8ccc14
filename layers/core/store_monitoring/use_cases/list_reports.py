"""List reports."""

from datetime import datetime

from store_monitoring.use_cases.ports import Executions, Reports
from store_monitoring.use_cases.report_page import PageRequest, ReportPage
from store_monitoring.use_cases.running_report import as_it_stands


def list_reports(
    page: PageRequest, now: datetime, reports: Reports, executions: Executions
) -> ReportPage:
    """Return a page of reports, newest first, each as it stands."""
    found = reports.newest(page)
    return ReportPage(
        tuple(as_it_stands(report, now, reports, executions) for report in found.reports),
        found.end,
    )

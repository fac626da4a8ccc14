"""Read one report, or one page of the list of reports."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from store_monitoring.errors import (
    ReportFailedError,
    ReportRunningError,
    UnknownReportError,
)
from store_monitoring.instants import to_text, to_us
from store_monitoring.reports.failures import can_retry
from store_monitoring.reports.lifecycle import find_report, refresh_status
from store_monitoring.reports.ports import Executions, PageRequest, ReportPage, Reports
from store_monitoring.reports.report import Failure, Format, Report, Status, table_files
from store_monitoring.storage.keys import parts_prefix, report_key, summary_key, table_key
from store_monitoring.storage.ports import ReportFiles


@dataclass(frozen=True, slots=True)
class ReportView:
    """A report, with its progress and download links at the time of the request.

    Attributes
    ----------
    report : Report
    shards_done : int or None
        Number of computed shards; known while the report is Running and planned.
    urls : dict of str to str
        Presigned URLs of the report's files, if it is Complete: by format; those of further tables
        by file name, such as `groups.csv`.
    open_url : str or None
        Presigned URL that shows the HTML of a Complete report in a browser, if it has one.
    """

    report: Report
    shards_done: int | None = None
    urls: dict[str, str] = field(default_factory=dict)
    open_url: str | None = None


def read_report(
    report_id: str, now: datetime, reports: Reports, executions: Executions, files: ReportFiles
) -> ReportView:
    """Return a report with its current status, progress and links.

    If a report is recorded as Running, its execution is checked: that may have ended.

    Raises
    ------
    UnknownReportError
    """
    report = find_report(report_id, now, reports, executions)
    if report.status is Status.COMPLETE:
        has_page = Format.HTML in report.formats
        page = files.presigned_page_url(report_key(report_id, Format.HTML)) if has_page else None
        return ReportView(report, urls=_urls(report, files), open_url=page)
    if report.status is Status.RUNNING and report.shards_total is not None:
        return ReportView(report, shards_done=files.count(parts_prefix(report_id)))
    return ReportView(report)


def _urls(report: Report, files: ReportFiles) -> dict[str, str]:
    report_id = report.report_id
    urls: dict[str, str] = {
        format_: files.presigned_url(
            report_key(report_id, format_), f"store-report-{report_id}.{format_}"
        )
        for format_ in {Format.CSV: None} | dict.fromkeys(report.formats)
    }
    for name in table_files(report.tables, report.formats):
        key = table_key(report_id, name)
        urls[name] = files.presigned_url(key, f"store-report-{report_id}-{name}")
    return urls


def read_summary(
    report_id: str, now: datetime, reports: Reports, executions: Executions, files: ReportFiles
) -> object:
    """Return the JSON object of a report's summary.

    Raises
    ------
    UnknownReportError
        Also if a version without summaries made the report.
    ReportRunningError, ReportFailedError
        If the report is not Complete.
    """
    report = find_report(report_id, now, reports, executions)
    match report.status:
        case Status.RUNNING:
            raise ReportRunningError(f"the report {report_id} is still Running")
        case Status.FAILED:
            raise ReportFailedError(f"the report {report_id} Failed")
    key = summary_key(report_id)
    if not files.count(key):  # S3 denies reading a missing object to those who may not list all
        raise UnknownReportError(f"the report {report_id} has no summary, or has expired")
    return files.read_json(key)


def list_reports(
    page: PageRequest, now: datetime, reports: Reports, executions: Executions
) -> ReportPage:
    """Return a page of reports, newest first, each with its current status."""
    found = reports.newest(page)
    return ReportPage(
        tuple(refresh_status(report, now, reports, executions) for report in found.reports),
        found.end,
    )


def report_entry(report: Report) -> dict[str, Any]:
    """Return the JSON object of one report, as in lists and events. Unknown values are omitted."""
    entry = {
        "report_id": report.report_id,
        "status": report.status.value,
        "started_at": to_text(to_us(report.started_at)),
        "ended_at": None if report.ended_at is None else to_text(to_us(report.ended_at)),
        "as_of": report.as_of,
        "stores": report.stores,
        "poll_filter": report.poll_filter.value,
        "formats": [format_.value for format_ in report.formats],
        "warnings": [asdict(warning) for warning in report.warnings] or None,
        "request": report.outline,
        "headline": report.headline,
        "error": None if report.failure is None else failure_body(report.failure),
        "can_retry": None if report.failure is None else can_retry(report),
    }
    return {name: value for name, value in entry.items() if value is not None}


def failure_body(failure: Failure) -> dict[str, str]:
    """Return the error object of a failed report."""
    body = {"code": failure.error, "message": failure.message}
    return body if failure.step is None else body | {"step": failure.step}

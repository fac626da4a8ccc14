"""The JSON bodies of responses about reports."""

from datetime import datetime
from typing import Any

from store_monitoring.instants import to_text, to_us
from store_monitoring.reports.pages import ReportPage
from store_monitoring.reports.queries import ReportView, failure_body, report_entry
from store_monitoring.reports.report import Format, Status


def report_body(view: ReportView, link_ends_at: datetime) -> dict[str, Any]:
    """Return the JSON body of `GET /get_report`: status, progress, links or error."""
    report = view.report
    body: dict[str, Any] = {"report_id": report.report_id, "status": report.status.value}
    match report.status:
        case Status.RUNNING if view.shards_done is not None:
            body["progress"] = {
                "shards_done": view.shards_done,
                "shards_total": report.shards_total,
            }
        case Status.COMPLETE:
            body["url"] = view.urls[Format.CSV]
            body["urls"] = {format_: view.urls[format_] for format_ in report.formats}
            body["expires_at"] = to_text(to_us(link_ends_at))
            body["stores"] = report.stores
            body["as_of"] = report.as_of
        case Status.FAILED if report.failure is not None:
            body["error"] = failure_body(report.failure)
    return body


def report_page_body(page: ReportPage) -> dict[str, Any]:
    """Return the JSON body of `GET /reports`: one page of reports."""
    body: dict[str, Any] = {"reports": [report_entry(report) for report in page.reports]}
    if page.end is not None:
        body["next_page_token"] = page.end.to_token()
    return body

"""The JSON bodies of responses about reports."""

from datetime import datetime
from typing import TYPE_CHECKING, cast

from store_monitoring.http import models
from store_monitoring.instants import to_text, to_us
from store_monitoring.reports.failures import can_retry
from store_monitoring.reports.ports import ReportPage
from store_monitoring.reports.queries import ReportView, failure_body, report_entry
from store_monitoring.reports.report import Format, Report, Status, table_files

if TYPE_CHECKING:  # some functions are deployed without Arrow
    from store_monitoring.find_stores import FoundStores


def started_body(report: Report) -> models.Started:
    """Return the JSON body of `POST /trigger_report`."""
    return {"report_id": report.report_id, "status": report.status}


def report_body(
    view: ReportView, link_ends_at: datetime
) -> models.RunningReport | models.CompleteReport | models.FailedReport:
    """Return the JSON body of `GET /get_report`: status, progress, links or error."""
    report = view.report
    match report.status:
        case Status.RUNNING:
            running: models.RunningReport = {
                "report_id": report.report_id,
                "status": Status.RUNNING,
            }
            if view.shards_done is not None and report.shards_total is not None:
                running["progress"] = {
                    "shards_done": view.shards_done,
                    "shards_total": report.shards_total,
                }
            if report.warnings:
                running["warnings"] = _warnings(report)
            return running
        case Status.COMPLETE:
            assert report.stores is not None  # known of a report that is Complete
            assert report.as_of is not None
            complete: models.CompleteReport = {
                "report_id": report.report_id,
                "status": Status.COMPLETE,
                "url": view.urls[Format.CSV],
                "urls": {
                    name: view.urls[name]
                    for name in (*report.formats, *table_files(report.tables, report.formats))
                },
                "expires_at": to_text(to_us(link_ends_at)),
                "stores": report.stores,
                "as_of": report.as_of,
            }
            if view.open_url is not None:
                complete["open_url"] = view.open_url
            if report.warnings:
                complete["warnings"] = _warnings(report)
            return complete
        case Status.FAILED:
            failure = report.failure
            assert failure is not None  # recorded of a report that Failed
            return {
                "report_id": report.report_id,
                "status": Status.FAILED,
                "error": cast("models.Failure", failure_body(failure)),
                "can_retry": can_retry(report),
            }


def _warnings(report: Report) -> list[models.ReportWarning]:
    return [{"code": each.code, "message": each.message} for each in report.warnings]


def report_page_body(page: ReportPage) -> models.ReportPage:
    """Return the JSON body of `GET /reports`: one page of reports."""
    entries = [cast("models.ReportEntry", report_entry(report)) for report in page.reports]
    body: models.ReportPage = {"reports": entries}
    if page.end is not None:
        body["next_page_token"] = page.end.to_token()
    return body


def store_page_body(found: "FoundStores") -> models.StorePage:
    """Return the JSON body of `GET /stores`: one page of stores."""
    body: models.StorePage = {
        "report": cast("models.ReportHeader", found.report),
        "stores": found.stores,
        "found": found.found,
        "total": found.total,
    }
    if found.suggestions:
        body["suggestions"] = list(found.suggestions)
    if found.next_page_token is not None:
        body["next_page_token"] = found.next_page_token
    return body

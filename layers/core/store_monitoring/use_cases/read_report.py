"""Tell how a report stands, and where it can be downloaded."""

from dataclasses import dataclass, field
from datetime import datetime

from store_monitoring.storage.keys import parts_prefix, report_key
from store_monitoring.use_cases.ports import Executions, ReportFiles, Reports
from store_monitoring.use_cases.report import Format, Report, Status
from store_monitoring.use_cases.running_report import find_report


@dataclass(frozen=True, slots=True)
class ReportView:
    """A report, with what is known only at the moment of asking.

    Attributes
    ----------
    report : Report
    shards_done : int or None
        While it is Running and planned.
    urls : dict of Format to str
        Where it can be downloaded, when it is Complete.
    """

    report: Report
    shards_done: int | None = None
    urls: dict[Format, str] = field(default_factory=dict)


def read_report(
    report_id: str, now: datetime, reports: Reports, executions: Executions, files: ReportFiles
) -> ReportView:
    """Return a report as it stands.

    A report that says it is Running is believed only if its execution has not ended.

    Raises
    ------
    UnknownReport
    """
    report = find_report(report_id, now, reports, executions)
    if report.status is Status.COMPLETE:
        return ReportView(report, urls=_urls(report, files))
    if report.status is Status.RUNNING and report.shards_total is not None:
        return ReportView(report, shards_done=files.count(parts_prefix(report_id)))
    return ReportView(report)


def _urls(report: Report, files: ReportFiles) -> dict[Format, str]:
    report_id = report.report_id
    return {
        format_: files.presigned_url(
            report_key(report_id, format_), f"store-report-{report_id}.{format_}"
        )
        for format_ in {Format.CSV: None} | dict.fromkeys(report.formats)
    }

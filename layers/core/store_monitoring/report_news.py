"""Reports as events and notices tell them: as `GET /reports` lists them."""

import json

from store_monitoring.report_answer import report_entry
from store_monitoring.use_cases.events import Event, EventType
from store_monitoring.use_cases.report import Report, Status


def end_event(report: Report) -> Event:
    """Return the event that tells that a report has ended."""
    is_complete = report.status is Status.COMPLETE
    kind = EventType.REPORT_COMPLETED if is_complete else EventType.REPORT_FAILED
    return Event(kind, report_entry(report))


def end_notice(report: Report) -> tuple[str, str]:
    """Return the subject and the text of a message to people that a report has ended."""
    return f"Store report: {report.status.value}", json.dumps(report_entry(report), indent=2)

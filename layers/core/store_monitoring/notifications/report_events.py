"""The end of a report: what is measured and published of it."""

import json

from store_monitoring.metrics import Metric, emit
from store_monitoring.notifications.events import Event, Events, EventType, Notifications
from store_monitoring.reports.queries import report_entry
from store_monitoring.reports.report import Report, Status


def announce_end(report: Report, events: Events, notifications: Notifications) -> None:
    """Measure a report that has ended, publish the event, and send the notice.

    The metrics come first, and each of the others is tried whatever becomes of the one before: an
    event that is refused must hide neither a failed report's alarm nor its notice.

    Raises
    ------
    TransientError
        If one of them could not be sent. To call this again sends all of them again.
    """
    emit(_measures(report))
    try:
        events.publish([end_event(report)])
    finally:
        notifications.send(*end_notification(report))


def _measures(report: Report) -> dict[Metric, float]:
    if report.status is Status.FAILED or report.ended_at is None or report.stores is None:
        return {Metric.REPORTS_FAILED: 1}
    return {
        Metric.REPORTS_COMPLETED: 1,
        Metric.REPORT_SECONDS: (report.ended_at - report.attempted_at).total_seconds(),
        Metric.STORES_REPORTED: report.stores,
    }


def end_event(report: Report) -> Event:
    """Return the event that tells that a report has ended."""
    is_complete = report.status is Status.COMPLETE
    kind = EventType.REPORT_COMPLETED if is_complete else EventType.REPORT_FAILED
    return Event(kind, report_entry(report))


def end_notification(report: Report) -> tuple[str, str]:
    """Return the subject and the text of a message to people that a report has ended."""
    return f"Store report: {report.status.value}", json.dumps(report_entry(report), indent=2)

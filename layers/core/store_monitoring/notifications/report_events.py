"""The end of a report: its metrics, its event and its notification."""

import json

from store_monitoring.metrics import Metric, emit
from store_monitoring.notifications.events import Event, Events, EventType, Notifications
from store_monitoring.reports.queries import report_entry
from store_monitoring.reports.report import Report, Status


def announce_end(report: Report, events: Events, notifications: Notifications) -> None:
    """Emit the metrics of an ended report, publish its event, and send its notification.

    Metrics come first, and the notification is sent even if the event cannot be published: a failed
    report must in any case raise its alarm and notify people.

    Raises
    ------
    TransientError
        If the event or the notification could not be sent. A repeated call sends all again.
    """
    emit(_metrics(report))
    try:
        events.publish([end_event(report)])
    finally:
        notifications.send(*end_notification(report))


def _metrics(report: Report) -> dict[Metric, float]:
    if report.status is Status.FAILED or report.ended_at is None or report.stores is None:
        return {Metric.REPORTS_FAILED: 1}
    metrics = {
        Metric.REPORTS_COMPLETED: 1,
        Metric.REPORT_SECONDS: (report.ended_at - report.attempted_at).total_seconds(),
        Metric.STORES_REPORTED: report.stores,
    }
    if report.all_stores_now and report.headline is not None:
        metrics[Metric.STORES_WITHOUT_DATA] = report.headline["now"]["no_data"]
    return metrics


def end_event(report: Report) -> Event:
    """Return the event for the end of a report."""
    is_complete = report.status is Status.COMPLETE
    kind = EventType.REPORT_COMPLETED if is_complete else EventType.REPORT_FAILED
    return Event(kind, report_entry(report))


def end_notification(report: Report) -> tuple[str, str]:
    """Return the subject and text of the notification for the end of a report."""
    return f"Store report: {report.status.value}", json.dumps(report_entry(report), indent=2)

"""Ports of the reports, as protocols. `aws` implements them."""

from datetime import datetime
from typing import Protocol

from store_monitoring.reports.idempotency import IdempotencyKey
from store_monitoring.reports.pages import PageRequest, ReportPage
from store_monitoring.reports.report import Failure, Report
from store_monitoring.reports.request import ReportRequest


class Reports(Protocol):
    """The table of reports."""

    def claim(self, key: IdempotencyKey, report_id: str, now: datetime) -> str:
        """Reserve a key for a report for one day. Return the id of the report that holds it.

        Raises
        ------
        IdempotencyKeyReusedError
            If a report with another request holds the key.
        """

    def release(self, key: IdempotencyKey) -> None:
        """Delete the reservation of a key."""

    def add(self, report: Report, request: ReportRequest) -> Report:
        """Add a Running report. Return it, or the existing report with its id."""

    def get(self, report_id: str) -> Report | None:
        """Read a report with strong consistency; None if it does not exist or has expired."""

    def fail(self, execution: str, failure: Failure, ended_at: datetime) -> None:
        """Mark the report of an execution Failed.

        Change nothing if the report is not Running, or a later execution has taken over.
        """

    def restart(self, failed: Report, now: datetime) -> Report:
        """Mark a Failed report Running, with the next attempt number, and return it.

        If it was restarted since it was read, return its current state.
        """

    def newest(self, page: PageRequest) -> ReportPage:
        """Return a page of reports, newest first. The read is eventually consistent."""


class Executions(Protocol):
    """The executions of the state machine, one per attempt at a report."""

    def start(self, report: Report) -> None:
        """Start a report's execution. This is idempotent."""

    def failure(self, execution: str) -> Failure | None:
        """Return why an execution failed; None if it is running or succeeded.

        An execution that does not exist counts as failed.
        """

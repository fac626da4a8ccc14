"""What the reports need from outside, as protocols; `aws` implements them."""

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from store_monitoring.reports.idempotency import IdempotencyKey
from store_monitoring.reports.pages import PageRequest, ReportPage
from store_monitoring.reports.report import Failure, Report
from store_monitoring.reports.request import ReportRequest

if TYPE_CHECKING:  # not for the functions that carry no Arrow
    pass


class Reports(Protocol):
    """The table of reports."""

    def claim(self, key: IdempotencyKey, report_id: str, now: datetime) -> str:
        """Let a key stand for a report for a day; return the id of the one that it stands for.

        Raises
        ------
        IdempotencyKeyReusedError
            If it stands for the report of another request.
        """

    def release(self, key: IdempotencyKey) -> None:
        """Let a key stand for nothing."""

    def add(self, report: Report, request: ReportRequest) -> Report:
        """Add a report that is Running; return it, or the one of its id that is there already."""

    def get(self, report_id: str) -> Report | None:
        """Return a report as it stands, strongly consistent; None if it has expired."""

    def fail(self, execution: str, failure: Failure, ended_at: datetime) -> None:
        """Mark the report that an execution makes Failed.

        Change nothing if it is not Running, or another execution makes it by now.
        """

    def restart(self, failed: Report, now: datetime) -> Report:
        """Mark a Failed report Running, with its next attempt; return it.

        Should it have been restarted since it was read, return it as it stands.
        """

    def newest(self, page: PageRequest) -> ReportPage:
        """Return a page of reports, newest first; a report of a moment ago may be missing."""


class Executions(Protocol):
    """The executions of the state machine, one an attempt at a report."""

    def start(self, report: Report) -> None:
        """Start a report's execution; starting it again does nothing."""

    def failure(self, execution: str) -> Failure | None:
        """Return why an execution ended without success, None if it did not.

        An execution that does not exist is a failure too.
        """

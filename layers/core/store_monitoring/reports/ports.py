"""Ports of the reports, as protocols, and the pages that they return. `aws` implements them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from store_monitoring.errors import MalformedReportIdError
from store_monitoring.instants import to_text, to_us
from store_monitoring.page_tokens import from_token, invalid_token, to_token
from store_monitoring.reports.report import Failure, Report, checked_report_id
from store_monitoring.reports.request import IdempotencyKey, ReportRequest


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position after a page: its last report.

    Examples
    --------
    >>> cursor = Cursor("2024-10-15T00:00:00.000000Z", "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11")
    >>> Cursor.from_token(cursor.to_token()) == cursor
    True
    """

    started_at: str
    report_id: str

    @classmethod
    def from_token(cls, token: str) -> Self:
        """Parse a token that `to_token` returned.

        Raises
        ------
        ValueError
            If the token is anything else.
        """
        match from_token(token):
            case [str(started_at), str(report_id)]:
                try:
                    # Normalise both: DynamoDB compares keys byte by byte.
                    cursor = cls(
                        to_text(to_us(datetime.fromisoformat(started_at))),
                        checked_report_id(report_id),
                    )
                except (ValueError, TypeError, OverflowError, MalformedReportIdError):
                    raise invalid_token() from None
                if cursor.to_token() == token:
                    return cursor
        raise invalid_token()

    def to_token(self) -> str:
        """Return the cursor as URL-safe text."""
        return to_token([self.started_at, self.report_id])


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The requested page: its size, and the cursor that it begins after."""

    limit: int
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A page of reports, newest first; `end` is the next page's cursor, None on the last page."""

    reports: tuple[Report, ...]
    end: Cursor | None = None


class Reports(Protocol):
    """The table of reports."""

    def claim(self, key: IdempotencyKey, report_id: str, now: datetime) -> str:
        """Claim a key for a report, for one day. Return the id of the report that holds it.

        Raises
        ------
        IdempotencyKeyReusedError
            If a report with another request holds the key.
        """

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

        Raises
        ------
        UnknownReportError
            If it was deleted since it was read.
        """

    def newest_of_all_stores(self) -> Report | None:
        """Return the newest Complete report of all stores as of the last poll, with all polls.

        None if there is none among the latest reports. The read is eventually consistent.
        """

    def newest(self, page: PageRequest) -> ReportPage:
        """Return a page of reports, newest first. The read is eventually consistent."""


class Executions(Protocol):
    """The executions of the state machine, one per attempt at a report."""

    def start(self, report: Report) -> None:
        """Start a report's execution. This is idempotent."""

    def failure(self, execution: str) -> Failure | None:
        """Return why a Running report must fail; None if its execution is running.

        An execution that does not exist counts as failed. So does one that succeeded: it has marked
        its report Complete, so `Reports.fail` changes nothing, unless the report was deleted and
        recorded again.
        """

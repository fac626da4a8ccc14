"""Pages of the list of reports."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from store_monitoring.errors import MalformedReportIdError
from store_monitoring.instants import to_text, to_us
from store_monitoring.reports.report import Report, checked_report_id

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,400}={0,2}")


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
        wrong = ValueError("not a next_page_token that GET /reports returned")
        if not _TOKEN.fullmatch(token):
            raise wrong
        try:
            match json.loads(urlsafe_b64decode(token)):
                case [str(started_at), str(report_id)]:
                    # Normalise both: DynamoDB compares keys byte by byte.
                    cursor = cls(
                        to_text(to_us(datetime.fromisoformat(started_at))),
                        checked_report_id(report_id),
                    )
                case _:
                    raise wrong
        except (ValueError, TypeError, OverflowError, MalformedReportIdError):
            raise wrong from None
        if cursor.to_token() != token:
            raise wrong
        return cursor

    def to_token(self) -> str:
        """Return the cursor as URL-safe text."""
        return urlsafe_b64encode(json.dumps([self.started_at, self.report_id]).encode()).decode()


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The requested page: its size, and the cursor that it begins after."""

    limit: int
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A page of reports, newest first, and the cursor of the next page, None on the last page."""

    reports: tuple[Report, ...]
    end: Cursor | None = None

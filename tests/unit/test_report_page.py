"""Pages of the list of reports: tokens and responses."""

import json
from base64 import urlsafe_b64encode

import pytest

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.http.report_responses import report_page_body
from store_monitoring.reports.ports import Cursor, ReportPage
from store_monitoring.reports.report import Failure, Format, Report, Status
from tests.cases import utc

REPORT_ID = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"
STARTED_AT = "2024-10-15T00:00:00.000000Z"
PLACE = Cursor(STARTED_AT, REPORT_ID)
NO_STARTS = (
    *("yesterday", "2024-10-15", "2024-10-15T00:00:00Z", "2024-10-15T00:00:00.000000"),
    *("2024-02-30T00:00:00.000000Z", "2024-10-15T00:00:00.000000+00:00", "\ud800"),
    *("0001-01-01T00:00:00.000000+23:59", "9999-12-31T23:59:59.000000-23:59"),
)
NO_REPORT_IDS = ("r", REPORT_ID.upper(), "\ud800", f"idempotency_key#{'0' * 64}")
NO_PLACES: list[object] = [
    *(None, 1, "ab", [], ["a"], ["a", 1], ["a", "b", "c"], {}),
    *(["a", None], [1, "b"], ["", "b"], ["a", ""], {"a": 1, "b": 2, "c": 3}),
    *([STARTED_AT, REPORT_ID, "reports"], [REPORT_ID, STARTED_AT], {STARTED_AT: REPORT_ID}),
    *([started_at, REPORT_ID] for started_at in NO_STARTS),
    *([STARTED_AT, report_id] for report_id in NO_REPORT_IDS),
]


def token(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "====", "nonsense", "\u0661", "a" * 100_000, "_w==", PLACE.to_token()[:-4]),
        *map(token, NO_PLACES),
        PLACE.to_token() + "==",
    ],
)
def test_an_invalid_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="next_page_token"):
        Cursor.from_token(text)


def test_the_fields_of_each_report() -> None:
    failed = Report(
        "r",
        Status.FAILED,
        utc("2024-10-15 00:00"),
        ended_at=utc("2024-10-15 00:01"),
        failure=Failure("NoPolls", "no polls yet"),
        poll_filter=PollFilter.BUSINESS_HOURS,
        formats=(Format.CSV, Format.JSON),
    )
    running = Report("s", Status.RUNNING, utc("2024-10-14 00:00"))
    assert report_page_body(ReportPage((failed, running), PLACE)) == {
        "reports": [
            {
                "report_id": "r",
                "status": "Failed",
                "started_at": "2024-10-15T00:00:00.000000Z",
                "ended_at": "2024-10-15T00:01:00.000000Z",
                "poll_filter": "business_hours",
                "formats": ["csv", "json"],
                "error": {"code": "NoPolls", "message": "no polls yet"},
                "can_retry": True,
            },
            {
                "report_id": "s",
                "status": "Running",
                "started_at": "2024-10-14T00:00:00.000000Z",
                "poll_filter": "all",
                "formats": ["csv"],
            },
        ],
        "next_page_token": PLACE.to_token(),
    }


def test_the_last_page_has_no_next_page_token() -> None:
    assert report_page_body(ReportPage(())) == {"reports": []}

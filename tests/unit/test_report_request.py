"""Requests for reports as they are stored, instants, and ids."""

import json
from uuid import uuid4

import pytest

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import MalformedReportIdError
from store_monitoring.instants import from_text, to_us
from store_monitoring.reports.report import checked_report_id
from store_monitoring.reports.request import Condition, ReportRequest
from store_monitoring.store_ids import checked_store_id
from tests.cases import utc

NO_INSTANT = "not an instant such as 2024-10-14T23:55:00Z"
OUT_OF_RANGE = "not between the years 1970 and 2199 in UTC"
TOO_FINE = "more than six digits of a second's fraction"


@pytest.mark.parametrize(
    ("as_of", "instant"),
    [
        ("2024-10-14T23:55:18.727055Z", "2024-10-14 23:55:18.727055"),
        ("2024-10-14 23:55:18", "2024-10-14 23:55:18"),
        ("2024-10-14T23:55:18+02:00", "2024-10-14 21:55:18"),
        ("2024-10-14", "2024-10-14 00:00"),
        ("1970-01-01T00:00:00Z", "1970-01-01 00:00"),
        ("1969-12-31T16:00:00-08:00", "1970-01-01 00:00"),
        ("1970-12-31T16:00-08:00", "1971-01-01 00:00"),
        ("2200-01-01T00:59:59.999999+01:00", "2199-12-31 23:59:59.999999"),
        ("2199-12-31T23:59:59.999999Z", "2199-12-31 23:59:59.999999"),
    ],
)
def test_as_of_is_an_instant(as_of: str, instant: str) -> None:
    assert from_text(as_of) == to_us(utc(instant))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", NO_INSTANT),
        ("yesterday", NO_INSTANT),
        ("2024-02-30", NO_INSTANT),
        ("\ud800", NO_INSTANT),
        ("1969-12-31T23:59:59.999999Z", OUT_OF_RANGE),
        ("1970-01-01T00:00+01:00", OUT_OF_RANGE),
        ("2200-01-01T00:00:00Z", OUT_OF_RANGE),
        ("2199-12-31T23:59:59-08:00", OUT_OF_RANGE),
        ("9999-12-31T23:59:59-23:59", OUT_OF_RANGE),
        ("0001-01-01T00:00:00+23:59", OUT_OF_RANGE),
        ("2024-10-14T23:55:18.1234567Z", TOO_FINE),
        ("2024-10-14T23:55:18,0000000Z", TOO_FINE),
    ],
)
def test_other_text_is_no_instant(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        from_text(text)


@pytest.mark.parametrize("text", ["", " \t\n", "a" * 256, "a\0b", "a\x7f"])
def test_no_store_can_have_this_id(text: str) -> None:
    with pytest.raises(ValueError, match="255"):
        checked_store_id(text)


@pytest.mark.parametrize(
    "request_", [ReportRequest(), ReportRequest(1_728_950_118_727_055, PollFilter.BUSINESS_HOURS)]
)
def test_json_and_back(request_: ReportRequest) -> None:
    assert ReportRequest.from_json(request_.to_json()) == request_


def test_the_outline_of_a_request_is_short() -> None:
    long = ReportRequest(
        store_ids=tuple(map(str, range(10_000))),
        where=(Condition("brand", tuple(f"{number:0255}" for number in range(100))),),
        group_by=("brand",),
    )
    outline = long.outline()
    assert (len(outline["store_ids"]), outline["store_count"]) == (10, 10_000)
    assert "where" not in outline
    assert len(json.dumps(outline)) < 1000
    short = ReportRequest(where=(Condition("brand", ("Nori",)),))
    stored = short.to_json()
    assert short.outline() == {name: stored[name] for name in stored if name != "store_ids"}


def test_a_request_that_was_stored_without_a_field_has_its_default() -> None:
    assert ReportRequest.from_json({}) == ReportRequest()


def test_a_report_id_is_a_uuid_in_any_letter_case() -> None:
    report_id = str(uuid4())
    assert checked_report_id(report_id) == report_id
    assert checked_report_id(report_id.upper()) == report_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "../../polls",
        "00017c6a-7a77-4a95-bb2d-40647868aff",
        "00017c6a-7a77-4a95-bb2d-40647868aff6\n",
        "00017c6a-7a77-4a95-bb2d-40647868affg",
        "00017c6a7a774a95bb2d40647868aff6",
        "{00017c6a-7a77-4a95-bb2d-40647868aff6}",
    ],
)
def test_a_malformed_report_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedReportIdError):
        checked_report_id(text)

"""Requests for reports, and report ids."""

from uuid import uuid4

import pytest

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import InvalidRequestError, MalformedReportIdError
from store_monitoring.instants import to_us
from store_monitoring.reports.report import checked_report_id
from store_monitoring.reports.request import ReportRequest
from tests.cases import utc

OUT_OF_RANGE = "as_of: not between the years 1970 and 2199 in UTC"
TOO_FINE = "as_of: more than six digits of a second's fraction"
NO_STORE_ID = "store_ids: a store id has 1 to 255 printable characters"


@pytest.mark.parametrize("body", [{}, {"as_of": None, "poll_filter": None}])
def test_an_empty_request_is_the_default(body: object) -> None:
    assert ReportRequest.from_json(body) == ReportRequest(None, PollFilter.ALL)


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
    assert ReportRequest.from_json({"as_of": as_of}).as_of_us == to_us(utc(instant))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "the body is not a JSON object"),
        ([], "the body is not a JSON object"),
        ("as_of", "the body is not a JSON object"),
        ({"asof": "2024-10-14"}, "unknown field 'asof'"),
        ({"as_of": 1728950118}, "as_of: not a string"),
        ({"as_of": ["2024-10-14"]}, "as_of: not a string"),
        ({"as_of": ""}, "as_of: not an instant such as 2024-10-14T23:55:00Z"),
        ({"as_of": "yesterday"}, "as_of: not an instant such as 2024-10-14T23:55:00Z"),
        ({"as_of": "2024-02-30"}, "as_of: not an instant such as 2024-10-14T23:55:00Z"),
        ({"as_of": "\ud800"}, "as_of: not an instant such as 2024-10-14T23:55:00Z"),
        ({"as_of": "1969-12-31T23:59:59.999999Z"}, OUT_OF_RANGE),
        ({"as_of": "1970-01-01T00:00+01:00"}, OUT_OF_RANGE),
        ({"as_of": "2200-01-01T00:00:00Z"}, OUT_OF_RANGE),
        ({"as_of": "2199-12-31T23:59:59-08:00"}, OUT_OF_RANGE),
        ({"as_of": "9999-12-31T23:59:59-23:59"}, OUT_OF_RANGE),
        ({"as_of": "0001-01-01T00:00:00+23:59"}, OUT_OF_RANGE),
        ({"as_of": "2024-10-14T23:55:18.1234567Z"}, TOO_FINE),
        ({"as_of": "2024-10-14T23:55:18,0000000Z"}, TOO_FINE),
        ({"store_ids": "42"}, "store_ids: not a list of strings"),
        ({"store_ids": [42]}, "store_ids: not a list of strings"),
        ({"store_ids": [""]}, NO_STORE_ID),
        ({"store_ids": ["42", " \t\n"]}, NO_STORE_ID),
        ({"store_ids": ["a" * 256]}, NO_STORE_ID),
        ({"store_ids": ["a\0b"]}, NO_STORE_ID),
        ({"store_ids": ["a\x7f"]}, NO_STORE_ID),
        ({"store_ids": ["\ud800"]}, "store_ids: half of a surrogate pair, which is no character"),
        ({"store_ids": []}, "store_ids: 0 of them, not 1 to 10000"),
        ({"poll_filter": "none"}, "poll_filter: not one of all, business_hours"),
        ({"poll_filter": "ALL"}, "poll_filter: not one of all, business_hours"),
        ({"poll_filter": {}}, "poll_filter: not one of all, business_hours"),
        ({"formats": [[]]}, "formats: not a list of some of csv, json, parquet, xlsx, html"),
        ({"formats": [{}]}, "formats: not a list of some of csv, json, parquet, xlsx, html"),
        ({"formats": ["csv", 1]}, "formats: not a list of some of csv, json, parquet, xlsx, html"),
    ],
)
def test_an_invalid_field_is_named(body: object, message: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        ReportRequest.from_json(body)
    assert str(error.value) == message


def test_store_ids_are_trimmed_sorted_and_unique() -> None:
    request = ReportRequest.from_json({"store_ids": ["b", " a\t", "a", "\xa0a", "c" * 255 + " "]})
    assert request.store_ids == ("a", "b", "c" * 255, "\xa0a")


@pytest.mark.parametrize(
    "request_", [ReportRequest(), ReportRequest(1_728_950_118_727_055, PollFilter.BUSINESS_HOURS)]
)
def test_json_and_back(request_: ReportRequest) -> None:
    assert ReportRequest.from_json(request_.to_json()) == request_


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
    with pytest.raises(MalformedReportIdError, match="as trigger_report returned it"):
        checked_report_id(text)

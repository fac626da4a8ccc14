"""Parameters and bodies of requests: what is accepted, and the message about what is not."""

import base64
import json
import re
from base64 import urlsafe_b64encode
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.domain.parameters import Period, PeriodUnit, PollFilter
from store_monitoring.find_stores import StoreQuery
from store_monitoring.http.app import json_response, new_app
from store_monitoring.http.models import (
    Download,
    ExactStoreId,
    HistoryFrom,
    HistoryTo,
    HistoryUnit,
    IdempotencyKeyHeader,
    Limit,
    OutageHour,
    PageToken,
    ReportBody,
    ReportBodyOrNone,
    ReportIdInPath,
    ReportIdInQuery,
    SearchText,
    Sort,
    StoreIdInPath,
    StoreIdInQuery,
    StoreStates,
    StoresWhere,
    TargetMissed,
    TimelineAsOf,
    TimelineFrom,
    TimelinePollFilter,
    TimelineReportId,
    UploadBodyWithExample,
)
from store_monitoring.instants import to_us
from store_monitoring.reports.ports import Cursor
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import Condition, ReportRequest
from tests.cases import utc

REPORT_ID = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"
STARTED_AT = "2024-10-15T00:00:00.000000Z"
CURSOR = Cursor(STARTED_AT, REPORT_ID)
received: dict[str, Any] = {}
app = new_app(cors_origin="", validates=True)


def receive(**arguments: Any) -> Response[str]:
    received.clear()
    received.update(arguments)
    return json_response(200, {})  # type: ignore[arg-type]  # any status will do


NO_FIELDS = ReportBody()


@app.post("/trigger_report")
def post_report(
    body: ReportBodyOrNone = NO_FIELDS, key: IdempotencyKeyHeader = None
) -> Response[str]:
    return receive(request=body.to_request(), key=key)


@app.post("/uploads")
def post_upload(body: UploadBodyWithExample) -> Response[str]:
    return receive(request=body.to_request())


@app.get("/report")
def get_by_query(report_id: ReportIdInQuery, download: Download = "false") -> Response[str]:
    return receive(report_id=report_id, download=download)


@app.get("/report/<report_id>")
def get_by_path(report_id: ReportIdInPath) -> Response[str]:
    return receive(report_id=report_id)


@app.get("/reports")
def get_page(limit: Limit = 20, page_token: PageToken = None) -> Response[str]:
    return receive(limit=limit, cursor=page_token)


@app.get("/stores/<store_id>")
def get_store(store_id: StoreIdInPath) -> Response[str]:
    return receive(store_id=store_id)


@app.get("/stores")
def get_stores(
    q: SearchText = "",
    store_id: ExactStoreId = None,
    where: StoresWhere = None,
    state: StoreStates = None,
    target_missed: TargetMissed = None,
    outage_hour: OutageHour = None,
    sort: Sort = "store_id",
) -> Response[str]:
    return receive(query=StoreQuery(q, store_id, where, state, target_missed, outage_hour, sort))


@app.get("/timeline")
def get_timeline(
    store_id: StoreIdInQuery,
    report_id: TimelineReportId = None,
    as_of: TimelineAsOf = None,
    poll_filter: TimelinePollFilter = None,
    from_: TimelineFrom = None,
) -> Response[str]:
    return receive(
        store_id=store_id, report_id=report_id, as_of=as_of, poll_filter=poll_filter, start=from_
    )


@app.get("/history")
def get_history(
    from_: HistoryFrom, to: HistoryTo, unit: HistoryUnit = PeriodUnit.DAY
) -> Response[str]:
    return receive(period=Period(from_, to, unit))


def call(
    method: str,
    path: str,
    query: dict[str, str] | None = None,
    body: str | None = None,
    headers: dict[str, str] | None = None,
    **event: Any,
) -> tuple[int, Any]:
    """Return the status and the error, None if there is none."""
    request = {"httpMethod": method, "path": path, "headers": headers or {}, "body": body}
    response = app.resolve(request | {"queryStringParameters": query} | event, LambdaContext())
    return response["statusCode"], json.loads(response["body"]).get("error")


def get(path: str, **query: str) -> tuple[int, Any]:
    return call("GET", path, query)


def invalid(message: str) -> tuple[int, Any]:
    """Return the response to an invalid request: `field` is what the message begins with."""
    found = re.match(r"([\w.-]+): |unknown field '(.*)'", message)
    about = {"field": found[1] or found[2]} if found else {}
    return 400, {"code": "invalid_request", "message": message, **about}


# --- the body of a report -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [None, "", "{}", " {} ", '{"as_of": null, "poll_filter": null, "formats": null}']
)
def test_an_empty_request_is_the_default(body: str | None) -> None:
    assert call("POST", "/trigger_report", body=body) == (200, None)
    assert received["request"] == ReportRequest()


def test_all_fields() -> None:
    body = {
        "as_of": "2024-10-14T23:55:18.727055Z",
        "store_ids": ["b", " a\t", "a", "\xa0a", "c" * 255 + " "],
        "poll_filter": "business_hours",
        "formats": ["xlsx", "json", "xlsx"],
        "where": {"region": ["West", " South", "West"], " Brand ": "Nori", "owner": ""},
        "group_by": ["Region", " brand"],
        "target_percent": 99.50,
        "include": ["outages"],
    }
    assert call("POST", "/trigger_report", body=json.dumps(body)) == (200, None)
    assert received["request"] == ReportRequest(
        to_us(utc("2024-10-14 23:55:18.727055")),
        PollFilter.BUSINESS_HOURS,
        ("a", "b", "c" * 255, "\xa0a"),
        (Format.JSON, Format.XLSX),
        (
            Condition("brand", ("Nori",)),
            Condition("owner", ("",)),
            Condition("region", ("South", "West")),
        ),
        ("region", "brand"),
        Decimal("99.5"),
        include_outages=True,
    )
    stored = json.loads(json.dumps(received["request"].to_json()))
    assert ReportRequest.from_json(stored) == received["request"]


@pytest.mark.parametrize(
    ("percent", "text"), [(100, "100"), (0.0001, "0.0001"), (99.9999, "99.9999"), (1e1, "10")]
)
def test_a_target_is_an_exact_decimal(percent: float, text: str) -> None:
    body = json.dumps({"target_percent": percent})
    assert call("POST", "/trigger_report", body=body) == (200, None)
    assert received["request"].to_json()["target_percent"] == text


@pytest.mark.parametrize(
    ("body", "period"),
    [
        ({}, Period(date(2024, 10, 1), date(2024, 11, 1), PeriodUnit.TOTAL)),
        (
            {"from": "2024-10-01T02:00:00+02:00", "by": "week"},
            Period(1_727_740_800_000_000, date(2024, 11, 1), PeriodUnit.WEEK),
        ),
        (
            {"to": "2025-11-05", "by": "day"},
            Period(date(2024, 10, 1), date(2025, 11, 5), PeriodUnit.DAY),
        ),
    ],
)
def test_a_period(body: dict[str, str], period: Period) -> None:
    body = {"from": "2024-10-01", "to": "2024-11-01", **body}
    assert call("POST", "/trigger_report", body=json.dumps({"period": body})) == (200, None)
    assert received["request"].period == period


NO_VALUE = "where: a value is a string of at most 255 characters, or a list of 1 to 100 of them"
NO_STORE_ID = "store_ids: a store id has 1 to 255 printable characters"
NO_FILTER = "poll_filter: input should be 'all' or 'business_hours'"
NO_OBJECT = "input should be a valid dictionary or object to extract fields from"
NO_UNIT = "period.by: input should be 'total', 'day', 'week' or 'month'"
NO_EDGE = (
    "neither a date such as 2024-10-01, which is midnight in each store's own zone, nor an instant"
    " with an offset such as 2024-10-01T00:00:00Z"
)
PERIOD = {"from": "2024-10-01", "to": "2024-11-01"}
NO_FORMAT = "formats: input should be 'csv', 'json', 'parquet', 'xlsx' or 'html'"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "the body is not a JSON object"),
        ([], "the body is not a JSON object"),
        ([{}], "the body is not a JSON object"),
        ("as_of", "the body is not a JSON object"),
        ({"asof": "2024-10-14"}, "unknown field 'asof'"),
        ({"as_of": 1728950118}, "as_of: not a string"),
        ({"as_of": ["2024-10-14"]}, "as_of: not a string"),
        ({"as_of": "yesterday"}, "as_of: not an instant such as 2024-10-14T23:55:00Z"),
        ({"as_of": "\ud800"}, "as_of: not an instant such as 2024-10-14T23:55:00Z"),
        ({"store_ids": "42"}, "store_ids: input should be a valid list"),
        ({"store_ids": [42]}, "store_ids: input should be a valid string"),
        ({"store_ids": [""]}, NO_STORE_ID),
        ({"store_ids": ["42", " \t\n"]}, NO_STORE_ID),
        ({"store_ids": ["a" * 256]}, NO_STORE_ID),
        ({"store_ids": ["a\0b"]}, NO_STORE_ID),
        ({"store_ids": []}, "store_ids: at least 1 needed, not 0"),
        ({"poll_filter": "ALL"}, NO_FILTER),
        ({"poll_filter": {}}, NO_FILTER),
        ({"formats": [[]]}, NO_FORMAT),
        ({"formats": ["csv", 1]}, NO_FORMAT),
        ({"formats": []}, "formats: at least 1 needed, not 0"),
        ({"where": []}, "where: input should be a valid dictionary"),
        ({"where": {"brand": 5}}, NO_VALUE),
        ({"where": {"brand": None}}, NO_VALUE),
        ({"where": {"brand": []}}, NO_VALUE),
        ({"where": {"brand": ["Nori", ["Oka"]]}}, NO_VALUE),
        ({"where": {"brand": ["Nori"] * 101}}, NO_VALUE),
        ({"where": {"brand": "x" * 256}}, NO_VALUE),
        ({"group_by": "brand"}, "group_by: input should be a valid list"),
        ({"group_by": []}, "group_by: at least 1 needed, not 0"),
        (
            {"group_by": ["a", "b", "c", "d"]},
            "group_by: at most 3 allowed, not 4",
        ),
        ({"group_by": ["brand", " Brand"]}, "group_by: an attribute is named twice"),
        ({"where": {"brand": "Nori", " Brand": "Oka"}}, "where: an attribute is named twice"),
        ({"target_percent": "99"}, "target_percent: not a number"),
        ({"target_percent": True}, "target_percent: not a number"),
        ({"target_percent": 0}, "target_percent: input should be greater than 0"),
        ({"target_percent": 100.1}, "target_percent: input should be less than or equal to 100"),
        (
            {"target_percent": 99.99999},
            "target_percent: decimal input should have no more than 4 decimal places",
        ),
        ({"target_percent": float("nan")}, "target_percent: input should be a finite number"),
        ({"include": ["polls"]}, "include: input should be 'outages'"),
        ({"include": []}, "include: at least 1 needed, not 0"),
        ({"period": "2024-10"}, f"period: {NO_OBJECT}"),
        ({"period": {"from": "2024-10-01"}}, "period.to: missing"),
        ({"period": PERIOD | {"unit": "day"}}, "unknown field 'period.unit'"),
        ({"period": PERIOD | {"by": "hour"}}, NO_UNIT),
        ({"period": PERIOD | {"from": 20241001}}, "period.from: not a string"),
        ({"period": PERIOD | {"from": "2024-10-01T00:00:00"}}, f"period.from: {NO_EDGE}"),
        ({"period": PERIOD | {"to": "\ud800"}}, f"period.to: {NO_EDGE}"),
        ({"period": PERIOD | {"to": "2024-10-01"}}, "period.to: not after from"),
        ({"period": PERIOD | {"to": "2025-11-06"}}, "period.to: more than 400 days after from"),
        (
            {"period": PERIOD, "as_of": "2024-10-14T00:00:00Z"},
            "period: excludes as_of, name one of them",
        ),
    ],
)
def test_an_invalid_field_of_a_report_is_named(body: object, message: str) -> None:
    assert call("POST", "/trigger_report", body=json.dumps(body)) == invalid(message)


@pytest.mark.parametrize(
    "body",
    ['{"store_ids": ["\\ud800"]}', '{"where": {"a": "\\ud800"}}'],
)
def test_half_of_a_surrogate_pair_is_no_text(body: str) -> None:
    status, error = call("POST", "/trigger_report", body=body)
    assert status == 400
    assert error["message"].startswith(("store_ids: ", "where: "))


def test_at_most_ten_conditions() -> None:
    where = {f"column {number}": "x" for number in range(11)}
    status, error = call("POST", "/trigger_report", body=json.dumps({"where": where}))
    assert (status, error["message"].partition(" ")[0]) == (400, "where:")
    del where["column 0"]
    assert call("POST", "/trigger_report", body=json.dumps({"where": where})) == (200, None)


def test_at_most_ten_thousand_stores() -> None:
    ids = [f"store {number}" for number in range(10_001)]
    assert call("POST", "/trigger_report", body=json.dumps({"store_ids": ids[1:]})) == (200, None)
    status, error = call("POST", "/trigger_report", body=json.dumps({"store_ids": ids}))
    assert (status, error["code"]) == (400, "invalid_request")


# --- any body -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_body_is_json_whatever_it_says(content_type: str) -> None:
    body = '{"poll_filter": "business_hours"}'
    headers = {"Content-Type": content_type}
    assert call("POST", "/trigger_report", body=body, headers=headers) == (200, None)
    assert received["request"].poll_filter is PollFilter.BUSINESS_HOURS


@pytest.mark.parametrize(
    "body", ["{", "[" * 100_000, f"[{'9' * 5000}]", '{"as_of": "\ud800"}', "as_of=2024-10-14"]
)
def test_a_body_that_is_not_json(body: str) -> None:
    assert call("POST", "/trigger_report", body=body) == invalid("the body is not JSON")


def test_a_body_in_base64() -> None:
    for data, expected in [(b'{"formats": ["csv"]}', 200), (b'{"as_of": "\xff"}', 400)]:
        body = base64.b64encode(data).decode()
        status, _ = call("POST", "/trigger_report", body=body, isBase64Encoded=True)
        assert status == expected


@pytest.mark.parametrize("letter", ["a", "ü"])
def test_a_body_of_more_than_a_mebibyte_is_refused(letter: str) -> None:
    limit = 1024 * 1024
    body = json.dumps({"x": letter * ((limit - 9) // len(letter.encode()))}, ensure_ascii=False)
    body += " " * (limit - len(body.encode()))
    assert call("POST", "/trigger_report", body=body) == invalid("unknown field 'x'")
    status, error = call("POST", "/trigger_report", body=f"{body} ")
    assert (status, error["code"]) == (413, "request_too_large")


# --- the body of an upload ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"kind": "polls", "filename": "a", "key": "b"}, "unknown field 'key'"),
        ({"filename": "a.csv"}, "kind: missing"),
        ({"kind": ["polls"], "filename": "a.csv"}, "kind: input should be 'polls', "),
        ({"kind": "reports", "filename": "a.csv"}, "kind: input should be 'polls', "),
        ({"kind": "polls"}, "filename: missing"),
        ({"kind": "polls", "filename": ""}, "filename: string should have at least 1 character"),
        ({"kind": "polls", "filename": 7}, "filename: input should be a valid string"),
        ({"kind": "polls", "filename": "n" * 256}, "filename: string should have at most 255"),
    ],
)
def test_an_invalid_field_of_an_upload_is_named(body: object, message: str) -> None:
    status, error = call("POST", "/uploads", body=json.dumps(body))
    assert (status, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith(message)


# --- parameters ---------------------------------------------------------------------------------


@pytest.mark.parametrize("report_id", [REPORT_ID, REPORT_ID.upper()])
def test_a_report_id(report_id: str) -> None:
    for path, query in [("/report", {"report_id": report_id}), (f"/report/{report_id}", {})]:
        assert get(path, **query) == (200, None)
        assert received["report_id"] == REPORT_ID


@pytest.mark.parametrize("query", [{}, {"report_id": ""}, {"report_id": "42"}])
def test_a_missing_or_malformed_report_id(query: dict[str, str]) -> None:
    status, error = get("/report", **query)
    assert (status, error["code"]) == (400, "malformed_report_id")


def test_a_malformed_report_id_in_a_path() -> None:
    status, error = get("/report/42")
    assert (status, error["code"]) == (400, "malformed_report_id")


@pytest.mark.parametrize("download", ["maybe", "TRUE", ""])
def test_download_is_true_or_false(download: str) -> None:
    expected = invalid("download: input should be 'true' or 'false'")
    assert get("/report", report_id=REPORT_ID, download=download) == expected


def test_the_default_page_has_twenty_entries() -> None:
    assert get("/reports") == (200, None)
    assert received == {"limit": 20, "cursor": None}
    assert get("/reports", limit="100", page_token=CURSOR.to_token()) == (200, None)
    assert received == {"limit": 100, "cursor": CURSOR}


@pytest.mark.parametrize(
    "limit", ["", "0", "101", "1000", "-1", "1.0", "1e1", "ten", " 1", "1\n", "1_0", "\u0661"]
)
def test_an_invalid_limit_is_refused(limit: str) -> None:
    status, error = get("/reports", limit=limit)
    assert (status, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith("limit: ")


def test_an_invalid_page_token_is_refused() -> None:
    token = urlsafe_b64encode(b'["yesterday", "r"]').decode()
    message = "page_token: not a next_page_token that this call returned"
    assert get("/reports", page_token=token) == invalid(message)


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ({}, StoreQuery()),
        ({"q": "Café"}, StoreQuery("Café")),
        (
            {"where": '{" Region ": ["West", "South", " West "], "brand": ""}'},
            StoreQuery(
                where=(Condition("brand", ("",)), Condition("region", ("South", "West"))),
            ),
        ),
        ({"store_id": "42"}, StoreQuery(store_id="42")),
        ({"where": "{}"}, StoreQuery(where=())),
        ({"state": "up,no data"}, StoreQuery(states=("no data", "up"))),
        ({"target_missed": "last_day"}, StoreQuery(target_missed="last_day")),
        ({"outage_hour": "167"}, StoreQuery(outage_hour=167)),
        ({"sort": "-name"}, StoreQuery(sort="-name")),
    ],
)
def test_a_query_for_stores(parameters: dict[str, str], query: StoreQuery) -> None:
    assert get("/stores", **parameters) == (200, None)
    assert received == {"query": query}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("q", value) for value in ("x" * 256, "\ud800")),
        *(("where", value) for value in ("", "brand", "[]", "null", "1", '{"brand": 1}')),
        ("where", '{"brand": []}'),
        ("where", json.dumps({str(number): "x" for number in range(11)})),
        ("where", "[" * 10_000),
        *(("state", value) for value in ("", "open", "up,", "up, down")),
        ("target_missed", "last_month"),
        *(("outage_hour", value) for value in ("168", "-1", "1.5", "")),
        ("sort", ""),
    ],
)
def test_an_invalid_query_for_stores_is_refused(field: str, value: str) -> None:
    status, error = get("/stores", **{field: value})
    assert (status, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith(f"{field}: ")


@pytest.mark.parametrize("store_id", ["42", "café / 42%", "a,b", ".."])
def test_a_store_id(store_id: str) -> None:
    assert get(f"/stores/{quote(store_id, safe='')}") == (200, None)
    assert received["store_id"] == store_id
    assert get("/timeline", store_id=f" {store_id} ") == (200, None)
    assert received["store_id"] == store_id


@pytest.mark.parametrize("encoded", ["%ff", "%C3", "a%2Fb%ED%A0%80"])
def test_a_path_that_is_not_utf_8(encoded: str) -> None:
    assert get(f"/stores/{encoded}") == invalid("store_id: not UTF-8")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "store_id: missing; this is GET /timeline?store_id="),
        ({"store_id": ""}, "store_id: a store id has 1 to 255 printable characters"),
        ({"store_id": "1", "as_of": ""}, "as_of: not an instant such as 2024-10-14T23:55:00Z"),
        ({"store_id": "1", "from": "2200"}, "from: not an instant such as 2024-10-14T23:55:00Z"),
        ({"store_id": "1", "poll_filter": "none"}, NO_FILTER),
    ],
)
def test_an_invalid_parameter_is_named(query: dict[str, str], message: str) -> None:
    assert get("/timeline", **query) == invalid(message)


def test_the_parameters_of_a_timeline() -> None:
    query = {"report_id": REPORT_ID.upper(), "as_of": "1970-01-01T00:00:01", "from": "1970-01-02"}
    assert get("/timeline", store_id="1", poll_filter="all", **query) == (200, None)
    assert received == {
        "store_id": "1",
        "report_id": REPORT_ID,
        "as_of": 1_000_000,
        "poll_filter": PollFilter.ALL,
        "start": 86_400_000_000,
    }


@pytest.mark.parametrize(
    ("query", "period"),
    [
        (
            {"from": "2024-10-01", "to": "2024-11-01"},
            Period(date(2024, 10, 1), date(2024, 11, 1), PeriodUnit.DAY),
        ),
        (
            {"from": "1970-01-01T01:00:00+01:00", "to": "1970-01-02T00:00:00Z", "by": "total"},
            Period(0, 86_400_000_000, PeriodUnit.TOTAL),
        ),
    ],
)
def test_the_parameters_of_a_history(query: dict[str, str], period: Period) -> None:
    assert get("/history", **query) == (200, None)
    assert received == {"period": period}


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize(
    "text", ["", "yesterday", "2024-10-32", "2024-10-01T00:00:00", "2200-01-01"]
)
def test_the_start_and_end_of_a_history_are_dates_or_instants(field: str, text: str) -> None:
    query = {"from": "2024-10-01", "to": "2024-10-02"} | {field: text}
    status, error = get("/history", **query)
    assert (status, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith(f"{field}: ")


def test_a_history_without_a_start_or_an_unknown_unit() -> None:
    assert get("/history", to="2024-10-02") == invalid("from: missing; this is GET /history?from=")
    query = {"from": "2024-10-01", "to": "2024-10-02", "by": "year"}
    status, error = get("/history", **query)
    assert (status, error["message"][:4]) == (400, "by: ")


def test_of_a_repeated_parameter_the_last_one_counts() -> None:
    query = {"limit": "2"}
    repeated = {"limit": ["1", "2"]}
    assert call("GET", "/reports", query, multiValueQueryStringParameters=repeated) == (200, None)
    assert received["limit"] == 2


@pytest.mark.parametrize("key", ["k", "k" * 255, "a,b", "!~"])
@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key"])
def test_an_idempotency_key(name: str, key: str) -> None:
    assert call("POST", "/trigger_report", headers={name: key}) == (200, None)
    assert received["key"] == key


@pytest.mark.parametrize("key", ["", " ", "a b", "k\n", "schlüssel", "k" * 256])
def test_a_malformed_idempotency_key_is_refused(key: str) -> None:
    status, error = call("POST", "/trigger_report", headers={"Idempotency-Key": key})
    assert (status, error["code"]) == (400, "invalid_request")
    assert error["message"].lower().startswith("idempotency-key: ")

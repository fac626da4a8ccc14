"""The description of each call in the OpenAPI document; the handlers pass them to Powertools."""

from http import HTTPStatus
from typing import Any

from store_monitoring.domain.parameters import RULES_VERSION, PollFilter
from store_monitoring.http import models
from store_monitoring.http.documentation import error, operation, response
from store_monitoring.reports.report import Status

_REPORT_ID = "2048330b-e667-47a8-930e-2424914a958f"
_BUCKET_URL = "https://store-monitoring-databucket.s3.eu-west-1.amazonaws.com"
_SIGNATURE = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=900&X-Amz-Signature=0123"
_CSV_URL = f"{_BUCKET_URL}/reports/{_REPORT_ID}/report.csv?{_SIGNATURE}"
_HTML_URL = _CSV_URL.replace("csv", "html")

# --- reports ------------------------------------------------------------------------------------

_STARTED: models.Started = {"report_id": _REPORT_ID, "status": Status.RUNNING}
_RUNNING: dict[str, Any] = {**_STARTED, "progress": {"shards_done": 3, "shards_total": 9}}
_COMPLETE: dict[str, Any] = {
    "report_id": _REPORT_ID,
    "status": "Complete",
    "url": _CSV_URL,
    "urls": {"csv": _CSV_URL, "html": _HTML_URL},
    "open_url": f"{_HTML_URL}&response-content-disposition=inline",
    "expires_at": "2024-10-15T00:15:00.000000Z",
    "stores": 4560,
    "as_of": "2024-10-14T23:55:18.727055Z",
}
_WARNED: dict[str, Any] = _COMPLETE | {
    "as_of": "2025-01-01T00:00:00.000000Z",
    "warnings": [
        {
            "code": "no_known_polls",
            "message": (
                "no store has data: as_of is more than 14 days after the newest poll,"
                " 2024-10-14T23:55:18.727055Z"
            ),
        }
    ],
}
_FAILED: dict[str, Any] = {
    "report_id": _REPORT_ID,
    "status": "Failed",
    "error": {
        "code": "UnknownStore",
        "message": "no input contains the store 'no-such-store'",
        "step": "merge",
    },
    "can_retry": False,
}
_STATUS_LINKS = {
    name: {"operationId": call, "parameters": {"report_id": "$response.body#/report_id"}}
    for name, call in {"status": "get_report", "status by query": "get_report_by_query"}.items()
}
_REPORT_STARTED = (
    "The report was started. A repeated `Idempotency-Key` returns its first report, with the"
    " current status."
)
_BODY_TOO_LARGE = error(
    "The body has more than 1 MiB.",
    {"too large": ("request_too_large", "the body has more than 1,048,576 bytes")},
)
_KEY_REUSED = error(
    "The `Idempotency-Key` was used with another request.",
    {
        "another request": (
            "idempotency_key_reused",
            "this Idempotency-Key came with another request before",
        )
    },
)
_MALFORMED_REPORT_ID = (
    "malformed_report_id",
    "a report_id is a UUID, as trigger_report returned it",
)
_NO_SUCH_REPORT = ("unknown_report", f"there is no report {_REPORT_ID}")
_UNKNOWN_REPORT = error("There is no such report.", {"unknown": _NO_SUCH_REPORT})

TRIGGER_REPORT = operation(
    "trigger_report",
    "Start a report",
    tag="reports",
    responses={
        HTTPStatus.ACCEPTED: response(
            _REPORT_STARTED, models.Started, {"started": _STARTED}, links=_STATUS_LINKS
        ),
        HTTPStatus.BAD_REQUEST: error(
            "The request is invalid; the message names the field and the reason.",
            {
                "wrong value": (
                    "invalid_request",
                    "store_ids: list should have at least 1 item after validation, not 0",
                ),
                "unknown field": ("invalid_request", "unknown field 'store_id'"),
                "empty period": ("invalid_request", "period.to: not after from"),
                "no JSON": ("invalid_request", "the body is not JSON"),
            },
        ),
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _BODY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY: _KEY_REUSED,
    },
)
TRIGGER_DEFAULT_REPORT = operation(
    "trigger_default_report",
    "Start the default report",
    tag="reports",
    description="For old clients: a GET with a side effect. Use POST.",
    deprecated=True,
    responses={
        HTTPStatus.ACCEPTED: response(
            _REPORT_STARTED,
            models.Started,
            {"started": _STARTED},
            headers={
                "Deprecation": "Since when this call is deprecated (RFC 9745).",
                "Link": "The call to use instead, as `successor-version`.",
            },
            links=_STATUS_LINKS,
        ),
        HTTPStatus.BAD_REQUEST: error(
            "The `Idempotency-Key` is malformed.",
            {
                "key": (
                    "invalid_request",
                    "Idempotency-Key: string should match pattern '^[!-~]{1,255}$'",
                )
            },
        ),
        HTTPStatus.UNPROCESSABLE_ENTITY: _KEY_REUSED,
    },
)

_REPORT_RESPONSES = {
    HTTPStatus.OK: response(
        "The status of the report.",
        models.RunningReport | models.CompleteReport | models.FailedReport,
        {"Running": _RUNNING, "Complete": _COMPLETE, "with a warning": _WARNED, "Failed": _FAILED},
    ),
    HTTPStatus.ACCEPTED: response(
        "The file was requested, but the report is still running.",
        models.RunningReport,
        {"Running": _RUNNING},
    ),
    HTTPStatus.SEE_OTHER: response(
        "The file was requested; its URL is in `Location`.",
        models.CompleteReport,
        {"Complete": _COMPLETE},
        headers={"Location": "URL of the CSV, valid for at most 15 minutes."},
    ),
    HTTPStatus.BAD_REQUEST: error(
        "`report_id` is not a UUID, or `download` is neither `true` nor `false`.",
        {
            "report_id": _MALFORMED_REPORT_ID,
            "download": ("invalid_request", "download: input should be 'true' or 'false'"),
        },
    ),
    HTTPStatus.NOT_FOUND: _UNKNOWN_REPORT,
    HTTPStatus.CONFLICT: response(
        "The file was requested, but the report failed.", models.FailedReport, {"Failed": _FAILED}
    ),
}
GET_REPORT = operation(
    "get_report",
    "Get the status of a report, and its download links",
    tag="reports",
    description="With `Accept: text/csv`, or `download=true`, the response redirects to the file.",
    responses=_REPORT_RESPONSES,
)
GET_REPORT_BY_QUERY = operation(
    "get_report_by_query",
    "Get the status of a report",
    tag="reports",
    description="The same as `/get_report/{report_id}`.",
    responses=_REPORT_RESPONSES,
)
_WINDOW: models.WindowSummary = {
    "uptime_hours": 102.5,
    "downtime_hours": 27.5,
    "no_data_hours": 40.0,
    "business_time_hours": 170.0,
    "excluded_hours": 2.0,
    "uptime_percent": 78.846,
    "coverage_percent": 61.25,
    "stores_met": 1,
    "stores_missed": 1,
    "lost_revenue": "343.75",
}
_LOW_UPTIME_STORE: models.LowUptimeStore = {
    "store_id": "7",
    "name": "Main Street",
    "uptime_percent": 58.333,
    "target_percent": 99.0,
    "uptime_hours": 38.5,
    "downtime_hours": 27.5,
    "outages": 3,
    "last_poll_at": "2024-10-14T23:41:02.000000Z",
}
_SUMMARY: models.Summary = {
    "report": {
        "report_id": _REPORT_ID,
        "as_of": "2024-10-14T23:55:18.727055Z",
        "snapshot": 4,
        "request": {
            "as_of": None,
            "store_ids": None,
            "poll_filter": "all",
            "formats": ["csv"],
        },
        "rules_version": RULES_VERSION,
    },
    "stores": 3,
    "warnings": [],
    "now": {"up": 1, "down": 0, "closed": 1, "no_data": 1},
    "last_hour": _WINDOW,
    "last_day": _WINDOW,
    "last_week": _WINDOW,
    "outages_last_week": 3,
    "incidents_last_week": 2,
    "mean_time_to_recovery_hours": 2.25,
    "worst_stores": [{**_LOW_UPTIME_STORE, "longest_outage_hours": 12.0}],
    "uptime_percent_last_week": [{"label": "50+", "stores": 1}, {"label": "100", "stores": 1}],
    "longest_outage_last_week": [{"label": "none", "stores": 1}, {"label": "12–24 h", "stores": 1}],
    "last_poll_age": [{"label": "≤ 1 h", "stores": 2}, {"label": "no data", "stores": 1}],
    "outages_by_hour": [[0] * 9 + [3] + [0] * 14, *[[0] * 24] * 6],
    "outages_by_zone": [{"timezone": "America/Chicago", "stores": 3, "outages": 3}],
    "trend": None,
}
_PERIOD_WINDOW: models.PeriodWindow = {
    **_WINDOW,
    "window_start": "2024-10-01",
    "stores": 3,
    "outages": 2,
    "incidents": 1,
    "mean_time_to_recovery_hours": None,
}
_PERIOD_TOTAL: models.PeriodTotal = {
    "stores": 3,
    "total": _WINDOW,
    "outages": 3,
    "mean_time_to_recovery_hours": 2.25,
}
_PERIOD_SUMMARY: models.PeriodSummary = {
    "report": {
        **_SUMMARY["report"],
        "request": {
            **_SUMMARY["report"]["request"],
            "group_by": ["region"],
            "period": {"from": "2024-10-01", "to": "2024-11-01", "by": "day"},
        },
    },
    **_PERIOD_TOTAL,
    "warnings": [],
    "newest_poll_at": "2024-10-14T23:55:18.727055Z",
    "silent_stores": 1,
    "silent": [{"store_id": "9", "last_poll_at": None}],
    "worst_stores": [{**_LOW_UPTIME_STORE, "no_data_hours": 0.0}],
    "stores_by_uptime_percent": [{"label": "50+", "stores": 1}, {"label": "100", "stores": 1}],
    "windows": [_PERIOD_WINDOW],
    "groups": [{"group": {"region": "West"}, **_PERIOD_TOTAL, "windows": [_PERIOD_WINDOW]}],
    "outages_by_hour": [[0] * 9 + [3] + [0] * 14, *[[0] * 24] * 6],
    "outages_by_zone": [{"timezone": "America/Chicago", "stores": 3, "outages": 3}],
}
GET_SUMMARY = operation(
    "get_summary",
    "Get the summary of a report",
    tag="reports",
    description=(
        "Totals, numbers of stores by state, the worst stores, and when outages begin. Of a report"
        " on a period: its windows as a series, for all stores and for each group."
    ),
    responses={
        HTTPStatus.OK: response(
            "The summary.",
            models.Summary | models.PeriodSummary,
            {"classic": _SUMMARY, "period": _PERIOD_SUMMARY},
        ),
        HTTPStatus.BAD_REQUEST: error(
            "`report_id` is not a UUID.",
            {"report_id": _MALFORMED_REPORT_ID},
        ),
        HTTPStatus.NOT_FOUND: _UNKNOWN_REPORT,
        HTTPStatus.CONFLICT: error(
            "The report is not Complete.",
            {"running": ("report_running", f"the report {_REPORT_ID} is still Running")},
        ),
    },
)
LIST_REPORTS = operation(
    "list_reports",
    "The latest reports, newest first",
    tag="reports",
    description=(
        "The list is eventually consistent: a report that was just started may be missing."
    ),
    responses={
        HTTPStatus.OK: response(
            "A page of reports.",
            models.ReportPage,
            {
                "two reports": {
                    "reports": [
                        {
                            "report_id": _REPORT_ID,
                            "status": "Complete",
                            "started_at": "2024-10-15T00:00:00.000000Z",
                            "ended_at": "2024-10-15T00:00:02.500000Z",
                            "as_of": "2024-10-14T23:55:18.727055Z",
                            "stores": 4560,
                            "poll_filter": "all",
                            "formats": ["csv"],
                            "request": {
                                "as_of": None,
                                "poll_filter": "all",
                                "formats": ["csv"],
                                "where": {"brand": ["Nori"]},
                            },
                            "headline": {
                                "now": {"up": 3401, "down": 120, "closed": 900, "no_data": 139},
                                "uptime_percent": {
                                    "last_hour": 98.75,
                                    "last_day": 97.5,
                                    "last_week": 96.25,
                                },
                                "stores_missed": {
                                    "last_hour": 120,
                                    "last_day": 340,
                                    "last_week": 1210,
                                },
                                "outages_last_week": 5021,
                                "lost_revenue_last_week": "343.75",
                            },
                        },
                        {
                            "report_id": "fd5b87d3-4b4e-4c23-bc2a-53740571d0c7",
                            "status": "Failed",
                            "started_at": "2024-10-14T23:00:00.000000Z",
                            "ended_at": "2024-10-14T23:00:01.000000Z",
                            "poll_filter": "all",
                            "formats": ["csv"],
                            "error": {
                                "code": "NoPolls",
                                "message": (
                                    "no polls have been ingested yet: upload a polls file first"
                                ),
                                "step": "plan",
                            },
                            "can_retry": True,
                        },
                    ],
                    "next_page_token": (
                        "WyIyMDI0LTEwLTE0VDIzOjAwOjAwLjAwMDAwMFoiLCAiZmQ1Yjg3ZDMtNGI0ZS00YzIzLWJj"
                        "MmEtNTM3NDA1NzFkMGM3Il0="
                    ),
                }
            },
            headers={"Link": "The next page, as `next`; absent on the last page."},
        ),
        HTTPStatus.BAD_REQUEST: error(
            "A parameter is invalid; the message names it.",
            {"limit": ("invalid_request", "limit: input should be less than or equal to 100")},
        ),
    },
)
RETRY_REPORT = operation(
    "retry_report",
    "Retry a failed report",
    tag="reports",
    description=(
        "The retry reads the same snapshot and reuses the shards that are computed. Concurrent"
        " requests are all accepted, and start one attempt."
    ),
    responses={
        HTTPStatus.ACCEPTED: response(
            "The report is Running again.", models.Started, {"restarted": _STARTED}
        ),
        HTTPStatus.BAD_REQUEST: error(
            "`report_id` is not a UUID.",
            {"report_id": _MALFORMED_REPORT_ID},
        ),
        HTTPStatus.NOT_FOUND: _UNKNOWN_REPORT,
        HTTPStatus.CONFLICT: error(
            "The report has not failed.",
            {
                "complete": (
                    "report_not_failed",
                    "the report is Complete: only one that failed is retried",
                )
            },
        ),
    },
)

# --- stores -------------------------------------------------------------------------------------

_STORE_ROW: models.StoreRow = {
    "store_id": "7",
    "name": "Main Street",
    "state": "up",
    **{
        f"{measure}_{window}(in {unit})": amount
        for measure, amounts in {
            "uptime": (60.0, 8.53, 38.5),
            "downtime": (0.0, 1.97, 27.5),
            "no_data": (0.0, 0.0, 0.0),
            "business_time": (60.0, 10.5, 66.0),
            "excluded": (0.0, 0.0, 2.0),
        }.items()
        for (window, unit), amount in zip(models.WINDOW_UNITS.items(), amounts, strict=True)
    },
    "uptime_percent_last_hour": 100.0,
    "uptime_percent_last_day": 81.238,
    "uptime_percent_last_week": 58.333,
    "coverage_percent_last_hour": 100.0,
    "coverage_percent_last_day": 92.5,
    "coverage_percent_last_week": 88.125,
    "polls_last_week": 34,
    "last_poll_at": "2024-10-14T23:41:02+00:00",
    "last_poll_status": "active",
    "open_now": True,
    "outages_last_week": 3,
    "longest_outage_last_week(in hours)": 12.0,
    "incidents_last_week": 2,
    "mean_time_to_recovery_last_week(in hours)": 13.75,
    "target_percent": 99.0,
    "target_last_hour": "met",
    "target_last_day": "missed",
    "target_last_week": "missed",
    "budget_last_hour(in minutes)": 0.6,
    "budget_last_day(in hours)": 0.1,
    "budget_last_week(in hours)": 0.66,
    "budget_left_last_hour(in minutes)": 0.6,
    "budget_left_last_day(in hours)": -1.86,
    "budget_left_last_week(in hours)": -26.84,
    "revenue_per_hour": "12.5000",
    "lost_revenue_last_hour": "0.00",
    "lost_revenue_last_day": "24.63",
    "lost_revenue_last_week": "343.75",
    "timezone": "America/New_York",
    "attributes": {"brand": "Nori", "region": "West"},
}
_STORES: dict[str, Any] = {
    "report": _SUMMARY["report"],
    "stores": [_STORE_ROW],
    "found": 1,
    "total": 3,
}
_STORE_RESPONSES = {
    HTTPStatus.OK: response(
        "A page of stores.",
        models.StorePage,
        {
            "one of three": _STORES,
            "a mistyped id": {
                **_STORES,
                "stores": [],
                "found": 0,
                "suggestions": ["00017c6a-7a77-4a95-bb2d-40647868aff6"],
            },
        },
        headers={"Link": "The next page, as `next`; absent on the last page."},
    ),
    HTTPStatus.BAD_REQUEST: error(
        "A parameter is invalid; the message names it.",
        {
            "sort": ("invalid_request", "sort: rows have no field 'uptime' to sort by"),
            "where": (
                "invalid_request",
                "where: no store has the attribute 'brnd'; known are brand, region",
            ),
        },
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: error(
        "The report has more than two million stores: download it, or request one with `where`.",
        {
            "too many": (
                "too_many_stores",
                "the report is on 3,000,000 stores, more than 2,000,000: download it, or request a"
                " report with where",
            )
        },
    ),
}
LIST_STORES = operation(
    "list_stores",
    "Find stores",
    tag="reports",
    description=(
        "The rows of the newest report of all stores as of the last poll, with all polls. All"
        " conditions must hold. Further pages are of the same report, even if there is a newer one."
    ),
    responses=_STORE_RESPONSES
    | {
        HTTPStatus.CONFLICT: error(
            "There is no such report yet.",
            {
                "no report": (
                    "no_report",
                    "there is no complete report of all stores yet: start one",
                )
            },
        )
    },
)
LIST_REPORT_STORES = operation(
    "list_report_stores",
    "Find stores of a report",
    tag="reports",
    description="The rows of a complete report. All conditions must hold.",
    responses=_STORE_RESPONSES
    | {
        HTTPStatus.NOT_FOUND: _UNKNOWN_REPORT,
        HTTPStatus.CONFLICT: error(
            "The report is not Complete.",
            {"running": ("report_running", f"the report {_REPORT_ID} is still Running")},
        ),
    },
)

# --- timelines ----------------------------------------------------------------------------------

_TIMELINE: models.Timeline = {
    "store_id": "1",
    "as_of": "2024-10-15T12:00:00.000000Z",
    "poll_filter": PollFilter.BUSINESS_HOURS,
    "snapshot": {"report_id": None, "version": 3},
    "week": {
        "start": "2024-10-08T12:00:00.000000Z",
        "start_local": "2024-10-08T08:00:00.000000-04:00",
        "end": "2024-10-15T12:00:00.000000Z",
        "end_local": "2024-10-15T08:00:00.000000-04:00",
    },
    "time_zone": {"name": "America/New_York", "source": "given"},
    "business_hours": {
        "rows": [
            {"day_of_week": 0, "start_time_local": "11:00:00", "end_time_local": "14:30:00"},
            {"day_of_week": 0, "start_time_local": "17:00:00", "end_time_local": "02:00:00"},
        ],
        "source": "given",
    },
    "special_hours": [],
    "exclusions": [],
    "business_time": [
        {
            "start": "2024-10-14T15:00:00.000000Z",
            "start_local": "2024-10-14T11:00:00.000000-04:00",
            "end": "2024-10-14T18:30:00.000000Z",
            "end_local": "2024-10-14T14:30:00.000000-04:00",
            "openings": [{"row": 0, "date": "2024-10-14"}],
        },
        {
            "start": "2024-10-14T21:00:00.000000Z",
            "start_local": "2024-10-14T17:00:00.000000-04:00",
            "end": "2024-10-15T06:00:00.000000Z",
            "end_local": "2024-10-15T02:00:00.000000-04:00",
            "openings": [{"row": 1, "date": "2024-10-14"}],
        },
    ],
    "polls": [
        {
            "at": "2024-10-14T09:00:00.000000Z",
            "at_local": "2024-10-14T05:00:00.000000-04:00",
            "status": "inactive",
            "is_evidence": False,
        },
        {
            "at": "2024-10-14T16:10:00.000000Z",
            "at_local": "2024-10-14T12:10:00.000000-04:00",
            "status": "active",
            "is_evidence": True,
        },
        {
            "at": "2024-10-14T22:00:00.000000Z",
            "at_local": "2024-10-14T18:00:00.000000-04:00",
            "status": "inactive",
            "is_evidence": True,
        },
        {
            "at": "2024-10-14T23:30:00.000000Z",
            "at_local": "2024-10-14T19:30:00.000000-04:00",
            "status": "active",
            "is_evidence": True,
        },
    ],
    "statuses": [
        {
            "start": "2024-10-08T12:00:00.000000Z",
            "start_local": "2024-10-08T08:00:00.000000-04:00",
            "end": "2024-10-14T22:00:00.000000Z",
            "end_local": "2024-10-14T18:00:00.000000-04:00",
            "status": "up",
            "poll_at": "2024-10-14T16:10:00.000000Z",
        },
        {
            "start": "2024-10-14T22:00:00.000000Z",
            "start_local": "2024-10-14T18:00:00.000000-04:00",
            "end": "2024-10-14T23:30:00.000000Z",
            "end_local": "2024-10-14T19:30:00.000000-04:00",
            "status": "down",
            "poll_at": "2024-10-14T22:00:00.000000Z",
        },
        {
            "start": "2024-10-14T23:30:00.000000Z",
            "start_local": "2024-10-14T19:30:00.000000-04:00",
            "end": "2024-10-15T12:00:00.000000Z",
            "end_local": "2024-10-15T08:00:00.000000-04:00",
            "status": "up",
            "poll_at": "2024-10-14T23:30:00.000000Z",
        },
    ],
    "outages": [
        {
            "start": "2024-10-14T22:00:00.000000Z",
            "start_local": "2024-10-14T18:00:00.000000-04:00",
            "end": "2024-10-14T23:30:00.000000Z",
            "end_local": "2024-10-14T19:30:00.000000-04:00",
            "length_us": 5400000000,
        }
    ],
    "totals": {
        "uptime_last_hour_us": 0,
        "uptime_last_day_us": 39600000000,
        "uptime_last_week_us": 39600000000,
        "downtime_last_hour_us": 0,
        "downtime_last_day_us": 5400000000,
        "downtime_last_week_us": 5400000000,
        "no_data_last_hour_us": 0,
        "no_data_last_day_us": 0,
        "no_data_last_week_us": 0,
        "covered_last_hour_us": 0,
        "covered_last_day_us": 19_800_000_000,
        "covered_last_week_us": 19_800_000_000,
        "excluded_last_hour_us": 0,
        "excluded_last_day_us": 0,
        "excluded_last_week_us": 0,
    },
    "report_row": {
        "uptime_last_hour(in minutes)": 0.0,
        "uptime_last_day(in hours)": 11.0,
        "uptime_last_week(in hours)": 11.0,
        "downtime_last_hour(in minutes)": 0.0,
        "downtime_last_day(in hours)": 1.5,
        "downtime_last_week(in hours)": 1.5,
    },
}
_TIMELINE_RESPONSES = {
    HTTPStatus.OK: response("The timeline.", models.Timeline, {"a store": _TIMELINE}),
    HTTPStatus.BAD_REQUEST: error(
        "A parameter is invalid; the message names it.",
        {
            "two kinds of snapshot": (
                "invalid_request",
                "report_id: a report has its own as_of and poll_filter",
            ),
            "no report id": _MALFORMED_REPORT_ID,
        },
    ),
    HTTPStatus.NOT_FOUND: error(
        "The store is not in the snapshot, the report does not cover it, or there is no such"
        " report.",
        {
            "unknown store": ("unknown_store", "no input contains the store '42'"),
            "store of another report": (
                "unknown_store",
                f"the report {_REPORT_ID} was not requested for the store '42'",
            ),
            "unknown report": _NO_SUCH_REPORT,
        },
    ),
    HTTPStatus.CONFLICT: error(
        "There is no timeline yet: the report is not complete, or there are no polls and no"
        " `as_of`.",
        {
            "running": ("report_running", f"the report {_REPORT_ID} is still Running"),
            "failed": ("report_failed", f"the report {_REPORT_ID} Failed"),
            "no polls": (
                "no_polls",
                "no polls have been ingested yet: name an as_of, or upload a polls file",
            ),
        },
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: error(
        "The response would exceed the 6 MB that a function can return: request a part of the week"
        " by `from` and `to`.",
        {
            "too large": (
                "response_too_large",
                "the response has 7,123,456 bytes, more than 6,225,920: name a part of the week by"
                " from and to",
            )
        },
    ),
}
_HISTORY: models.History = {
    "store_id": "1",
    "period": {"from": "2024-10-13", "to": "2024-10-16", "by": "day"},
    "poll_filter": PollFilter.ALL,
    "snapshot": {"version": 3, "newest_poll": "2024-10-14T23:30:00.000000Z"},
    "time_zone": {"name": "America/New_York", "source": "given"},
    "windows": [
        {
            "start": "2024-10-13T04:00:00.000000Z",
            "start_local": "2024-10-13T00:00:00.000000-04:00",
            "end": "2024-10-14T04:00:00.000000Z",
            "end_local": "2024-10-14T00:00:00.000000-04:00",
            "uptime_us": 0,
            "downtime_us": 0,
            "no_data_us": 0,
            "covered_us": 0,
            "excluded_us": 0,
            "uptime_percent": None,
            "outages": 0,
            "longest_outage_us": 0,
        },
        {
            "start": "2024-10-14T04:00:00.000000Z",
            "start_local": "2024-10-14T00:00:00.000000-04:00",
            "end": "2024-10-14T23:30:00.000000Z",
            "end_local": "2024-10-14T19:30:00.000000-04:00",
            "uptime_us": 12_000_000_000,
            "downtime_us": 9_600_000_000,
            "no_data_us": 0,
            "covered_us": 12_600_000_000,
            "excluded_us": 0,
            "uptime_percent": 55.556,
            "outages": 2,
            "longest_outage_us": 5_400_000_000,
        },
    ],
}
GET_HISTORY = operation(
    "get_history",
    "Get the uptime of a store by day, week or month",
    tag="reports",
    description=(
        "One store's rows of the report for the same period, at once, from the latest data. Days,"
        " weeks and months are the store's own."
    ),
    responses={
        HTTPStatus.OK: response("The history.", models.History, {"a store": _HISTORY}),
        HTTPStatus.BAD_REQUEST: error(
            "A parameter is invalid; the message names it.",
            {
                "empty": ("invalid_request", "to: not after from"),
                "too long": ("invalid_request", "to: more than 400 days after from"),
            },
        ),
        HTTPStatus.NOT_FOUND: error(
            "No input contains the store.",
            {"unknown store": ("unknown_store", "no input contains the store '42'")},
        ),
        HTTPStatus.CONFLICT: error(
            "There are no polls yet.",
            {
                "no polls": (
                    "no_polls",
                    "no polls have been ingested yet: upload a polls file first",
                )
            },
        ),
        HTTPStatus.UNPROCESSABLE_ENTITY: error(
            "The store has too many polls for one response.",
            {
                "too many polls": (
                    "response_too_large",
                    "the store has more than 2,000,000 polls in the period: name a shorter one",
                )
            },
        ),
    },
)
GET_TIMELINE = operation(
    "get_timeline",
    "Get the last week of a store, which explains its row of a report",
    tag="reports",
    description="The same as `/timeline`.",
    responses=_TIMELINE_RESPONSES,
)
GET_TIMELINE_BY_QUERY = operation(
    "get_timeline_by_query",
    "Get the last week of a store, which explains its row of a report",
    tag="reports",
    description=(
        "Polls, business hours, statuses and outages of the week, from the snapshot of a complete"
        " report or from the latest data."
    ),
    responses=_TIMELINE_RESPONSES,
)

# --- uploads ------------------------------------------------------------------------------------

_NUMBER = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"
_UPLOAD_ID = f"polls.{_NUMBER}.store_status.csv"
_REJECTS_URL = f"{_BUCKET_URL}/rejects/7d1f.csv?{_SIGNATURE}"
_FORM: models.UploadForm = {
    "upload_id": _UPLOAD_ID,
    "url": "https://store-monitoring-inbox-123456789012-eu-west-1.s3.eu-west-1.amazonaws.com/",
    "fields": {
        "key": f"polls/{_NUMBER}-store_status.csv",
        "Content-Type": "application/octet-stream",
        "policy": "eyJleHBpcmF0aW9uIjo…",
        "x-amz-signature": "0123",
    },
    "expires_at": "2024-10-15T00:15:00.000000Z",
    "limit_bytes": 1073741824,
}
CREATE_UPLOAD = operation(
    "create_upload",
    "Get a presigned POST to upload a file",
    tag="uploads",
    description=(
        "POST the file to `url` within 15 minutes, as `multipart/form-data`: first all `fields`,"
        " then the file as `file`. The upload gets a new key under the prefix of its kind."
    ),
    responses={
        HTTPStatus.CREATED: response(
            "The presigned POST.",
            models.UploadForm,
            {"polls": _FORM},
            links={
                "outcome": {
                    "operationId": "get_upload",
                    "parameters": {"upload_id": "$response.body#/upload_id"},
                }
            },
        ),
        HTTPStatus.BAD_REQUEST: error(
            "The request is invalid; the message names the field and the reason.",
            {
                "filename": (
                    "invalid_request",
                    "filename: string should have at least 1 character",
                )
            },
        ),
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _BODY_TOO_LARGE,
    },
)
_REJECTED_ROWS: list[models.RejectedRow] = [
    {"line": 17, "reason": "the status is neither active nor inactive", "text": "7,maybe,…"}
]
GET_UPLOAD = operation(
    "get_upload",
    "Get the outcome of an upload",
    tag="uploads",
    responses={
        HTTPStatus.OK: response(
            "The outcome of the upload.",
            models.Upload,
            {
                "Retrying": {
                    "upload_id": _UPLOAD_ID,
                    "status": "Retrying",
                    "reason": f"cannot read polls/{_NUMBER}-store_status.csv: SlowDown",
                },
                "a presigned POST used twice": {
                    "upload_id": _UPLOAD_ID,
                    "status": "Unchanged",
                    "ended_at": "2024-10-15T00:00:09.100000Z",
                    "rows": 1849837,
                    "rejected": 0,
                    "earlier": [
                        {
                            "status": "Committed",
                            "ended_at": "2024-10-15T00:00:05.400000Z",
                            "rows": 1849837,
                            "rejected": 0,
                        }
                    ],
                },
                "Pending": {
                    "upload_id": _UPLOAD_ID,
                    "status": "Pending",
                },
                "Committed": {
                    "upload_id": _UPLOAD_ID,
                    "status": "Committed",
                    "ended_at": "2024-10-15T00:00:05.400000Z",
                    "rows": 1849837,
                    "rejected": 2,
                    "rejected_rows": _REJECTED_ROWS,
                    "rejects_url": _REJECTS_URL,
                    "expires_at": "2024-10-15T00:15:06.000000Z",
                },
                "Stores with rejected rows": {
                    "upload_id": f"business_hours.{_NUMBER}.menu_hours.csv",
                    "status": "Committed",
                    "ended_at": "2024-10-15T00:00:02.100000Z",
                    "rows": 35455,
                    "rejected": 2,
                    "stores_with_rejected_rows": {
                        "count": 1,
                        "store_ids": ["00017c6a-7a77-4a95-bb2d-40647868aff6"],
                    },
                    "rejects_url": _REJECTS_URL,
                    "expires_at": "2024-10-15T00:15:06.000000Z",
                },
                "Failed": {
                    "upload_id": _UPLOAD_ID,
                    "status": "Failed",
                    "ended_at": "2024-10-15T00:00:01.000000Z",
                    "reason": "missing column status; the header has: store_id, timestamp_utc",
                },
            },
        ),
        HTTPStatus.NOT_FOUND: error(
            "There is no such upload.",
            {"unknown": ("unknown_upload", "there is no such upload")},
        ),
    },
)
LIST_UPLOADS = operation(
    "list_uploads",
    "The latest uploads, newest first",
    tag="uploads",
    description=(
        "Each use of a presigned POST, files that were put into the inbox bucket without the API,"
        " and presigned POSTs that are not used yet. The list is eventually consistent: what has"
        " just changed may be missing."
    ),
    responses={
        HTTPStatus.OK: response(
            "A page of uploads.",
            models.UploadPage,
            {
                "two uploads": {
                    "uploads": [
                        {
                            "upload_id": f"business_hours.{_NUMBER}.menu_hours.csv",
                            "kind": "business_hours",
                            "filename": "menu_hours.csv",
                            "created_at": "2024-10-15T00:00:08.000000Z",
                            "status": "Pending",
                        },
                        {
                            "upload_id": _UPLOAD_ID,
                            "kind": "polls",
                            "filename": "store_status.csv",
                            "created_at": "2024-10-15T00:00:02.000000Z",
                            "status": "Committed",
                            "ended_at": "2024-10-15T00:00:05.400000Z",
                            "rows": 1849837,
                            "rejected": 1,
                            "rejected_rows": _REJECTED_ROWS,
                            "rejects_url": _REJECTS_URL,
                            "expires_at": "2024-10-15T00:15:06.000000Z",
                        },
                    ],
                }
            },
            headers={"Link": "The next page, as `next`; absent on the last page."},
        ),
        HTTPStatus.BAD_REQUEST: error(
            "A parameter is invalid; the message names it.",
            {"limit": ("invalid_request", "limit: input should be less than or equal to 100")},
        ),
    },
)

"""The API's data types: parameters and bodies of requests, and bodies of responses.

Pydantic checks requests against these types, and `make openapi` writes them to `openapi.json`. To
add a field to requests for reports, add it to `ReportBody` and `ReportRequest`.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, TypeGuard, get_args
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from typing_extensions import TypedDict

from store_monitoring.domain.parameters import Period, PeriodUnit, PollFilter
from store_monitoring.errors import InvalidRequestError
from store_monitoring.ingest.outcomes import UploadCursor, UploadStatus
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.instants import from_text
from store_monitoring.reports.ports import Cursor
from store_monitoring.reports.report import Format, Status, checked_report_id
from store_monitoring.reports.request import (
    MAX_PERIOD_DAYS,
    Condition,
    ReportRequest,
    checked_period,
    period_edge,
)
from store_monitoring.store_ids import ASCII_WHITESPACE, SURROGATE, checked_store_id
from store_monitoring.uploads import UPLOAD_ID, UploadRequest

# --- values in requests -------------------------------------------------------------------------

_UUID = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
}
_INSTANT = {"type": "string", "format": "date-time"}
_PERIOD_EDGE = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}
_STORE_ID = {
    "type": "string",
    "pattern": (
        r"^[ \t\n\v\f\r]*[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,253}[^\x00-\x20\x7f])?[ \t\n\v\f\r]*$"
    ),
    "description": "1 to 255 printable characters; ASCII whitespace around them is dropped.",
}
_MAX_VALUES = 100
_MAX_VALUE_CHARACTERS = 255
_ATTRIBUTE_VALUE = {"type": "string", "maxLength": _MAX_VALUE_CHARACTERS}
_ATTRIBUTE_VALUES = {
    "anyOf": [
        _ATTRIBUTE_VALUE,
        {"type": "array", "items": _ATTRIBUTE_VALUE, "minItems": 1, "maxItems": _MAX_VALUES},
    ]
}
_UPLOAD_ID = {"type": "string", "pattern": f"^{re.sub(r'[?]P<.+?>', '', UPLOAD_ID.pattern)}$"}
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


def decode_path_parameter(encoded: str) -> str:
    """Decode a path parameter: API Gateway's REST APIs pass it on percent-encoded.

    >>> decode_path_parameter("caf%C3%A9%20%2F%2042%25")
    'café / 42%'

    Raises
    ------
    ValueError
        If the decoded bytes are not UTF-8.
    """
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None


def _instant_us(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("not a string")  # Pydantic does not catch a TypeError
    return from_text(value)


def _period_edge(value: object) -> date | int:
    if not isinstance(value, str):
        raise ValueError("not a string")  # Pydantic does not catch a TypeError
    return period_edge(value)


def _attribute_name(text: str) -> str:
    return text.strip().lower()  # as ingest reads the header of a file


def _attribute_values(value: object) -> list[str]:
    given = value if isinstance(value, list) else [value]
    values = [each.strip(ASCII_WHITESPACE) for each in given if _is_attribute_value(each)]
    if not 1 <= len(values) == len(given) <= _MAX_VALUES:
        raise ValueError(
            f"a value is a string of at most {_MAX_VALUE_CHARACTERS} characters, or a list of 1 to"
            f" {_MAX_VALUES} of them"
        )
    return values


def _is_attribute_value(value: object) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and len(value) <= _MAX_VALUE_CHARACTERS
        and not SURROGATE.search(value)
    )


def _where(text: str) -> tuple[Condition, ...]:
    try:
        conditions = _WHERE.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            raise ValueError("not a JSON object") from None
        raise ValueError(first.get("ctx", {}).get("error", first["msg"])) from None
    return _conditions(conditions)


def _conditions(where: Mapping[str, list[str]]) -> tuple[Condition, ...]:
    return tuple(Condition(name, tuple(sorted(set(where[name])))) for name in sorted(where))


def _search_text(text: str) -> str:
    if SURROGATE.search(text):
        raise ValueError("not Unicode")
    return text


def _states(text: str) -> tuple[str, ...]:
    states = text.split(",")
    for state in states:
        if state not in get_args(State):
            raise ValueError(f"not one of {', '.join(get_args(State))}, or several with commas")
    return tuple(sorted(set(states)))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")  # Pydantic does not catch a TypeError
    return value


def _without_trailing_zeros(number: Decimal) -> Decimal:
    return Decimal(f"{number.normalize():f}")


def _distinct(names: list[str] | None) -> list[str] | None:
    if names is not None and len(set(names)) < len(names):
        raise ValueError("an attribute is named twice")
    return names


def _distinct_conditions(value: object) -> object:
    if isinstance(value, dict):
        _distinct([_attribute_name(name) for name in value])  # the last of equal names would hold
    return value


def _whole_number(text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text)


ReportId = Annotated[str, AfterValidator(checked_report_id), WithJsonSchema(_UUID)]
StoreId = Annotated[str, AfterValidator(checked_store_id), WithJsonSchema(_STORE_ID)]
InstantUs = Annotated[int, BeforeValidator(_instant_us), WithJsonSchema(_INSTANT)]
PeriodEdge = Annotated[date | int, BeforeValidator(_period_edge), WithJsonSchema(_PERIOD_EDGE)]
TargetPercent = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(gt=0, le=100, decimal_places=4),
    AfterValidator(_without_trailing_zeros),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100}),
]
AttributeName = Annotated[str, AfterValidator(_attribute_name)]
AttributeValues = Annotated[
    list[str], BeforeValidator(_attribute_values), WithJsonSchema(_ATTRIBUTE_VALUES)
]
Conditions = Annotated[
    dict[AttributeName, AttributeValues],
    Field(max_length=10),
    BeforeValidator(_distinct_conditions),
]
_WHERE: TypeAdapter[dict[str, list[str]]] = TypeAdapter(Conditions)
State = Literal["up", "down", "closed", "no data"]
Window = Literal["last_hour", "last_day", "last_week"]

# --- parameters ---------------------------------------------------------------------------------
# An absent parameter is None; `WithJsonSchema` leaves null out of the document, since no query
# string can contain it.

ReportIdInPath = Annotated[ReportId, Path(description="As `trigger_report` returned it.")]
ReportIdInQuery = Annotated[ReportId, Query(description="As `trigger_report` returned it.")]
StoreIdInQuery = Annotated[StoreId, Query()]
StoreIdInPath = Annotated[
    StoreId,
    BeforeValidator(decode_path_parameter),
    Path(
        description=(
            "Percent-encoded, including slashes: `a/b` is `a%2Fb`. Clients resolve `.` and `..` in"
            " paths: use `/timeline` for such ids."
        )
    ),
]
Download = Annotated[
    Literal["true", "false"],
    Query(description="`true` requests the file itself, as `Accept: text/csv` does."),
]
Limit = Annotated[
    int,
    Field(ge=1, le=100),
    BeforeValidator(_whole_number),
    Query(description="Maximum number of entries on the page."),
]
PageToken = Annotated[
    Cursor | None,
    BeforeValidator(Cursor.from_token),
    WithJsonSchema({"type": "string", "minLength": 1}),
    Query(description="`next_page_token` of the previous page."),
]
SearchText = Annotated[
    str,
    Field(max_length=255),
    AfterValidator(_search_text),
    Query(
        description=(
            "Stores whose id begins with it, or whose name or value of an attribute contains it,"
            " in upper or lower case."
        ),
    ),
]
ExactStoreId = Annotated[
    StoreId | None,
    WithJsonSchema(_STORE_ID),
    Query(description="The store with exactly this id."),
]
StoresWhere = Annotated[
    Any,  # Powertools would take a tuple for a repeated parameter
    BeforeValidator(_where),
    WithJsonSchema({"type": "string", "contentMediaType": "application/json"}),
    Query(
        description=(
            "Stores whose attributes have these values: a JSON object like the `where` of"
            " `POST /trigger_report`."
        ),
    ),
]
StoreStates = Annotated[
    Any,
    BeforeValidator(_states),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^(up|down|closed|no data)(,(up|down|closed|no data))*$",
        }
    ),
    Query(description="Stores in this state, or in one of several, separated by commas."),
]
TargetMissed = Annotated[
    Window | None,
    WithJsonSchema({"type": "string", "enum": list(get_args(Window))}),
    Query(description="Stores that missed their target in this window."),
]
OutageHour = Annotated[
    int | None,
    BeforeValidator(_whole_number),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 167}),
    Query(
        le=167,
        description=(
            "Stores with an outage that began in this local hour of the week: 0 is Monday, 00:00 to"
            " 01:00."
        ),
    ),
]
Sort = Annotated[
    str,
    Query(
        min_length=1,
        max_length=255,
        description=(
            "A field of the stores, with or without its unit, or `attributes.` and the name of an"
            " attribute; with `-` before it, in descending order. Stores without a value come last,"
            " ties in order of their ids."
        ),
    ),
]
StoresPageToken = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "minLength": 1}),
    Query(
        description="`next_page_token` of the previous page; the other parameters must be the same."
    ),
]
TimelineReportId = Annotated[
    ReportId | None,
    WithJsonSchema(_UUID),
    Query(
        description=(
            "A complete report. It has its own `as_of` and `poll_filter`, so they cannot be"
            " combined with it."
        )
    ),
]
TimelineAsOf = Annotated[
    InstantUs | None,
    WithJsonSchema(_INSTANT),
    Query(
        description=(
            "The end of the week, from 1970 to 2199 in UTC: ISO 8601, in UTC unless it names an"
            " offset, with six digits of a second's fraction at most. The default is the timestamp"
            " of the last poll."
        )
    ),
]
TimelinePollFilter = Annotated[
    PollFilter | None,
    WithJsonSchema({"type": "string", "enum": list(PollFilter)}),
    Query(description="Which polls count. The default is `all`."),
]
TimelineFrom = Annotated[
    InstantUs | None,
    WithJsonSchema(_INSTANT),
    Query(
        alias="from",
        description="Return details only from this instant on. The totals cover the whole week.",
    ),
]
TimelineTo = Annotated[
    InstantUs | None,
    WithJsonSchema(_INSTANT),
    Query(description="Return details only before this instant, which must be after `from`."),
]
HistoryFrom = Annotated[
    PeriodEdge,
    Query(
        alias="from",
        description=(
            "The start: a date, which is midnight in the store's own zone, or an instant with an"
            " offset, from 1970 to 2199."
        ),
    ),
]
HistoryTo = Annotated[
    PeriodEdge,
    Query(description="The end, as `from`: at most 400 days later, and not part of the history."),
]
HistoryUnit = Annotated[
    PeriodUnit,
    Query(
        alias="by",
        description=(
            "Cut at the store's local midnights, Mondays or firsts of the month, into at most 400"
            " windows; `total`: not at all."
        ),
    ),
]
IdempotencyKeyHeader = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "pattern": "^[!-~]{1,255}$"}),
    Header(
        alias="Idempotency-Key",
        pattern="^[!-~]{1,255}$",
        description=(
            "1 to 255 visible ASCII characters. For one day, requests of the same caller with the"
            " same key return the same report."
        ),
    ),
]
UploadPageToken = Annotated[
    UploadCursor | None,
    BeforeValidator(UploadCursor.from_token),
    WithJsonSchema({"type": "string", "minLength": 1}),
    Query(description="`next_page_token` of the previous page."),
]
UploadIdInPath = Annotated[
    str, WithJsonSchema(_UPLOAD_ID), Path(description="As `POST /uploads` returned it.")
]

# --- bodies of requests -------------------------------------------------------------------------


class PeriodBody(BaseModel):
    """A period, half-open."""

    model_config = ConfigDict(extra="forbid")

    start: Annotated[
        PeriodEdge,
        Field(
            alias="from",
            description=(
                "Its start: a date, which is midnight in each store's own time zone, or an instant"
                " with an offset. Both are from 1970 to 2199."
            ),
            examples=["2024-10-01"],
        ),
    ]
    end: Annotated[
        PeriodEdge,
        Field(
            alias="to",
            description=f"Its end, after `from` by {MAX_PERIOD_DAYS} days at most.",
            examples=["2024-11-01"],
        ),
    ]
    unit: Annotated[
        PeriodUnit,
        Field(
            alias="by",
            description=(
                "Cut it at each store's local midnights, Mondays or firsts of the month; `total`:"
                " not at all."
            ),
        ),
    ] = PeriodUnit.TOTAL

    def to_period(self) -> Period:
        """Return the period.

        Raises
        ------
        InvalidRequestError
            If it is empty, or too long.
        """
        return checked_period(Period(self.start, self.end, self.unit))


class ReportBody(BaseModel):
    """The body of `POST /trigger_report`. An absent field and null mean the default."""

    model_config = ConfigDict(extra="forbid")

    as_of: Annotated[
        InstantUs | None,
        Field(
            description=(
                "The end of the report's windows, from 1970 to 2199 in UTC: ISO 8601, in UTC"
                " unless it names an offset, with six digits of a second's fraction at most. Later"
                " polls are ignored. The default is the timestamp of the last poll."
            ),
            examples=["2024-10-14T12:00:00Z"],
        ),
    ] = None
    store_ids: Annotated[
        list[StoreId] | None,
        Field(
            min_length=1,
            max_length=10_000,
            description=(
                "Report only these stores. If no input contains an id, the report fails; its"
                " message has the first hundred such ids and the number of others."
            ),
        ),
    ] = None
    poll_filter: Annotated[
        PollFilter | None,
        Field(description="Which polls count: all, or only those taken while the store was open."),
    ] = PollFilter.ALL
    formats: Annotated[
        list[Format] | None, Field(min_length=1, description="CSV is always included.")
    ] = [Format.CSV]

    where: Annotated[
        Conditions | None,
        Field(
            description=(
                "Report only stores whose attributes have these values; of a list, one is enough."
                ' Stores without a value have the value `""`. If no store is left, the report'
                " fails."
            ),
            examples=[{"brand": "Nori", "region": ["West", "South"]}],
        ),
    ] = None

    group_by: Annotated[
        list[AttributeName] | None,
        Field(
            min_length=1,
            max_length=3,
            description=(
                "Add a table of groups: one row for each combination of values of these attributes,"
                " at most 10,000; in the report of a period, one for each window of a group, at"
                " most 100,000."
            ),
            examples=[["brand", "region"]],
        ),
        AfterValidator(_distinct),
    ] = None
    target_percent: Annotated[
        TargetPercent | None,
        Field(
            description=(
                "The target of stores that have no `target_percent` of their own. The default is"
                " the stack's `TargetPercent`."
            ),
            examples=[99.5],
        ),
    ] = None
    include: Annotated[
        list[Literal["outages"]] | None,
        Field(min_length=1, description="Add a table of all outages of the week."),
    ] = None

    period: Annotated[
        PeriodBody | None,
        Field(
            description=(
                "Report this period instead of the windows that end at `as_of`: one row for each"
                " store and day, week or month."
            ),
        ),
    ] = None

    def to_request(self) -> ReportRequest:
        """Return the request in its normal form.

        Raises
        ------
        InvalidRequestError
            If fields exclude each other, or the period is empty or too long.
        """
        if self.period is not None and self.as_of is not None:
            raise InvalidRequestError.about("period", "excludes as_of, name one of them")
        formats = self.formats or [Format.CSV]
        return ReportRequest(
            self.as_of,
            self.poll_filter or PollFilter.ALL,
            None if self.store_ids is None else tuple(sorted(set(self.store_ids))),
            tuple(format_ for format_ in Format if format_ in formats),
            _conditions(self.where or {}),
            tuple(self.group_by or ()),
            self.target_percent,
            "outages" in (self.include or ()),
            None if self.period is None else self.period.to_period(),
        )


_REPORT_EXAMPLES: Any = {
    "all stores, now": {"value": {}},
    "at an instant, in business hours, as a page and a workbook": {
        "value": {
            "as_of": "2024-10-14T12:00:00Z",
            "poll_filter": "business_hours",
            "formats": ["csv", "html", "xlsx"],
        }
    },
    "October, day by day": {
        "value": {"period": {"from": "2024-10-01", "to": "2024-11-01", "by": "day"}}
    },
}
ReportBodyOrNone = Annotated[
    ReportBody,
    Body(
        description="What to report. An empty body requests the default report.",
        openapi_examples=_REPORT_EXAMPLES,
    ),
]


class UploadBody(BaseModel):
    """The body of `POST /uploads`."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[Kind, Field(description="The kind of data in the file.")]
    filename: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            description="A name for people; it does not affect how the file is read.",
        ),
    ]

    def to_request(self) -> UploadRequest:
        """Return the request."""
        return UploadRequest(self.kind, self.filename)


_UPLOAD_EXAMPLES: Any = {"polls": {"value": {"kind": "polls", "filename": "store_status.csv"}}}
UploadBodyWithExample = Annotated[
    UploadBody, Body(description="The file to upload.", openapi_examples=_UPLOAD_EXAMPLES)
]

# --- values in responses ------------------------------------------------------------------------

Count = Annotated[int, Field(ge=0)]
Uuid = Annotated[str, WithJsonSchema(_UUID)]
UploadId = Annotated[str, WithJsonSchema(_UPLOAD_ID)]
Uri = Annotated[str, Field(json_schema_extra={"format": "uri"})]
Instant = Annotated[
    str,
    Field(
        json_schema_extra={"format": "date-time"},
        description="ISO 8601, in UTC, to the microsecond.",
    ),
]
LocalTime = Annotated[
    str,
    Field(
        json_schema_extra={"format": "date-time"},
        description="The same instant in the store's local time, with the offset from UTC.",
    ),
]
TimeOfDay = Annotated[str, Field(pattern=r"^[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{6})?$")]
LocalDate = Annotated[str, Field(json_schema_extra={"format": "date"}, description="A local date.")]
Percent = Annotated[float, Field(ge=0, le=100, description="Three decimals.")]
Hours = Annotated[float, Field(ge=0, description="Two decimals.")]
Money = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]{2}$")]
Source = Literal["given", "default"]

# --- reports ------------------------------------------------------------------------------------


class Started(TypedDict):
    """A report that was started, or started before by the same request."""

    report_id: Uuid
    status: Status


class Failure(TypedDict):
    """Why a report failed."""

    code: Annotated[
        str, Field(description="The error's name, such as `NoPolls`, `NoStores` or `UnknownStore`.")
    ]
    message: str
    step: NotRequired[
        Annotated[
            str, Field(description="The step that failed, such as `plan`, `shard 3` or `merge`.")
        ]
    ]


CanRetry = Annotated[
    bool, Field(description="Whether a retry can succeed: the same request, without a change.")
]


class ReportWarning(TypedDict):
    """Why a report may not be what its caller expects."""

    code: Annotated[
        str,
        Field(
            description=(
                "`no_known_polls`: the report's `as_of` is so long after the newest poll that no"
                " store has data, or its period begins after the newest poll."
            )
        ),
    ]
    message: str


Warnings = Annotated[
    list[ReportWarning], Field(min_length=1, description="Absent if there are none.")
]


class Progress(TypedDict):
    """Known once the report is planned."""

    shards_done: Count
    shards_total: Count


class RunningReport(TypedDict):
    """A report that is being computed."""

    report_id: Uuid
    status: Literal[Status.RUNNING]
    progress: NotRequired[Progress]
    warnings: NotRequired[Warnings]


class CompleteReport(TypedDict):
    """A report with its files."""

    report_id: Uuid
    status: Literal[Status.COMPLETE]
    url: Annotated[Uri, Field(description="Download URL of the CSV.")]
    urls: Annotated[
        dict[str, Uri],
        Field(
            description=(
                "Download URLs by requested format; those of groups and outages by file name, such"
                " as `groups.csv`."
            )
        ),
    ]
    open_url: NotRequired[
        Annotated[Uri, Field(description="URL that shows the HTML in a browser, if requested.")]
    ]
    expires_at: Annotated[
        Instant, Field(description="When these URLs expire; repeat the request for new ones.")
    ]
    stores: Annotated[
        Count, Field(description="Number of stores; of rows, unless the report is on a period.")
    ]
    as_of: Annotated[
        Instant,
        Field(
            description="The end of its windows; in a period's report, of the polls that are read."
        ),
    ]
    warnings: NotRequired[Warnings]


class FailedReport(TypedDict):
    """A report that failed."""

    report_id: Uuid
    status: Literal[Status.FAILED]
    error: Failure
    can_retry: CanRetry


class StoresNow(TypedDict):
    """Numbers of stores by state."""

    up: Count
    down: Count
    closed: Count
    no_data: Annotated[Count, Field(description="Stores without a known poll, open or not.")]


class ByWindow(TypedDict):
    """A number for each window."""

    last_hour: Count
    last_day: Count
    last_week: Count


class PercentByWindow(TypedDict):
    """A percentage for each window; null if there is none."""

    last_hour: Percent | None
    last_day: Percent | None
    last_week: Percent | None


class Headline(TypedDict):
    """Figures of the summary."""

    now: StoresNow
    uptime_percent: PercentByWindow
    stores_missed: ByWindow
    outages_last_week: Count
    lost_revenue_last_week: Money | None


class PeriodHeadline(TypedDict):
    """Figures of the summary of a period."""

    uptime_percent: Annotated[Percent | None, Field(description="Of the whole period.")]
    outages: Count
    lost_revenue: Money | None


class ReportEntry(TypedDict):
    """One report in a list."""

    report_id: Uuid
    status: Status
    started_at: Instant
    ended_at: NotRequired[Instant]
    as_of: NotRequired[Instant]
    stores: NotRequired[Count]
    poll_filter: PollFilter
    formats: list[Format]
    warnings: NotRequired[Warnings]
    request: NotRequired[
        Annotated[
            dict[str, Any],
            Field(
                description=(
                    "In its normal form: of many `store_ids` the first ten, and `store_count`;"
                    " without a long `where`. Absent in older reports."
                )
            ),
        ]
    ]
    headline: NotRequired[
        Annotated[
            Headline | PeriodHeadline,
            Field(description="Of a complete report; absent in older ones."),
        ]
    ]
    error: NotRequired[Failure]
    can_retry: NotRequired[CanRetry]


class ReportPage(TypedDict):
    """A page of reports, newest first."""

    reports: Annotated[list[ReportEntry], Field(max_length=100)]
    next_page_token: NotRequired[
        Annotated[
            str,
            Field(
                description=(
                    "The `page_token` of the next page; absent on the last page. A page may have"
                    " fewer reports than `limit`, since expired ones are left out."
                )
            ),
        ]
    ]


# --- summaries ----------------------------------------------------------------------------------


class ReportHeader(TypedDict):
    """Which report it is, and what it was made from."""

    report_id: Uuid
    as_of: Instant
    snapshot: Annotated[int, Field(ge=1, description="Number of ingests in the snapshot.")]
    request: Annotated[dict[str, Any], Field(description="As sent, in its normal form.")]
    rules_version: Annotated[int, Field(ge=1, description="Version of the uptime rules.")]


class WindowSummary(TypedDict):
    """All stores together in one window."""

    uptime_hours: Hours
    downtime_hours: Hours
    no_data_hours: Hours
    business_time_hours: Hours
    excluded_hours: Annotated[
        Hours, Field(description="What exclusions take out of the business time.")
    ]
    uptime_percent: Annotated[
        Percent | None, Field(description="Of uptime + downtime; null if both are zero.")
    ]
    coverage_percent: Annotated[
        Percent | None, Field(description="Of business time: what lies shortly after a poll.")
    ]
    stores_met: Annotated[Count, Field(description="Stores that met their target.")]
    stores_missed: Count
    lost_revenue: Annotated[Money | None, Field(description="Null if no store's revenue is known.")]


class LowUptimeStore(TypedDict):
    """A store with a low percentage of uptime."""

    store_id: str
    name: str | None
    uptime_percent: Percent
    target_percent: Percent
    uptime_hours: Hours
    downtime_hours: Hours
    outages: Count
    last_poll_at: Instant


class WorstStore(LowUptimeStore):
    """A store with a low percentage of uptime in the week."""

    longest_outage_hours: Hours


class Bin(TypedDict):
    """A bin of a histogram."""

    label: str
    stores: Count


class ZoneOutages(TypedDict):
    """The stores of a time zone, and their outages in the week."""

    timezone: str
    stores: Count
    outages: Count


class TrendWindow(TypedDict):
    """All stores together in a day or week."""

    start: Instant
    end: Instant
    uptime_hours: Hours
    downtime_hours: Hours
    uptime_percent: Percent | None


class Trend(TypedDict):
    """All stores together in the last seven days and the week before."""

    days: Annotated[
        list[TrendWindow],
        Field(min_length=7, max_length=7, description="Each 24 hours; together they are the week."),
    ]
    week_before: Annotated[
        TrendWindow | None,
        Field(description="Null if the poll memory does not contain all of it."),
    ]
    change_percent_points: Annotated[
        float | None, Field(ge=-100, le=100, description="Of the week against the week before.")
    ]


class Summary(TypedDict):
    """The summary of a report."""

    report: ReportHeader
    stores: Count
    warnings: list[ReportWarning]
    now: StoresNow
    last_hour: WindowSummary
    last_day: WindowSummary
    last_week: WindowSummary
    outages_last_week: Count
    incidents_last_week: Count
    mean_time_to_recovery_hours: Annotated[
        Hours | None, Field(description="Null if no incident of the week has ended.")
    ]
    worst_stores: Annotated[list[WorstStore], Field(max_length=20)]
    uptime_percent_last_week: list[Bin]
    longest_outage_last_week: list[Bin]
    last_poll_age: list[Bin]
    outages_by_hour: Annotated[
        list[list[Count]],
        Field(description="By local weekday, Monday first, and hour of their start."),
    ]
    outages_by_zone: list[ZoneOutages]
    trend: Annotated[
        Trend | None, Field(description="Null unless the formats of the report contain `html`.")
    ]
    groups: NotRequired[
        Annotated[
            list[dict[str, Any]],
            Field(
                max_length=1000,
                description=(
                    "As in the JSON report; absent if none were requested, or if there are more."
                ),
            ),
        ]
    ]


class PeriodWindow(WindowSummary):
    """All stores of a report, or of a group, together in one window of a period."""

    window_start: Annotated[
        LocalDate,
        Field(
            description="The earliest local date on which it begins in any of the report's stores."
        ),
    ]
    stores: Annotated[Count, Field(description="Stores that have this window.")]
    outages: Annotated[Count, Field(description="An outage counts in every window it overlaps.")]
    incidents: Count
    mean_time_to_recovery_hours: Annotated[
        Hours | None,
        Field(description="Of incidents that ended in the window; null if there are none."),
    ]


class PeriodTotal(TypedDict):
    """All stores of a report, or of a group, together in the whole period."""

    stores: Count
    total: Annotated[
        WindowSummary,
        Field(description="A store meets or misses its target in the period, not in each window."),
    ]
    outages: Annotated[Count, Field(description="An outage counts once.")]
    mean_time_to_recovery_hours: Annotated[
        Hours | None, Field(description="Null if no incident of the period has ended.")
    ]


class GroupSeries(PeriodTotal):
    """A group of stores: the whole period, and its windows in order of time."""

    group: Annotated[dict[str, str], Field(description="The values of the attributes.")]
    windows: list[PeriodWindow]


class PeriodStore(LowUptimeStore):
    """A store with a low percentage of uptime in the period."""

    no_data_hours: Hours


class SilentStore(TypedDict):
    """A store whose polls ended before the period did."""

    store_id: str
    last_poll_at: Annotated[Instant | None, Field(description="Null if no poll is known.")]


class PeriodSummary(PeriodTotal):
    """The summary of a period's report."""

    report: ReportHeader
    warnings: list[ReportWarning]
    newest_poll_at: Annotated[
        Instant, Field(description="The newest poll: time after it is not counted.")
    ]
    silent_stores: Annotated[
        Count,
        Field(description="Stores without a known poll in the last day of their last window."),
    ]
    silent: Annotated[list[SilentStore], Field(max_length=100, description="The first of them.")]
    worst_stores: Annotated[list[PeriodStore], Field(max_length=20)]
    stores_by_uptime_percent: Annotated[
        list[Bin], Field(description="Stores with business time in the period.")
    ]
    windows: Annotated[list[PeriodWindow], Field(description="In order of time.")]
    groups: Annotated[
        list[GroupSeries],
        Field(
            max_length=1000,
            description=(
                "Empty if the request names no `group_by`, or if there are more. They have no"
                " `windows` if those are more than 10,000 in all."
            ),
        ),
    ]
    outages_by_hour: Annotated[
        list[list[Count]],
        Field(description="By local weekday, Monday first, and hour of their start."),
    ]
    outages_by_zone: list[ZoneOutages]


# --- stores -------------------------------------------------------------------------------------

WINDOW_UNITS = {"last_hour": "minutes", "last_day": "hours", "last_week": "hours"}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_TEXT_OR_NULL = _or_null({"type": "string"})
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_PERCENT = _or_null({"type": "number", "minimum": 0, "maximum": 100})


def _in_windows(measures: Iterable[str], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of fields in minutes or hours, one for each measure and window."""
    return {
        f"{measure}_{window}(in {unit})": schema
        for measure in measures
        for window, unit in WINDOW_UNITS.items()
    }


def _by_window(measure: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {f"{measure}_{window}": schema for window in WINDOW_UNITS}


_STORE_ROW: dict[str, Any] = {
    "store_id": {"type": "string"},
    "name": _TEXT_OR_NULL,
    "state": {"type": "string", "enum": list(get_args(State))},
    **_in_windows(
        ("uptime", "downtime", "no_data", "business_time", "excluded"),
        {"type": "number", "minimum": 0},
    ),
    **_by_window("uptime_percent", _PERCENT),
    **_by_window("coverage_percent", _PERCENT),
    "polls_last_week": _COUNT,
    "last_poll_at": _or_null({"type": "string", "format": "date-time"}),
    "last_poll_status": _or_null({"type": "string", "enum": ["active", "inactive"]}),
    "open_now": {"type": "boolean"},
    "outages_last_week": _COUNT,
    "longest_outage_last_week(in hours)": {"type": "number", "minimum": 0},
    "incidents_last_week": _COUNT,
    "mean_time_to_recovery_last_week(in hours)": _or_null({"type": "number"}),
    "target_percent": {"type": "number"},
    **_by_window("target", {"type": "string", "enum": ["met", "missed", "no data"]}),
    **_in_windows(("budget", "budget_left"), {"type": "number"}),
    "revenue_per_hour": _TEXT_OR_NULL,
    **_by_window("lost_revenue", _TEXT_OR_NULL),
    "timezone": _TEXT_OR_NULL,
    "attributes": _or_null({"type": "object", "additionalProperties": {"type": "string"}}),
}
STORE_ROW_FIELDS = tuple(_STORE_ROW)
StoreRow = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "description": "A row of the report, as in its JSON.",
            "properties": _STORE_ROW,
            "required": list(_STORE_ROW),
        }
    ),
]


class StorePage(TypedDict):
    """A page of a report's stores."""

    report: ReportHeader
    stores: Annotated[list[StoreRow], Field(max_length=100)]
    found: Annotated[Count, Field(description="Number of stores that meet the conditions.")]
    total: Annotated[Count, Field(description="Number of all stores of the report.")]
    suggestions: NotRequired[
        Annotated[
            list[str],
            Field(
                min_length=1,
                max_length=5,
                description="If no store is found: ids similar to `q`, the most similar first.",
            ),
        ]
    ]
    next_page_token: NotRequired[
        Annotated[
            str,
            Field(description="The `page_token` of the next page; absent on the last page."),
        ]
    ]


# --- timelines ----------------------------------------------------------------------------------


class Snapshot(TypedDict):
    """The data that a timeline was computed from."""

    report_id: Uuid | None
    version: Annotated[int, Field(ge=1, description="Number of ingests in the snapshot.")]


class TimeZone(TypedDict):
    """A store's time zone."""

    name: str
    source: Source


class HoursRow(TypedDict):
    """One row of a store's business hours."""

    day_of_week: Annotated[int, Field(ge=0, le=6, description="0 is Monday.")]
    start_time_local: TimeOfDay
    end_time_local: TimeOfDay


class SpecialHoursRow(TypedDict):
    """One row of a store's special hours; without times, it is closed on that date."""

    date: LocalDate
    start_time_local: TimeOfDay | None
    end_time_local: TimeOfDay | None
    reason: str | None


class BusinessHours(TypedDict):
    """Without rows, the store is open around the clock, except on dates with special hours."""

    rows: list[HoursRow]
    source: Source


class Stretch(TypedDict):
    """From `start` to just before `end`."""

    start: Instant
    start_local: LocalTime
    end: Instant
    end_local: LocalTime


class Exclusion(Stretch):
    """Time that counts neither as uptime nor as downtime."""

    reason: str | None


class Opening(TypedDict):
    """What opened a store: a row of its business hours or of its special hours."""

    row: NotRequired[Annotated[int, Field(ge=0, description="Index in `business_hours.rows`.")]]
    special_row: NotRequired[Annotated[int, Field(ge=0, description="Index in `special_hours`.")]]
    date: Annotated[LocalDate, Field(description="The date on which that row opened the store.")]


class OpenStretch(Stretch):
    """When the store was open."""

    openings: list[Opening]


class Poll(TypedDict):
    """A poll of the store."""

    at: Instant
    at_local: LocalTime
    status: Literal["active", "inactive"]
    is_evidence: Annotated[bool, Field(description="Whether the poll counts under `poll_filter`.")]


class StatusStretch(Stretch):
    """A status, and how long it held."""

    status: Literal["up", "down", "no data"]
    poll_at: Annotated[
        Instant | None,
        Field(description="The poll that determines the status; null if there is no data."),
    ]


class Outage(Stretch):
    """Business time in which the store was down."""

    length_us: Annotated[int, Field(ge=1)]


class Totals(TypedDict):
    """The report's numbers, in exact microseconds.

    Uptime, downtime and time without data add up to the business time. Business time is covered
    if it lies shortly after a poll. Excluded time is what exclusions take out of it.
    """

    uptime_last_hour_us: Count
    uptime_last_day_us: Count
    uptime_last_week_us: Count
    downtime_last_hour_us: Count
    downtime_last_day_us: Count
    downtime_last_week_us: Count
    no_data_last_hour_us: Count
    no_data_last_day_us: Count
    no_data_last_week_us: Count
    covered_last_hour_us: Count
    covered_last_day_us: Count
    covered_last_week_us: Count
    excluded_last_hour_us: Count
    excluded_last_day_us: Count
    excluded_last_week_us: Count


_Amount = Annotated[float, Field(ge=0)]
ReportRow = TypedDict(
    "ReportRow",
    {
        "uptime_last_hour(in minutes)": _Amount,
        "uptime_last_day(in hours)": _Amount,
        "uptime_last_week(in hours)": _Amount,
        "downtime_last_hour(in minutes)": _Amount,
        "downtime_last_day(in hours)": _Amount,
        "downtime_last_week(in hours)": _Amount,
    },
)


class Timeline(TypedDict):
    """The last week of a store, in detail."""

    store_id: str
    as_of: Instant
    poll_filter: PollFilter
    snapshot: Snapshot
    week: Stretch
    time_zone: TimeZone
    business_hours: BusinessHours
    special_hours: Annotated[
        list[SpecialHoursRow],
        Field(description="All rows of a date replace the business hours of that date."),
    ]
    exclusions: Annotated[
        list[Exclusion], Field(description="Those that overlap the week, or the requested part.")
    ]
    business_time: Annotated[
        list[OpenStretch],
        Field(
            description="When the store was open. Overlapping and adjacent intervals are merged."
        ),
    ]
    polls: Annotated[
        list[Poll], Field(description="All polls from the last known one before the week on.")
    ]
    statuses: Annotated[
        list[StatusStretch],
        Field(description="The whole week without gaps, including closed hours."),
    ]
    outages: list[Outage]
    totals: Totals
    report_row: Annotated[ReportRow, Field(description="The rounded values of the CSV.")]


class HistorySnapshot(TypedDict):
    """The data that a history was computed from."""

    version: Annotated[int, Field(ge=1, description="Number of ingests in the snapshot.")]
    newest_poll: Annotated[
        Instant, Field(description="Of all stores. Time after it is not counted.")
    ]


class HistoryWindow(Stretch):
    """A store's figures in a window, lengths of time in exact microseconds.

    Uptime, downtime and time without data add up to the business time. Business time is covered
    if it lies shortly after a poll. Excluded time is what exclusions take out of it.
    """

    uptime_us: Count
    downtime_us: Count
    no_data_us: Count
    covered_us: Count
    excluded_us: Count
    uptime_percent: Annotated[
        Percent | None, Field(description="Of uptime + downtime; null if both are zero.")
    ]
    outages: Annotated[Count, Field(description="Outages that overlap the window.")]
    longest_outage_us: Annotated[Count, Field(description="Within the window.")]


class History(TypedDict):
    """A store's uptime over a period, window by window."""

    store_id: str
    period: Annotated[dict[str, str], Field(description="`from`, `to` and `by`, as requested.")]
    poll_filter: PollFilter
    snapshot: HistorySnapshot
    time_zone: TimeZone
    windows: Annotated[
        list[HistoryWindow],
        Field(max_length=400, description="Without gaps; none ends after the newest poll."),
    ]


# --- uploads ------------------------------------------------------------------------------------


class UploadForm(TypedDict):
    """A presigned POST."""

    upload_id: UploadId
    url: Annotated[Uri, Field(description="The URL to POST the file to.")]
    fields: Annotated[
        dict[str, str], Field(description="Form fields, to be sent unchanged, before the file.")
    ]
    expires_at: Annotated[Instant, Field(description="When the presigned POST expires.")]
    limit_bytes: Annotated[int, Field(description="Maximum size of the file.")]


class RejectedStores(TypedDict):
    """For all kinds but polls: the stores with rejected rows.

    Such a store keeps its previous data; without any, its valid rows are used.
    """

    count: Annotated[int, Field(ge=1, description="Number of these stores.")]
    store_ids: Annotated[
        list[str], Field(max_length=100, description="The first hundred of them, ascending.")
    ]


class RejectedRow(TypedDict):
    """A row that was not ingested."""

    line: Annotated[int, Field(ge=1, description="Number of its line in the file.")]
    reason: str
    text: Annotated[str, Field(max_length=200, description="The first characters of its text.")]


class UploadOutcome(TypedDict):
    """The outcome of one use of a presigned POST."""

    status: Annotated[
        UploadStatus,
        Field(
            description=(
                "`Pending`: the file has not arrived, or waits to be ingested. `Retrying`: ingest"
                " failed temporarily, and is retried. `Unchanged`: nothing in the file is newer"
                " than the stored data. `Failed`: none of its rows were ingested; this is final,"
                " unless an operator redrives the upload after an error of ingest itself."
                " `Expired`: the presigned POST was not used in time."
            )
        ),
    ]
    ended_at: NotRequired[Instant]
    rows: NotRequired[Annotated[Count, Field(description="Number of valid rows.")]]
    rejected: NotRequired[Annotated[Count, Field(description="Number of rejected rows.")]]
    stores_with_rejected_rows: NotRequired[RejectedStores]
    rejected_rows: NotRequired[
        Annotated[
            list[RejectedRow],
            Field(min_length=1, max_length=5, description="The first rejected rows."),
        ]
    ]
    rejects_url: NotRequired[
        Annotated[
            Uri,
            Field(
                description=(
                    "Download URL of the rejected rows, each with line and reason; absent if there"
                    " are none."
                )
            ),
        ]
    ]
    expires_at: NotRequired[
        Annotated[
            Instant,
            Field(description="When that URL expires; repeat the request for a new one."),
        ]
    ]
    reason: NotRequired[
        Annotated[str, Field(description="Why the upload failed, finally or so far.")]
    ]


class Upload(UploadOutcome):
    """The outcome of an upload."""

    upload_id: UploadId
    earlier: NotRequired[
        Annotated[
            list[UploadOutcome],
            Field(
                min_length=1,
                description=(
                    "If the presigned POST was used more than once: the outcomes of earlier"
                    " uploads, newest first."
                ),
            ),
        ]
    ]


class ListedUpload(UploadOutcome):
    """An upload in a list: one use of a presigned POST, or one that is not used yet."""

    upload_id: NotRequired[
        Annotated[
            UploadId,
            Field(description="Absent if the file was put into the inbox bucket without the API."),
        ]
    ]
    kind: NotRequired[
        Annotated[Kind, Field(description="Absent if the file is not under the prefix of a kind.")]
    ]
    filename: Annotated[str, Field(description="With characters replaced that keys cannot have.")]
    created_at: Annotated[
        Instant,
        Field(
            description=(
                "When the file arrived; before that, when the presigned POST was issued. ISO 8601,"
                " in UTC, to the microsecond."
            )
        ),
    ]


class UploadPage(TypedDict):
    """A page of uploads, newest first."""

    uploads: Annotated[list[ListedUpload], Field(max_length=100)]
    next_page_token: NotRequired[
        Annotated[
            str,
            Field(
                description=(
                    "The `page_token` of the next page; absent on the last page. A page may have"
                    " fewer uploads than `limit`, since expired ones are left out."
                )
            ),
        ]
    ]

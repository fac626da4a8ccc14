"""GET /timeline and …/history: a store's last week in detail, and its uptime over a period."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.aws.clients import FAIL_FAST
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.domain.parameters import DAY_US, MINUTE_US, Period, PeriodUnit, PollFilter
from store_monitoring.history import HistoryRequest, read_history
from store_monitoring.http.app import json_response, new_app
from store_monitoring.http.models import (
    HistoryFrom,
    HistoryTo,
    HistoryUnit,
    StoreIdInPath,
    StoreIdInQuery,
    TimelineAsOf,
    TimelineFrom,
    TimelinePollFilter,
    TimelineReportId,
    TimelineTo,
)
from store_monitoring.http.operations import GET_HISTORY, GET_TIMELINE, GET_TIMELINE_BY_QUERY
from store_monitoring.http.timeline_responses import history_body, timeline_body
from store_monitoring.logs import logger
from store_monitoring.settings import (
    BucketCount,
    CoverageMinutes,
    EnvironmentSettings,
    PollMemoryDays,
    ReportRetentionDays,
)
from store_monitoring.timeline import TimelineRequest, read_timeline


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    poll_memory_days: PollMemoryDays
    coverage_minutes: CoverageMinutes
    report_table: str
    report_retention_days: ReportRetentionDays
    ingest_table: str
    bucket_count: BucketCount
    data_bucket: str
    cors_origin: str


settings = Settings.from_environment()
memory_us = settings.poll_memory_days * DAY_US
coverage_us = settings.coverage_minutes * MINUTE_US
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count, FAIL_FAST)
tables = s3_tables(settings.data_bucket)
app = new_app(settings.cors_origin, validates=True)


@app.get("/timeline", **GET_TIMELINE_BY_QUERY)
def get_timeline_by_query(
    store_id: StoreIdInQuery,
    report_id: TimelineReportId = None,
    as_of: TimelineAsOf = None,
    poll_filter: TimelinePollFilter = None,
    from_: TimelineFrom = None,
    to: TimelineTo = None,
) -> Response[str]:
    """Return the timeline of the store in the query string.

    Some store ids, such as `..`, cannot be in a path.
    """
    return _timeline(TimelineRequest(store_id, report_id, as_of, poll_filter, from_, to))


@app.get("/stores/<store_id>/timeline", **GET_TIMELINE)
def get_timeline(
    store_id: StoreIdInPath,
    report_id: TimelineReportId = None,
    as_of: TimelineAsOf = None,
    poll_filter: TimelinePollFilter = None,
    from_: TimelineFrom = None,
    to: TimelineTo = None,
) -> Response[str]:
    """Return the timeline of the store in the path."""
    return _timeline(TimelineRequest(store_id, report_id, as_of, poll_filter, from_, to))


@app.get("/stores/<store_id>/history", **GET_HISTORY)
def get_history(
    store_id: StoreIdInPath,
    from_: HistoryFrom,
    to: HistoryTo,
    unit: HistoryUnit = PeriodUnit.DAY,
    poll_filter: TimelinePollFilter = None,
) -> Response[str]:
    """Return the store's uptime in each day, week or month of a period."""
    period = Period(from_, to, unit)
    request = HistoryRequest(store_id, period, poll_filter or PollFilter.ALL)
    history = read_history(request, memory_us, coverage_us, settings.bucket_count, log, tables)
    return json_response(HTTPStatus.OK, history_body(history))


def _timeline(request: TimelineRequest) -> Response[str]:
    """Return a store's last week, from a report's snapshot or from the latest committed data."""
    view = read_timeline(
        request, memory_us, coverage_us, settings.bucket_count, reports, log, tables
    )
    advice = "name a part of the week by from and to"
    return json_response(HTTPStatus.OK, timeline_body(view), advice=advice)


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)

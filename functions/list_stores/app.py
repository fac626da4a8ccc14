"""GET /stores and /reports/{report_id}/stores: find, sort and page the rows of a report."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.find_stores import ReportRowsReader, StoreQuery, find_stores
from store_monitoring.http.app import json_response, new_app, next_page_link
from store_monitoring.http.models import (
    ExactStoreId,
    Limit,
    OutageHour,
    ReportIdInPath,
    SearchText,
    Sort,
    StoresPageToken,
    StoreStates,
    StoresWhere,
    TargetMissed,
)
from store_monitoring.http.operations import LIST_REPORT_STORES, LIST_STORES
from store_monitoring.http.report_responses import store_page_body
from store_monitoring.logs import logger
from store_monitoring.settings import EnvironmentSettings, ReportRetentionDays


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    report_table: str
    report_retention_days: ReportRetentionDays
    data_bucket: str
    cors_origin: str


settings = Settings.from_environment()
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))
report_rows = ReportRowsReader(s3_tables(settings.data_bucket))
app = new_app(settings.cors_origin, validates=True)


@app.get("/stores", **LIST_STORES)
def get_stores(
    q: SearchText = "",
    store_id: ExactStoreId = None,
    where: StoresWhere = None,
    state: StoreStates = None,
    target_missed: TargetMissed = None,
    outage_hour: OutageHour = None,
    sort: Sort = "store_id",
    limit: Limit = 20,
    page_token: StoresPageToken = None,
) -> Response[str]:
    """Return a page of stores, as in the newest report of all stores."""
    query = StoreQuery(q, store_id, where, state, target_missed, outage_hour, sort)
    return _page(query, limit, page_token)


@app.get("/reports/<report_id>/stores", **LIST_REPORT_STORES)
def get_report_stores(
    report_id: ReportIdInPath,
    q: SearchText = "",
    store_id: ExactStoreId = None,
    where: StoresWhere = None,
    state: StoreStates = None,
    target_missed: TargetMissed = None,
    outage_hour: OutageHour = None,
    sort: Sort = "store_id",
    limit: Limit = 20,
    page_token: StoresPageToken = None,
) -> Response[str]:
    """Return a page of the stores of a report."""
    query = StoreQuery(q, store_id, where, state, target_missed, outage_hour, sort)
    return _page(query, limit, page_token, report_id)


def _page(
    query: StoreQuery, limit: int, page_token: str | None, report_id: str | None = None
) -> Response[str]:
    """Return a page of the stores of a report, or of the newest one of all stores."""
    found = find_stores(query, limit, page_token, report_id, reports, report_rows)
    token = found.next_page_token
    headers = next_page_link(app.current_event, token) if token else {}
    return json_response(HTTPStatus.OK, store_page_body(found), headers)


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)

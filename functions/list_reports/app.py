"""GET /reports: the latest reports and their status."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.executions import StateMachineExecutions
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.http.app import json_response, new_app, next_page_link
from store_monitoring.http.models import Limit, PageToken
from store_monitoring.http.operations import LIST_REPORTS
from store_monitoring.http.report_responses import report_page_body
from store_monitoring.instants import utc_now
from store_monitoring.logs import logger
from store_monitoring.reports.ports import PageRequest
from store_monitoring.reports.queries import list_reports
from store_monitoring.settings import EnvironmentSettings, ReportRetentionDays


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    report_table: str
    report_retention_days: ReportRetentionDays
    state_machine_arn: str
    cors_origin: str


settings = Settings.from_environment()
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))
executions = StateMachineExecutions(settings.state_machine_arn)
app = new_app(settings.cors_origin, validates=True)


@app.get("/reports", **LIST_REPORTS)
def get_reports(limit: Limit = 20, page_token: PageToken = None) -> Response[str]:
    """Return one page of reports, newest first."""
    page = PageRequest(limit, page_token)
    found = list_reports(page, utc_now(), reports, executions)
    headers = next_page_link(app.current_event, found.end.to_token()) if found.end else {}
    return json_response(HTTPStatus.OK, report_page_body(found), headers)


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)

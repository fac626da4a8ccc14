"""POST /reports/{report_id}/retry: retry a failed report."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging.correlation_paths import API_GATEWAY_REST
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.executions import StateMachineExecutions
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.http.app import json_response, new_app
from store_monitoring.http.models import ReportIdInPath
from store_monitoring.http.operations import RETRY_REPORT
from store_monitoring.http.report_responses import started_body
from store_monitoring.instants import utc_now
from store_monitoring.logs import logger
from store_monitoring.reports.lifecycle import retry_report
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


@app.post("/reports/<report_id>/retry", **RETRY_REPORT)
def post_retry(report_id: ReportIdInPath) -> Response[str]:
    """Start another execution for the report."""
    logger.append_keys(report_id=report_id)
    report = retry_report(report_id, utc_now(), reports, executions)
    logger.info("report restarted", attempt=report.attempt)
    return json_response(HTTPStatus.ACCEPTED, started_body(report))


@logger.inject_lambda_context(correlation_id_path=API_GATEWAY_REST, clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request from API Gateway."""
    return app.resolve(event, context)

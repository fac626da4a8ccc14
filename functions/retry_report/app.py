"""POST /reports/{report_id}/retry: try a failed report again."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.adapters.executions import StateMachineExecutions
from store_monitoring.adapters.report_table import ReportTable
from store_monitoring.api import answer, new_app
from store_monitoring.logs import logger
from store_monitoring.settings import Settings
from store_monitoring.use_cases.report import checked_report_id
from store_monitoring.use_cases.retry_report import retry_report

settings = Settings.from_environment()
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))
executions = StateMachineExecutions(settings.state_machine_arn)
app = new_app(settings.cors_origin)


@app.post("/reports/<report_id>/retry")
def post_retry(report_id: str) -> Response[str]:
    """Start another execution for the report."""
    report = retry_report(checked_report_id(report_id), datetime.now(UTC), reports, executions)
    logger.info("report restarted", report_id=report.report_id, attempt=report.attempt)
    body = {"report_id": report.report_id, "status": report.status.value}
    return answer(HTTPStatus.ACCEPTED, body)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer API Gateway."""
    return app.resolve(event, context)

"""An execution that ended without success: its report must not stay Running."""

from datetime import UTC, datetime, timedelta

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.adapters.report_table import ReportTable, failure_from_cause
from store_monitoring.logs import logger
from store_monitoring.settings import Settings

settings = Settings.from_environment()
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))


@logger.inject_lambda_context
@event_source(data_class=EventBridgeEvent)
def lambda_handler(event: EventBridgeEvent, context: LambdaContext) -> None:
    """Mark the report Failed, unless the state machine did so itself."""
    execution = event.detail
    failure = failure_from_cause(
        execution.get("error") or execution["status"],
        execution.get("cause") or f"the report's execution is {execution['status']}",
    )
    reports.fail(execution["name"], failure, datetime.now(UTC))
    logger.info("report closed", report_id=execution["name"], error=failure.error)

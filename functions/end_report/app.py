"""After an execution has ended: mark its report, emit metrics, publish the event, and notify."""

from dataclasses import dataclass
from datetime import timedelta

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.events import EventBus, SnsNotifications
from store_monitoring.aws.executions import failure_of
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.instants import utc_now
from store_monitoring.logs import log_context, logger
from store_monitoring.notifications.report_events import announce_end
from store_monitoring.reports.lifecycle import end_report
from store_monitoring.reports.report import report_id_of
from store_monitoring.settings import EnvironmentSettings, ReportRetentionDays


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    report_table: str
    report_retention_days: ReportRetentionDays
    state_machine_arn: str
    notification_topic_arn: str


settings = Settings.from_environment()
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))
events = EventBus(settings.state_machine_arn)
notifications = SnsNotifications(settings.notification_topic_arn)


@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=EventBridgeEvent)
def lambda_handler(event: EventBridgeEvent, context: LambdaContext) -> None:
    """Handle a "Step Functions Execution Status Change" event from EventBridge."""
    execution = event.detail["name"]
    with log_context(report_id=report_id_of(execution)):
        report = end_report(execution, failure_of(event.detail), utc_now(), reports)
        if report is None:
            logger.warning("this execution ended no report")
            return
        announce_end(report, events, notifications)
        logger.info("report ended", status=report.status.value)

"""After a report is complete: publish which stores changed their state."""

from dataclasses import dataclass

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.aws.checkpoint import DynamoDbCheckpointStore
from store_monitoring.aws.events import EventBus
from store_monitoring.logs import log_context, logger
from store_monitoring.notifications.store_changes import publish_store_changes
from store_monitoring.settings import EnvironmentSettings, StoreEventLimit


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    data_bucket: str
    report_table: str
    state_machine_arn: str
    store_event_limit: StoreEventLimit


settings = Settings.from_environment()
tables = s3_tables(settings.data_bucket)
checkpoints = DynamoDbCheckpointStore(settings.report_table)
events = EventBus(settings.state_machine_arn)


@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=EventBridgeEvent)
def lambda_handler(event: EventBridgeEvent, context: LambdaContext) -> None:
    """Handle a `ReportCompleted` event from EventBridge."""
    report_id = event.detail["report_id"]
    with log_context(report_id=report_id):
        limit = settings.store_event_limit
        started_at = event.detail["started_at"]
        changes = publish_store_changes(report_id, started_at, limit, tables, checkpoints, events)
        logger.info("store changes published", extra=changes.counts())

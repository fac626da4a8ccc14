"""A report is complete: tell which stores went down and which recovered."""

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

import store_monitoring.adapters.without_pandas  # noqa: F401  # for its effect
from store_monitoring.adapters.arrow_tables import ArrowTables, s3_bucket
from store_monitoring.adapters.event_bus import EventBus
from store_monitoring.adapters.last_told import DynamoDbLastTold
from store_monitoring.logs import about, logger
from store_monitoring.settings import Settings
from store_monitoring.use_cases.tell_store_changes import tell_store_changes

settings = Settings.from_environment()
tables = ArrowTables(s3_bucket(settings.data_bucket))
last_told = DynamoDbLastTold(settings.report_table)
events = EventBus(settings.state_machine_arn)


@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=EventBridgeEvent)
def lambda_handler(event: EventBridgeEvent, context: LambdaContext) -> None:
    """Tell what has changed by the report that the event is about."""
    report_id = event.detail["report_id"]
    with about(report_id=report_id):
        limit = settings.store_event_limit
        started_at = event.detail["started_at"]
        changes = tell_store_changes(report_id, started_at, limit, tables, last_told, events)
        logger.info(
            "store changes told",
            went_down=len(changes.went_down),
            recovered=len(changes.recovered),
        )

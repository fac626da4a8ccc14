"""Consumer of the messages that ingest failed on too often: record their uploads as Failed."""

from dataclasses import asdict, dataclass
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.upload_queue import deliveries_in
from store_monitoring.aws.upload_table import DynamoDbUploads
from store_monitoring.errors import UploadFailedError
from store_monitoring.ingest.outcomes import fail_upload
from store_monitoring.instants import utc_now
from store_monitoring.logs import logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.settings import EnvironmentSettings, ReportRetentionDays


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    ingest_table: str
    report_retention_days: ReportRetentionDays


settings = Settings.from_environment()
uploads = DynamoDbUploads(settings.ingest_table, settings.report_retention_days)
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Record each message's uploads as Failed; SQS then moves it to the dead-letter queue."""
    return process_partial_response(event, _fail, processor, context)


def _fail(record: SQSRecord) -> None:
    now = utc_now()
    for delivery in deliveries_in(record):
        outcome = fail_upload(delivery, now, uploads)
        if outcome.ended_at == now:
            emit({Metric.UPLOADS_FAILED: 1})
            logger.error("upload failed", outcome=asdict(outcome))
        if outcome.can_be_redriven:
            raise UploadFailedError(outcome.error)

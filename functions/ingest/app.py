"""Consumer of the upload queue: ingest the uploads that its messages name."""

import random
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.aws.inbox import S3Inbox
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.upload_queue import UploadQueue, deliveries_in, receives
from store_monitoring.aws.upload_table import DynamoDbUploads
from store_monitoring.ingest.deadline import Deadline
from store_monitoring.ingest.delivery import (
    ingest_upload,
    record_failed_attempt,
    redelivery_seconds,
)
from store_monitoring.ingest.outcomes import UploadOutcome, UploadStatus
from store_monitoring.instants import utc_now
from store_monitoring.logs import log_context, logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.settings import (
    BucketCount,
    EnvironmentSettings,
    FuturePollToleranceMinutes,
    ReportRetentionDays,
)

_GRACE_SECONDS = 60  # after the function's time limit, when the call has ended for certain


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    upload_queue_url: str
    inbox_bucket: str
    data_bucket: str
    ingest_table: str
    report_retention_days: ReportRetentionDays
    future_poll_tolerance_minutes: FuturePollToleranceMinutes
    bucket_count: BucketCount


settings = Settings.from_environment()
queue = UploadQueue(settings.upload_queue_url)
inbox = S3Inbox(settings.inbox_bucket)
tables = s3_tables(settings.data_bucket)
uploads = DynamoDbUploads(settings.ingest_table, settings.report_retention_days)
future_tolerance = timedelta(minutes=settings.future_poll_tolerance_minutes)
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count, uploads=uploads)
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
rng = random.SystemRandom()


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Ingest the uploads of each message; SQS redelivers those that failed."""
    return process_partial_response(event, _ingest_record, processor, context)


def _ingest_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    deadline = Deadline(lambda: lambda_context.get_remaining_time_in_millis() / 1000)
    # The queue's visibility timeout is long because Lambda may be throttled. Now that the function
    # runs, a shorter one suffices: after a crash, the message is delivered again sooner.
    queue.hide(record, lambda_context.get_remaining_time_in_millis() // 1000 + _GRACE_SECONDS)
    for delivery in deliveries_in(record):
        upload = delivery.upload
        with log_context(key=upload.key, version=upload.version):
            try:
                outcome = ingest_upload(
                    *(delivery, settings.bucket_count, deadline, utc_now),
                    *(inbox, tables, log, uploads),
                    future_tolerance=future_tolerance,
                )
            except Exception as error:
                queue.hide(record, redelivery_seconds(receives(record), rng))
                record_failed_attempt(upload, error, utc_now(), uploads)
                raise
            _log_outcome(outcome)


def _log_outcome(outcome: UploadOutcome | None) -> None:
    if outcome is None:
        logger.info("upload delivered again")
        return
    is_committed = outcome.status is UploadStatus.COMMITTED
    emit(
        {
            Metric.ROWS_INGESTED: outcome.rows if is_committed else 0,
            Metric.ROWS_REJECTED: outcome.rejected if is_committed else 0,
            Metric.UPLOADS_FAILED: int(outcome.status is UploadStatus.FAILED),
        }
    )
    logger.info("upload ingested", outcome=asdict(outcome))

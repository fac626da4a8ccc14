"""An upload in the inbox bucket: ingest it."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.typing import LambdaContext

import store_monitoring.adapters.without_pandas  # noqa: F401  # for its effect
from store_monitoring.adapters.arrow_tables import ArrowTables, s3_bucket
from store_monitoring.adapters.inbox import Inbox
from store_monitoring.adapters.ingest_log import DynamoDbIngestLog
from store_monitoring.adapters.upload_table import DynamoDbUploads
from store_monitoring.errors import SupersededUpload
from store_monitoring.logs import about, logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.settings import Settings
from store_monitoring.use_cases.ingest_file import ingest_file
from store_monitoring.use_cases.upload_outcomes import Upload, UploadOutcome, UploadStatus

settings = Settings.from_environment()
inbox = Inbox(settings.inbox_bucket)
data = ArrowTables(s3_bucket(settings.data_bucket))
uploads = DynamoDbUploads(settings.ingest_table, settings.report_retention_days)
FUTURE_TOLERANCE = timedelta(minutes=settings.future_poll_tolerance_minutes)
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count, uploads=uploads)


def now() -> datetime:
    """Return the time now."""
    return datetime.now(UTC)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Ingest each uploaded object that the event names; Lambda calls again if that fails."""
    for record in S3Event(event).records:
        s3_object = record.s3.get_object
        uploaded_at = datetime.fromisoformat(record.event_time)
        key = unquote_plus(s3_object.key)
        upload = Upload(key, s3_object.etag, uploaded_at, s3_object.version_id)
        with about(key=upload.key, etag=upload.etag):
            _ingest(upload)


def _ingest(upload: Upload) -> None:
    try:
        with inbox.open(upload) as stream:
            outcome = ingest_file(
                upload,
                stream,
                settings.bucket_count,
                now,
                data,
                log,
                uploads,
                future_tolerance=FUTURE_TOLERANCE,
            )
    except SupersededUpload:
        logger.info("upload superseded")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        uploads.record(UploadOutcome.failed(upload, UploadStatus.RETRYING, now(), reason))
        raise
    else:
        is_committed = outcome.status is UploadStatus.COMMITTED
        emit(
            {
                Metric.ROWS_INGESTED: outcome.rows if is_committed else 0,
                Metric.ROWS_REJECTED: outcome.rejected if is_committed else 0,
                Metric.UPLOADS_FAILED: int(outcome.status is UploadStatus.FAILED),
            }
        )
        logger.info("upload ingested", outcome=asdict(outcome))

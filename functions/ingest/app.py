"""An upload in the inbox bucket: ingest it."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.typing import LambdaContext

import store_monitoring.adapters.without_pandas  # noqa: F401  # for its effect
from store_monitoring.adapters.arrow_tables import ArrowTables, s3_bucket
from store_monitoring.adapters.inbox import Inbox
from store_monitoring.adapters.ingest_log import DynamoDbIngestLog
from store_monitoring.errors import SupersededUpload
from store_monitoring.logs import about, logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.settings import Settings
from store_monitoring.use_cases.ingest_file import Upload, ingest_file
from store_monitoring.use_cases.ports import UploadOutcome

settings = Settings.from_environment()
inbox = Inbox(settings.inbox_bucket)
data = ArrowTables(s3_bucket(settings.data_bucket))
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count)


def now() -> datetime:
    """Return the time now."""
    return datetime.now(UTC)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Ingest each uploaded object that the event names; Lambda calls again if that fails."""
    for record in S3Event(event).records:
        s3_object = record.s3.get_object
        uploaded_at = datetime.fromisoformat(record.event_time)
        upload = Upload(unquote_plus(s3_object.key), s3_object.etag, uploaded_at)
        with about(key=upload.key, etag=upload.etag):
            _ingest(upload)


def _ingest(upload: Upload) -> None:
    try:
        with inbox.open(upload.key, upload.etag) as stream:
            outcome = ingest_file(upload, stream, settings.bucket_count, now, data, log)
    except SupersededUpload:
        logger.info("upload superseded")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        log.record_upload(UploadOutcome(upload.key, upload.etag, "Failed", now(), error=reason))
        raise
    else:
        is_committed = outcome.status == "Committed"
        emit(
            {
                Metric.ROWS_INGESTED: outcome.rows if is_committed else 0,
                Metric.ROWS_REJECTED: outcome.rejected if is_committed else 0,
                Metric.UPLOADS_FAILED: int(outcome.status == "Failed"),
            }
        )
        logger.info("upload ingested", outcome=asdict(outcome))

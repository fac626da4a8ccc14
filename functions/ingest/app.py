"""An upload in the inbox bucket: ingest it."""

from datetime import UTC, datetime

from aws_lambda_powertools.utilities.data_classes import S3Event, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.adapters.arrow_tables import ArrowTables, s3_bucket
from store_monitoring.adapters.ingest_log import DynamoDbIngestLog
from store_monitoring.logs import logger
from store_monitoring.settings import Settings
from store_monitoring.use_cases.ingest_file import Upload, ingest_file

settings = Settings.from_environment()
inbox = ArrowTables(s3_bucket(settings.inbox_bucket))
data = ArrowTables(s3_bucket(settings.data_bucket))
log = DynamoDbIngestLog(settings.ingest_table)


@logger.inject_lambda_context
@event_source(data_class=S3Event)
def lambda_handler(event: S3Event, context: LambdaContext) -> None:
    """Ingest each uploaded object that the event names."""
    for record in event.records:
        upload = Upload(record.s3.get_object.key, record.s3.get_object.etag)
        with inbox.open_input(upload.key) as stream:
            outcome = ingest_file(
                upload, stream, settings.bucket_count, lambda: datetime.now(UTC), data, log
            )
        logger.info("upload ingested", outcome=outcome)

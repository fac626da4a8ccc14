"""Called by operators: delete all data of one store."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.objects import S3Objects
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.delete_store import delete_store
from store_monitoring.logs import logger
from store_monitoring.settings import BucketCount, EnvironmentSettings, ReportRetentionDays


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    data_bucket: str
    ingest_table: str
    bucket_count: BucketCount
    report_table: str
    report_retention_days: ReportRetentionDays


settings = Settings.from_environment()
tables = s3_tables(settings.data_bucket)
objects = S3Objects(settings.data_bucket)
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count)
reports = ReportTable(settings.report_table, timedelta(days=settings.report_retention_days))


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Delete the data of the store that the event names; its id is not logged."""
    deleted = delete_store(
        str(event["store_id"]), settings.bucket_count, tables, objects, log, reports
    )
    logger.info("store deleted", **asdict(deleted))
    return asdict(deleted)

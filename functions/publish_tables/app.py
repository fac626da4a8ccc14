"""After commits to the ingest log, and after a report is complete: publish the Iceberg tables."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import ArrowTables, s3_bucket
from store_monitoring.aws.iceberg_tables import IcebergTables
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.report_table import ReportTable
from store_monitoring.instants import utc_now
from store_monitoring.logs import logger
from store_monitoring.publish_tables import publish_tables
from store_monitoring.settings import BucketCount, EnvironmentSettings, ReportRetentionDays


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    data_bucket: str
    ingest_table: str
    report_table: str
    bucket_count: BucketCount
    report_retention_days: ReportRetentionDays
    tables_database: str


settings = Settings.from_environment()
keep = timedelta(days=settings.report_retention_days)
bucket = s3_bucket(settings.data_bucket)
tables = ArrowTables(bucket)
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count)
reports = ReportTable(settings.report_table, keep)
published = IcebergTables(settings.tables_database, f"s3://{settings.data_bucket}", bucket)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Handle records of the ingest table's stream, or a `ReportCompleted` event."""
    completed = event.get("detail", {}).get("report_id")
    versions = publish_tables(keep, utc_now, tables, log, reports, published, completed)
    logger.info("tables published", extra={"versions": versions})

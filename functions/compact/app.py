"""Scheduled every few hours: compact small ingests of polls."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.objects import S3Objects
from store_monitoring.domain.parameters import DAY_US
from store_monitoring.ingest.compaction import compact_polls
from store_monitoring.instants import utc_now
from store_monitoring.logs import logger
from store_monitoring.settings import (
    BucketCount,
    EnvironmentSettings,
    PollMemoryDays,
    ReportRetentionDays,
)


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    data_bucket: str
    ingest_table: str
    bucket_count: BucketCount
    poll_memory_days: PollMemoryDays
    report_retention_days: ReportRetentionDays


settings = Settings.from_environment()
tables = s3_tables(settings.data_bucket)
objects = S3Objects(settings.data_bucket)
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Compact small ingests; the event is ignored."""
    memory_us = settings.poll_memory_days * DAY_US
    keep = timedelta(days=settings.report_retention_days)
    done = compact_polls(memory_us, settings.bucket_count, keep, utc_now, tables, objects, log)
    logger.info("polls compacted", **asdict(done))
    return asdict(done)

"""First step of a report: fix its snapshot and split it into shards."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.report_files import S3ReportFiles
from store_monitoring.domain.parameters import DAY_US, MINUTE_US, SECOND_US
from store_monitoring.instants import to_text, to_us
from store_monitoring.logs import about, logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.reports.planner import plan_report
from store_monitoring.settings import (
    BucketCount,
    CoverageMinutes,
    DownloadLinkSeconds,
    EnvironmentSettings,
    MapConcurrency,
    PollMemoryDays,
    ShardPolls,
    StoreEventLimit,
)
from store_monitoring.storage.keys import shards_key


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """What the function reads from its environment."""

    ingest_table: str
    bucket_count: BucketCount
    data_bucket: str
    download_link_seconds: DownloadLinkSeconds
    poll_memory_days: PollMemoryDays
    coverage_minutes: CoverageMinutes
    target_percent: str
    shard_polls: ShardPolls
    store_event_limit: StoreEventLimit
    map_concurrency: MapConcurrency


settings = Settings.from_environment()
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count)
files = S3ReportFiles(settings.data_bucket, settings.download_link_seconds)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Plan the report. Return what the state machine records and maps over."""
    report_id = event["report_id"]
    with about(report_id=report_id):
        plan = plan_report(
            report_id,
            settings.poll_memory_days * DAY_US,
            settings.coverage_minutes * MINUTE_US,
            settings.target_percent,
            settings.shard_polls,
            settings.bucket_count,
            log,
            files,
            publish_changes=settings.store_event_limit > 0,
            # Executions of older definitions do not pass it; some read every list.
            inline_shards=event.get("inline_shards", 0),
        )
        if plan.max_timestamp_us is not None:
            age_us = to_us(datetime.now(UTC)) - plan.max_timestamp_us
            emit({Metric.NEWEST_POLL_AGE_SECONDS: age_us / SECOND_US})
        logger.info("report planned", shards=len(plan.shards), stores=plan.stores)
        return {
            "as_of": to_text(plan.now_us),
            "shards": len(plan.shards),
            "shard_numbers": [shard.shard for shard in plan.shards],
            "shards_key": shards_key(report_id),
            # Never more than the 40 of an inline Map, which has at most 40 shards.
            "max_concurrency": min(settings.map_concurrency, len(plan.shards)),
            "warnings": [asdict(warning) for warning in plan.warnings],
        }

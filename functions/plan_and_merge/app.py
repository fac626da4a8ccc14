"""First and last step of a report: fix its snapshot and split it into shards; merge their parts.

Both are one function, so that a report waits for one cold start only: merge runs in the environment
that planned the report (docs/decisions/0015-one-function-plans-and-merges.md).
"""

from dataclasses import asdict, dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.report_files import S3ReportFiles
from store_monitoring.domain.parameters import DAY_US, MINUTE_US, SECOND_US
from store_monitoring.instants import to_text, to_us, utc_now
from store_monitoring.logs import log_context, logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.planner import plan_report
from store_monitoring.reports.shard import max_polls_in_memory
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
    """The environment variables that the function reads."""

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
tables = s3_tables(settings.data_bucket)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Plan the report or merge it, as the event's `step` says."""
    report_id = event["report_id"]
    with log_context(report_id=report_id):
        match event["step"]:
            case "plan":
                return _plan(report_id, event["inline_shards"])
            case "merge":
                return _merge(report_id, int(context.memory_limit_in_mb))
            case other:
                raise ValueError(f"the step is {other!r}, but should be 'plan' or 'merge'")


def _plan(report_id: str, inline_shards: int) -> dict[str, Any]:
    """Plan the report. Return what the state machine records and maps over."""
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
        inline_shards=inline_shards,
    )
    if plan.max_timestamp_us is not None:
        age_us = to_us(utc_now()) - plan.max_timestamp_us
        emit({Metric.NEWEST_POLL_AGE_SECONDS: age_us / SECOND_US})
    logger.info("report planned", shards=len(plan.shards), stores=plan.stores)
    return {
        "as_of": to_text(plan.now_us),
        "shards": len(plan.shards),
        "shard_numbers": [shard.shard for shard in plan.shards],
        "shards_key": shards_key(report_id),
        # An inline Map runs at most 40 at once; it never has more shards.
        "max_concurrency": min(settings.map_concurrency, len(plan.shards)),
        "warnings": [asdict(warning) for warning in plan.warnings],
    }


def _merge(report_id: str, memory_mb: int) -> dict[str, Any]:
    """Merge the report, once all shards are computed; compute a single shard first."""
    merged = merge_report(report_id, tables, max_polls_in_memory(memory_mb))
    if merged.polls_read:
        emit({Metric.POLLS_READ: merged.polls_read})
    summary = merged.summary
    logger.info("report merged", stores=summary.stores, polls_read=merged.polls_read)
    return {"stores": summary.stores, "headline": summary.headline()}

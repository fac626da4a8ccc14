"""Last step of a report: merge its parts into one file per format; compute a single shard first."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.logs import about, logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.shard import max_polls_in_memory
from store_monitoring.settings import EnvironmentSettings


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """What the function reads from its environment."""

    data_bucket: str


settings = Settings.from_environment()
tables = s3_tables(settings.data_bucket)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Merge a report; the state machine calls this after all shards, unless there is only one."""
    with about(report_id=event["report_id"]):
        max_polls = max_polls_in_memory(int(context.memory_limit_in_mb))
        merged = merge_report(event["report_id"], tables, max_polls)
        if merged.polls_read:
            emit({Metric.POLLS_READ: merged.polls_read})
        summary = merged.summary
        logger.info("report merged", stores=summary.stores, polls_read=merged.polls_read)
        return {"stores": summary.stores, "headline": summary.headline()}

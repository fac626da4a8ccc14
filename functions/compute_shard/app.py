"""One shard of a report: compute the uptime of its stores and write its part."""

from dataclasses import asdict, dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.logs import log_context, logger
from store_monitoring.metrics import Metric, emit
from store_monitoring.reports.shard import compute_shard, max_polls_in_memory
from store_monitoring.settings import EnvironmentSettings


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    data_bucket: str


settings = Settings.from_environment()
tables = s3_tables(settings.data_bucket)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Compute one item of the state machine's Map: a shard. Return its receipt."""
    report_id, shard = event["report_id"], event["shard"]
    with log_context(report_id=report_id, shard=shard):
        max_polls = max_polls_in_memory(int(context.memory_limit_in_mb))
        receipt = compute_shard(report_id, shard, tables, max_polls)
        emit({Metric.POLLS_READ: receipt.polls_read})
        logger.info("shard computed", stores=receipt.stores, polls_read=receipt.polls_read)
        return asdict(receipt)

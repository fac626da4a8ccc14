"""Last step of a report: merge its parts into one file per format."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import ArrowTables, s3_bucket
from store_monitoring.logs import about, logger
from store_monitoring.reports.merge import merge_report
from store_monitoring.settings import EnvironmentSettings


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """What the function reads from its environment."""

    data_bucket: str


settings = Settings.from_environment()
tables = ArrowTables(s3_bucket(settings.data_bucket))


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Merge the parts of a report; the state machine calls this after all shards."""
    with about(report_id=event["report_id"]):
        summary = merge_report(event["report_id"], tables)
        logger.info("report merged", stores=summary.stores)
        return {"stores": summary.stores, "headline": summary.headline()}

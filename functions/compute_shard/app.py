"""One shard of a report: reckon its stores and write its part."""

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

import store_monitoring.adapters.without_pandas  # noqa: F401
from store_monitoring.adapters.arrow_tables import ArrowTables, s3_bucket
from store_monitoring.logs import logger
from store_monitoring.settings import Settings
from store_monitoring.use_cases.compute_shard import compute_shard

settings = Settings.from_environment()
tables = ArrowTables(s3_bucket(settings.data_bucket))


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Compute the shard that the Distributed Map hands out; answer with a receipt."""
    receipt = asdict(compute_shard(event["report_id"], event["shard"], tables))
    logger.info("shard computed", report_id=event["report_id"], **receipt)
    return receipt

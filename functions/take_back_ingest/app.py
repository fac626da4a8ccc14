"""Called by operators: take back an ingest."""

from dataclasses import asdict, dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from store_monitoring.aws.arrow_tables import s3_tables
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.ingest.take_back import take_back_ingest
from store_monitoring.instants import utc_now
from store_monitoring.logs import log_context, logger
from store_monitoring.settings import BucketCount, EnvironmentSettings


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """The environment variables that the function reads."""

    data_bucket: str
    ingest_table: str
    bucket_count: BucketCount


settings = Settings.from_environment()
tables = s3_tables(settings.data_bucket)
log = DynamoDbIngestLog(settings.ingest_table, settings.bucket_count)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take back the ingest that the event names."""
    ingest_id = str(event["ingest_id"])
    with log_context(ingest_id=ingest_id):
        taken_back = take_back_ingest(ingest_id, utc_now, tables, log)
        logger.info("ingest taken back", kind=taken_back.kind, version=taken_back.version)
    return asdict(taken_back)

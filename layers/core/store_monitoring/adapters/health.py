"""Whether the tables and buckets answer."""

from collections.abc import Callable, Iterable
from functools import partial

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from store_monitoring.logs import logger

_PROMPT = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})


def unreachable(tables: Iterable[str], buckets: Iterable[str]) -> list[str]:
    """Return the names of those that do not answer."""
    dynamodb = boto3.client("dynamodb", config=_PROMPT)
    s3 = boto3.client("s3", config=_PROMPT)
    checks: list[tuple[str, Callable[[], object]]] = []
    checks += [(name, partial(dynamodb.describe_table, TableName=name)) for name in tables]
    checks += [(name, partial(s3.head_bucket, Bucket=name)) for name in buckets]
    missing = []
    for name, check in checks:
        try:
            check()
        except (BotoCoreError, ClientError):
            logger.exception("health check failed", target=name)
            missing.append(name)
    return missing

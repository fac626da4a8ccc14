"""Whether the tables and buckets answer."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from store_monitoring.logs import logger


class Health:
    """Asks tables and buckets whether they are there.

    Parameters
    ----------
    tables, buckets : mappings of str to str
        Their names, by what they are called in answers: names are nobody else's business.
    """

    def __init__(self, tables: Mapping[str, str], buckets: Mapping[str, str]) -> None:
        prompt = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
        self._dynamodb = boto3.client("dynamodb", config=prompt)
        self._s3 = boto3.client("s3", config=prompt)
        self._tables = tables
        self._buckets = buckets

    def unreachable(self) -> list[str]:
        """Return what does not answer within three seconds."""
        names = [*self._tables, *self._buckets]
        with ThreadPoolExecutor(len(names)) as pool:
            answers = list(pool.map(self._answers, names))
        return [name for name, there in zip(names, answers, strict=True) if not there]

    def _answers(self, name: str) -> bool:
        try:
            if name in self._tables:
                self._dynamodb.describe_table(TableName=self._tables[name])
            else:
                self._s3.head_bucket(Bucket=self._buckets[name])
        except (BotoCoreError, ClientError):
            logger.exception("health check failed", target=name)
            return False
        return True

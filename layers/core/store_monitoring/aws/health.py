"""Whether the tables and buckets answer."""

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from store_monitoring.logs import logger

CACHE_SECONDS = 5.0


class Health:
    """Asks tables and buckets whether they are there, once in a few seconds.

    Parameters
    ----------
    tables, buckets : mappings of str to str
        Their names, by what they are called in answers: names are nobody else's business.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self,
        tables: Mapping[str, str],
        buckets: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        prompt = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
        self._dynamodb = boto3.client("dynamodb", config=prompt)
        self._s3 = boto3.client("s3", config=prompt)
        self._tables = tables
        self._buckets = buckets
        self._clock = clock
        self._known: list[str] = []
        self._known_until = -math.inf

    def unreachable(self) -> list[str]:
        """Return what did not answer within three seconds, a few seconds ago at most.

        Anyone may ask, as often as the route's throttle allows: DynamoDB and S3 are asked less.
        """
        if self._clock() >= self._known_until:
            self._known = self._unreachable_now()
            self._known_until = self._clock() + CACHE_SECONDS
        return self._known

    def _unreachable_now(self) -> list[str]:
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

"""Health checks of the tables and buckets."""

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
    """Checks that tables and buckets respond, at most once every few seconds.

    Parameters
    ----------
    tables, buckets : mappings of str to str
        Their names, by the labels used in responses, which do not show the names.
    clock : callable
        Returns a time in seconds.
    """

    def __init__(
        self,
        tables: Mapping[str, str],
        buckets: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        fail_fast = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
        self._dynamodb = boto3.client("dynamodb", config=fail_fast)
        self._s3 = boto3.client("s3", config=fail_fast)
        self._tables = tables
        self._buckets = buckets
        self._clock = clock
        self._known: list[str] = []
        self._known_until = -math.inf

    def unreachable(self) -> list[str]:
        """Return the labels of what did not respond within three seconds.

        The result is cached for a few seconds: the route requires no key, so a flood of calls must
        not become a flood of requests to DynamoDB and S3.
        """
        if self._clock() >= self._known_until:
            self._known = self._unreachable_now()
            self._known_until = self._clock() + CACHE_SECONDS
        return self._known

    def _unreachable_now(self) -> list[str]:
        names = [*self._tables, *self._buckets]
        with ThreadPoolExecutor(len(names)) as pool:
            responds = list(pool.map(self._responds, names))
        return [name for name, is_up in zip(names, responds, strict=True) if not is_up]

    def _responds(self, name: str) -> bool:
        try:
            if name in self._tables:
                self._dynamodb.describe_table(TableName=self._tables[name])
            else:
                self._s3.head_bucket(Bucket=self._buckets[name])
        except (BotoCoreError, ClientError):
            logger.exception("health check failed", target=name)
            return False
        return True

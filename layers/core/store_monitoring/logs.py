"""One logger for all functions: JSON lines, with keys such as the report id."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger

logger = Logger()


@contextmanager
def log_context(**keys: object) -> Iterator[None]:
    """Add keys to every line that is logged in the context; log an exception with them, too.

    Lambda also logs exceptions, but without these keys.

    Examples
    --------
    >>> with log_context(report_id="r", shard=0):
    ...     logger.info("shard computed")  # doctest: +SKIP
    """
    with logger.append_context_keys(**keys):
        try:
            yield
        except Exception:
            logger.exception("the call failed")
            raise

"""One logger for all functions: JSON lines, with what each call is about."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger

logger = Logger()


@contextmanager
def about(**keys: object) -> Iterator[None]:
    """Put keys on every line that is logged within, that of an error included.

    Lambda logs an error too, but knows only its own request id.

    Examples
    --------
    >>> with about(report_id="r", shard=0):
    ...     logger.info("shard computed")  # doctest: +SKIP
    """
    with logger.append_context_keys(**keys):
        try:
            yield
        except Exception:
            logger.exception("the call failed")
            raise

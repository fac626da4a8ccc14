"""Translate AWS errors to our own."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotoConnectionError

from store_monitoring.errors import TransientError

_TRANSIENT_CODES = frozenset(
    {
        "ConditionalRequestConflict",
        "ExecutionLimitExceeded",
        "InternalError",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)


def error_code(error: ClientError) -> str:
    """Return the error code of the service."""
    return error.response["Error"]["Code"]


@contextmanager
def transient_errors(action: str) -> Iterator[None]:
    """Turn transient errors (throttling, a broken connection, 5xx) into `TransientError`.

    Parameters
    ----------
    action : str
        What failed, for the message.
    """
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if error_code(error) in _TRANSIENT_CODES or status >= 500:
            raise TransientError.cannot(action) from error
        raise
    except (BotoConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise TransientError.cannot(action) from error

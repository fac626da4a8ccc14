"""Clients of AWS services: their configurations, and their errors as our own."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotoConnectionError

from store_monitoring.errors import TransientError

# For functions whose callers wait for a response: a call fails within about twelve seconds, so that
# our error response is returned before the 29 seconds after which API Gateway times out.
FAIL_FAST = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
)

# By default, boto3 presigns for the global endpoint, which redirects requests for new buckets to
# other regions, and in us-east-1 it uses SigV2.
PRESIGNING = FAIL_FAST.merge(
    Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
    )
)

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
        "TransactionConflictException",
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

"""Why reports failed, in our own words: what services say names ARNs, accounts and buckets."""

from store_monitoring.errors import StoreMonitoringError, TransientError
from store_monitoring.reports.report import Failure

# The code in the API is the class's name without "Error", which the API had first.
_OUR_CODES = {
    error.__name__: error.__name__.removesuffix("Error")
    for error in StoreMonitoringError.__subclasses__()
} | {TransientError.__name__: TransientError.__name__}

_NO_RESPONSE = "the function ended without a response: it ran out of time or memory"

_NO_TIME = "it took longer than it may"

_WORDS = {
    "ABORTED": "the report's execution is ABORTED",
    "ExecutionDoesNotExist": "the report's execution is not there any more",
    "Lambda.ClientExecutionTimeoutException": _NO_RESPONSE,
    "Lambda.TooManyRequestsException": "too many functions ran at a time; try again",
    "Lambda.Unknown": _NO_RESPONSE,
    "NotStarted": "the report's execution could not be started",
    "Runtime.ExitError": _NO_RESPONSE,
    "Runtime.OutOfMemory": _NO_RESPONSE,
    "Sandbox.Timedout": _NO_RESPONSE,
    "States.Timeout": _NO_TIME,
    "TIMED_OUT": "the report's execution is TIMED_OUT",
}

_WORDS_OF_SERVICES = {
    name: f"{name} did not do its part; try again" for name in ("DynamoDB", "Lambda", "S3")
}

_BUG = "something went wrong on our side; our logs say what"


def error_code(error: str) -> str:
    """Return the code by which callers know an error, given its name.

    >>> error_code("NoPollsError"), error_code("TransientError"), error_code("KeyError")
    ('NoPolls', 'TransientError', 'KeyError')
    """
    return _OUR_CODES.get(error, error)


def is_ours(code: str) -> bool:
    """Return whether a code is that of one of our errors, whose messages are for callers."""
    return code in _OUR_CODES.values()


def own_words(error: str) -> str:
    """Return what callers are told of an error that is not one of ours, by its name.

    >>> own_words("S3.SdkClientException")
    'S3 did not do its part; try again'
    >>> own_words("KeyError")
    'something went wrong on our side; our logs say what'
    """
    service, _, _ = error.partition(".")
    return _WORDS.get(error) or _WORDS_OF_SERVICES.get(service) or _BUG


def failure(error: str, detail: str | None = None) -> Failure:
    """Return a failure that is told in our own words.

    >>> failure("States.Timeout", "task timed out")
    Failure(error='States.Timeout', message='it took longer than it may')
    """
    return Failure(error, own_words(error), detail)


NOT_STARTED = failure("NotStarted")

EXECUTION_GONE = failure("ExecutionDoesNotExist")

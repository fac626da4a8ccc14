"""Why reports failed, in our own words: what services say names ARNs, accounts and buckets."""

from store_monitoring.errors import StoreMonitoringError
from store_monitoring.use_cases.report import Failure

_OUR_ERRORS = frozenset(error.__name__ for error in StoreMonitoringError.__subclasses__())
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


def is_ours(error: str) -> bool:
    """Tell whether an error of this name is one of ours, so that its message is for callers."""
    return error in _OUR_ERRORS


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

"""Messages for callers about failed reports; AWS's own would name ARNs, accounts and buckets."""

from store_monitoring.errors import StoreMonitoringError, TransientError
from store_monitoring.reports.report import Failure, Report

# The code in the API is the class's name without "Error": the codes are older than the suffix.
_PUBLIC_CODES = {
    error.__name__: error.__name__.removesuffix("Error")
    for error in StoreMonitoringError.__subclasses__()
} | {TransientError.__name__: TransientError.__name__}

_NO_RESPONSE = "the function ended without a response: it ran out of time or memory"
_TIMED_OUT = "it took longer than allowed"

_MESSAGES = {
    "ABORTED": "the report's execution is ABORTED",
    "ExecutionDoesNotExist": "the report's execution no longer exists",
    "Lambda.ClientExecutionTimeoutException": _NO_RESPONSE,
    "Lambda.TooManyRequestsException": "too many functions ran at a time; try again",
    "Lambda.Unknown": _NO_RESPONSE,
    "LocalCloudStopped": "the local cloud stopped while the report was made; try it again",
    "NotStarted": "the report's execution could not be started",
    "Runtime.ExitError": _NO_RESPONSE,
    "Runtime.OutOfMemory": _NO_RESPONSE,
    "Sandbox.Timedout": _NO_RESPONSE,
    "States.Timeout": _TIMED_OUT,
    "TIMED_OUT": "the report's execution is TIMED_OUT",
}

_SERVICE_MESSAGES = {name: f"{name} failed; try again" for name in ("DynamoDB", "Lambda", "S3")}
_UNEXPECTED = "something went wrong on our side; the details are in our logs"

# Codes of errors that a retry of the same request cannot avoid.
_PERMANENT = frozenset({"InvalidRequest", "TooManyGroups", "TooManyStores", "UnknownStore"})


def error_code(error: str) -> str:
    """Return the API's code of an error, given the error's name.

    >>> error_code("NoPollsError"), error_code("TransientError"), error_code("KeyError")
    ('NoPolls', 'TransientError', 'KeyError')
    """
    return _PUBLIC_CODES.get(error, error)


def has_public_message(code: str) -> bool:
    """Return whether a code is that of one of our own errors, whose messages are for callers."""
    return code in _PUBLIC_CODES.values()


def public_message(error: str) -> str:
    """Return the message for callers about an error that is not one of our own, given its name.

    >>> public_message("S3.SdkClientException")
    'S3 failed; try again'
    >>> public_message("KeyError")
    'something went wrong on our side; the details are in our logs'
    """
    service, _, _ = error.partition(".")
    return _MESSAGES.get(error) or _SERVICE_MESSAGES.get(service) or _UNEXPECTED


def failure(error: str) -> Failure:
    """Return a failure whose message is safe to show to callers.

    >>> failure("States.Timeout")
    Failure(error='States.Timeout', message='it took longer than allowed', step=None)
    """
    return Failure(error, public_message(error))


def can_retry(report: Report) -> bool:
    """Return whether a failed report can succeed if the same request is tried again.

    A report that was planned keeps its snapshot. Another one is planned from the latest data.
    """
    if report.failure is None:
        return False
    if report.failure.error == "NoStores":
        return report.shards_total is None
    return report.failure.error not in _PERMANENT


NOT_STARTED = failure("NotStarted")
EXECUTION_GONE = failure("ExecutionDoesNotExist")


def never_started(failure: Failure) -> bool:
    """Return whether a report failed because it has no execution: starting it again is safe.

    >>> never_started(NOT_STARTED), never_started(Failure("NoPolls", "no polls yet"))
    (True, False)
    """
    return failure.error in (NOT_STARTED.error, EXECUTION_GONE.error)

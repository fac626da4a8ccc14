"""The errors that callers tell apart. Their names are a contract with the state machine."""

from typing import Self


class StoreMonitoringError(Exception):
    """Base of all errors of this library."""


class TransientError(StoreMonitoringError):
    """Something outside failed in a way that can pass; the same call may succeed later.

    The only one of our errors that the state machine retries. Its message is for callers, too: what
    the service said is its `__cause__`, for the log.
    """

    @classmethod
    def cannot(cls, action: str) -> Self:
        """Return the error of an action that a service did not let us do.

        >>> TransientError.cannot("read the report")
        TransientError('cannot read the report: a service behind it is busy or does not answer')
        """
        return cls(f"cannot {action}: a service behind it is busy or does not answer")


class MissingObject(StoreMonitoringError):
    """An object that should be there is not."""


class UnreadableFile(StoreMonitoringError):
    """An uploaded file cannot be read as a whole; nothing of it was taken."""


class SupersededUpload(StoreMonitoringError):
    """An uploaded object was replaced or removed before it was read."""


class UploadFailed(StoreMonitoringError):
    """An upload could not be ingested; its message is kept for operators."""


class BucketCountChanged(StoreMonitoringError):
    """The stack's number of buckets is not the one that its data are stored by."""


class OutcomeRecorded(StoreMonitoringError):
    """An upload has ended already: its event was delivered twice."""


class CommitConflict(StoreMonitoringError):
    """Another ingest was committed since the head was read."""


class UnknownIngest(StoreMonitoringError):
    """No ingest with this id is committed."""


class CannotTakeBack(StoreMonitoringError):
    """An ingest cannot be taken back; the message says why."""


class NoPolls(StoreMonitoringError):
    """A report or timeline was asked for before any poll was ingested."""


class NoStores(StoreMonitoringError):
    """A report was asked for before any store was known."""


class UnknownStore(StoreMonitoringError):
    """A report or timeline was asked for a store that no input knows; the message names it."""


class TooManyStores(StoreMonitoringError):
    """A report has more rows than a form that it was asked for can hold."""


class IncompleteReport(StoreMonitoringError):
    """The parts of a report are not what its plan says."""


class InvalidRequest(StoreMonitoringError):
    """A request says something that we do not understand; the message names it."""


class RequestTooLarge(StoreMonitoringError):
    """A request is larger than any that makes sense."""


class ResponseTooLarge(StoreMonitoringError):
    """A response is larger than a function can return; the message says how to ask for less."""


class IdempotencyKeyReused(StoreMonitoringError):
    """An idempotency key came with another request before."""


class NotFound(StoreMonitoringError):
    """There is nothing at this address."""


class MalformedReportId(StoreMonitoringError):
    """A report id is not of the form that we give out."""


class UnknownReport(StoreMonitoringError):
    """There is no report with this id."""


class UnknownUpload(StoreMonitoringError):
    """There is no upload with this id."""


class ReportRunning(StoreMonitoringError):
    """What was asked for comes with the end of a report, and it is still Running."""


class ReportFailed(StoreMonitoringError):
    """What was asked for comes with the success of a report, and it Failed."""


class ReportNotFailed(StoreMonitoringError):
    """A report that is to be tried again has not failed."""

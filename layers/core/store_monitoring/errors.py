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


class MissingObjectError(StoreMonitoringError):
    """An object that should be there is not."""


class UnreadableFileError(StoreMonitoringError):
    """An uploaded file cannot be read as a whole; nothing of it was taken."""


class SupersededUploadError(StoreMonitoringError):
    """An uploaded object was replaced or removed before it was read."""


class UploadFailedError(StoreMonitoringError):
    """An upload could not be ingested; its message is kept for operators."""


class BucketCountChangedError(StoreMonitoringError):
    """The stack's number of buckets is not the one that its data are stored by."""


class OutcomeRecordedError(StoreMonitoringError):
    """An upload has ended already: its event was delivered twice."""


class CommitConflictError(StoreMonitoringError):
    """Another ingest was committed since the snapshot was read."""


class UnknownIngestError(StoreMonitoringError):
    """No ingest with this id is committed."""


class CannotTakeBackError(StoreMonitoringError):
    """An ingest cannot be taken back; the message says why."""


class NoPollsError(StoreMonitoringError):
    """A report or timeline was asked for before any poll was ingested."""


class NoStoresError(StoreMonitoringError):
    """A report was asked for before any store was known."""


class UnknownStoreError(StoreMonitoringError):
    """A report or timeline was asked for a store that no input knows; the message names it."""


class TooManyStoresError(StoreMonitoringError):
    """A report has more rows than a form that it was asked for can hold."""


class IncompleteReportError(StoreMonitoringError):
    """The parts of a report are not what its plan says."""


class InvalidRequestError(StoreMonitoringError):
    """A request says something that we do not understand; the message names it."""


class RequestTooLargeError(StoreMonitoringError):
    """A request is larger than any that makes sense."""


class ResponseTooLargeError(StoreMonitoringError):
    """A response is larger than a function can return; the message says how to ask for less."""


class IdempotencyKeyReusedError(StoreMonitoringError):
    """An idempotency key came with another request before."""


class RouteNotFoundError(StoreMonitoringError):
    """There is nothing at this address."""


class MalformedReportIdError(StoreMonitoringError):
    """A report id is not of the form that we give out."""


class UnknownReportError(StoreMonitoringError):
    """There is no report with this id."""


class UnknownUploadError(StoreMonitoringError):
    """There is no upload with this id."""


class ReportRunningError(StoreMonitoringError):
    """What was asked for comes with the end of a report, and it is still Running."""


class ReportFailedError(StoreMonitoringError):
    """What was asked for comes with the success of a report, and it Failed."""


class ReportNotFailedError(StoreMonitoringError):
    """A report that is to be tried again has not failed."""

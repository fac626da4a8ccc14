"""The errors of the library. The state machine refers to some of them by name."""

from typing import Self


class StoreMonitoringError(Exception):
    """Base of all errors of this library."""


class TransientError(StoreMonitoringError):
    """An AWS service failed temporarily; the same call may succeed later.

    This is the only error of the library that the state machine retries. Its message is for
    callers; the service's own message is in `__cause__`, for the log.
    """

    @classmethod
    def cannot(cls, action: str) -> Self:
        """Return the error for an action that failed because of a service.

        >>> TransientError.cannot("read the report")
        TransientError('cannot read the report: a service behind it is busy or does not answer')
        """
        return cls(f"cannot {action}: a service behind it is busy or does not answer")


class MissingObjectError(StoreMonitoringError):
    """An object that should exist does not."""


class UnreadableFileError(StoreMonitoringError):
    """An uploaded file cannot be read as a whole; none of its rows are ingested."""


class SupersededUploadError(StoreMonitoringError):
    """An uploaded object was replaced or removed before it was read."""


class UploadFailedError(StoreMonitoringError):
    """An upload could not be ingested; its message is kept for operators."""


class BucketCountChangedError(StoreMonitoringError):
    """The stack's number of buckets differs from that of its stored data."""


class OutcomeRecordedError(StoreMonitoringError):
    """An upload has a final outcome already: its event was delivered twice."""


class CommitConflictError(StoreMonitoringError):
    """Another ingest was committed since the snapshot was read."""


class UnknownIngestError(StoreMonitoringError):
    """No ingest with this id is committed."""


class CannotTakeBackError(StoreMonitoringError):
    """An ingest cannot be taken back; the message says why."""


class NoPollsError(StoreMonitoringError):
    """A report or timeline was requested before any poll was ingested."""


class NoStoresError(StoreMonitoringError):
    """A report would have no stores: none is known yet, or none matches the request."""


class NoReportError(StoreMonitoringError):
    """Stores were requested before a report of all stores was complete."""


class UnknownStoreError(StoreMonitoringError):
    """A report or timeline was requested for a store that no input names; the message names it."""


class TooManyStoresError(StoreMonitoringError):
    """A report has more rows than a requested format can hold, or a search for stores can read."""


class TooManyGroupsError(StoreMonitoringError):
    """The attributes to group by have too many combinations of values; the message names them."""


class IncompleteReportError(StoreMonitoringError):
    """The parts of a report do not match its plan."""


class InvalidRequestError(StoreMonitoringError):
    """A request is malformed.

    Attributes
    ----------
    field : str or None
        The field or parameter that it is about, which the message names, too; None if it is about
        the request as a whole.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field

    @classmethod
    def about(cls, field: str, reason: str) -> Self:
        """Return the error about a field or parameter.

        >>> InvalidRequestError.about("to", "not after from")
        InvalidRequestError('to: not after from')
        """
        return cls(f"{field}: {reason}", field)


class RequestTooLargeError(StoreMonitoringError):
    """A request body is too large."""


class ResponseTooLargeError(StoreMonitoringError):
    """A response is larger than a function can return; the message says how to reduce it."""


class IdempotencyKeyReusedError(StoreMonitoringError):
    """An idempotency key was used before, with another request."""


class RouteNotFoundError(StoreMonitoringError):
    """There is no such route."""


class MalformedReportIdError(StoreMonitoringError):
    """A report id is not a UUID."""


class UnknownReportError(StoreMonitoringError):
    """There is no report with this id."""


class UnknownUploadError(StoreMonitoringError):
    """There is no upload with this id."""


class ReportRunningError(StoreMonitoringError):
    """The request needs a Complete report, but the report is Running."""


class ReportFailedError(StoreMonitoringError):
    """The request needs a Complete report, but the report is Failed."""


class ReportNotFailedError(StoreMonitoringError):
    """A report cannot be retried, since it has not failed."""

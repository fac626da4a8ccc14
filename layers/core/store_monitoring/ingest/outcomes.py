"""Uploads and their outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

from store_monitoring.page_tokens import from_token, invalid_token, to_token

NO_REASON = "ingest ended without a reason each time: it ran out of time or memory"


class UploadStatus(StrEnum):
    """The status of an upload."""

    PENDING = "Pending"
    """No file has arrived yet, or it is not ingested yet."""
    RETRYING = "Retrying"
    """Ingest failed with a transient error and will be retried."""
    COMMITTED = "Committed"
    UNCHANGED = "Unchanged"
    """The file was read; everything in it was known already."""
    FAILED = "Failed"
    EXPIRED = "Expired"
    """Its presigned POST was not used while it was valid."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One version of an uploaded object, as named by its S3 event.

    Attributes
    ----------
    key, etag : str
    uploaded_at : datetime
    version_id : str or None
        None if the bucket is not versioned.
    """

    key: str
    etag: str
    uploaded_at: datetime
    version_id: str | None = None

    @property
    def version(self) -> str:
        """What identifies this upload among others with the same key."""
        return self.version_id or f"{self.etag}-{self.uploaded_at.isoformat()}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An upload, and when the message about it was sent."""

    upload: Upload
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOutcome:
    """The outcome of an upload.

    Attributes
    ----------
    key, version, etag : str
        The upload; `version` is `Upload.version`, and "" in outcomes from before versioning.
    status : UploadStatus
        Retrying, Committed, Unchanged or Failed.
    uploaded_at : datetime or None
        None in outcomes from before versioning.
    ended_at : datetime
        When it ended or, if it is Retrying, when it last failed.
    ingest_id : str or None
    rows, rejected : int
    rejects_key : str or None
        Object key of the rejected rows, if any.
    partial_stores : int
        Number of stores with rejected rows in a file of reference data. They keep their previous
        data, if they had any.
    partial_store_ids : tuple of str
        Their ids, sorted; at most the first hundred.
    error : str or None
        Why the file was not ingested, or why the last attempt failed.
    can_be_redriven : bool
        Whether an operator can redrive it: ingest itself failed, not the file, and the message is
        in the dead-letter queue.
    """

    key: str
    etag: str
    status: UploadStatus
    ended_at: datetime
    version: str = ""
    uploaded_at: datetime | None = None
    ingest_id: str | None = None
    rows: int = 0
    rejected: int = 0
    rejects_key: str | None = None
    partial_stores: int = 0
    partial_store_ids: tuple[str, ...] = ()
    error: str | None = None
    can_be_redriven: bool = False

    @classmethod
    def of(cls, upload: Upload, status: UploadStatus, ended_at: datetime) -> "UploadOutcome":
        """Return the outcome of an upload without any details."""
        return cls(
            key=upload.key,
            etag=upload.etag,
            version=upload.version,
            uploaded_at=upload.uploaded_at,
            status=status,
            ended_at=ended_at,
        )

    @classmethod
    def failed(
        cls, upload: Upload, status: UploadStatus, ended_at: datetime, error: str
    ) -> "UploadOutcome":
        """Return the outcome of an upload that is Failed or Retrying."""
        return replace(cls.of(upload, status, ended_at), error=error)

    def makes_redundant(self, delivery: Delivery) -> bool:
        """Return whether a delivery of the upload must be skipped.

        A final outcome can only be changed by a message that an operator redrives. That one was
        sent after the upload failed, a duplicate of the original message before.
        """
        if self.can_be_redriven:
            return delivery.sent_at <= self.ended_at
        return self.is_final

    @property
    def is_final(self) -> bool:
        """Whether only an operator's redrive can change it."""
        return self.status is not UploadStatus.RETRYING


@dataclass(frozen=True, slots=True)
class UnusedPost:
    """A presigned POST under whose key no upload has an outcome yet.

    Attributes
    ----------
    key : str
    issued_at, expires_at : datetime
    """

    key: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UploadCursor:
    """The position after a page of uploads: its last entry.

    Attributes
    ----------
    at : str
        When the entry was issued or uploaded.
    key, version : str

    Examples
    --------
    >>> cursor = UploadCursor("2024-10-15T00:00:00.000000Z", "polls/a.csv", "v1")
    >>> UploadCursor.from_token(cursor.to_token()) == cursor
    True
    """

    at: str
    key: str
    version: str

    @classmethod
    def from_token(cls, token: str) -> Self:
        """Parse a token that `to_token` returned.

        Raises
        ------
        ValueError
            If the token is anything else.
        """
        match from_token(token):
            case [str(at), str(key), str(version)] if at and key and version:
                return cls(at, key, version)
        raise invalid_token()

    def to_token(self) -> str:
        """Return the cursor as URL-safe text."""
        return to_token([self.at, self.key, self.version])


@dataclass(frozen=True, slots=True)
class UploadPage:
    """A page of uploads, newest first; `end` is the next page's cursor, None on the last page."""

    entries: tuple[UploadOutcome | UnusedPost, ...]
    end: UploadCursor | None = None


class Uploads(Protocol):
    """The recorded outcomes of uploads."""

    def get(self, upload: Upload) -> UploadOutcome | None:
        """Return the recorded outcome of an upload, with a strongly consistent read."""

    def record(self, outcome: UploadOutcome) -> UploadOutcome:
        """Record an outcome; return the one that is recorded afterwards.

        A final outcome is never replaced, unless it can be redriven and the new one is final, too.
        """

    def of_key(self, key: str) -> Sequence[UploadOutcome]:
        """Return the outcomes under a key, newest first, with a strongly consistent read."""

    def issue(self, post: UnusedPost) -> None:
        """Record that a presigned POST was issued."""

    def unused_post(self, key: str) -> UnusedPost | None:
        """Return the presigned POST for a key; None if none was issued, or an outcome is known."""

    def newest(self, limit: int, after: UploadCursor | None = None) -> UploadPage:
        """Return a page of uploads, newest first. The read is eventually consistent."""


def fail_upload(delivery: Delivery, failed_at: datetime, uploads: Uploads) -> UploadOutcome:
    """Record an upload as Failed, with the last recorded reason, if there is one.

    Returns
    -------
    UploadOutcome
        The outcome that is recorded afterwards. It is an earlier one if the message was delivered
        twice, or if ingest succeeded after all.
    """
    upload = delivery.upload
    recorded = uploads.get(upload)
    if recorded is not None and recorded.makes_redundant(delivery):
        return recorded
    reason = None if recorded is None else recorded.error
    failed = UploadOutcome.failed(upload, UploadStatus.FAILED, failed_at, reason or NO_REASON)
    return uploads.record(replace(failed, can_be_redriven=True))

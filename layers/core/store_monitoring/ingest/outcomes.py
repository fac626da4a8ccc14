"""Uploads and their outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class UploadStatus(StrEnum):
    """Every status of an upload."""

    PENDING = "Pending"
    """Nothing is known of it yet."""
    RETRYING = "Retrying"
    """Ingest failed in a way that can pass, and will be tried again."""
    COMMITTED = "Committed"
    UNCHANGED = "Unchanged"
    """Nothing in it is newer than what is there."""
    FAILED = "Failed"
    EXPIRED = "Expired"
    """Its form was not used while it was valid."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One version of an uploaded object, as the event about it names it.

    Attributes
    ----------
    key, etag : str
    uploaded_at : datetime
    version_id : str or None
        None if the bucket has no versions.
    """

    key: str
    etag: str
    uploaded_at: datetime
    version_id: str | None = None

    @property
    def version(self) -> str:
        """What tells this upload from others under its key."""
        return self.version_id or f"{self.etag}-{self.uploaded_at.isoformat()}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An upload that a message is about, and when that message was sent."""

    upload: Upload
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOutcome:
    """What became of an upload.

    Attributes
    ----------
    key, version, etag : str
        The upload; `version` is `Upload.version`. Outcomes of before versions were kept have "".
    status : UploadStatus
        Retrying, Committed, Unchanged or Failed.
    uploaded_at : datetime or None
        Outcomes of before versions were kept have None.
    ended_at : datetime
        When it ended; if it is to be tried again, when it last failed.
    ingest_id : str or None
    rows, rejected : int
    rejects_key : str or None
        Where the rejected rows are, if there are any.
    partial_stores : int
        How many stores have rejected rows in a file of reference data. They keep what they had, if
        they had anything.
    partial_store_ids : tuple of str
        The first of their ids, ascending.
    error : str or None
        Why the file could not be ingested, for good or so far.
    can_be_redriven : bool
        Whether an operator can have it ingested again: it failed because ingest did, not because of
        what is in it, and waits in the dead-letter queue.
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
    def failed(
        cls, upload: Upload, status: UploadStatus, ended_at: datetime, error: str
    ) -> "UploadOutcome":
        """Return the outcome of an upload that failed, for good or so far."""
        return cls(
            key=upload.key,
            etag=upload.etag,
            version=upload.version,
            uploaded_at=upload.uploaded_at,
            status=status,
            ended_at=ended_at,
            error=error,
        )

    def ends(self, delivery: Delivery) -> bool:
        """Tell whether a delivery of the upload changes nothing.

        What an operator redrives is sent after the upload has failed; another delivery of the event
        about it was sent before.
        """
        if self.can_be_redriven:
            return delivery.sent_at <= self.ended_at
        return self.is_final

    @property
    def is_final(self) -> bool:
        """Whether nothing but an operator's redrive changes it."""
        return self.status is not UploadStatus.RETRYING


class Uploads(Protocol):
    """The record of what became of each upload."""

    def get(self, upload: Upload) -> UploadOutcome | None:
        """Return what became of an upload so far, strongly consistent."""

    def record(self, outcome: UploadOutcome) -> UploadOutcome:
        """Record what became of an upload; return what is recorded then.

        A final outcome stays as it is, unless it can be redriven and this one is final, too.
        """

    def of_key(self, key: str) -> Sequence[UploadOutcome]:
        """Return what became of the uploads under a key, newest first, strongly consistent."""

    def issue(self, key: str, form_ends_at: datetime) -> None:
        """Record that a form was issued for a key, and until when it can be used."""

    def form_ends_at(self, key: str) -> datetime | None:
        """Return until when the form for a key can be used; None if none was issued."""


NO_REASON = "ingest ended without a reason each time: it ran out of time or memory"


def fail_upload(delivery: Delivery, failed_at: datetime, uploads: Uploads) -> UploadOutcome:
    """Record an upload as Failed, with the last reason that ingest gave, if it gave one.

    Returns
    -------
    UploadOutcome
        What is recorded then. It is an earlier one if the message is delivered again, or if ingest
        ended the upload after all.
    """
    upload = delivery.upload
    recorded = uploads.get(upload)
    if recorded is not None and recorded.ends(delivery):
        return recorded
    reason = None if recorded is None else recorded.error
    failed = UploadOutcome.failed(upload, UploadStatus.FAILED, failed_at, reason or NO_REASON)
    return uploads.record(replace(failed, can_be_redriven=True))

"""Uploads through the API: presigned POSTs, and the status of each upload."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from store_monitoring.errors import UnknownUploadError
from store_monitoring.ingest.outcomes import UploadOutcome, Uploads, UploadStatus
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.storage.ports import ReportFiles


class PresignedPosts(Protocol):
    """Issues presigned POSTs to the inbox, for clients without AWS credentials."""

    def presigned_post(self, key: str, limit_bytes: int) -> tuple[str, dict[str, str]]:
        """Return the URL and the form fields of a presigned POST for one object."""


_MAX_KEY_FILENAME_CHARACTERS = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")

UPLOAD_ID = re.compile(
    rf"(?P<kind>{'|'.join(Kind)})"
    r"\.(?P<number>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    rf"\.(?P<filename>[A-Za-z0-9._-]{{1,{_MAX_KEY_FILENAME_CHARACTERS}}})"
)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A request to upload a file.

    Attributes
    ----------
    kind : Kind
    filename : str
        For people who browse the inbox; no code reads it.
    """

    kind: Kind
    filename: str


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """The destination of one upload: a unique key under the prefix of its kind.

    Examples
    --------
    >>> target = UploadTarget(Kind.POLLS, "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11", "polls.csv")
    >>> target.key
    'polls/0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11-polls.csv'
    >>> UploadTarget.from_id(target.upload_id) == target
    True
    """

    kind: Kind
    number: str
    filename: str

    @classmethod
    def new(cls, request: UploadRequest, issued_at: datetime) -> Self:
        """Create a target; its number is a UUID with the time of issue.

        The name of the file is made safe for object keys.

        >>> request = UploadRequest(Kind.POLLS, "../store status.csv")
        >>> UploadTarget.new(request, datetime(2024, 10, 15)).filename
        '.._store_status.csv'
        """
        filename = _UNSAFE.sub("_", request.filename)[-_MAX_KEY_FILENAME_CHARACTERS:]
        return cls(request.kind, str(_uuid7(issued_at)), filename)

    @classmethod
    def from_id(cls, upload_id: str) -> Self:
        """Return the target of an upload id.

        Raises
        ------
        UnknownUploadError
            If the id is not a valid upload id.
        """
        match = UPLOAD_ID.fullmatch(upload_id)
        if match is None:
            raise UnknownUploadError("there is no such upload")
        return cls(Kind(match["kind"]), match["number"], match["filename"])

    @property
    def upload_id(self) -> str:
        """The id in the API. It determines the key, so no lookup is needed."""
        return f"{self.kind}.{self.number}.{self.filename}"

    @property
    def key(self) -> str:
        """The key in the inbox bucket."""
        return f"{self.kind}/{self.number}-{self.filename}"


def _uuid7(at: datetime) -> UUID:
    """Return a UUID of version 7 (RFC 9562): milliseconds, then random bits.

    Examples
    --------
    >>> from datetime import UTC
    >>> str(_uuid7(datetime(2024, 10, 15, tzinfo=UTC)))[:15]
    '01928d79-7400-7'
    """
    milliseconds = int(at.timestamp() * 1000)
    bits = milliseconds << 80 | secrets.randbits(80)
    bits = bits & ~(0xF << 76) | 7 << 76  # the version
    return UUID(int=bits & ~(0b11 << 62) | 0b10 << 62)  # the variant


UPLOAD_LIMIT_BYTES = 1024**3  # ingest needs a small part of its fifteen minutes for it


@dataclass(frozen=True, slots=True)
class PresignedPost:
    """A presigned POST: a form with these fields, followed by the file."""

    upload_id: str
    url: str
    fields: dict[str, str]


def create_upload(
    request: UploadRequest,
    issued_at: datetime,
    form_ends_at: datetime,
    presigned_posts: PresignedPosts,
    uploads: Uploads,
) -> PresignedPost:
    """Create a presigned POST for one file, valid for one unique key.

    Parameters
    ----------
    request : UploadRequest
    issued_at, form_ends_at : datetime
        The current time, and when the presigned POST expires.
    presigned_posts, uploads : ports
    """
    target = UploadTarget.new(request, issued_at)
    url, fields = presigned_posts.presigned_post(target.key, UPLOAD_LIMIT_BYTES)
    uploads.issue(target.key, form_ends_at)
    return PresignedPost(target.upload_id, url, fields)


_ENDING = re.compile(r"(\.csv)?(\.gz)?$", re.IGNORECASE)


class InboxObjects(Protocol):
    """The uploaded objects."""

    def exists(self, key: str) -> bool:
        """Return whether an object exists."""


@dataclass(frozen=True, slots=True)
class Use:
    """One file that was uploaded with a presigned POST.

    Attributes
    ----------
    outcome : UploadOutcome
    rejects_url : str or None
        Presigned URL of the rejected rows, if any.
    """

    outcome: UploadOutcome
    rejects_url: str | None = None


@dataclass(frozen=True, slots=True)
class UploadView:
    """The current status of an upload.

    Attributes
    ----------
    upload_id : str
    status : UploadStatus
        Status of the latest use.
    uses : tuple of Use
        Newest first; a presigned POST can be used several times until it expires. Empty if the
        upload is Pending or Expired.
    """

    upload_id: str
    status: UploadStatus
    uses: tuple[Use, ...] = ()


def read_upload(
    upload_id: str, now: datetime, uploads: Uploads, inbox: InboxObjects, files: ReportFiles
) -> UploadView:
    """Return the current status of an upload.

    Raises
    ------
    UnknownUploadError
        If we never gave out such an id.
    """
    target = UploadTarget.from_id(upload_id)
    outcomes = uploads.of_key(target.key)
    if outcomes:
        return UploadView(
            upload_id,
            outcomes[0].status,
            tuple(Use(outcome, _rejects_url(outcome, target, files)) for outcome in outcomes),
        )
    form_ends_at = uploads.form_ends_at(target.key)
    if form_ends_at is None:
        raise UnknownUploadError("there is no such upload")
    is_open = now < form_ends_at or inbox.exists(target.key)
    return UploadView(upload_id, UploadStatus.PENDING if is_open else UploadStatus.EXPIRED)


def _rejects_url(outcome: UploadOutcome, target: UploadTarget, files: ReportFiles) -> str | None:
    if outcome.rejects_key is None:
        return None
    name = _ENDING.sub(".csv", target.filename, count=1)
    return files.presigned_url(outcome.rejects_key, f"rejected-{name}")

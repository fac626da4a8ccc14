"""Uploads through the API: presigned POSTs, and the status of each upload."""

import csv
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol, Self
from uuid import UUID

from store_monitoring.errors import MissingObjectError, UnknownUploadError
from store_monitoring.ingest.outcomes import (
    UnusedPost,
    UploadCursor,
    UploadOutcome,
    Uploads,
    UploadStatus,
)
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.storage.ports import ReportFiles

UPLOAD_LIMIT_BYTES = 1024**3  # ingest needs a small part of its fifteen minutes for it

_MAX_KEY_FILENAME_CHARACTERS = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_ENDING = re.compile(r"(\.csv)?(\.gz)?$", re.IGNORECASE)

_KIND = rf"(?P<kind>{'|'.join(Kind)})"
_UUID = r"(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_FILENAME = rf"(?P<filename>[A-Za-z0-9._-]{{1,{_MAX_KEY_FILENAME_CHARACTERS}}})"
_UPLOAD_KEY = re.compile(f"{_KIND}/{_UUID}-{_FILENAME}")
UPLOAD_ID = re.compile(rf"{_KIND}\.{_UUID}\.{_FILENAME}")

_REJECT_COLUMNS = 3
_PREVIEW_ROWS = 5
_PREVIEW_BYTES = 16 * 1024
_PREVIEW_CHARACTERS = 200
_READERS = 16  # most of the time is spent waiting for S3


class PresignedPosts(Protocol):
    """Issues presigned POSTs to the inbox, for clients without AWS credentials."""

    def presigned_post(self, key: str, limit_bytes: int) -> tuple[str, dict[str, str]]:
        """Return the URL and the form fields of a presigned POST for one object."""


class InboxObjects(Protocol):
    """The uploaded objects."""

    def exists(self, key: str) -> bool:
        """Return whether an object exists."""


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
    uuid: str
    filename: str

    @classmethod
    def new(cls, request: UploadRequest, issued_at: datetime) -> Self:
        """Create a target; its UUID contains the time of issue.

        In the filename, characters that are unsafe in object keys are replaced.

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
        return cls(Kind(match["kind"]), match["uuid"], match["filename"])

    @classmethod
    def from_key(cls, key: str) -> Self | None:
        """Return the target of a key; None if `UploadTarget` has no such key.

        >>> UploadTarget.from_key("polls/monday.csv") is None
        True
        """
        match = _UPLOAD_KEY.fullmatch(key)
        return match and cls(Kind(match["kind"]), match["uuid"], match["filename"])

    @property
    def upload_id(self) -> str:
        """The id in the API. It determines the key, so no lookup is needed."""
        return f"{self.kind}.{self.uuid}.{self.filename}"

    @property
    def key(self) -> str:
        """The key in the inbox bucket."""
        return f"{self.kind}/{self.uuid}-{self.filename}"


def _uuid7(at: datetime) -> UUID:
    """Return a version 7 UUID (RFC 9562): milliseconds, then random bits.

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


@dataclass(frozen=True, slots=True)
class PresignedPost:
    """A presigned POST: the form fields to send, followed by the file."""

    upload_id: str
    url: str
    fields: dict[str, str]


def create_upload(
    request: UploadRequest,
    issued_at: datetime,
    expires_at: datetime,
    presigned_posts: PresignedPosts,
    uploads: Uploads,
) -> PresignedPost:
    """Create a presigned POST for one file, valid for one unique key.

    Parameters
    ----------
    request : UploadRequest
    issued_at, expires_at : datetime
        The current time, and when the presigned POST expires.
    presigned_posts, uploads : ports
    """
    target = UploadTarget.new(request, issued_at)
    url, fields = presigned_posts.presigned_post(target.key, UPLOAD_LIMIT_BYTES)
    uploads.issue(UnusedPost(target.key, issued_at, expires_at))
    return PresignedPost(target.upload_id, url, fields)


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A rejected row: its line in the file, the reason, and the first characters of its text."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Use:
    """One use of an upload: a file that was sent under its key.

    Attributes
    ----------
    outcome : UploadOutcome
    rejects_url : str or None
        Presigned URL of all rejected rows, if there are any.
    rejected_rows : tuple of RejectedRow
        The first rejected rows.
    """

    outcome: UploadOutcome
    rejects_url: str | None = None
    rejected_rows: tuple[RejectedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class UploadView:
    """The current status of an upload.

    Attributes
    ----------
    upload_id : str
    status : UploadStatus
        Status of the latest use.
    uses : tuple of Use
        Newest first. A presigned POST can be used several times until it expires. Empty if the
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
        If no upload has this id.
    """
    target = UploadTarget.from_id(upload_id)
    # In this order: recording the first outcome deletes the record of the presigned POST.
    post = uploads.unused_post(target.key)
    if post is not None:
        return UploadView(upload_id, _status(post, now, inbox))
    outcomes = uploads.of_key(target.key)
    if not outcomes:
        raise UnknownUploadError("there is no such upload")
    uses = tuple(_use(outcome, files) for outcome in outcomes)
    return UploadView(upload_id, outcomes[0].status, uses)


@dataclass(frozen=True, slots=True)
class ListedUpload:
    """One upload in a list, in which each use of a presigned POST is an upload.

    Attributes
    ----------
    upload_id : str or None
        None if the file was put into the inbox without the API.
    kind : Kind or None
        None if the file is not under the prefix of a kind.
    filename : str
    created_at : datetime
        When the file was uploaded or, before that, when the presigned POST was issued.
    status : UploadStatus
    use : Use or None
        None if the upload is Pending or Expired.
    """

    upload_id: str | None
    kind: Kind | None
    filename: str
    created_at: datetime
    status: UploadStatus
    use: Use | None = None


@dataclass(frozen=True, slots=True)
class ListedUploads:
    """A page of uploads, newest first; `end` is the next page's cursor, None on the last page."""

    uploads: tuple[ListedUpload, ...]
    end: UploadCursor | None = None


def list_uploads(
    limit: int,
    after: UploadCursor | None,
    now: datetime,
    uploads: Uploads,
    inbox: InboxObjects,
    files: ReportFiles,
) -> ListedUploads:
    """Return a page of uploads, newest first, each with its current status."""

    def listed(entry: UploadOutcome | UnusedPost) -> ListedUpload:
        target = UploadTarget.from_key(entry.key)
        prefix, _, name = entry.key.partition("/")
        upload_id = None if target is None else target.upload_id
        kind = Kind(prefix) if prefix in list(Kind) else None
        filename = name if target is None else target.filename
        if isinstance(entry, UnusedPost):
            status = _status(entry, now, inbox)
            return ListedUpload(upload_id, kind, filename, entry.issued_at, status)
        created_at = entry.uploaded_at or entry.ended_at
        use = _use(entry, files)
        return ListedUpload(upload_id, kind, filename, created_at, entry.status, use)

    page = uploads.newest(limit, after)
    with ThreadPoolExecutor(_READERS) as pool:
        return ListedUploads(tuple(pool.map(listed, page.entries)), page.end)


def _status(post: UnusedPost, now: datetime, inbox: InboxObjects) -> UploadStatus:
    is_pending = now < post.expires_at or inbox.exists(post.key)
    return UploadStatus.PENDING if is_pending else UploadStatus.EXPIRED


def _use(outcome: UploadOutcome, files: ReportFiles) -> Use:
    if outcome.rejects_key is None:
        return Use(outcome)
    try:
        start = files.read_start(outcome.rejects_key, _PREVIEW_BYTES)
    except MissingObjectError:  # the data of a store in it was deleted
        return Use(outcome)
    target = UploadTarget.from_key(outcome.key)
    filename = outcome.key.rpartition("/")[2] if target is None else target.filename
    name = _ENDING.sub(".csv", _UNSAFE.sub("_", filename), count=1)
    url = files.presigned_url(outcome.rejects_key, f"rejected-{name}")
    return Use(outcome, url, _first_rejected_rows(start))


def _first_rejected_rows(start: bytes) -> tuple[RejectedRow, ...]:
    r"""Return the first rows of a file of rejected rows, given its first bytes.

    >>> _first_rejected_rows(b'line,reason,text\n3,"the status is not known","7,may')
    (RejectedRow(line=3, reason='the status is not known', text='7,may'),)
    """
    # The last row may be cut off, maybe within a character.
    lines = start.decode(errors="ignore").splitlines(keepends=True)[1:]
    rows = (row for row in csv.reader(lines) if len(row) == _REJECT_COLUMNS)
    return tuple(
        RejectedRow(int(line), reason, text[:_PREVIEW_CHARACTERS])
        for line, reason, text in islice(rows, _PREVIEW_ROWS)
    )

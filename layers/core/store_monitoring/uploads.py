"""Uploads through the API: presigned forms, and what became of each upload."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, Self
from uuid import UUID

from store_monitoring.errors import InvalidRequestError, UnknownUploadError
from store_monitoring.ingest.outcomes import UploadOutcome, Uploads, UploadStatus
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.storage.ports import ReportFiles

if TYPE_CHECKING:  # not for the functions that carry no Arrow
    pass


class PresignedPosts(Protocol):
    """Leave to upload to the inbox, for those who have no credentials for it."""

    def presigned_post(self, key: str, limit_bytes: int) -> tuple[str, dict[str, str]]:
        """Return the address and the fields of a form that uploads one object, for a while."""


_LONGEST_FILENAME = 255

_KEPT_OF_FILENAME = 100

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")

_UPLOAD_ID = re.compile(
    rf"(?P<kind>{'|'.join(Kind)})"
    r"\.(?P<number>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    rf"\.(?P<filename>[A-Za-z0-9._-]{{1,{_KEPT_OF_FILENAME}}})"
)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """What is to be uploaded.

    Attributes
    ----------
    kind : Kind
    filename : str
        As a key can have it: for people who look into the inbox; nothing is read from it.
    """

    kind: Kind
    filename: str

    @classmethod
    def from_json(cls, body: object) -> Self:
        """Read a request's decoded JSON body.

        Raises
        ------
        InvalidRequestError
            Naming the field that is unknown, missing or wrong.

        Examples
        --------
        >>> UploadRequest.from_json({"kind": "polls", "filename": "../store status.csv"}).filename
        '.._store_status.csv'
        """
        if not isinstance(body, dict):
            raise InvalidRequestError("the body is not a JSON object")
        if unknown := sorted(body.keys() - {"kind", "filename"}):
            raise InvalidRequestError(f"unknown field {unknown[0]!r}")
        kind, filename = body.get("kind"), body.get("filename")
        if not isinstance(kind, str) or kind not in set(Kind):
            raise InvalidRequestError(f"kind: not one of {', '.join(Kind)}")
        if not isinstance(filename, str) or not 1 <= len(filename) <= _LONGEST_FILENAME:
            raise InvalidRequestError(
                f"filename: not a string of 1 to {_LONGEST_FILENAME} characters"
            )
        return cls(Kind(kind), _UNSAFE.sub("_", filename)[-_KEPT_OF_FILENAME:])


@dataclass(frozen=True, slots=True)
class UploadPlace:
    """Where one upload goes: a key under its kind's prefix that no other upload has.

    Examples
    --------
    >>> place = UploadPlace(Kind.POLLS, "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11", "polls.csv")
    >>> place.key
    'polls/0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11-polls.csv'
    >>> UploadPlace.from_id(place.upload_id) == place
    True
    """

    kind: Kind
    number: str
    filename: str

    @classmethod
    def new(cls, request: UploadRequest, issued_at: datetime) -> Self:
        """Find a place for an upload, whose number says when it was issued."""
        return cls(request.kind, str(_uuid7(issued_at)), request.filename)

    @classmethod
    def from_id(cls, upload_id: str) -> Self:
        """Return the place that an upload id names.

        Raises
        ------
        UnknownUploadError
            If we never gave out such an id.
        """
        match = _UPLOAD_ID.fullmatch(upload_id)
        if match is None:
            raise UnknownUploadError("there is no such upload")
        return cls(Kind(match["kind"]), match["number"], match["filename"])

    @property
    def upload_id(self) -> str:
        """What callers call the upload. The key follows from it, so it need not be looked up."""
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


UPLOAD_LIMIT_BYTES = 1024**3  # ingest reads it in a small part of its fifteen minutes


@dataclass(frozen=True, slots=True)
class PresignedPost:
    """Leave to send one file as a form: these fields, then the file."""

    upload_id: str
    url: str
    fields: dict[str, str]


def create_upload(
    request: UploadRequest,
    issued_at: datetime,
    form_ends_at: datetime,
    forms: PresignedPosts,
    uploads: Uploads,
) -> PresignedPost:
    """Give leave to upload one file, which can be nowhere but at a key of its own.

    Parameters
    ----------
    request : UploadRequest
    issued_at, form_ends_at : datetime
        Now, and until when the form can be used.
    forms, uploads : ports
    """
    place = UploadPlace.new(request, issued_at)
    url, fields = forms.presigned_post(place.key, UPLOAD_LIMIT_BYTES)
    uploads.issue(place.key, form_ends_at)
    return PresignedPost(place.upload_id, url, fields)


_ENDING = re.compile(r"(\.csv)?(\.gz)?$", re.IGNORECASE)


class Arrivals(Protocol):
    """The inbox, as far as this needs it."""

    def holds(self, key: str) -> bool:
        """Tell whether an object is there."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of an upload's form.

    Attributes
    ----------
    outcome : UploadOutcome
    rejects_url : str or None
        Where the rows that were rejected can be downloaded, if there are any.
    """

    outcome: UploadOutcome
    rejects_url: str | None = None


@dataclass(frozen=True, slots=True)
class UploadView:
    """An upload as it stands.

    Attributes
    ----------
    upload_id : str
    status : UploadStatus
        Of the last use of its form.
    uses : tuple of Use
        Newest first; a form can be used more than once while it is valid. None: the upload is
        Pending or Expired.
    """

    upload_id: str
    status: UploadStatus
    uses: tuple[Use, ...] = ()


def read_upload(
    upload_id: str, now: datetime, uploads: Uploads, inbox: Arrivals, files: ReportFiles
) -> UploadView:
    """Return what became of an upload.

    Raises
    ------
    UnknownUploadError
        If we never gave out such an id.
    """
    place = UploadPlace.from_id(upload_id)
    outcomes = uploads.of_key(place.key)
    if outcomes:
        return UploadView(
            upload_id,
            outcomes[0].status,
            tuple(Use(outcome, _rejects_url(outcome, place, files)) for outcome in outcomes),
        )
    form_ends_at = uploads.form_ends_at(place.key)
    if form_ends_at is None:
        raise UnknownUploadError("there is no such upload")
    is_open = now < form_ends_at or inbox.holds(place.key)
    return UploadView(upload_id, UploadStatus.PENDING if is_open else UploadStatus.EXPIRED)


def _rejects_url(outcome: UploadOutcome, place: UploadPlace, files: ReportFiles) -> str | None:
    if outcome.rejects_key is None:
        return None
    name = _ENDING.sub(".csv", place.filename, count=1)
    return files.presigned_url(outcome.rejects_key, f"rejected-{name}")

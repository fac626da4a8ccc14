"""An upload through the API, as its sender knows it."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from store_monitoring.errors import InvalidRequest, UnknownUpload
from store_monitoring.ingest.kinds import Kind

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
        InvalidRequest
            Naming the field that is unknown, missing or wrong.

        Examples
        --------
        >>> UploadRequest.from_json({"kind": "polls", "filename": "../store status.csv"}).filename
        '.._store_status.csv'
        """
        if not isinstance(body, dict):
            raise InvalidRequest("the body is not a JSON object")
        if unknown := sorted(body.keys() - {"kind", "filename"}):
            raise InvalidRequest(f"unknown field {unknown[0]!r}")
        kind, filename = body.get("kind"), body.get("filename")
        if not isinstance(kind, str) or kind not in set(Kind):
            raise InvalidRequest(f"kind: not one of {', '.join(Kind)}")
        if not isinstance(filename, str) or not 1 <= len(filename) <= _LONGEST_FILENAME:
            raise InvalidRequest(f"filename: not a string of 1 to {_LONGEST_FILENAME} characters")
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
        UnknownUpload
            If we never gave out such an id.
        """
        match = _UPLOAD_ID.fullmatch(upload_id)
        if match is None:
            raise UnknownUpload("there is no such upload")
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

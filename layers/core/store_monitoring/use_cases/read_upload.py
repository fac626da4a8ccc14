"""Tell what became of an upload."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from store_monitoring.errors import UnknownUpload
from store_monitoring.use_cases.ports import ReportFiles
from store_monitoring.use_cases.upload import UploadPlace
from store_monitoring.use_cases.upload_outcomes import UploadOutcome, Uploads, UploadStatus

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
    UnknownUpload
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
        raise UnknownUpload("there is no such upload")
    is_open = now < form_ends_at or inbox.holds(place.key)
    return UploadView(upload_id, UploadStatus.PENDING if is_open else UploadStatus.EXPIRED)


def _rejects_url(outcome: UploadOutcome, place: UploadPlace, files: ReportFiles) -> str | None:
    if outcome.rejects_key is None:
        return None
    name = _ENDING.sub(".csv", place.filename, count=1)
    return files.presigned_url(outcome.rejects_key, f"rejected-{name}")

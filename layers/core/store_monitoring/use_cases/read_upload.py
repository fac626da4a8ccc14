"""Tell what became of an upload."""

import re
from dataclasses import dataclass

from store_monitoring.use_cases.ports import ReportFiles
from store_monitoring.use_cases.upload import UploadPlace
from store_monitoring.use_cases.upload_outcomes import UploadOutcome, Uploads

_ENDING = re.compile(r"(\.csv)?(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UploadView:
    """An upload as it stands.

    Attributes
    ----------
    upload_id : str
    outcome : UploadOutcome or None
        None: it has not arrived, or is being ingested.
    rejects_url : str or None
        Where the rows that were rejected can be downloaded, if there are any.
    """

    upload_id: str
    outcome: UploadOutcome | None = None
    rejects_url: str | None = None


def read_upload(upload_id: str, uploads: Uploads, files: ReportFiles) -> UploadView:
    """Return what became of an upload.

    Raises
    ------
    UnknownUpload
        If we never give out such an id.
    """
    place = UploadPlace.from_id(upload_id)
    outcome = next(iter(uploads.of_key(place.key)), None)
    if outcome is None or outcome.rejects_key is None:
        return UploadView(upload_id, outcome)
    name = _ENDING.sub(".csv", place.filename, count=1)
    url = files.presigned_url(outcome.rejects_key, f"rejected-{name}")
    return UploadView(upload_id, outcome, url)

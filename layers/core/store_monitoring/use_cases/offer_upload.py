"""Give leave to upload a file."""

from dataclasses import dataclass
from datetime import datetime

from store_monitoring.use_cases.ports import UploadForms
from store_monitoring.use_cases.upload import UploadPlace, UploadRequest
from store_monitoring.use_cases.upload_outcomes import Uploads

UPLOAD_LIMIT_BYTES = 1024**3  # ingest reads it in a small part of its fifteen minutes


@dataclass(frozen=True, slots=True)
class UploadForm:
    """Leave to send one file as a form: these fields, then the file."""

    upload_id: str
    url: str
    fields: dict[str, str]


def offer_upload(
    request: UploadRequest,
    issued_at: datetime,
    form_ends_at: datetime,
    forms: UploadForms,
    uploads: Uploads,
) -> UploadForm:
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
    return UploadForm(place.upload_id, url, fields)

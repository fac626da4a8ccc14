"""Give leave to upload a file."""

from dataclasses import dataclass

from store_monitoring.use_cases.ports import UploadForms
from store_monitoring.use_cases.upload import UploadPlace, UploadRequest

UPLOAD_LIMIT_BYTES = 1024**3  # ingest reads it in a small part of its fifteen minutes


@dataclass(frozen=True, slots=True)
class UploadForm:
    """Leave to send one file as a form: these fields, then the file."""

    upload_id: str
    url: str
    fields: dict[str, str]


def offer_upload(request: UploadRequest, forms: UploadForms) -> UploadForm:
    """Give leave to upload one file, which can be nowhere but at a key of its own."""
    place = UploadPlace.new(request)
    url, fields = forms.presigned_post(place.key, UPLOAD_LIMIT_BYTES)
    return UploadForm(place.upload_id, url, fields)

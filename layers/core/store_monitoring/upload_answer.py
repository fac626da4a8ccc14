"""Uploads as the API tells them."""

from datetime import datetime
from typing import Any

from store_monitoring.instants import to_text, to_us
from store_monitoring.use_cases.offer_upload import UPLOAD_LIMIT_BYTES, UploadForm
from store_monitoring.use_cases.read_upload import UploadView

_PENDING = "Pending"


def form_body(form: UploadForm, form_ends_at: datetime) -> dict[str, Any]:
    """Return the JSON body that gives leave to upload."""
    return {
        "upload_id": form.upload_id,
        "url": form.url,
        "fields": form.fields,
        "expires_at": to_text(to_us(form_ends_at)),
        "limit_bytes": UPLOAD_LIMIT_BYTES,
    }


def upload_body(view: UploadView, link_ends_at: datetime) -> dict[str, Any]:
    """Return the JSON body that tells what became of an upload."""
    outcome = view.outcome
    if outcome is None:
        return {"upload_id": view.upload_id, "status": _PENDING}
    body: dict[str, Any] = {
        "upload_id": view.upload_id,
        "status": outcome.status,
        "ended_at": to_text(to_us(outcome.ended_at)),
    }
    if outcome.error is not None:
        return body | {"reason": outcome.error}
    body |= {"rows": outcome.rows, "rejected": outcome.rejected}
    if outcome.partial_stores:
        body["stores_with_rejected_rows"] = {
            "count": outcome.partial_stores,
            "store_ids": list(outcome.partial_store_ids),
        }
    if view.rejects_url is not None:
        body |= {"rejects_url": view.rejects_url, "expires_at": to_text(to_us(link_ends_at))}
    return body

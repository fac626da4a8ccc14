"""The JSON bodies of responses about uploads."""

from datetime import datetime
from typing import cast

from store_monitoring.http import models
from store_monitoring.ingest.outcomes import UploadStatus
from store_monitoring.instants import to_text, to_us
from store_monitoring.uploads import (
    UPLOAD_LIMIT_BYTES,
    ListedUpload,
    ListedUploads,
    PresignedPost,
    UploadView,
    Use,
)


def presigned_post_body(post: PresignedPost, expires_at: datetime) -> models.UploadForm:
    """Return the JSON body of `POST /uploads`: a presigned POST."""
    return {
        "upload_id": post.upload_id,
        "url": post.url,
        "fields": post.fields,
        "expires_at": to_text(to_us(expires_at)),
        "limit_bytes": UPLOAD_LIMIT_BYTES,
    }


def upload_body(view: UploadView, link_ends_at: datetime) -> models.Upload:
    """Return the JSON body of `GET /uploads/{upload_id}`: the outcomes of an upload."""
    if not view.uses:
        return {"upload_id": view.upload_id, "status": view.status}
    latest, *earlier = (_outcome_body(use, link_ends_at) for use in view.uses)
    body = cast("models.Upload", {"upload_id": view.upload_id, **latest})
    if earlier:
        body["earlier"] = earlier
    return body


def _outcome_body(use: Use, link_ends_at: datetime) -> models.UploadOutcome:
    """Return the outcome of one upload made with a presigned POST, which can be used again."""
    outcome = use.outcome
    if outcome.status is UploadStatus.RETRYING:
        return {"status": outcome.status, "reason": outcome.error or ""}
    ended_at = to_text(to_us(outcome.ended_at))
    if outcome.status is UploadStatus.FAILED:
        return {"status": outcome.status, "ended_at": ended_at, "reason": outcome.error or ""}
    body: models.UploadOutcome = {
        "status": outcome.status,
        "ended_at": ended_at,
        "rows": outcome.rows,
        "rejected": outcome.rejected,
    }
    if outcome.partial_stores:
        body["stores_with_rejected_rows"] = {
            "count": outcome.partial_stores,
            "store_ids": list(outcome.partial_store_ids),
        }
    if use.rejected_rows:
        body["rejected_rows"] = [
            {"line": row.line, "reason": row.reason, "text": row.text} for row in use.rejected_rows
        ]
    if use.rejects_url is not None:
        body["rejects_url"] = use.rejects_url
        body["expires_at"] = to_text(to_us(link_ends_at))
    return body


def upload_page_body(page: ListedUploads, link_ends_at: datetime) -> models.UploadPage:
    """Return the JSON body of `GET /uploads`: one page of uploads."""
    body: models.UploadPage = {"uploads": [_entry(each, link_ends_at) for each in page.uploads]}
    if page.end is not None:
        body["next_page_token"] = page.end.to_token()
    return body


def _entry(upload: ListedUpload, link_ends_at: datetime) -> models.ListedUpload:
    entry: models.ListedUpload = {
        "filename": upload.filename,
        "created_at": to_text(to_us(upload.created_at)),
        "status": upload.status,
    }
    if upload.upload_id is not None:
        entry["upload_id"] = upload.upload_id
    if upload.kind is not None:
        entry["kind"] = upload.kind
    if upload.use is not None:
        return cast("models.ListedUpload", {**entry, **_outcome_body(upload.use, link_ends_at)})
    return entry

"""The JSON bodies of responses about uploads."""

from datetime import datetime
from typing import Any

from store_monitoring.ingest.outcomes import UploadStatus
from store_monitoring.instants import to_text, to_us
from store_monitoring.uploads import UPLOAD_LIMIT_BYTES, PresignedPost, UploadView, Use


def presigned_post_body(post: PresignedPost, expires_at: datetime) -> dict[str, Any]:
    """Return the JSON body of `POST /uploads`: a presigned POST."""
    return {
        "upload_id": post.upload_id,
        "url": post.url,
        "fields": post.fields,
        "expires_at": to_text(to_us(expires_at)),
        "limit_bytes": UPLOAD_LIMIT_BYTES,
    }


def upload_body(view: UploadView, link_ends_at: datetime) -> dict[str, Any]:
    """Return the JSON body of `GET /uploads/{upload_id}`: the outcomes of an upload."""
    body: dict[str, Any] = {"upload_id": view.upload_id, "status": view.status}
    if view.uses:
        latest, *earlier = view.uses
        body |= _use_body(latest, link_ends_at)
        if earlier:
            body["earlier"] = [_use_body(use, link_ends_at) for use in earlier]
    return body


def _use_body(use: Use, link_ends_at: datetime) -> dict[str, Any]:
    """Return the outcome of one upload made with a presigned POST, which can be used again."""
    outcome = use.outcome
    body: dict[str, Any] = {"status": outcome.status}
    if outcome.status is UploadStatus.RETRYING:
        return body | {"reason": outcome.error}
    body["ended_at"] = to_text(to_us(outcome.ended_at))
    if outcome.status is UploadStatus.FAILED:
        return body | {"reason": outcome.error}
    body |= {"rows": outcome.rows, "rejected": outcome.rejected}
    if outcome.partial_stores:
        body["stores_with_rejected_rows"] = {
            "count": outcome.partial_stores,
            "store_ids": list(outcome.partial_store_ids),
        }
    if use.rejects_url is not None:
        body |= {"rejects_url": use.rejects_url, "expires_at": to_text(to_us(link_ends_at))}
    return body

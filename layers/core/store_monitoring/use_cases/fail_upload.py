"""Record that an upload has failed for good: its message was delivered as often as it may be."""

from dataclasses import replace
from datetime import datetime

from store_monitoring.use_cases.upload_outcomes import (
    Delivery,
    UploadOutcome,
    Uploads,
    UploadStatus,
)

NO_REASON = "ingest ended without a reason each time: it ran out of time or memory"


def fail_upload(delivery: Delivery, failed_at: datetime, uploads: Uploads) -> UploadOutcome:
    """Record an upload as Failed, with the last reason that ingest gave, if it gave one.

    Returns
    -------
    UploadOutcome
        What is recorded then. It is an earlier one if the message is delivered again, or if ingest
        ended the upload after all.
    """
    upload = delivery.upload
    recorded = uploads.get(upload)
    if recorded is not None and recorded.ends(delivery):
        return recorded
    reason = None if recorded is None else recorded.error
    failed = UploadOutcome.failed(upload, UploadStatus.FAILED, failed_at, reason or NO_REASON)
    return uploads.record(replace(failed, can_be_redriven=True))

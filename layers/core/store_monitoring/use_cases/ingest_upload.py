"""Ingest what a message of the upload queue is about, unless that is done already."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import IO, Protocol

from store_monitoring.errors import SupersededUpload, TransientError
from store_monitoring.use_cases.deadline import Deadline
from store_monitoring.use_cases.ingest_file import ingest_file
from store_monitoring.use_cases.ports import IngestLog, Tables
from store_monitoring.use_cases.upload_outcomes import (
    Delivery,
    Upload,
    UploadOutcome,
    Uploads,
    UploadStatus,
)


class Inbox(Protocol):
    """The uploaded objects."""

    def open(self, upload: Upload) -> IO[bytes]:
        """Return an upload's content as a stream.

        Raises
        ------
        SupersededUpload
            If the upload is not there any more.
        """


def ingest_upload(
    delivery: Delivery,
    bucket_count: int,
    deadline: Deadline,
    clock: Callable[[], datetime],
    inbox: Inbox,
    tables: Tables,
    log: IngestLog,
    uploads: Uploads,
    *,
    future_tolerance: timedelta,
) -> UploadOutcome | None:
    """Ingest an upload and record what became of it.

    Parameters
    ----------
    delivery : Delivery
    bucket_count : int
    deadline : Deadline
    clock : callable
        Returns the time now.
    inbox, tables, log, uploads : ports
    future_tolerance : timedelta
        As `ingest_file` has it.

    Returns
    -------
    UploadOutcome or None
        None if the upload has ended before: the message was delivered twice.

    Raises
    ------
    TransientError
        If it is to be delivered again; nothing was committed.
    """
    upload = delivery.upload
    recorded = uploads.get(upload)
    if recorded is not None and recorded.ends(delivery):
        return None
    try:
        with inbox.open(upload) as stream:
            return ingest_file(
                *(upload, stream, bucket_count, deadline, clock, tables, log, uploads),
                future_tolerance=future_tolerance,
            )
    except SupersededUpload as error:
        return uploads.record(
            UploadOutcome.failed(upload, UploadStatus.FAILED, clock(), str(error))
        )


def record_failed_attempt(
    upload: Upload, error: Exception, failed_at: datetime, uploads: Uploads
) -> None:
    """Record that an upload is to be tried again, and why.

    Only our own errors are quoted: those of services name what callers need not know.
    """
    ours = isinstance(error, TransientError)
    reason = str(error) if ours else f"ingest broke down: {type(error).__name__}"
    uploads.record(UploadOutcome.failed(upload, UploadStatus.RETRYING, failed_at, reason))

"""Deliveries from the upload queue: ingest an upload, or record the failed attempt."""

import io
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from store_monitoring.errors import SupersededUploadError, TransientError
from store_monitoring.ingest.deadline import Deadline
from store_monitoring.ingest.ingest_file import ingest_file
from store_monitoring.ingest.outcomes import Delivery, Upload, UploadOutcome, Uploads, UploadStatus
from store_monitoring.ingest.ports import IngestLog
from store_monitoring.storage.ports import Tables

_FIRST_DELAY_SECONDS = 15
_MAX_DELAY_SECONDS = 900


class Inbox(Protocol):
    """The uploaded objects."""

    def open(self, upload: Upload) -> io.BufferedIOBase:
        """Return an upload's content as a stream.

        Raises
        ------
        SupersededUploadError
            If the upload no longer exists.
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
    """Ingest an upload and record its outcome.

    Parameters
    ----------
    delivery : Delivery
    bucket_count : int
    deadline : Deadline
    clock : callable
        Returns the current time.
    inbox, tables, log, uploads : ports
    future_tolerance : timedelta
        See `ingest_file`.

    Returns
    -------
    UploadOutcome or None
        None if the upload already has a final outcome: the message was delivered twice.

    Raises
    ------
    TransientError
        If the message should be delivered again; nothing was committed.
    """
    upload = delivery.upload
    recorded = uploads.get(upload)
    if recorded is not None and recorded.makes_redundant(delivery):
        return None
    try:
        with inbox.open(upload) as stream:
            return ingest_file(
                *(upload, stream, bucket_count, deadline, clock, tables, log, uploads),
                future_tolerance=future_tolerance,
            )
    except SupersededUploadError as error:
        return uploads.record(
            UploadOutcome.failed(upload, UploadStatus.FAILED, clock(), str(error))
        )


def record_failed_attempt(
    upload: Upload, error: Exception, failed_at: datetime, uploads: Uploads
) -> None:
    """Record an upload as Retrying, with the reason.

    Only messages of our own errors are recorded: those of AWS may contain internal names.
    """
    is_ours = isinstance(error, TransientError)
    reason = str(error) if is_ours else f"ingest failed: {type(error).__name__}"
    uploads.record(UploadOutcome.failed(upload, UploadStatus.RETRYING, failed_at, reason))


def redelivery_seconds(receives: int, rng: random.Random) -> int:
    """Return how many seconds to wait before a message is delivered again.

    Delays grow exponentially, with jitter, so messages that failed together are spread out.

    Parameters
    ----------
    receives : int
        Number of deliveries so far.

    Examples
    --------
    >>> [redelivery_seconds(receives, random.Random(7)) for receives in (1, 2, 3, 4)]
    [10, 40, 159, 596]
    """
    max_seconds = min(_FIRST_DELAY_SECONDS * 4 ** (receives - 1), _MAX_DELAY_SECONDS)
    return round(rng.uniform(max_seconds / 2, max_seconds))

"""Deliveries of the upload queue: ingest an upload, delay its next delivery, or fail it."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import IO, Protocol

from store_monitoring.errors import SupersededUploadError, TransientError
from store_monitoring.ingest.deadline import Deadline
from store_monitoring.ingest.ingest_file import ingest_file
from store_monitoring.ingest.outcomes import Delivery, Upload, UploadOutcome, Uploads, UploadStatus
from store_monitoring.ingest.ports import IngestLog
from store_monitoring.storage.ports import Tables


class Inbox(Protocol):
    """The uploaded objects."""

    def open(self, upload: Upload) -> IO[bytes]:
        """Return an upload's content as a stream.

        Raises
        ------
        SupersededUploadError
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
    except SupersededUploadError as error:
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


_FIRST_DELAY_SECONDS = 15

_LONGEST_DELAY_SECONDS = 900


def redelivery_seconds(receives: int, chance: random.Random) -> int:
    """Return how many seconds to wait before a message is delivered again.

    The delays grow, and are spread: what failed together does not come back together.

    Parameters
    ----------
    receives : int
        How often it was delivered so far.

    Examples
    --------
    >>> [redelivery_seconds(receives, random.Random(7)) for receives in (1, 2, 3, 4)]
    [10, 40, 159, 596]
    """
    longest = min(_FIRST_DELAY_SECONDS * 4 ** (receives - 1), _LONGEST_DELAY_SECONDS)
    return round(chance.uniform(longest / 2, longest))

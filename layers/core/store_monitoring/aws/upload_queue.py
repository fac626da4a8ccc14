"""The upload queue and its messages."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import unquote_plus

import boto3
from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import ClientError

from store_monitoring.aws.clients import error_code, transient_errors
from store_monitoring.errors import TransientError
from store_monitoring.ingest.outcomes import Delivery, Upload
from store_monitoring.logs import logger

# The receipt handle is no longer valid: the message was delivered again, or deleted.
_STALE_HANDLE_CODES = ("ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight")


class UploadQueue:
    """Changes how long messages stay invisible."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = boto3.client("sqs")

    def hide(self, record: SQSRecord, seconds: int) -> None:
        """Hide a message for a number of seconds from now.

        If that fails, the queue's visibility timeout applies.
        """
        try:
            with transient_errors("change a message's visibility"):
                self._client.change_message_visibility(
                    QueueUrl=self._url,
                    ReceiptHandle=record.receipt_handle,
                    VisibilityTimeout=seconds,
                )
        except TransientError as error:
            logger.warning(
                "message visibility not changed; the timeout of the queue applies",
                reason=str(error),
            )
        except ClientError as error:
            if error_code(error).rpartition(".")[2] not in _STALE_HANDLE_CODES:
                raise
            logger.warning("message was already delivered again")


def deliveries_in(record: SQSRecord) -> Iterator[Delivery]:
    """Yield the uploads in a message; S3's test messages have none."""
    # A redriven message has a new sent timestamp.
    sent_at = datetime.fromtimestamp(int(record.attributes.sent_timestamp) / 1000, UTC)
    document = json.loads(record.body)
    if "Records" not in document:
        return
    for each in S3Event(document).records:
        s3_object = each.s3.get_object
        upload = Upload(
            unquote_plus(s3_object.key),
            s3_object.etag,
            datetime.fromisoformat(each.event_time),
            s3_object.version_id,
        )
        yield Delivery(upload, sent_at)


def receives(record: SQSRecord) -> int:
    """Return how often a message was delivered, including this time."""
    return int(record.attributes.approximate_receive_count)

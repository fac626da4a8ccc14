"""The queue of uploads: its messages, as the functions get them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import unquote_plus

import boto3
from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import ClientError

from store_monitoring.aws.aws_errors import error_code, transient_errors
from store_monitoring.errors import TransientError
from store_monitoring.ingest.outcomes import Delivery, Upload
from store_monitoring.logs import logger

# The message is no longer ours: it was delivered to another call meanwhile, or deleted.
_NOT_OURS = ("ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight")


class UploadQueue:
    """Says when messages become visible again that are not deleted until then."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = boto3.client("sqs")

    def hide(self, record: SQSRecord, seconds: int) -> None:
        """Let a message be invisible for so long from now on, rather than as the queue says.

        If that fails, the queue's own time holds.
        """
        try:
            with transient_errors("change a message's visibility"):
                self._client.change_message_visibility(
                    QueueUrl=self._url,
                    ReceiptHandle=record.receipt_handle,
                    VisibilityTimeout=seconds,
                )
        except TransientError as error:
            logger.warning("a message stays invisible as the queue says", reason=str(error))
        except ClientError as error:
            if error_code(error).rpartition(".")[2] not in _NOT_OURS:
                raise
            logger.warning("a message was delivered again meanwhile")


def deliveries_in(record: SQSRecord) -> Iterator[Delivery]:
    """Yield the uploads that a message is about: none, if S3 tests whether it may send any."""
    # One that is redriven is sent anew.
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
    """Return how often a message was delivered, this time included."""
    return int(record.attributes.approximate_receive_count)

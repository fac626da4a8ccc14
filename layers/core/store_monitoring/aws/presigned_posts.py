"""Presigned POSTs that upload to the inbox bucket."""

from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from store_monitoring.aws.clients import PRESIGNING

_CONTENT_TYPE = "application/octet-stream"  # no browser displays it, whatever the file is


class S3PresignedPosts:
    """Issues presigned POSTs, with a policy that limits what they can upload.

    Parameters
    ----------
    bucket : str
    form_seconds : int
        How long a presigned POST is valid, unless the role session that signed it ends first.
    """

    def __init__(self, bucket: str, form_seconds: int) -> None:
        self._bucket = bucket
        self._form_seconds = form_seconds
        self._client = boto3.client("s3", config=PRESIGNING)

    def presigned_post(self, key: str, limit_bytes: int) -> tuple[str, dict[str, str]]:
        """Return the URL and the form fields of a presigned POST for one object."""
        form = self._client.generate_presigned_post(
            self._bucket,
            key,
            Fields={"Content-Type": _CONTENT_TYPE},
            # boto3 adds the exact key as a condition.
            Conditions=[
                {"Content-Type": _CONTENT_TYPE},
                ["content-length-range", 1, limit_bytes],
            ],
            ExpiresIn=self._form_seconds,
        )
        return form["url"], form["fields"]


def upload_origin(bucket: str) -> str:
    """Return the origin of a bucket's presigned POSTs; this needs no credentials."""
    client = boto3.client("s3", config=PRESIGNING.merge(Config(signature_version=UNSIGNED)))
    url = client.generate_presigned_url("head_bucket", Params={"Bucket": bucket})
    scheme, host, *_ = urlsplit(url)
    return f"{scheme}://{host}"

"""Forms that upload to the inbox bucket."""

from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from store_monitoring.aws.clients import PRESIGNING

_CONTENT_TYPE = "application/octet-stream"  # whatever it says it is, no browser shows it


class S3PresignedPosts:
    """Forms that S3 takes, with a policy that says what may be uploaded with them.

    Parameters
    ----------
    bucket : str
    form_seconds : int
        How long a form works, unless the role's session that signed it ends first.
    """

    def __init__(self, bucket: str, form_seconds: int) -> None:
        self._bucket = bucket
        self._form_seconds = form_seconds
        self._client = boto3.client("s3", config=PRESIGNING)

    def presigned_post(self, key: str, limit_bytes: int) -> tuple[str, dict[str, str]]:
        """Return the address and the fields of a form that uploads one object, for a while."""
        form = self._client.generate_presigned_post(
            self._bucket,
            key,
            Fields={"Content-Type": _CONTENT_TYPE},
            # The key itself is a condition, too, and an exact one.
            Conditions=[
                {"Content-Type": _CONTENT_TYPE},
                ["content-length-range", 1, limit_bytes],
            ],
            ExpiresIn=self._form_seconds,
        )
        return form["url"], form["fields"]


def upload_origin(bucket: str) -> str:
    """Return the origin that a bucket's forms are sent to; it takes no credentials to know it."""
    client = boto3.client("s3", config=PRESIGNING.merge(Config(signature_version=UNSIGNED)))
    url = client.generate_presigned_url("head_bucket", Params={"Bucket": bucket})
    scheme, host, *_ = urlsplit(url)
    return f"{scheme}://{host}"

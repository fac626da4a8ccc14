"""The inbox: the bucket that files are uploaded to, with presigned POSTs."""

import io
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from typing_extensions import Buffer

from store_monitoring.aws.clients import PRESIGNING, error_code, transient_errors
from store_monitoring.errors import SupersededUploadError
from store_monitoring.ingest.outcomes import Upload

_CONTENT_TYPE = "application/octet-stream"  # no browser displays it, whatever the file is


class S3Inbox:
    """Uploaded objects. Each is read once, from start to end, with one request."""

    def __init__(self, bucket: str, config: Config | None = None) -> None:
        self._bucket = bucket
        self._client = boto3.client("s3", config=config)

    def open(self, upload: Upload) -> io.BufferedIOBase:
        """Return an upload's content as a stream.

        Raises
        ------
        SupersededUploadError
            If the upload no longer exists.
        """
        version: Any = {} if upload.version_id is None else {"VersionId": upload.version_id}
        try:
            with transient_errors(f"read {upload.key}"):
                response = self._client.get_object(
                    Bucket=self._bucket, Key=upload.key, IfMatch=f'"{upload.etag}"', **version
                )
        except ClientError as error:
            if error_code(error) in ("PreconditionFailed", "NoSuchKey", "NoSuchVersion"):
                raise SupersededUploadError(
                    f"{upload.key} was replaced or removed before it was read"
                ) from error
            raise
        body = response["Body"]
        return io.BufferedReader(_Stream(body, upload.key))

    def exists(self, key: str) -> bool:
        """Return whether an object exists."""
        with transient_errors("list the inbox"):
            response = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return any(each["Key"] == key for each in response.get("Contents", []))


class _Stream(io.RawIOBase):
    """The body of a response as a file object that raises our own errors."""

    def __init__(self, body: StreamingBody, key: str) -> None:
        self._body = body
        self._key = key

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        with transient_errors(f"read {self._key}"):
            chunk = self._body.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._body.close()
        super().close()


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

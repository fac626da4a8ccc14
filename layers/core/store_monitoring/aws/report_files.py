"""A report's objects, for functions without the Arrow layer."""

import json

import boto3
from botocore.exceptions import ClientError

from store_monitoring.aws.clients import PRESIGNING, error_code, transient_errors
from store_monitoring.errors import MissingObjectError


class S3ReportFiles:
    """Objects of the data bucket.

    Parameters
    ----------
    bucket : str
    link_seconds : int
        How long a presigned URL is valid, unless the role session that signed it ends first.
    """

    def __init__(self, bucket: str, link_seconds: int) -> None:
        self._bucket = bucket
        self._link_seconds = link_seconds
        self._client = boto3.client("s3", config=PRESIGNING)

    def write_json(self, key: str, value: object) -> None:
        """Write an object as JSON."""
        self._put(key, value)

    def create_json(self, key: str, value: object) -> bool:
        """Write an object as JSON unless it exists; return whether it was written."""
        try:
            self._put(key, value, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) == "PreconditionFailed":
                return False
            raise
        return True

    def read_json(self, key: str) -> object:
        """Return the decoded JSON of an object."""
        return json.loads(self._read(key))

    def read_start(self, key: str, size: int) -> bytes:
        """Return at most `size` first bytes of an object."""
        return self._read(key, Range=f"bytes=0-{size - 1}")

    def count(self, prefix: str) -> int:
        """Return the number of objects under a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        with transient_errors(f"list {prefix}"):
            return sum(page["KeyCount"] for page in pages)

    def presigned_url(self, key: str, filename: str) -> str:
        """Return a presigned URL to download an object."""
        return self._presigned(key, ResponseContentDisposition=f'attachment; filename="{filename}"')

    def presigned_page_url(self, key: str) -> str:
        """Return a presigned URL that shows an object, an HTML page, in a browser."""
        return self._presigned(
            key,
            ResponseContentDisposition="inline",
            ResponseContentType="text/html; charset=utf-8",
        )

    def _presigned(self, key: str, **headers: str) -> str:
        return self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key, **headers},
            ExpiresIn=self._link_seconds,
        )

    def _read(self, key: str, **part: str) -> bytes:
        try:
            with transient_errors(f"read {key}"):
                response = self._client.get_object(
                    Bucket=self._bucket,
                    Key=key,
                    **part,  # type: ignore[arg-type]  # all of them are strings
                )
                return response["Body"].read()
        except self._client.exceptions.NoSuchKey as error:
            raise MissingObjectError(f"cannot read {key}: there is no such object") from error

    def _put(self, key: str, value: object, **conditions: str) -> None:
        with transient_errors(f"write {key}"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=json.dumps(value).encode(),
                ContentType="application/json",
                **conditions,  # type: ignore[arg-type]  # all of them are strings
            )

"""Deletion of objects in the data bucket."""

from collections.abc import Sequence

import boto3

from store_monitoring.aws.aws_errors import transient_errors
from store_monitoring.errors import TransientError

_AT_ONCE = 1000  # the limit of S3


class S3Objects:
    """Objects of one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._client = boto3.client("s3")

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; missing ones are ignored.

        The bucket keeps noncurrent versions of them for a while.
        """
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            with transient_errors("delete replaced files"):
                response = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": key} for key in some], "Quiet": True},
                )
            if errors := response.get("Errors"):
                raise TransientError(f"cannot delete {errors[0]['Key']}: {errors[0]['Code']}")

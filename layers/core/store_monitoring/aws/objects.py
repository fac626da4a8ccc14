"""Objects of the data bucket, with their noncurrent versions."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import boto3

from store_monitoring.aws.clients import transient_errors
from store_monitoring.errors import TransientError

_AT_ONCE = 1000  # the limit of S3
_CHUNK_BYTES = 1024 * 1024
_OVERLAP_BYTES = 8 * 1024  # a match may span two chunks; none is longer


class S3Objects:
    """Objects of one versioned bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._client = boto3.client("s3")

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of all objects under a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        with transient_errors(f"list {prefix}"):
            return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def has(self, key: str, pattern: re.Pattern[bytes]) -> bool:
        """Return whether a pattern matches in an object's content."""
        with transient_errors(f"read {key}"):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            rest = b""
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                if pattern.search(rest + chunk):
                    return True
                rest = (rest + chunk)[-_OVERLAP_BYTES:]
        return False

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; missing ones are ignored.

        The bucket keeps noncurrent versions of them for a while.
        """
        self._delete([{"Key": key} for key in keys])

    def delete_all(self, prefix: str) -> None:
        """Delete all versions of all objects under a prefix."""
        self._delete([version for version, _ in self._versions(prefix)])

    def delete_noncurrent(self, prefix: str) -> None:
        """Delete all noncurrent versions under a prefix."""
        self._delete([version for version, is_latest in self._versions(prefix) if not is_latest])

    def _versions(self, prefix: str) -> Iterator[tuple[Any, bool]]:
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        with transient_errors(f"list versions of {prefix}"):
            for page in pages:
                for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    version = {"Key": each["Key"], "VersionId": each["VersionId"]}
                    yield version, each["IsLatest"]

    def _delete(self, objects: list[Any]) -> None:
        for start in range(0, len(objects), _AT_ONCE):
            with transient_errors("delete objects"):
                response = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": objects[start : start + _AT_ONCE], "Quiet": True},
                )
            if errors := response.get("Errors"):
                raise TransientError(f"cannot delete {errors[0]['Key']}: {errors[0]['Code']}")

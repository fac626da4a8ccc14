"""A user of a local cloud, and the sample to upload.

The tests in a folder, such as `open`, share one cloud: they add uploads and reports, and see those
of others. A file beside them starts a cloud of its own, because it needs other parameters,
breaks something for good or counts everything.
"""

import gzip
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from local.cli.sample_data import SMALL, write_sample
from local.emulator.cloud import LocalCloud

Result = TypeVar("Result")

# Generous: only a result that never comes takes so long, even on a busy machine.
PATIENCE_SECONDS = 600
_LONGEST_PAUSE_SECONDS = 0.25
_KINDS = {
    "business_hours": "menu_hours.csv",
    "timezones": "store_timezones.csv",
    "attributes": "stores.csv",
    "polls": "store_status.csv",
}


class Api:
    """A client with nothing but HTTP and presigned URLs, of any deployment."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        self.headers = headers or {}

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> requests.Response:
        headers = {**self.headers, **(headers or {})}
        return requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=PATIENCE_SECONDS, **arguments
        )

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        return self.request("POST", path, **arguments)

    def trigger(self, **body: Any) -> str:
        response = self.post("/trigger_report", json=body)
        assert response.status_code == 202, response.text
        assert response.json()["status"] == "Running"
        return response.json()["report_id"]

    def ended(self, report_id: str) -> dict[str, Any]:
        """Wait until a report is no longer Running; return the response."""

        def poll() -> dict[str, Any] | None:
            response = self.get(f"/get_report/{report_id}").json()
            return None if response["status"] == "Running" else response

        return until(poll)

    def report(self, **body: Any) -> bytes:
        """Make a report; return its CSV."""
        response = self.ended(self.trigger(**body))
        assert response["status"] == "Complete", response
        return requests.get(response["url"], timeout=PATIENCE_SECONDS).content

    def create_upload(self, kind: str = "polls", filename: str = "polls.csv") -> dict[str, Any]:
        """Return a form with which one file can be uploaded."""
        response = self.post("/uploads", json={"kind": kind, "filename": filename})
        assert response.status_code == 201, response.text
        return response.json()

    def ended_upload(self, form: Mapping[str, Any]) -> dict[str, Any]:
        """Wait until an upload has its outcome; return the response."""

        def poll() -> dict[str, Any] | None:
            response = self.get(f"/uploads/{form['upload_id']}").json()
            return None if response["status"] in ("Pending", "Retrying") else response

        return until(poll)


def send_form(form: Mapping[str, Any], content: bytes, **changes: str) -> requests.Response:
    """Upload a file with a form, of which fields may be changed."""
    fields, file = form["fields"] | changes, {"file": ("polls.csv", content)}
    return requests.post(form["url"], data=fields, files=file, timeout=PATIENCE_SECONDS)


class User(Api):
    """A user of a local cloud, who also has AWS credentials."""

    def __init__(self, cloud: LocalCloud, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(cloud.api_url, headers)
        self.cloud = cloud

    @cached_property
    def s3(self) -> Any:
        return self.cloud.client("s3")

    @cached_property
    def dynamodb(self) -> Any:
        return self.cloud.client("dynamodb")

    def upload(self, key: str, content: bytes) -> dict[str, Any]:
        """Upload a file and wait for its outcome."""
        version_id = self.put(key, content)
        return until(lambda: self.outcome(key, version_id))

    def put(self, key: str, content: bytes) -> str:
        """Upload a file; return its version."""
        bucket = self.cloud.outputs["InboxBucketName"]
        version_id: str = self.s3.put_object(Bucket=bucket, Key=key, Body=content)["VersionId"]
        return version_id

    def outcome(self, key: str, version_id: str) -> dict[str, Any] | None:
        """Return the final outcome of an upload, or None while there is none."""
        recorded = self.recorded(key, version_id)
        return None if recorded is None or recorded["status"] == "Retrying" else recorded

    def recorded(self, key: str, version_id: str) -> dict[str, Any] | None:
        """Return the record of an upload, or None if there is none."""
        item = self.dynamodb.get_item(
            TableName=self.cloud.outputs["IngestTableName"],
            Key={"log": {"S": f"uploads/{key}"}, "entry": {"S": version_id}},
            ConsistentRead=True,
        )
        values = item.get("Item", {})
        return {name: next(iter(value.values())) for name, value in values.items()} or None


def until(poll: Callable[[], Result | None], patience_seconds: float = PATIENCE_SECONDS) -> Result:
    """Poll, less and less often, until the result is not None; return the result."""
    deadline = time.monotonic() + patience_seconds
    pause_seconds = 0.05
    while time.monotonic() < deadline:
        if (result := poll()) is not None:
            return result
        time.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 1.25, _LONGEST_PAUSE_SECONDS)
    raise TimeoutError(f"no result within {patience_seconds} seconds")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The small sample: upload keys and contents."""
    folder: Path = tmp_path_factory.mktemp("sample") / "small"
    write_sample(folder, shape=SMALL)
    return {f"{kind}/{name}": (folder / name).read_bytes() for kind, name in _KINDS.items()}


def ingest(user: User, files: Mapping[str, bytes]) -> None:
    """Upload files, compressed; check that they are committed."""
    for key, content in files.items():
        outcome = user.upload(f"{key}.gz", gzip.compress(content))
        assert outcome["status"] == "Committed", outcome

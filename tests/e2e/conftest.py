"""Two local clouds with the real template, which most tests share, and their users.

Tests of a shared cloud add uploads and reports of their own, and see those of others. Only tests
that need other parameters, break something for good or count everything start a cloud.
"""

import gzip
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from local.cli.sample_data import SMALL, write_sample
from local.emulator.cloud import LocalCloud

KEY = "open-sesame"
ORIGIN = "https://example.com"
IN_GUARDED_CLOUD = pytest.mark.xdist_group("guarded cloud")
IN_OPEN_CLOUD = pytest.mark.xdist_group("open cloud")

Result = TypeVar("Result")

# Generous: only a result that never comes takes so long, even on a busy machine.
_PATIENCE_SECONDS = 600
_LONGEST_PAUSE_SECONDS = 0.5
_KINDS = {
    "business_hours": "menu_hours.csv",
    "timezones": "store_timezones.csv",
    "attributes": "stores.csv",
    "polls": "store_status.csv",
}


@dataclass(frozen=True)
class User:
    """Uploads files and calls the API, as README describes."""

    cloud: LocalCloud
    headers: Mapping[str, str] = field(default_factory=dict)

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

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> requests.Response:
        url = f"{self.cloud.api_url}{path}"
        headers = {**self.headers, **(headers or {})}
        return requests.request(method, url, headers=headers, timeout=30, **arguments)

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
        return requests.get(response["url"], timeout=30).content

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


def until(poll: Callable[[], Result | None], patience_seconds: float = _PATIENCE_SECONDS) -> Result:
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


@pytest.fixture(scope="session")
def user(sample: dict[str, bytes]) -> Iterator[User]:
    """A user of a cloud that has ingested the small sample; a report has several small shards."""
    with LocalCloud(parameter_overrides={"ShardPolls": "1000000"}) as cloud:
        user = User(cloud)
        _ingest(user, sample)
        yield user


@pytest.fixture(scope="session")
def guarded(sample: dict[str, bytes]) -> Iterator[User]:
    """A user of a cloud that requires an API key and allows pages of another origin to call.

    It has ingested the small sample, and a store "1" that was always up.
    """
    polls = b"store_id,status,timestamp_utc\n1,active,2024-10-14 12:00:00 UTC\n"
    with LocalCloud(parameter_overrides={"CorsOrigin": ORIGIN}, api_key=KEY) as cloud:
        user = User(cloud, {"x-api-key": KEY})
        _ingest(user, sample | {"polls/one.csv": polls})
        yield user


def _ingest(user: User, files: Mapping[str, bytes]) -> None:
    for key, content in files.items():
        outcome = user.upload(f"{key}.gz", gzip.compress(content))
        assert outcome["status"] == "Committed", outcome

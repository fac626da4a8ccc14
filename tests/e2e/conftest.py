"""One local cloud with the real template, and what a user does with it."""

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

Answer = TypeVar("Answer")

# Only what never comes takes so long, however busy the machine.
_PATIENCE_SECONDS = 600
_LONGEST_PAUSE_SECONDS = 0.5
_KINDS = {
    "business_hours": "menu_hours.csv",
    "timezones": "store_timezones.csv",
    "polls": "store_status.csv",
}


@dataclass(frozen=True)
class User:
    """Uploads files and asks the API, as README tells users to."""

    cloud: LocalCloud
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def s3(self) -> Any:
        return self.cloud.client("s3")

    @cached_property
    def dynamodb(self) -> Any:
        return self.cloud.client("dynamodb")

    def upload(self, key: str, content: bytes) -> dict[str, Any]:
        """Upload a file and wait for what becomes of it."""
        version_id = self.put(key, content)
        return until(lambda: self.outcome(key, version_id))

    def put(self, key: str, content: bytes) -> str:
        """Upload a file; return its version."""
        bucket = self.cloud.outputs["InboxBucketName"]
        version_id: str = self.s3.put_object(Bucket=bucket, Key=key, Body=content)["VersionId"]
        return version_id

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> requests.Response:
        url = f"{self.cloud.api_url}{path}"
        headers = {**self.headers, **(headers or {})}
        return requests.request(method, url, headers=headers, timeout=30, **arguments)

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return self.ask("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        return self.ask("POST", path, **arguments)

    def trigger(self, **body: Any) -> str:
        answer = self.post("/trigger_report", json=body)
        assert answer.status_code == 202, answer.text
        assert answer.json()["status"] == "Running"
        return answer.json()["report_id"]

    def ended(self, report_id: str) -> dict[str, Any]:
        """Wait until a report is no longer Running; return the answer."""

        def ask() -> dict[str, Any] | None:
            answer = self.get(f"/get_report/{report_id}").json()
            return None if answer["status"] == "Running" else answer

        return until(ask)

    def report(self, **body: Any) -> bytes:
        """Make a report; return its CSV."""
        answer = self.ended(self.trigger(**body))
        assert answer["status"] == "Complete", answer
        return requests.get(answer["url"], timeout=30).content

    def outcome(self, key: str, version_id: str) -> dict[str, Any] | None:
        """Return what became of an upload for good, None if that is not known yet."""
        recorded = self.recorded(key, version_id)
        return None if recorded is None or recorded["status"] == "Retrying" else recorded

    def recorded(self, key: str, version_id: str) -> dict[str, Any] | None:
        """Return what is recorded of an upload."""
        item = self.dynamodb.get_item(
            TableName=self.cloud.outputs["IngestTableName"],
            Key={"log": {"S": f"uploads/{key}"}, "entry": {"S": version_id}},
            ConsistentRead=True,
        )
        values = item.get("Item", {})
        return {name: next(iter(value.values())) for name, value in values.items()} or None


def until(ask: Callable[[], Answer | None], patience_seconds: float = _PATIENCE_SECONDS) -> Answer:
    """Ask until there is an answer, ever less often, so as not to delay it by asking."""
    deadline = time.monotonic() + patience_seconds
    pause_seconds = 0.05
    while time.monotonic() < deadline:
        if (answer := ask()) is not None:
            return answer
        time.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 1.25, _LONGEST_PAUSE_SECONDS)
    raise TimeoutError(f"nothing came within {patience_seconds} seconds")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The small sample: upload keys and contents."""
    folder: Path = tmp_path_factory.mktemp("sample") / "small"
    write_sample(folder, shape=SMALL)
    return {f"{kind}/{name}": (folder / name).read_bytes() for kind, name in _KINDS.items()}


@pytest.fixture(scope="session")
def user(sample: dict[str, bytes]) -> Iterator[User]:
    """A user of a cloud that has ingested the small sample; shards are small, so there are some."""
    with LocalCloud(parameter_overrides={"ShardPolls": "1000000"}) as cloud:
        user = User(cloud)
        for key, content in sample.items():
            outcome = user.upload(f"{key}.gz", gzip.compress(content))
            assert outcome["status"] == "Committed", outcome
        yield user

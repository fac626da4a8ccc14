"""A client of the system: uploads files, starts a report, waits for it and downloads it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client

from local.cli.inputs import InputFile

_POLL_INTERVAL_SECONDS = 0.1
_INGEST_TIMEOUT_SECONDS = 900
_REPORT_TIMEOUT_SECONDS = 900
_HTTP_TIMEOUT_SECONDS = 30


class RunFailedError(Exception):
    """An upload or a report failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """The outcome of an upload."""

    status: str
    rows: int
    rejected: int
    rejects_key: str | None
    partial_stores: int
    partial_store_ids: tuple[str, ...]
    seconds: float


class Uploader:
    """Uploads files to the inbox and waits until they are ingested."""

    def __init__(self, s3: S3Client, inbox: str, dynamodb: DynamoDBClient, ingest_table: str):
        self._s3 = s3
        self._inbox = inbox
        self._dynamodb = dynamodb
        self._ingest_table = ingest_table

    def upload(self, file: InputFile) -> Ingested:
        """Upload a file and wait until it is ingested.

        Raises
        ------
        RunFailedError
            If the file is rejected as a whole, or has no outcome in time.
        """
        began = time.monotonic()
        version_id = self._put(file)
        outcome = _until(
            lambda: self._outcome(file.key, version_id),
            _INGEST_TIMEOUT_SECONDS,
            f"{file.path.name} was not ingested",
        )
        if "error" in outcome:
            raise RunFailedError(f"{file.path.name} was rejected: {outcome['error']['S']}")
        return Ingested(
            status=outcome["status"]["S"],
            rows=int(outcome["rows"]["N"]),
            rejected=int(outcome["rejected"]["N"]),
            rejects_key=outcome["rejects_key"]["S"] if "rejects_key" in outcome else None,
            partial_stores=int(outcome.get("partial_stores", {"N": "0"})["N"]),
            partial_store_ids=tuple(
                each["S"] for each in outcome.get("partial_store_ids", {"L": []})["L"]
            ),
            seconds=time.monotonic() - began,
        )

    def _put(self, file: InputFile) -> str:
        """Upload a file; return its version id."""
        # A signed request hashes its body, which takes as long as sending it; a presigned one
        # does not.
        target = {"Bucket": self._inbox, "Key": file.key}
        url = self._s3.generate_presigned_url("put_object", Params=target)
        with file.path.open("rb") as body:
            response = requests.put(url, data=body, timeout=_INGEST_TIMEOUT_SECONDS)
        response.raise_for_status()
        return response.headers["x-amz-version-id"]

    def _outcome(self, key: str, version_id: str) -> dict[str, Any] | None:
        """Return the final outcome of an upload, None if there is none yet."""
        response = self._dynamodb.get_item(
            TableName=self._ingest_table,
            Key={"log": {"S": f"uploads/{key}"}, "entry": {"S": version_id}},
            ConsistentRead=True,
        )
        outcome = response.get("Item")
        return None if outcome is None or outcome["status"]["S"] == "Retrying" else outcome


class ReportClient:
    """A client of the HTTP API."""

    def __init__(self, api_url: str, api_key: str | None = None) -> None:
        self._api_url = api_url
        self._http = requests.Session()
        if api_key is not None:
            self._http.headers["x-api-key"] = api_key

    def trigger(self, as_of: str | None, formats: Sequence[str] = ()) -> str:
        """Start a report; return its id."""
        body: dict[str, Any] = {} if as_of is None else {"as_of": as_of}
        if formats:
            body["formats"] = list(formats)
        report_id: str = self._request("POST", "/trigger_report", json=body)["report_id"]
        return report_id

    def follow(self, report_id: str) -> Iterator[dict[str, Any]]:
        """Yield the report's current state until it is complete.

        Raises
        ------
        RunFailedError
            If the report failed, or takes too long.
        """
        deadline = time.monotonic() + _REPORT_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            report = self._request("GET", f"/get_report/{report_id}")
            if report["status"] == "Failed":
                error = report["error"]
                raise RunFailedError(f"the report failed: {error['code']}: {error['message']}")
            yield report
            if report["status"] == "Complete":
                return
            time.sleep(_POLL_INTERVAL_SECONDS)
        raise RunFailedError(f"the report was not complete after {_REPORT_TIMEOUT_SECONDS} seconds")

    def download(self, url: str, path: Path) -> None:
        """Save the content of a presigned URL."""
        with requests.get(url, stream=True, timeout=_HTTP_TIMEOUT_SECONDS) as response:
            response.raise_for_status()
            with path.open("wb") as file:
                for chunk in response.iter_content(1024 * 1024):
                    file.write(chunk)

    def _request(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        url = f"{self._api_url}{path}"
        response = self._http.request(method, url, timeout=_HTTP_TIMEOUT_SECONDS, **arguments)
        if not response.ok:
            raise RunFailedError(f"{method} {path}: {response.status_code}: {response.text}")
        body: dict[str, Any] = response.json()
        return body


def _until(
    read: Callable[[], dict[str, Any] | None], timeout_seconds: float, problem: str
) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if (found := read()) is not None:
            return found
        time.sleep(_POLL_INTERVAL_SECONDS)
    raise RunFailedError(f"{problem} within {timeout_seconds} seconds")

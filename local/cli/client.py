"""A client of the HTTP API: uploads files, makes reports and downloads them."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry, encode_multipart_formdata

from local import LocalError
from local.cli.inputs import InputFile
from store_monitoring.ingest.outcomes import UploadStatus
from store_monitoring.reports.report import Status

TIMEOUT_SECONDS = 900
"""After this time, an upload without an outcome and a report that still runs are given up."""

_HTTP_TIMEOUT_SECONDS = 30
_TRANSFER_TIMEOUT_SECONDS = 900
_CHUNK_BYTES = 1024 * 1024
_MIN_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.1, 2.0
# Calls that change nothing are sent again when the API is busy; `Retry-After` says when.
_RETRY_WHEN_BUSY = Retry(
    connect=0,
    read=0,
    status=4,
    status_forcelist=(429, 503),
    allowed_methods={"GET"},
    backoff_factor=0.5,
    raise_on_status=False,
)


class RunFailedError(LocalError):
    """An upload, a report or a call failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """The outcome of an upload.

    Attributes
    ----------
    status : str
    rows, rejected : int
        Numbers of rows.
    rejects : str or None
        Where the rejected rows are.
    partial_stores : int
        Number of stores with rejected rows of hours or zones.
    partial_store_ids : tuple of str
        The first of them.
    seconds : float
        From the start of the upload to its outcome.
    """

    status: str
    rows: int
    rejected: int
    rejects: str | None
    partial_stores: int
    partial_store_ids: tuple[str, ...]
    seconds: float


class ApiClient:
    """A client of the HTTP API.

    Parameters
    ----------
    api_url
        The API's address.
    api_key
        The key for the routes that require one.
    """

    def __init__(self, api_url: str, api_key: str | None = None) -> None:
        self.api_url = api_url.rstrip("/")
        self._http = requests.Session()
        self._http.mount(self.api_url, HTTPAdapter(max_retries=_RETRY_WHEN_BUSY))
        if api_key is not None:
            self._http.headers["x-api-key"] = api_key

    def trigger(self, **request: Any) -> str:
        """Start a report of a request's fields, such as ``as_of``, if not None; return its id."""
        body = {name: value for name, value in request.items() if value is not None}
        report_id: str = self.call("POST", "/trigger_report", json=body)["report_id"]
        return report_id

    def follow(self, report_id: str) -> Iterator[dict[str, Any]]:
        """Yield the report's current state until it is complete.

        Raises
        ------
        RunFailedError
            If the report failed, or takes too long.
        """
        for _ in pauses(f"report {report_id} was not complete"):
            report = self.call("GET", f"/get_report/{report_id}")
            if report["status"] == Status.FAILED:
                error = report["error"]
                raise RunFailedError(f"the report failed: {error['code']}: {error['message']}")
            yield report
            if report["status"] == Status.COMPLETE:
                return

    def wait(self, report_id: str) -> dict[str, Any]:
        """Wait until the report is complete, and return it.

        Raises
        ------
        RunFailedError
            If the report failed, or takes too long.
        """
        *_, report = self.follow(report_id)
        return report

    def upload(self, file: InputFile, on_sent: Callable[[int], None]) -> Ingested:
        """Upload a file and wait until it is ingested.

        Parameters
        ----------
        file
            The file.
        on_sent
            Is called with the number of bytes after each piece that is sent.

        Raises
        ------
        RunFailedError
            If the file is too large, is rejected as a whole, or has no outcome in time.
        """
        began = time.monotonic()
        name, size = file.path.name, file.path.stat().st_size
        upload = self.call("POST", "/uploads", json={"kind": file.kind, "filename": name})
        if size > (limit := upload["limit_bytes"]):
            raise RunFailedError(
                f"{name} has {size:,} bytes, and an upload may have {limit:,}: "
                "compress it with gzip, or split it"
            )
        with file.path.open("rb") as content:
            form = _Form(upload["fields"], content, size, on_sent)
            response = requests.post(
                upload["url"],
                data=form,
                headers={"Content-Type": form.content_type},
                timeout=_TRANSFER_TIMEOUT_SECONDS,
            )
        if not response.ok:
            raise RunFailedError(f"{name} was not accepted: {response.status_code}")
        for _ in pauses(f"{name} was not ingested"):
            outcome = self.call("GET", f"/uploads/{upload['upload_id']}")
            if outcome["status"] == UploadStatus.FAILED:
                raise RunFailedError(f"{name} was rejected: {outcome['reason']}")
            if outcome["status"] in (UploadStatus.COMMITTED, UploadStatus.UNCHANGED):
                break
        partial = outcome.get("stores_with_rejected_rows", {"count": 0, "store_ids": []})
        return Ingested(
            outcome["status"],
            outcome["rows"],
            outcome["rejected"],
            outcome.get("rejects_url"),
            partial["count"],
            tuple(partial["store_ids"]),
            time.monotonic() - began,
        )

    def download(self, url: str, path: Path) -> None:
        """Save the content of a presigned URL."""
        with requests.get(url, stream=True, timeout=_HTTP_TIMEOUT_SECONDS) as response:
            response.raise_for_status()
            with path.open("wb") as file:
                for chunk in response.iter_content(_CHUNK_BYTES):
                    file.write(chunk)

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Call the API; return the JSON of its response.

        Raises
        ------
        RunFailedError
            If the API does not respond or refuses the call; the message says what to do.
        """
        url = f"{self.api_url}{path}"
        try:
            response = self._http.request(method, url, timeout=_HTTP_TIMEOUT_SECONDS, **arguments)
            body: dict[str, Any] = response.json()
        except requests.JSONDecodeError:
            raise RunFailedError(
                f"{self.api_url} is not this API: {path} returned {response.status_code} "
                "and no JSON; check the address"
            ) from None
        except (requests.ConnectionError, requests.Timeout):
            raise RunFailedError(
                f"nothing responds at {self.api_url}: start the local cloud with "
                "`store-monitoring serve`, or name a deployed API with --url"
            ) from None
        if response.ok:
            return body
        error = body["error"]
        message = f"{path}: {error['message']} ({response.status_code} {error['code']})"
        if response.status_code == requests.codes.forbidden:
            message += "; give the API's key in STORE_MONITORING_KEY or with --key"
        raise RunFailedError(message)


class _Form:
    """The body of a presigned POST: a form that ends with a file, which is read as it is sent."""

    def __init__(
        self,
        fields: Mapping[str, str],
        file: BinaryIO,
        size: int,
        on_sent: Callable[[int], None],
    ) -> None:
        placeholder = secrets.token_hex(16).encode()
        body, self.content_type = encode_multipart_formdata(
            [*fields.items(), ("file", ("file", placeholder))]
        )
        self._head, self._tail = body.split(placeholder)
        self._file, self._size, self._on_sent = file, size, on_sent

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        while chunk := self._file.read(_CHUNK_BYTES):
            yield chunk
            self._on_sent(len(chunk))
        yield self._tail


def pauses(problem: str) -> Iterator[None]:
    """Yield until it has taken too long; pause between, for longer the longer it takes.

    Raises
    ------
    RunFailedError
        After `TIMEOUT_SECONDS`.
    """
    began = time.monotonic()
    while (waited_seconds := time.monotonic() - began) < TIMEOUT_SECONDS:
        yield
        time.sleep(min(max(_MIN_PAUSE_SECONDS, waited_seconds / 20), _MAX_PAUSE_SECONDS))
    raise RunFailedError(f"{problem} within {TIMEOUT_SECONDS} seconds")

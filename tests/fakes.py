"""The ports' in-memory sides: quick, and without a network."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from pyarrow import fs

from store_monitoring.adapters.arrow_tables import ArrowTables
from store_monitoring.errors import CommitConflict, IdempotencyKeyReused, TransientError
from store_monitoring.instants import to_text, to_us
from store_monitoring.use_cases.events import Event
from store_monitoring.use_cases.idempotency import IdempotencyKey
from store_monitoring.use_cases.ports import (
    Commit,
    Head,
    PollsFile,
    StoresFile,
    Told,
    UploadOutcome,
)
from store_monitoring.use_cases.report import Failure, Report, ReportRequest, Status
from store_monitoring.use_cases.report_page import PageRequest, Place, ReportPage


class FolderTables(ArrowTables):
    """The real adapter over a local folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem()))
        self.folder = folder

    @contextmanager
    def open_output(self, key: str) -> Iterator[IO[bytes]]:
        (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
        with super().open_output(key) as stream:
            yield stream


@dataclass
class FolderFiles:
    """A report's objects in a local folder."""

    folder: Path

    def write_json(self, key: str, value: object) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))

    def create_json(self, key: str, value: object) -> bool:
        if (self.folder / key).exists():
            return False
        self.write_json(key, value)
        return True

    def read_json(self, key: str) -> object:
        return json.loads((self.folder / key).read_text())

    def count(self, prefix: str) -> int:
        return len(list(self.folder.glob(f"{prefix}*")))

    def presigned_url(self, key: str, filename: str) -> str:
        return f"https://bucket.example/{key}?filename={filename}"


@dataclass
class MemoryLog:
    """An ingest log that keeps all its versions."""

    heads: list[Head] = field(default_factory=lambda: [Head(0, {}, None, {})])
    commits: list[Commit] = field(default_factory=list)
    uploads: dict[str, UploadOutcome] = field(default_factory=dict)

    def head(self) -> Head:
        return self.heads[-1]

    def is_committed(self, kind: str, ingest_id: str) -> bool:
        return any((kind, ingest_id) == (commit.kind, commit.ingest_id) for commit in self.commits)

    def commit(self, head: Head, new_stores: Sequence[StoresFile], commit: Commit) -> None:
        if head.version != self.heads[-1].version:
            raise CommitConflict(f"version {head.version} is not current")
        greatest = [file.greatest_us for file in commit.polls]
        if head.greatest_us is not None:
            greatest.append(head.greatest_us)
        self.heads.append(
            Head(
                head.version + 1,
                head.stores | {file.bucket: file for file in new_stores},
                max(greatest, default=None),
                head.latest | {commit.kind: commit.ingest_id},
            )
        )
        self.commits.append(commit)

    def polls(self, version: int, least_us: int, greatest_us: int) -> list[PollsFile]:
        files = [file for commit in self.commits[:version] for file in commit.polls]
        return [f for f in files if f.greatest_us >= least_us and f.least_us <= greatest_us]

    def record_upload(self, outcome: UploadOutcome) -> None:
        self.uploads[outcome.key] = outcome

    def upload(self, key: str) -> UploadOutcome | None:
        return self.uploads.get(key)


@dataclass
class MemoryReports:
    """A table of reports."""

    reports: dict[str, Report] = field(default_factory=dict)
    keys: dict[str, tuple[str, str, datetime]] = field(default_factory=dict)

    def claim(self, key: IdempotencyKey, report_id: str, now: datetime) -> str:
        claimed = self.keys.get(key.digest)
        if claimed is None or now >= claimed[2]:
            claimed = (report_id, key.request_digest, now + timedelta(hours=24))
            self.keys[key.digest] = claimed
        stands_for, request_digest, _ = claimed
        if request_digest != key.request_digest:
            raise IdempotencyKeyReused("this Idempotency-Key came with another request before")
        return stands_for

    def release(self, key: IdempotencyKey) -> None:
        del self.keys[key.digest]

    def add(self, report: Report, request: ReportRequest) -> Report:
        return self.reports.setdefault(report.report_id, report)

    def get(self, report_id: str) -> Report | None:
        return self.reports.get(report_id)

    def fail(self, execution: str, failure: Failure, ended_at: datetime) -> None:
        for report in self.reports.values():
            if report.execution == execution and report.status is Status.RUNNING:
                self.reports[report.report_id] = replace(
                    report, status=Status.FAILED, failure=failure, ended_at=ended_at
                )

    def restart(self, failed: Report, now: datetime) -> Report:
        if self.reports[failed.report_id] == failed:
            self.reports[failed.report_id] = replace(
                failed,
                status=Status.RUNNING,
                attempt=failed.attempt + 1,
                restarted_at=now,
                failure=None,
                ended_at=None,
            )
        return self.reports[failed.report_id]

    def newest(self, page: PageRequest) -> ReportPage:
        def place(report: Report) -> Place:
            return Place(to_text(to_us(report.started_at)), report.report_id)

        reports = sorted(self.reports.values(), key=lambda report: report.started_at, reverse=True)
        if page.after is not None:
            reports = [each for each in reports if place(each).started_at < page.after.started_at]
        shown = tuple(reports[: page.limit])
        return ReportPage(shown, place(shown[-1]) if len(shown) < len(reports) else None)


@dataclass
class MemoryExecutions:
    """Executions that start, or fail to, as they are told."""

    start_error: Exception | None = None
    failures: dict[str, Failure] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    def start(self, report: Report) -> None:
        if self.start_error:
            raise self.start_error
        self.started.append(report.execution)

    def failure(self, execution: str) -> Failure | None:
        return self.failures.get(execution)


@dataclass
class MemoryLastTold:
    """The last report that was told, and one that another tells in the meantime, if any."""

    told: Told | None = None
    meanwhile: Told | None = None

    def get(self) -> Told | None:
        return self.told

    def advance(self, before: Told | None, after: Told) -> None:
        self.told, self.meanwhile = self.meanwhile or self.told, None
        if self.told != before:
            raise TransientError("another report was told at the same time")
        self.told = after


@dataclass
class RecordedEvents:
    """Events that are published, or not, as it is told."""

    error: Exception | None = None
    events: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> None:
        if self.error:
            raise self.error
        self.events += events

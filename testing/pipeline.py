"""From an upload to a report without AWS: objects in a local folder, the ingest log in memory."""

import csv
import io
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from store_monitoring.domain.parameters import (
    DAY_US,
    DEFAULT_COVERAGE_US,
    DEFAULT_TARGET_PERCENT,
    MINUTE_US,
    Period,
    PollFilter,
)
from store_monitoring.history import HistoryRequest, read_history
from store_monitoring.http.timeline_responses import history_body, timeline_body
from store_monitoring.ingest.deadline import Deadline
from store_monitoring.ingest.ingest_file import ingest_file
from store_monitoring.ingest.outcomes import Upload, UploadOutcome
from store_monitoring.instants import from_text
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.planner import plan_report
from store_monitoring.reports.report import Report, Status
from store_monitoring.reports.request import ReportRequest
from store_monitoring.reports.shard import compute_shard
from store_monitoring.storage.keys import plan_key, report_key, request_key
from store_monitoring.timeline import TimelineRequest, read_timeline
from testing.fakes import FolderFiles, FolderTables, MemoryLog, MemoryReports

CLOCK_TIME = datetime(2024, 10, 15, tzinfo=UTC)
ALL_TIME_US = (-(2**62), 2**62)

HoursRows = set[tuple[int, timedelta, timedelta]]


@dataclass
class Pipeline:
    """Ingests files and makes reports as the functions do."""

    folder: Path
    bucket_count: int = 4
    log: MemoryLog = field(default_factory=MemoryLog)
    reports: MemoryReports = field(default_factory=MemoryReports)
    seconds: float = 900

    @property
    def tables(self) -> FolderTables:
        """Return the Parquet tables in the folder."""
        return FolderTables(self.folder)

    def ingest(
        self,
        key: str,
        content: str | bytes | io.BufferedIOBase,
        etag: str = "etag",
        uploaded_at: datetime = CLOCK_TIME,
        version_id: str | None = None,
        future_tolerance: timedelta = timedelta(0),
    ) -> UploadOutcome:
        """Ingest an upload with this content; without `version_id`, it is a new version."""
        if isinstance(content, str):
            content = content.encode()
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        return ingest_file(
            Upload(key, etag, uploaded_at, version_id or str(uuid4())),
            stream,
            self.bucket_count,
            Deadline.within(self.seconds),
            lambda: CLOCK_TIME,
            self.tables,
            self.log,
            self.log.uploads,
            future_tolerance=future_tolerance,
        )

    def polls(self) -> list[tuple[str, datetime, bool]]:
        """Return all polls that are committed, sorted."""
        files = self.log.polls(self.log.snapshot().version, *ALL_TIME_US)
        polls = self.tables.read_polls(files, *ALL_TIME_US)
        return sorted(tuple(poll.values()) for poll in polls.to_pylist())

    def zones(self) -> dict[str, str | None]:
        """Return the zone of each store."""
        return {store["store_id"]: store["timezone"] for store in self._stores().to_pylist()}

    def hours(self) -> dict[str, HoursRows | None]:
        """Return the weekly hours of each store."""
        return {
            store["store_id"]: store["hours"]
            and {
                (
                    row["day"],
                    *(timedelta(microseconds=row[name]) for name in ("start_us", "end_us")),
                )
                for row in store["hours"]
            }
            for store in self._stores().to_pylist()
        }

    def calendar(self, column: str) -> dict[str, list[tuple[Any, ...]] | None]:
        """Return the special hours or exclusions of each store: rows of values."""
        return {
            store["store_id"]: store[column] and [tuple(row.values()) for row in store[column]]
            for store in self._stores().to_pylist()
        }

    def attributes(self) -> dict[str, dict[str, Any] | None]:
        """Return the attributes of each store; the free ones are a dict under `values`."""
        return {
            store["store_id"]: store["attributes"]
            and store["attributes"] | {"values": dict(store["attributes"]["values"])}
            for store in self._stores().to_pylist()
        }

    def rejects(self, outcome: UploadOutcome) -> list[dict[str, str]]:
        """Return the rows that an ingest rejected: line, reason and text."""
        assert outcome.rejects_key is not None
        with (self.folder / outcome.rejects_key).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def files(self) -> set[str]:
        """Return the keys of all objects."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)) for path in paths}

    def plan(
        self,
        report_id: str = "r",
        request: ReportRequest | None = None,
        memory_days: int = 14,
        shard_polls: int = 50_000_000,
        publish_changes: bool = False,
        coverage_minutes: int = 120,
    ) -> Plan:
        """Plan a report; delete an earlier one with the same ID."""
        shutil.rmtree(self.folder / "reports" / report_id, ignore_errors=True)
        files = FolderFiles(self.folder)
        files.write_json(request_key(report_id), (request or ReportRequest()).to_json())
        return plan_report(
            report_id,
            memory_days * DAY_US,
            coverage_minutes * MINUTE_US,
            DEFAULT_TARGET_PERCENT,
            shard_polls,
            self.bucket_count,
            self.log,
            files,
            publish_changes=publish_changes,
            inline_shards=40,
        )

    def report(
        self,
        request: ReportRequest | None = None,
        memory_days: int = 14,
        shard_polls: int = 50_000_000,
        report_id: str = "r",
    ) -> bytes:
        """Plan a report, compute its shards, merge them, and return the CSV."""
        plan = self.plan(report_id, request, memory_days, shard_polls)
        if len(plan.shards) > 1:  # as the state machine does
            for shard in plan.shards:
                compute_shard(report_id, shard.shard, self.tables)
        merge_report(report_id, self.tables)
        self.reports.reports[report_id] = Report(report_id, Status.COMPLETE, CLOCK_TIME)
        return (self.folder / report_key(report_id, "csv")).read_bytes()

    def timeline(self, store_id: str, **query: str) -> dict[str, Any]:
        """Request a store's timeline with these query parameters; return the response body."""
        instants = (query.pop(name, None) for name in ("as_of", "from", "to"))
        as_of_us, from_us, to_us = (None if text is None else from_text(text) for text in instants)
        report_id, poll_filter = query.pop("report_id", None), query.pop("poll_filter", None)
        assert not query
        request = TimelineRequest(
            store_id,
            report_id,
            as_of_us,
            None if poll_filter is None else PollFilter(poll_filter),
            from_us,
            to_us,
        )
        view = read_timeline(
            request,
            14 * DAY_US,
            DEFAULT_COVERAGE_US,
            self.bucket_count,
            self.reports,
            self.log,
            self.tables,
        )
        return dict(timeline_body(view))

    def history(self, store_id: str, period: Period, **options: PollFilter) -> dict[str, Any]:
        """Request a store's history; return the response body."""
        history = read_history(
            HistoryRequest(store_id, period, **options),
            14 * DAY_US,
            DEFAULT_COVERAGE_US,
            self.bucket_count,
            self.log,
            self.tables,
        )
        return dict(history_body(history))

    def _stores(self) -> pa.Table:
        return self.tables.read_stores(list(self.log.snapshot().stores.values()))


def plan_with_outages(pipeline: Pipeline, request: ReportRequest | None = None) -> None:
    """Plan a report whose shards also write all outages."""
    plan = replace(pipeline.plan(request=request), include_outages=True)
    FolderFiles(pipeline.folder).write_json(plan_key(plan.report_id), plan.to_json())

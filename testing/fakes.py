"""Fakes of the ports, in memory or in a local folder, without a network."""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import pyarrow as pa
from pyarrow import fs

from store_monitoring.aws.arrow_tables import ArrowTables
from store_monitoring.errors import (
    CommitConflictError,
    IdempotencyKeyReusedError,
    MissingObjectError,
    OutcomeRecordedError,
    SupersededUploadError,
    TransientError,
    UnknownReportError,
)
from store_monitoring.ingest.outcomes import (
    UnusedPost,
    Upload,
    UploadCursor,
    UploadOutcome,
    UploadPage,
)
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.ports import (
    Commit,
    Committed,
    Compacted,
    ManifestEntry,
    Replacement,
    Reversal,
    Snapshot,
    StoresChange,
)
from store_monitoring.instants import to_text, to_us
from store_monitoring.notifications.events import Event
from store_monitoring.notifications.store_changes import Checkpoint
from store_monitoring.reports.ports import Cursor, PageRequest, ReportPage
from store_monitoring.reports.report import Failure, Report, Status
from store_monitoring.reports.request import IdempotencyKey, ReportRequest
from store_monitoring.storage.ports import PollsFile, StoresFile, WrittenPolls


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
class CountingBucket:
    """A bucket that counts the bytes read of each object."""

    bucket: fs.FileSystem
    bytes_read: dict[str, int] = field(default_factory=dict)

    def open_input_file(self, key: str) -> pa.PythonFile:
        """Open an object for reading, with seeks."""
        self.bytes_read.setdefault(key, 0)
        return pa.PythonFile(_CountingFile(self.bucket.open_input_file(key), key, self), "r")

    open_input_stream = open_input_file

    def open_output_stream(self, key: str) -> pa.NativeFile:
        """Open an object for writing; the bytes written are not counted."""
        return self.bucket.open_output_stream(key)


class _CountingFile(io.RawIOBase):
    def __init__(self, file: pa.NativeFile, key: str, bucket: CountingBucket) -> None:
        self._file = file
        self._key = key
        self._bucket = bucket

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def read(self, size: int = -1, /) -> bytes:
        content: bytes = self._file.read(None if size < 0 else size)
        self._bucket.bytes_read[self._key] += len(content)
        return content


class CountingTables(FolderTables):
    """Tables in a local folder that count the bytes read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._bucket = self._counting = CountingBucket(self._bucket)

    @property
    def bytes_read(self) -> int:
        return sum(self._counting.bytes_read.values())

    def bytes_read_of(self, key: str) -> int:
        return self._counting.bytes_read.get(key, 0)


@dataclass
class FolderObjects:
    """Deletes objects in a local folder."""

    folder: Path

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            (self.folder / key).unlink(missing_ok=True)


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

    def read_start(self, key: str, size: int) -> bytes:
        try:
            return (self.folder / key).read_bytes()[:size]
        except FileNotFoundError as error:
            raise MissingObjectError(key) from error

    def count(self, prefix: str) -> int:
        return len(list(self.folder.glob(f"{prefix}*")))

    def presigned_url(self, key: str, filename: str) -> str:
        return f"https://bucket.example/{key}?filename={filename}"

    def presigned_page_url(self, key: str) -> str:
        return f"https://bucket.example/{key}?inline"


@dataclass
class MemoryUploads:
    """The outcomes of uploads, and unused presigned POSTs."""

    outcomes: dict[tuple[str, str], UploadOutcome] = field(default_factory=dict)
    posts: dict[str, UnusedPost] = field(default_factory=dict)

    def get(self, upload: Upload) -> UploadOutcome | None:
        return self.outcomes.get((upload.key, upload.version))

    def record(self, outcome: UploadOutcome) -> UploadOutcome:
        upload = (outcome.key, outcome.version)
        if self.may_record(outcome):
            self.outcomes[upload] = outcome
            self.posts.pop(outcome.key, None)
        return self.outcomes[upload]

    def may_record(self, outcome: UploadOutcome) -> bool:
        recorded = self.outcomes.get((outcome.key, outcome.version))
        if recorded is None or not recorded.is_final:
            return True
        return recorded.can_be_redriven and outcome.is_final

    def of_key(self, key: str) -> list[UploadOutcome]:
        outcomes = [outcome for outcome in self.outcomes.values() if outcome.key == key]
        return sorted(
            outcomes,
            key=lambda each: (each.uploaded_at or each.ended_at, each.version),
            reverse=True,
        )

    def issue(self, post: UnusedPost) -> None:
        self.posts[post.key] = post

    def unused_post(self, key: str) -> UnusedPost | None:
        return self.posts.get(key)

    def newest(self, limit: int, after: UploadCursor | None = None) -> UploadPage:
        entries: list[tuple[UploadCursor, UploadOutcome | UnusedPost]] = [
            (UploadCursor(to_text(to_us(post.issued_at)), post.key, "form"), post)
            for post in self.posts.values()
        ]
        for outcome in self.outcomes.values():
            at = to_text(to_us(outcome.uploaded_at or outcome.ended_at))
            entries.append((UploadCursor(at, outcome.key, outcome.version), outcome))
        entries.sort(key=lambda entry: astuple(entry[0]), reverse=True)
        rest = [entry for entry in entries if after is None or astuple(entry[0]) < astuple(after)]
        end = rest[limit - 1][0] if len(rest) > limit else None
        return UploadPage(tuple(entry for _, entry in rest[:limit]), end)


@dataclass
class MemoryInbox:
    """Uploaded objects, by key and version."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def open(self, upload: Upload) -> io.BufferedIOBase:
        try:
            return io.BytesIO(self.objects[upload.key, upload.version])
        except KeyError:
            raise SupersededUploadError(
                f"{upload.key} was replaced or removed before it was read"
            ) from None

    def exists(self, key: str) -> bool:
        return any(each == key for each, _ in self.objects)


@dataclass
class MemoryLog:
    """An ingest log that keeps all its versions."""

    snapshots: list[Snapshot] = field(default_factory=lambda: [Snapshot(0, {}, None)])
    commits: list[Commit] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    uploads: MemoryUploads = field(default_factory=MemoryUploads)
    replaced_in: dict[str, int] = field(default_factory=dict)
    replacements: dict[tuple[datetime, str], list[str]] = field(default_factory=dict)
    compaction_of: dict[str, str] = field(default_factory=dict)
    stale_ids: set[str] = field(default_factory=set)
    known: dict[tuple[str, str], Committed] = field(default_factory=dict)
    changes: dict[tuple[str, str], list[StoresChange]] = field(default_factory=dict)
    taken_back: dict[tuple[str, str], list[StoresChange]] = field(default_factory=dict)

    def snapshot(self) -> Snapshot:
        return self.snapshots[-1]

    def committed(self, kind: str, ingest_id: str) -> Committed | None:
        return self.known.get((kind, ingest_id))

    def commit(
        self,
        snapshot: Snapshot,
        new_stores: Sequence[StoresFile],
        commit: Commit,
        outcome: UploadOutcome | None = None,
    ) -> None:
        if outcome is not None and not self.uploads.may_record(outcome):
            raise OutcomeRecordedError("the outcome of the upload is already recorded")
        if snapshot.version != self.snapshots[-1].version:
            raise CommitConflictError(f"version {snapshot.version} is not current")
        if outcome is not None:
            self.uploads.record(outcome)
        timestamps_us = [file.max_timestamp_us for file in commit.polls_files]
        if snapshot.max_timestamp_us is not None:
            timestamps_us.append(snapshot.max_timestamp_us)
        stores = snapshot.stores | {file.bucket: file for file in new_stores}
        self._advance(
            snapshot, Snapshot(snapshot.version + 1, stores, max(timestamps_us, default=None))
        )
        self._add(commit)
        if new_stores:
            before = {file.bucket: snapshot.stores.get(file.bucket) for file in new_stores}
            change = StoresChange(snapshot.version + 1, commit.uploaded_at, before)
            self.changes.setdefault((commit.kind, commit.ingest_id), []).append(change)

    def replace(self, snapshot: Snapshot, ingest_ids: Sequence[str], compaction: Commit) -> None:
        if self.replaced_in.keys() & set(ingest_ids):
            raise CommitConflictError("an ingest is already replaced")
        self._advance(snapshot, replace(snapshot, version=snapshot.version + 1))
        self._add(compaction, is_compaction=True)
        self.replaced_in |= dict.fromkeys(ingest_ids, self.snapshots[-1].version)
        self.compaction_of |= dict.fromkeys(ingest_ids, compaction.ingest_id)
        self.replacements[compaction.committed_at, compaction.ingest_id] = list(ingest_ids)

    def take_back(
        self, snapshot: Snapshot, new_stores: Sequence[StoresFile], reversal: Reversal
    ) -> None:
        removed_ids = {reversal.ingest_id, *reversal.stale_ids}
        max_timestamp_us = snapshot.max_timestamp_us
        if reversal.kind == Kind.POLLS:
            current = [
                file.max_timestamp_us
                for commit in self.commits
                if commit.ingest_id not in removed_ids | self.replaced_in.keys()
                for file in commit.polls_files
            ]
            if reversal.compaction is not None:
                current += [file.max_timestamp_us for file in reversal.compaction.polls_files]
            max_timestamp_us = max(current, default=None)
        stores = snapshot.stores | {file.bucket: file for file in new_stores}
        self._advance(snapshot, Snapshot(snapshot.version + 1, stores, max_timestamp_us))
        del self.known[reversal.kind, reversal.ingest_id]
        if reversal.kind == Kind.POLLS:
            self.replaced_in.setdefault(reversal.ingest_id, snapshot.version + 1)
        if reversal.compaction is not None:
            last_stale_id = reversal.stale_ids[-1]
            self._add(reversal.compaction, is_compaction=True)
            self.replaced_in[last_stale_id] = snapshot.version + 1
            self.compaction_of[last_stale_id] = reversal.compaction.ingest_id
            compaction = reversal.compaction.committed_at, reversal.compaction.ingest_id
            self.replacements[compaction] = [last_stale_id]
            self.stale_ids |= set(reversal.stale_ids)
        self.taken_back[reversal.kind, reversal.ingest_id] = list(
            self.changes.get((reversal.kind, reversal.ingest_id), ())
        )

    def is_current(self, ingest_id: str, key: str) -> bool | None:
        for commit in self.commits:
            if commit.ingest_id == ingest_id and key in [file.key for file in commit.polls_files]:
                return ingest_id not in self.replaced_in
        return None

    def rewrite(
        self,
        snapshot: Snapshot,
        ingest_id: str,
        key: str,
        written: WrittenPolls | None,
        deleted: Counter[int],
    ) -> None:
        if self.is_current(ingest_id, key) is None:
            raise CommitConflictError(f"{key} is no longer in the log")
        self._advance(snapshot, replace(snapshot, version=snapshot.version + 1))
        for index, commit in enumerate(self.commits):
            if commit.ingest_id == ingest_id:
                kept = tuple(each for each in commit.written if each.file.key != key)
                kept += (written,) if written is not None else ()
                rows = sum(each.file.rows for each in kept)
                self.commits[index] = replace(commit, written=kept, rows=rows)
        current = [
            file.max_timestamp_us
            for commit in self.commits
            if commit.ingest_id not in self.replaced_in
            for file in commit.polls_files
        ]
        latest = replace(self.snapshots[-1], max_timestamp_us=max(current, default=None))
        self.snapshots[-1] = latest

    def replace_stores(self, snapshot: Snapshot, new_stores: Sequence[StoresFile]) -> None:
        stores = snapshot.stores | {file.bucket: file for file in new_stores}
        self._advance(snapshot, replace(snapshot, version=snapshot.version + 1, stores=stores))

    def has_entry(self, kind: str, ingest_id: str) -> bool:
        return any((kind, ingest_id) == (commit.kind, commit.ingest_id) for commit in self.commits)

    def replaced_by(self, ingest_id: str) -> str | None:
        return self.compaction_of.get(ingest_id)

    def compacted(self, compaction_id: str) -> Compacted | None:
        for (_, each), ingest_ids in self.replacements.items():
            if each == compaction_id and all(self.has_entry("polls", id_) for id_ in ingest_ids):
                ingests = [
                    _manifest_entry(commit)
                    for commit in self.commits
                    if self.compaction_of.get(commit.ingest_id) == each
                    and ("polls", commit.ingest_id) in self.known
                ]
                return Compacted(tuple(ingests), frozenset(self.stale_ids))
        return None

    def stores_changes(self, kind: str, ingest_id: str) -> list[StoresChange]:
        return self.changes.get((kind, ingest_id), [])

    def taken_back_changes(self, kind: str) -> list[StoresChange]:
        return [
            change
            for (each, _), changes in self.taken_back.items()
            if each == kind
            for change in changes
        ]

    def replaced_before(self, when: datetime) -> list[Replacement]:
        return [
            Replacement(
                compaction_id,
                tuple(
                    file.key
                    for commit in self.commits
                    if commit.ingest_id in ingest_ids
                    and self.compaction_of.get(commit.ingest_id) == compaction_id
                    for file in commit.polls_files
                ),
            )
            for (at, compaction_id), ingest_ids in sorted(self.replacements.items())
            if at < when
        ]

    def delete_replacement(self, replacement: Replacement) -> None:
        for at, compaction_id in list(self.replacements):
            if compaction_id == replacement.compaction_id:
                ingest_ids = self.replacements.pop((at, compaction_id))
                replaced = [
                    id_ for id_ in ingest_ids if self.compaction_of.get(id_) == compaction_id
                ]
                self._drop(replaced)

    def _advance(self, snapshot: Snapshot, after: Snapshot) -> None:
        if snapshot.version != self.snapshots[-1].version:
            raise CommitConflictError(f"version {snapshot.version} is not current")
        self.snapshots.append(after)

    def _add(self, commit: Commit, is_compaction: bool = False) -> None:
        if commit.kind == Kind.POLLS:
            self._drop([commit.ingest_id])
        self.commits.append(commit)
        self.versions.append(self.snapshots[-1].version)
        committed = Committed(commit.left_out_from_us, is_compaction)
        self.known[commit.kind, commit.ingest_id] = committed

    def _drop(self, ingest_ids: Sequence[str]) -> None:
        kept = [
            (commit, version)
            for commit, version in zip(self.commits, self.versions, strict=True)
            if commit.kind != Kind.POLLS or commit.ingest_id not in ingest_ids
        ]
        self.commits[:] = [commit for commit, _ in kept]
        self.versions[:] = [version for _, version in kept]
        for ingest_id in ingest_ids:
            self.replaced_in.pop(ingest_id, None)
            self.compaction_of.pop(ingest_id, None)

    def polls(self, version: int, min_timestamp_us: int, max_timestamp_us: int) -> list[PollsFile]:
        return [
            file
            for ingest in self.manifest(version, min_timestamp_us, max_timestamp_us)
            for file in ingest.files_within(min_timestamp_us, max_timestamp_us)
        ]

    def manifest(
        self, version: int, min_timestamp_us: int, max_timestamp_us: int
    ) -> list[ManifestEntry]:
        ingests = [
            _manifest_entry(commit)
            for commit, committed_in in zip(self.commits, self.versions, strict=True)
            if committed_in <= version
            and self.replaced_in.get(commit.ingest_id, version + 1) > version
        ]
        return [
            ingest for ingest in ingests if ingest.files_within(min_timestamp_us, max_timestamp_us)
        ]


def _manifest_entry(commit: Commit) -> ManifestEntry:
    return ManifestEntry(commit.ingest_id, commit.rows, commit.polls_files, commit.rows_by_week)


@dataclass
class MemoryReports:
    """A table of reports, which expire after 90 days if the table has a clock."""

    reports: dict[str, Report] = field(default_factory=dict)
    keys: dict[str, tuple[str, str, datetime]] = field(default_factory=dict)
    clock: Callable[[], datetime] | None = None

    def claim(self, key: IdempotencyKey, report_id: str, now: datetime) -> str:
        claimed = self.keys.get(key.digest)
        if claimed is None or now >= claimed[2]:
            claimed = (report_id, key.request_digest, now + timedelta(hours=24))
            self.keys[key.digest] = claimed
        claimed_report_id, request_digest, _ = claimed
        if request_digest != key.request_digest:
            raise IdempotencyKeyReusedError("this Idempotency-Key came with another request before")
        return claimed_report_id

    def add(self, report: Report, request: ReportRequest) -> Report:
        return self.reports.setdefault(report.report_id, report)

    def get(self, report_id: str) -> Report | None:
        report = self.reports.get(report_id)
        return None if report is None or self._has_expired(report) else report

    def _has_expired(self, report: Report) -> bool:
        return self.clock is not None and self.clock() - report.started_at >= timedelta(days=90)

    def fail(self, execution: str, failure: Failure, ended_at: datetime) -> None:
        for report in self.reports.values():
            if report.execution == execution and report.status is Status.RUNNING:
                self.reports[report.report_id] = replace(
                    report, status=Status.FAILED, failure=failure, ended_at=ended_at
                )

    def restart(self, failed: Report, now: datetime) -> Report:
        if failed.report_id not in self.reports:
            raise UnknownReportError(f"there is no report {failed.report_id}")
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

    def newest_of_all_stores(self) -> Report | None:
        complete = [
            report
            for report in self.reports.values()
            if report.status is Status.COMPLETE
            and report.all_stores_now
            and not self._has_expired(report)
        ]
        return max(complete, key=lambda report: report.started_at, default=None)

    def newest(self, page: PageRequest) -> ReportPage:
        def cursor(report: Report) -> Cursor:
            return Cursor(to_text(to_us(report.started_at)), report.report_id)

        kept = [each for each in list(self.reports.values()) if not self._has_expired(each)]
        reports = sorted(kept, key=lambda report: report.started_at, reverse=True)
        if page.after is not None:
            reports = [each for each in reports if cursor(each).started_at < page.after.started_at]
        shown = tuple(reports[: page.limit])
        return ReportPage(shown, cursor(shown[-1]) if len(shown) < len(reports) else None)


@dataclass
class MemoryExecutions:
    """Executions that start, or fail to start."""

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
class MemoryCheckpointStore:
    """A checkpoint. A concurrent call stores `meanwhile`, if set, before the next `advance`."""

    current: Checkpoint | None = None
    meanwhile: Checkpoint | None = None

    def get(self) -> Checkpoint | None:
        return self.current

    def advance(self, before: Checkpoint | None, after: Checkpoint) -> None:
        self.current, self.meanwhile = self.meanwhile or self.current, None
        if self.current != before:
            raise TransientError("another call moved the checkpoint of store changes")
        self.current = after


@dataclass
class RecordedEvents:
    """Records events, or raises an error."""

    error: Exception | None = None
    events: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> None:
        if self.error:
            raise self.error
        self.events += events


@dataclass
class RecordedNotifications:
    """Records notifications, or raises an error."""

    error: Exception | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)

    def send(self, subject: str, text: str) -> None:
        if self.error:
            raise self.error
        self.sent.append((subject, text))

"""The protocol of the ingest log; `aws` implements it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from store_monitoring.domain.parameters import WEEK_US
from store_monitoring.ingest.outcomes import UploadOutcome
from store_monitoring.storage.ports import PollsFile, StoresFile, WrittenPolls


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """The polls files of one ingest or one compaction.

    Attributes
    ----------
    ingest_id : str
    rows : int
    files : tuple of PollsFile
        One per bucket.
    rows_by_week : Counter of int
        Number of polls in each ISO week (UTC). The key is the start of the week, in microseconds.
        Empty for entries from before weeks were counted.
    log_bytes : int
        Size of its entry in the log. Transactions have a maximum size.
    """

    ingest_id: str
    rows: int
    files: tuple[PollsFile, ...]
    rows_by_week: Counter[int]
    log_bytes: int = 0

    def files_within(self, min_timestamp_us: int, max_timestamp_us: int) -> list[PollsFile]:
        """Return the files that have polls in a range of timestamps, ends included."""
        return [
            file
            for file in self.files
            if file.max_timestamp_us >= min_timestamp_us
            and file.min_timestamp_us <= max_timestamp_us
        ]

    def share_read(self, min_timestamp_us: int, max_timestamp_us: int) -> float:
        """Return the share of the polls that is read for a range of timestamps, ends included.

        A row group holds one ISO week and is read as a whole. Stores are hashed to buckets, so the
        share is about the same in each file.
        """
        skipped = sum(
            rows
            for week_us, rows in self.rows_by_week.items()
            if week_us > max_timestamp_us or week_us + WEEK_US <= min_timestamp_us
        )
        return (self.rows - skipped) / self.rows


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is committed, as of one version of the ingest log.

    Attributes
    ----------
    version : int
        Number of commits so far.
    stores : dict of int to StoresFile
        By bucket.
    max_timestamp_us : int or None
        Greatest poll timestamp.
    """

    version: int
    stores: dict[int, StoresFile]
    max_timestamp_us: int | None

    @property
    def attributes(self) -> frozenset[str]:
        """The names of the attributes that stores have."""
        return frozenset(name for file in self.stores.values() for name in file.attributes)


@dataclass(frozen=True, slots=True)
class Commit:
    """What an ingest or a compaction adds to the log, in one transaction.

    Attributes
    ----------
    kind, ingest_id : str
    rows, rejected : int
    committed_at : datetime
    written : tuple of WrittenPolls
    uploaded_at : datetime or None
        When the file was uploaded; None for a compaction.
    left_out_from_us : int or None
        The earliest poll that was rejected as too far in the future, if any.
    """

    kind: str
    ingest_id: str
    rows: int
    rejected: int
    committed_at: datetime
    written: tuple[WrittenPolls, ...] = ()
    uploaded_at: datetime | None = None
    left_out_from_us: int | None = None

    @property
    def polls_files(self) -> tuple[PollsFile, ...]:
        """The polls files of all buckets."""
        return tuple(polls.file for polls in self.written)

    @property
    def rows_by_week(self) -> Counter[int]:
        """Number of polls of all buckets in each ISO week (see `ManifestEntry`)."""
        weeks: Counter[int] = Counter()
        for polls in self.written:
            weeks.update(polls.rows_by_week)  # adding counters would copy each sum
        return weeks


@dataclass(frozen=True, slots=True)
class Committed:
    """What the log records about a committed ingest.

    Attributes
    ----------
    left_out_from_us : int or None
        See `Commit`.
    is_compaction : bool
        Whether it replaced ingests; also False for compactions from before this was recorded.
    """

    left_out_from_us: int | None = None
    is_compaction: bool = False


@dataclass(frozen=True, slots=True)
class Replacement:
    """The files that a compaction replaced.

    Attributes
    ----------
    compaction_id : str
    keys : tuple of str
        Files that older plans may still read.
    """

    compaction_id: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoresChange:
    """Which stores files a commit replaced.

    Attributes
    ----------
    version : int
        The version that the commit created.
    uploaded_at : datetime or None
        When the file was uploaded.
    before : dict of int to StoresFile or None
        The replaced file of each bucket; None where there was none.
    """

    version: int
    uploaded_at: datetime | None
    before: dict[int, StoresFile | None]


@dataclass(frozen=True, slots=True)
class Compacted:
    """The ingests that a compaction replaced.

    Attributes
    ----------
    ingests : tuple of ManifestEntry
        Without those that were taken back since.
    stale_ids : frozenset of str
        Those that are compactions themselves and hold polls that were taken back.
    """

    ingests: tuple[ManifestEntry, ...]
    stale_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reversal:
    """The changes that take an ingest back.

    Attributes
    ----------
    kind, ingest_id : str
    stale_ids : tuple of str
        The compactions that hold its polls, if there are any. The last one is current.
    compaction : Commit or None
        The compaction that replaces the current one.
    """

    kind: str
    ingest_id: str
    stale_ids: tuple[str, ...] = ()
    compaction: Commit | None = None


class IngestLog(Protocol):
    """The log of ingests. Data that is not in the log is not committed."""

    def snapshot(self) -> Snapshot:
        """Return the current snapshot, with a strongly consistent read."""

    def committed(self, kind: str, ingest_id: str) -> Committed | None:
        """Return what is recorded about an ingest; None if not committed, or taken back."""

    def commit(
        self,
        snapshot: Snapshot,
        new_stores: Sequence[StoresFile],
        commit: Commit,
        outcome: UploadOutcome | None = None,
    ) -> None:
        """Commit an ingest on top of the snapshot that it read, in one transaction.

        The transaction also records the outcome of the upload, so the outcome is not lost if the
        function ends right after the commit.

        Raises
        ------
        CommitConflictError
            If the snapshot is no longer current.
        OutcomeRecordedError
            If the outcome of the upload is already recorded.
        """

    def replace(self, snapshot: Snapshot, ingest_ids: Sequence[str], compaction: Commit) -> None:
        """Replace the files of several ingests by one file per bucket, in one transaction.

        The new files count from this version on; older versions keep the old files.

        Raises
        ------
        CommitConflictError
            If the snapshot is no longer current, or one of the ingests is already replaced.
        """

    def take_back(
        self, snapshot: Snapshot, new_stores: Sequence[StoresFile], reversal: Reversal
    ) -> None:
        """Take back an ingest on top of the snapshot that was read, in one transaction.

        From this version on, the ingest is not committed.

        Raises
        ------
        CommitConflictError
            If the snapshot is no longer current.
        """

    def is_current(self, ingest_id: str, key: str) -> bool | None:
        """Return whether a polls file is current; False if replaced, None if not in the log."""

    def rewrite(
        self,
        snapshot: Snapshot,
        ingest_id: str,
        key: str,
        written: WrittenPolls | None,
        deleted: Counter[int],
    ) -> None:
        """Replace a polls file by another one, or remove it, in one transaction.

        `deleted` is the number of polls in each ISO week that the new file lacks.

        Raises
        ------
        CommitConflictError
            If the snapshot is no longer current, or the file is no longer in the log.
        """

    def replace_stores(self, snapshot: Snapshot, new_stores: Sequence[StoresFile]) -> None:
        """Replace the current stores files of some buckets.

        Raises
        ------
        CommitConflictError
            If the snapshot is no longer current.
        """

    def has_entry(self, kind: str, ingest_id: str) -> bool:
        """Return whether the log still has the entry of an ingest, replaced or not."""

    def replaced_by(self, ingest_id: str) -> str | None:
        """Return the id of the compaction that replaced an ingest, or None."""

    def compacted(self, compaction_id: str) -> Compacted | None:
        """Return what a compaction replaced; None if some of it is deleted."""

    def stores_changes(self, kind: str, ingest_id: str) -> list[StoresChange]:
        """Return the stores files that each commit of an ingest replaced."""

    def taken_back_changes(self, kind: str) -> list[StoresChange]:
        """Return the stores files that were replaced by commits of a kind, now taken back."""

    def replaced_before(self, when: datetime) -> list[Replacement]:
        """Return the replacements made before an instant and not yet deleted, oldest first."""

    def delete_replacement(self, replacement: Replacement) -> None:
        """Delete the record of a replacement and the replaced entries; their files are gone.

        The log still knows that those ingests are committed.
        """

    def polls(self, version: int, min_timestamp_us: int, max_timestamp_us: int) -> list[PollsFile]:
        """Return the files that have polls in a range of timestamps, as of a version.

        The range includes both ends.
        """

    def manifest(
        self, version: int, min_timestamp_us: int, max_timestamp_us: int
    ) -> list[ManifestEntry]:
        """Return the ingests that have polls in a range of timestamps, as of a version.

        The range includes both ends.
        """

"""The ingest log, as a protocol; `aws` implements it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from store_monitoring.domain.time_units import WEEK_US
from store_monitoring.ingest.outcomes import UploadOutcome
from store_monitoring.storage.ports import PollsFile, StoresFile

if TYPE_CHECKING:  # not for the functions that carry no Arrow
    pass


@dataclass(frozen=True, slots=True)
class WrittenPolls:
    """A file of polls, and how many of them lie in each ISO week: `ManifestEntry.rows_by_week`."""

    file: PollsFile
    rows_by_week: Counter[int]


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """The polls that one ingest, or one compaction of some, brought.

    Attributes
    ----------
    ingest_id : str
    rows : int
    files : tuple of PollsFile
        One a bucket.
    rows_by_week : Counter of int
        How many of its polls lie in each ISO week (UTC), by the instant that the week begins, in
        microseconds. Older ingests do not tell.
    log_bytes : int
        What its entry takes in the log: what one change of the log may write is limited.
    """

    ingest_id: str
    rows: int
    files: tuple[PollsFile, ...]
    rows_by_week: Counter[int]
    log_bytes: int = 0

    def files_within(self, min_timestamp_us: int, max_timestamp_us: int) -> list[PollsFile]:
        """Return the files that have polls in [min_timestamp_us, max_timestamp_us]."""
        return [
            file
            for file in self.files
            if file.max_timestamp_us >= min_timestamp_us
            and file.min_timestamp_us <= max_timestamp_us
        ]

    def share_read(self, min_timestamp_us: int, max_timestamp_us: int) -> float:
        """Return the share of its polls that is read for a range of timestamps, ends included.

        Row groups are ISO weeks, and read whole. Stores are hashed to buckets, so it is about the
        share of each file.
        """
        passed_over = sum(
            rows
            for week_us, rows in self.rows_by_week.items()
            if week_us > max_timestamp_us or week_us + WEEK_US <= min_timestamp_us
        )
        return (self.rows - passed_over) / self.rows


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


@dataclass(frozen=True, slots=True)
class Commit:
    """What an ingest makes known, all at once.

    Attributes
    ----------
    kind, ingest_id : str
    rows, rejected : int
    committed_at : datetime
    written : tuple of WrittenPolls
    uploaded_at : datetime or None
        When the file was uploaded; None: it is a compaction.
    left_out_from_us : int or None
        The earliest of the file's polls that were too far in the future, if there are any.
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
        """The files of all buckets."""
        return tuple(polls.file for polls in self.written)

    @property
    def rows_by_week(self) -> Counter[int]:
        """How many polls of all buckets lie in each ISO week: `ManifestEntry.rows_by_week`."""
        return sum((polls.rows_by_week for polls in self.written), Counter())


@dataclass(frozen=True, slots=True)
class Committed:
    """What the log knows of an ingest that was committed.

    Attributes
    ----------
    left_out_from_us : int or None
        As `Commit` has it.
    """

    left_out_from_us: int | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a compaction replaced.

    Attributes
    ----------
    compaction_id : str
    keys : tuple of str
        The files that plans older than it may still read.
    """

    compaction_id: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoresChange:
    """Which stores files a commit replaced.

    Attributes
    ----------
    version : int
        The version that it made.
    uploaded_at : datetime or None
        When the file was uploaded.
    before : dict of int to StoresFile or None
        By bucket; None where there was none.
    """

    version: int
    uploaded_at: datetime | None
    before: dict[int, StoresFile | None]


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction stands for.

    Attributes
    ----------
    ingests : tuple of ManifestEntry
        Those that it replaced, without those that were taken back since.
    stale_ids : frozenset of str
        Those of them, compactions themselves, that hold what was taken back.
    """

    ingests: tuple[ManifestEntry, ...]
    stale_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reversal:
    """What takes an ingest back.

    Attributes
    ----------
    kind, ingest_id : str
    stale_ids : tuple of str
        The compactions that hold its polls, if they were compacted; the last one counts so far.
    compacted : Commit or None
        What takes the place of that.
    """

    kind: str
    ingest_id: str
    stale_ids: tuple[str, ...] = ()
    compacted: Commit | None = None


class IngestLog(Protocol):
    """The log of ingests: what it does not say is committed does not count."""

    def snapshot(self) -> Snapshot:
        """Return what is committed now, strongly consistent."""

    def committed(self, kind: str, ingest_id: str) -> Committed | None:
        """Return what is known of an ingest; None if it was never committed, or was taken back."""

    def commit(
        self,
        snapshot: Snapshot,
        new_stores: Sequence[StoresFile],
        commit: Commit,
        outcome: UploadOutcome | None = None,
    ) -> None:
        """Commit an ingest on top of the snapshot that it was made from, all or nothing.

        What became of its upload is recorded with it: so an upload that was committed is never
        taken for another one's, even if the function ends right after.

        Raises
        ------
        CommitConflictError
            If that snapshot is no longer the current one.
        OutcomeRecordedError
            If what became of the upload is recorded already.
        """

    def replace(self, snapshot: Snapshot, ingest_ids: Sequence[str], compacted: Commit) -> None:
        """Commit a file for each bucket in the place of those of some ingests, all or nothing.

        From this version on they stand for them; before, the old ones stay.

        Raises
        ------
        CommitConflictError
            If that snapshot is no longer current, or one of the ingests was replaced before.
        """

    def take_back(
        self, snapshot: Snapshot, new_stores: Sequence[StoresFile], reversal: Reversal
    ) -> None:
        """Reverse an ingest on top of the snapshot that was read, all or nothing.

        From this version on it does not count, and is not known to be committed.

        Raises
        ------
        CommitConflictError
            If that snapshot is no longer the current one.
        """

    def counts(self, ingest_id: str, key: str) -> bool | None:
        """Tell whether a file of polls counts; False: it was replaced, None: it is none's."""

    def rewrite(
        self,
        snapshot: Snapshot,
        ingest_id: str,
        key: str,
        written: WrittenPolls | None,
        deleted: Counter[int],
    ) -> None:
        """Put another file of polls, or none, in the place of one, all or nothing.

        `deleted` is how many of its polls the other one lacks in each ISO week.

        Raises
        ------
        CommitConflictError
            If the snapshot is no longer the current one, or the file is none's by now.
        """

    def replace_stores(self, snapshot: Snapshot, new_stores: Sequence[StoresFile]) -> None:
        """Put other stores files in the place of the current ones.

        Raises
        ------
        CommitConflictError
            If that snapshot is no longer the current one.
        """

    def has_entry(self, kind: str, ingest_id: str) -> bool:
        """Tell whether the log still has the entry of an ingest, also if it was replaced."""

    def replaced_by(self, ingest_id: str) -> str | None:
        """Return the id of the compaction that replaced an ingest, if one did."""

    def compacted(self, compaction_id: str) -> Compacted | None:
        """Return what a compaction stands for; None if some of that is deleted."""

    def stores_changes(self, kind: str, ingest_id: str) -> list[StoresChange]:
        """Return what each commit of an ingest replaced."""

    def taken_back_changes(self, kind: str) -> list[StoresChange]:
        """Return what those commits replaced that were taken back, of all ingests of a kind."""

    def replaced_before(self, when: datetime) -> list[Replacement]:
        """Return what was replaced before an instant and is not forgotten, oldest first."""

    def forget(self, replacement: Replacement) -> None:
        """Delete a replacement and the entries of what it replaced: their files are gone.

        The ingests are still known to be committed.
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

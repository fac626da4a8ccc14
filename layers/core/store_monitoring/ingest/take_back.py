"""Take back an ingest: its data no longer count, but no file is deleted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.errors import (
    CannotTakeBackError,
    CommitConflictError,
    MissingObjectError,
    UnknownIngestError,
)
from store_monitoring.ingest.compaction import write_merged
from store_monitoring.ingest.deadline import Deadline, commit_attempts
from store_monitoring.ingest.parsing.content import derived_id
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.ports import (
    Commit,
    IngestLog,
    ManifestEntry,
    Reversal,
    Snapshot,
    StoresChange,
)
from store_monitoring.storage.ports import PollsFile, StoresFile, Tables
from store_monitoring.storage.stores import with_restored, write_stores

_COLUMNS = {
    Kind.BUSINESS_HOURS: "hours",
    Kind.TIMEZONES: "timezone",
    Kind.SPECIAL_HOURS: "special_hours",
    Kind.EXCLUSIONS: "exclusions",
    Kind.ATTRIBUTES: "attributes",
}
_FILES_DELETED = "its polls were compacted, and its own files have been deleted since"
_COMMIT_SECONDS = 300
_ALL_TIME_US = (-(2**62), 2**62)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The result of `take_back_ingest`.

    Attributes
    ----------
    kind, ingest_id : str
    version : int
        The first version of the log without the ingest.
    """

    kind: str
    ingest_id: str
    version: int


def take_back_ingest(
    ingest_id: str, clock: Callable[[], datetime], tables: Tables, log: IngestLog
) -> TakenBack:
    """Take back an ingest in a new version of the log; older plans still read its data.

    Polls of the ingest no longer count. If they were compacted, the compaction is replaced by one
    without them. Reference data that come from this ingest go back to their previous values. A
    store that only this ingest named is no longer known. The same file can be ingested again.

    Parameters
    ----------
    ingest_id : str
    clock : callable
        Returns the current time.
    tables, log : ports

    Raises
    ------
    UnknownIngestError
        If the ingest is not committed, was already taken back, or is a compaction.
    CannotTakeBackError
        If the data needed to take it back was not recorded, or is deleted.
    """
    for _ in commit_attempts(Deadline.within(_COMMIT_SECONDS)):
        snapshot = log.snapshot()
        kind = _kind_of(ingest_id, log)  # a concurrent call may take it back between attempts
        try:
            if kind is Kind.POLLS:
                reversal = _reverse_polls(ingest_id, clock, tables, log)
            else:
                reversal = Reversal(kind, ingest_id)
            log.take_back(snapshot, _restore_stores(reversal, snapshot, tables, log), reversal)
        except MissingObjectError as error:
            raise CannotTakeBackError(f"a file with previous data was deleted: {error}") from error
        except CommitConflictError:
            continue
        return TakenBack(kind, ingest_id, snapshot.version + 1)
    raise AssertionError("the last attempt raises")


def _kind_of(ingest_id: str, log: IngestLog) -> Kind:
    for kind in Kind:
        if (committed := log.committed(kind, ingest_id)) is not None:
            if committed.is_compaction or log.compacted(ingest_id) is not None:
                raise UnknownIngestError(
                    f"{ingest_id!r} is a compaction: take back the ingests that it replaced"
                )
            return kind
    raise UnknownIngestError(f"no ingest {ingest_id!r} is committed; it may have been taken back")


def _reverse_polls(
    ingest_id: str, clock: Callable[[], datetime], tables: Tables, log: IngestLog
) -> Reversal:
    """Return the reversal of an ingest of polls.

    If the ingest was compacted, write a new compaction of the same ingests without it.
    """
    if not log.has_entry(Kind.POLLS, ingest_id):
        raise CannotTakeBackError(_FILES_DELETED)
    path = [ingest_id]
    while (compaction_id := log.replaced_by(path[-1])) is not None:
        path.append(compaction_id)
    if len(path) == 1:
        return Reversal(Kind.POLLS, ingest_id)
    files = [file for entry in _other_entries(path[-1], path, log) for file in entry.files]
    compaction_id = derived_id(f"without {ingest_id}: {' '.join(sorted(f.key for f in files))}")
    written = write_merged(files, compaction_id, tables)
    rows = sum(polls.file.rows for polls in written)
    compaction = Commit(Kind.POLLS, compaction_id, rows, 0, clock(), written)
    return Reversal(Kind.POLLS, ingest_id, tuple(path[1:]), compaction)


def _other_entries(compaction_id: str, path: Sequence[str], log: IngestLog) -> list[ManifestEntry]:
    """Return the entries that a compaction replaced, without the ingest that is taken back.

    `path` leads from that ingest to the compaction. Nested compactions that hold polls of an ingest
    that is, or was, taken back are expanded into the entries that they replaced.
    """
    compacted = log.compacted(compaction_id)
    if compacted is None:
        raise CannotTakeBackError(_FILES_DELETED)
    others: list[ManifestEntry] = []
    for each in compacted.ingests:
        if each.ingest_id == path[0]:
            continue
        if each.ingest_id in path or each.ingest_id in compacted.stale_ids:
            others += _other_entries(each.ingest_id, path, log)
        else:
            others.append(each)
    return others


def _restore_stores(
    reversal: Reversal, snapshot: Snapshot, tables: Tables, log: IngestLog
) -> list[StoresFile]:
    """Write new stores files for the ingest's buckets, without its data, and return them."""
    own = log.stores_changes(reversal.kind, reversal.ingest_id)
    if not own and reversal.kind != Kind.POLLS:
        raise CannotTakeBackError("it was committed before commits recorded what they replace")
    taken_back = {kind: log.taken_back_changes(kind) for kind in Kind}
    reversed_changes = [*own, *chain.from_iterable(taken_back.values())]
    # A previous value may come from an ingest that has been taken back since: undo that, too.
    changes = sorted(
        [*own, *taken_back[Kind(reversal.kind)]], key=lambda each: each.version, reverse=True
    )
    polls = _CurrentPolls(reversal, snapshot, log)
    written = []
    for bucket in sorted({bucket for change in reversed_changes for bucket in change.before}):
        current = tables.read_stores([snapshot.stores[bucket]])
        stores = current
        if reversal.kind != Kind.POLLS:
            for change in changes:
                if bucket in change.before and change.uploaded_at is not None:
                    before = _read(change.before[bucket], tables)
                    column = _COLUMNS[Kind(reversal.kind)]
                    stores = with_restored(stores, column, change.uploaded_at, before)
        stores = _drop_unknown_stores(stores, bucket, reversed_changes, polls, tables)
        if not stores.equals(current):
            version = f"{snapshot.version + 1:08d}-without-{reversal.ingest_id}"
            written.append(write_stores(bucket, version, stores, tables))
    return written


def _drop_unknown_stores(
    stores: pa.Table,
    bucket: int,
    reversed_changes: Sequence[StoresChange],
    polls: "_CurrentPolls",
    tables: Tables,
) -> pa.Table:
    """Return the stores without those that only taken-back ingests named."""
    ids = stores.column("store_id").combine_chunks()
    nothing_known = pa.array([True] * len(ids), pa.bool_())
    for column in _COLUMNS.values():
        nothing_known = pc.and_(nothing_known, pc.is_null(stores.column(column).combine_chunks()))
    added = pa.array([False] * len(ids), pa.bool_())
    for change in reversed_changes:
        if bucket in change.before:
            before = _read(change.before[bucket], tables).column("store_id").combine_chunks()
            added = pc.or_(added, pc.invert(pc.is_in(ids, before)))
    candidates = ids.filter(pc.and_(nothing_known, added))
    if not len(candidates):
        return stores
    for file in polls.of(bucket):
        table = tables.read_polls([file], file.min_timestamp_us, file.max_timestamp_us)
        polled = table.column("store_id").cast(pa.string()).unique()
        candidates = candidates.filter(pc.invert(pc.is_in(candidates, polled)))
    return stores.filter(pc.invert(pc.is_in(stores.column("store_id"), candidates)))


class _CurrentPolls:
    """The polls files that are current after an ingest is taken back; listed when first used."""

    def __init__(self, reversal: Reversal, snapshot: Snapshot, log: IngestLog) -> None:
        self._reversal = reversal
        self._snapshot = snapshot
        self._log = log
        self._files: list[PollsFile] | None = None

    def of(self, bucket: int) -> list[PollsFile]:
        """Return the files of a bucket."""
        if self._files is None:
            removed = {self._reversal.ingest_id, *self._reversal.stale_ids}
            ingests = self._log.manifest(self._snapshot.version, *_ALL_TIME_US)
            self._files = [
                file for each in ingests if each.ingest_id not in removed for file in each.files
            ]
            if self._reversal.compaction is not None:
                self._files += self._reversal.compaction.polls_files
        return [file for file in self._files if file.bucket == bucket]


def _read(file: StoresFile | None, tables: Tables) -> pa.Table:
    return tables.read_stores([] if file is None else [file])

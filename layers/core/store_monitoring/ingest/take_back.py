"""Take back an ingest: what it made known no longer counts, and nothing is deleted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.errors import (
    CannotTakeBackError,
    CommitConflictError,
    MissingObjectError,
    UnknownIngestError,
)
from store_monitoring.ingest.commit import commit_attempts
from store_monitoring.ingest.compaction import rewrite
from store_monitoring.ingest.deadline import Deadline
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
from store_monitoring.storage.keys import stores_key
from store_monitoring.storage.ports import PollsFile, StoresFile, Tables
from store_monitoring.storage.stores import with_restored

_COLUMNS = {Kind.BUSINESS_HOURS: "hours", Kind.TIMEZONES: "timezone"}

_DELETED = "its polls were compacted, and the files of before that are deleted"

_COMMIT_SECONDS = 300

_EVER_US = (-(2**62), 2**62)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What `take_back_ingest` did.

    Attributes
    ----------
    kind, ingest_id : str
    version : int
        The version of the log from which on the ingest no longer counts.
    """

    kind: str
    ingest_id: str
    version: int


def take_back_ingest(
    ingest_id: str, clock: Callable[[], datetime], tables: Tables, log: IngestLog
) -> TakenBack:
    """Reverse an ingest in a new version of the log; a plan of before still reads what it said.

    Polls of the ingest no longer count. If they were compacted, the others of that compaction are
    written anew without them. Of hours and zones, what was known before is known again, of exactly
    the stores of which the ingest still is what counts. A store that only this ingest named is no
    longer known. The file can be uploaded again, and is committed again.

    Parameters
    ----------
    ingest_id : str
    clock : callable
        Returns the time now.
    tables, log : ports

    Raises
    ------
    UnknownIngestError
        If it is not committed, or was taken back.
    CannotTakeBackError
        If what is needed for it was not recorded, or is deleted.
    """
    kinds = [kind for kind in Kind if log.committed(kind, ingest_id) is not None]
    if not kinds:
        raise UnknownIngestError(
            f"no ingest {ingest_id!r} is committed; it may have been taken back"
        )
    kind = kinds[0]
    for _ in commit_attempts(Deadline.within(_COMMIT_SECONDS)):
        snapshot = log.snapshot()
        try:
            if kind is Kind.POLLS:
                reversal = _without_polls(ingest_id, clock, tables, log)
            else:
                reversal = Reversal(kind, ingest_id)
            log.take_back(snapshot, _stores_before(reversal, snapshot, tables, log), reversal)
        except MissingObjectError as error:
            raise CannotTakeBackError(
                f"a file that is needed for it was deleted: {error}"
            ) from error
        except CommitConflictError:
            continue
        return TakenBack(kind, ingest_id, snapshot.version + 1)
    raise AssertionError("the last attempt raises")


def _without_polls(
    ingest_id: str, clock: Callable[[], datetime], tables: Tables, log: IngestLog
) -> Reversal:
    """Return what takes an ingest's place: nothing, or the others that it was compacted with."""
    if not log.has_entry(Kind.POLLS, ingest_id):
        raise CannotTakeBackError(_DELETED)
    path = [ingest_id]
    while (compaction_id := log.replaced_by(path[-1])) is not None:
        path.append(compaction_id)
    if len(path) == 1:
        return Reversal(Kind.POLLS, ingest_id)
    files = [file for other in _others(path[-1], path, log) for file in other.files]
    compaction_id = derived_id(f"without {ingest_id}: {' '.join(sorted(f.key for f in files))}")
    written = rewrite(files, compaction_id, tables)
    rows = sum(polls.file.rows for polls in written)
    compacted = Commit(Kind.POLLS, compaction_id, rows, 0, clock(), written)
    return Reversal(Kind.POLLS, ingest_id, tuple(path[1:]), compacted)


def _others(compaction_id: str, path: Sequence[str], log: IngestLog) -> list[ManifestEntry]:
    """Return what a compaction stands for, without the ingest at the beginning of the path to it.

    Those within it that hold what is taken back, or was before, are taken apart.
    """
    compacted = log.compacted(compaction_id)
    if compacted is None:
        raise CannotTakeBackError(_DELETED)
    others: list[ManifestEntry] = []
    for each in compacted.ingests:
        if each.ingest_id == path[0]:
            continue
        if each.ingest_id in path or each.ingest_id in compacted.stale_ids:
            others += _others(each.ingest_id, path, log)
        else:
            others.append(each)
    return others


def _stores_before(
    reversal: Reversal, snapshot: Snapshot, tables: Tables, log: IngestLog
) -> list[StoresFile]:
    """Write and return the stores files of the buckets that the ingest changed, without it."""
    own = log.stores_changes(reversal.kind, reversal.ingest_id)
    if not own and reversal.kind != Kind.POLLS:
        raise CannotTakeBackError("it was committed before commits recorded what they replace")
    # What was known before may be what another ingest said that was taken back since.
    changes = sorted(
        [*own, *log.taken_back_changes(reversal.kind)], key=lambda each: each.version, reverse=True
    )
    polls = _CurrentPolls(reversal, snapshot, log)
    written = []
    for bucket in sorted({bucket for change in own for bucket in change.before}):
        current = tables.read_stores([snapshot.stores[bucket]])
        stores = current
        if reversal.kind != Kind.POLLS:
            for change in changes:
                if bucket in change.before and change.uploaded_at is not None:
                    before = _read(change.before[bucket], tables)
                    column = _COLUMNS[Kind(reversal.kind)]
                    stores = with_restored(stores, column, change.uploaded_at, before)
        stores = _known_otherwise(stores, bucket, own, polls, tables)
        if not stores.equals(current):
            version = f"{snapshot.version + 1:08d}-without-{reversal.ingest_id}"
            key = stores_key(bucket, version)
            size = tables.write_table(key, stores)
            written.append(StoresFile(bucket, key, len(stores), size))
    return written


def _known_otherwise(
    stores: pa.Table,
    bucket: int,
    own: Sequence[StoresChange],
    polls: "_CurrentPolls",
    tables: Tables,
) -> pa.Table:
    """Return the stores without those that only the ingest named."""
    ids = stores.column("store_id").combine_chunks()
    nothing_known = pc.and_(
        pc.is_null(stores.column("timezone")), pc.is_null(stores.column("hours"))
    ).combine_chunks()
    added = pa.array([False] * len(ids))
    for change in own:
        if bucket in change.before:
            before = _read(change.before[bucket], tables).column("store_id").combine_chunks()
            added = pc.or_(added, pc.invert(pc.is_in(ids, before)))
    strangers = ids.filter(pc.and_(nothing_known, added))
    if not len(strangers):
        return stores
    for file in polls.of(bucket):
        table = tables.read_polls([file], file.min_timestamp_us, file.max_timestamp_us)
        polled = table.column("store_id").cast(pa.string()).unique()
        strangers = strangers.filter(pc.invert(pc.is_in(strangers, polled)))
    return stores.filter(pc.invert(pc.is_in(stores.column("store_id"), strangers)))


class _CurrentPolls:
    """The files of polls that count once an ingest is taken back, read when they are needed."""

    def __init__(self, reversal: Reversal, snapshot: Snapshot, log: IngestLog) -> None:
        self._reversal = reversal
        self._snapshot = snapshot
        self._log = log
        self._files: list[PollsFile] | None = None

    def of(self, bucket: int) -> list[PollsFile]:
        """Return those of a bucket."""
        if self._files is None:
            gone = {self._reversal.ingest_id, *self._reversal.stale_ids}
            ingests = self._log.manifest(self._snapshot.version, *_EVER_US)
            self._files = [
                file for each in ingests if each.ingest_id not in gone for file in each.files
            ]
            if self._reversal.compacted is not None:
                self._files += self._reversal.compacted.polls_files
        return [file for file in self._files if file.bucket == bucket]


def _read(file: StoresFile | None, tables: Tables) -> pa.Table:
    return tables.read_stores([] if file is None else [file])

"""Iceberg tables, with AWS Glue as their catalog.

Only metadata are written here; the data files exist already. A version has a manifest list, which
names a few manifests; versions share manifests. The metadata of a table name its versions.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from typing import cast

from pyarrow import fs
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.conversions import to_bytes
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.io.pyarrow import pyarrow_to_schema
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import (
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata, TableMetadataV2
from pyiceberg.table.snapshots import Operation, Snapshot
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import TableUpdate
from pyiceberg.table.update.snapshot import ExpireSnapshots, _SnapshotProducer
from pyiceberg.typedef import Record
from pyiceberg.types import PrimitiveType

from store_monitoring.errors import CommitConflictError
from store_monitoring.instants import utc_now
from store_monitoring.publish_tables import SCHEMAS, DataFile
from store_monitoring.storage.keys import PUBLISHED_PREFIX
from store_monitoring.storage.schemas import POLLS

_MAX_VERSIONS = 100  # then the oldest expire, down to half of it
_MAX_MANIFESTS = 8  # then they are merged, since each call with changes reads all of them
_IN_USE = timedelta(hours=1)  # newer files may belong to a call that has not committed yet
_READERS = 16  # most of the time is spent waiting for S3
_PROPERTIES = {
    "commit.retry.num-retries": "0",  # a new attempt reads the log again
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "5",
}
# Old files have no field ids: Iceberg finds their columns by name.
_NAME_MAPPING = {
    "schema.name-mapping.default": json.dumps(
        [{"field-id": number, "names": [name]} for number, name in enumerate(POLLS.names, 1)]
    )
}

_Manifests = Mapping[ManifestFile, Sequence[ManifestEntry]]
"""Manifests, each with its entries of data files that it does not remove."""


class IcebergTables:
    """The published tables, in one database of Glue.

    Parameters
    ----------
    database : str
    root : str
        The data bucket as a URI, such as `s3://bucket`.
    files : pyarrow.fs.FileSystem
        The data bucket; its paths are the keys.
    clock : callable
        Returns the current time.
    """

    def __init__(
        self,
        database: str,
        root: str,
        files: fs.FileSystem,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._root = root
        self._files = files
        self._clock = clock
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        properties = {"s3.region": os.environ.get("AWS_REGION"), "s3.endpoint": endpoint}
        given = {name: value for name, value in properties.items() if value is not None}
        self._catalog = GlueCatalog("glue", None, **given)

    def open(self, name: str) -> "IcebergTable":
        """Open a table; create it again if its metadata are deleted or its columns have changed."""
        identifier = (self._database, name)
        with suppress(NoSuchTableError):
            with suppress(FileNotFoundError):
                table = self._catalog.load_table(identifier)
                if table.schema() == pyarrow_to_schema(SCHEMAS[name]):
                    return IcebergTable(table, self._files, self._clock)
            self._catalog.drop_table(identifier)
        location = f"{self._root}/{PUBLISHED_PREFIX}{name}"
        metadata = _new_metadata(name, location)
        metadata_location = f"{location}/metadata/00000-{metadata.table_uuid}.metadata.json"
        output = load_file_io(self._catalog.properties, location).new_output(metadata_location)
        ToOutputFile.table_metadata(metadata, output)
        with suppress(TableAlreadyExistsError):
            self._catalog.register_table(identifier, metadata_location)
        return IcebergTable(self._catalog.load_table(identifier), self._files, self._clock)


def _new_metadata(name: str, location: str) -> TableMetadataV2:
    """Return the metadata of a table without rows.

    The catalog's own `create_table` would give the columns other field ids than the files have.
    """
    schema = pyarrow_to_schema(SCHEMAS[name])
    return TableMetadataV2.model_validate(
        {
            "location": location,
            "schemas": [schema],
            "last-column-id": schema.highest_field_id,
            "partition-specs": [UNPARTITIONED_PARTITION_SPEC],
            "sort-orders": [UNSORTED_SORT_ORDER],
            "properties": _PROPERTIES | (_NAME_MAPPING if name == "polls" else {}),
        }
    )


class _Transaction(Transaction):
    """A transaction that applies its updates once, and not each time that they are read.

    A commit reads the metadata about sixteen times; PyIceberg's own class copies all of them each
    time, and they name every version.
    """

    _applied: tuple[tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The metadata with the updates so far."""
        if self._applied is None or self._applied[0] is not self._updates:
            self._applied = self._updates, super().table_metadata
        return self._applied[1]


class _NewVersion(_SnapshotProducer["_NewVersion"]):
    """A version that adds and removes data files; its snapshot id is the version.

    PyIceberg's own class for this opens every manifest twice, and does not merge manifests.
    """

    def __init__(
        self, version: int, transaction: Transaction, io: FileIO, manifests: _Manifests
    ) -> None:
        is_first = transaction.table_metadata.current_snapshot() is None
        super().__init__(
            Operation.APPEND if is_first else Operation.OVERWRITE,
            transaction,
            io,
            snapshot_properties={"version": str(version)},
        )
        # SQL's `FOR VERSION AS OF` refers to this id.
        self._snapshot_id = version
        self._current = manifests

    def _deleted_entries(self) -> list[ManifestEntry]:
        return [
            ManifestEntry.from_args(
                status=ManifestEntryStatus.DELETED,
                snapshot_id=self._snapshot_id,
                sequence_number=entry.sequence_number,
                file_sequence_number=entry.file_sequence_number,
                data_file=entry.data_file,
            )
            for entries in self._current.values()
            for entry in entries
            if entry.data_file in self._deleted_data_files
        ]

    def _existing_manifests(self) -> list[ManifestFile]:
        """Return the manifests of the files that stay.

        Manifests that lose a file are merged into a new one; if there are many manifests, all are.
        """
        are_many = len(self._current) >= _MAX_MANIFESTS
        unchanged, moved = [], []
        for manifest, entries in self._current.items():
            staying = [each for each in entries if each.data_file not in self._deleted_data_files]
            if are_many or len(staying) < len(entries):
                moved += staying
            elif staying:  # otherwise it only records what an earlier version removed
                unchanged.append(manifest)
        if not moved:
            return unchanged
        with self.new_manifest_writer(UNPARTITIONED_PARTITION_SPEC) as writer:
            for entry in moved:
                writer.existing(entry)
        return [*unchanged, writer.to_manifest_file()]


class IcebergTable:
    """A published table, as it was when it was opened.

    Parameters
    ----------
    table : pyiceberg.table.Table
        Its location ends with its prefix in the data bucket.
    files : pyarrow.fs.FileSystem
        The data bucket.
    clock : callable
        Returns the current time.
    """

    def __init__(self, table: Table, files: fs.FileSystem, clock: Callable[[], datetime]) -> None:
        self._table = table
        self._files = files
        self._clock = clock
        self._prefix = f"{PUBLISHED_PREFIX}{table.name()[-1]}/"
        self._root = table.location().removesuffix(self._prefix.removesuffix("/"))
        self._snapshot = table.current_snapshot()

    @property
    def version(self) -> int:
        """Its current version; 0 if it is new."""
        return self._snapshot.snapshot_id if self._snapshot else 0

    @property
    def keys(self) -> frozenset[str]:
        """The keys of its data files."""
        return frozenset(self._live)

    @cached_property
    def _live(self) -> dict[str, IcebergFile]:
        """Its data files, by their keys."""
        return {path.removeprefix(self._root): file for path, file in _files(self._current)}

    @cached_property
    def _current(self) -> _Manifests:
        """Its manifests, which are read when they are first needed."""
        try:
            return self._manifests([self._snapshot] if self._snapshot else [])
        except FileNotFoundError as error:  # deleted with a store's data, during a call
            with suppress(NoSuchTableError):
                self._table.catalog.drop_table(self._table.name())
            raise CommitConflictError(f"{self._prefix}: its manifests are deleted") from error

    def commit(
        self,
        version: int,
        added: Collection[DataFile],
        removed: Collection[str],
        keep_since: datetime,
    ) -> None:
        """Commit a version, and expire old ones, in one write of the table's metadata."""
        expired = self._expired(keep_since)
        transaction = _Transaction(self._table)
        with _NewVersion(version, transaction, self._table.io, self._current) as snapshot:
            for file in added:
                snapshot.append_data_file(self._iceberg_file(file))
            for key in removed:
                snapshot.delete_data_file(self._live[key])
        if expired:
            with ExpireSnapshots(transaction) as expire:
                expire.by_ids(expired)
        try:
            table = transaction.commit_transaction()
        except CommitFailedException as error:
            raise CommitConflictError(f"{self._prefix}: another version was committed") from error
        if expired:
            IcebergTable(table, self._files, self._clock)._delete_unreferenced()

    def _expired(self, keep_since: datetime) -> list[int]:
        """Return the versions to expire: those replaced before `keep_since`, half if too many."""
        snapshots = self._table.snapshots()
        surplus = len(snapshots) - _MAX_VERSIONS // 2 if len(snapshots) >= _MAX_VERSIONS else 0
        return [
            snapshot.snapshot_id
            for number, snapshot in enumerate(snapshots[:-1])
            if number < surplus
            or snapshots[number + 1].timestamp_ms < keep_since.timestamp() * 1000
        ]

    def _iceberg_file(self, file: DataFile) -> IcebergFile:
        lower, upper = (
            {
                column.field_id: to_bytes(cast(PrimitiveType, column.field_type), bounds[end])
                for column, bounds in (
                    (self._table.schema().find_field(name), bounds)
                    for name, bounds in file.bounds.items()
                )
            }
            for end in (0, 1)
        )
        return IcebergFile.from_args(
            content=DataFileContent.DATA,
            file_path=f"{self._root}{file.key}",
            file_format=FileFormat.PARQUET,
            partition=Record(),
            record_count=file.rows,
            file_size_in_bytes=file.bytes,
            lower_bounds=lower,
            upper_bounds=upper,
        )

    def _delete_unreferenced(self) -> None:
        """Delete files under the table's prefix that none of its versions refers to.

        They were written for expired versions, or by calls that were killed.
        """
        metadata = self._table.metadata
        snapshots = metadata.snapshots
        manifests = self._manifests(snapshots)
        wanted = {
            self._table.metadata_location,
            *(entry.metadata_file for entry in metadata.metadata_log),
            *(snapshot.manifest_list for snapshot in snapshots),
            *(manifest.manifest_path for manifest in manifests),
            *(path for path, _ in _files(manifests)),
        }
        selector = fs.FileSelector(self._prefix.removesuffix("/"), recursive=True)
        before = self._clock() - _IN_USE
        for found in self._files.get_file_info(selector):
            if found.is_file and found.mtime < before and self._root + found.path not in wanted:
                with suppress(FileNotFoundError):  # a concurrent call deleted it
                    self._files.delete_file(found.path)

    def _manifests(self, snapshots: Sequence[Snapshot]) -> _Manifests:
        """Read the manifests of versions, each once."""
        with ThreadPoolExecutor(_READERS) as pool:
            lists = pool.map(lambda snapshot: snapshot.manifests(self._table.io), snapshots)
            manifests = list({each.manifest_path: each for some in lists for each in some}.values())
            entries = pool.map(
                lambda manifest: manifest.fetch_manifest_entry(self._table.io), manifests
            )
            return dict(zip(manifests, entries, strict=True))


def _files(manifests: _Manifests) -> Iterator[tuple[str, IcebergFile]]:
    """Yield the data files of manifests, with their URIs."""
    for entries in manifests.values():
        for entry in entries:
            yield entry.data_file.file_path, entry.data_file

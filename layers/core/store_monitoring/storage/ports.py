"""Protocols for tables and objects in storage; `aws` implements them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:  # some functions are deployed without Arrow
    import pyarrow as pa


class ReportFiles(Protocol):
    """Objects of the data bucket, for functions without Arrow."""

    def write_json(self, key: str, value: object) -> None:
        """Write a value as a JSON object."""

    def create_json(self, key: str, value: object) -> bool:
        """Write a value as JSON unless the object exists; return whether it was written."""

    def read_json(self, key: str) -> object:
        """Return the decoded JSON of an object.

        Raises
        ------
        MissingObjectError
        """

    def read_start(self, key: str, size: int) -> bytes:
        """Return at most `size` first bytes of an object.

        Raises
        ------
        MissingObjectError
        """

    def count(self, prefix: str) -> int:
        """Return the number of objects under a prefix."""

    def presigned_url(self, key: str, filename: str) -> str:
        """Return a presigned URL that downloads the object under a file name."""

    def presigned_page_url(self, key: str) -> str:
        """Return a presigned URL that shows an object, an HTML page, in a browser."""


# Plans and the ingest log use older names for these fields.
_STORED_NAMES = {
    "min_timestamp_us": "least_us",
    "max_timestamp_us": "greatest_us",
    "publishes_changes": "follows_stores",
}


def to_stored_names(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return fields as a dict with the names used in storage: a `dict_factory` for `asdict`."""
    return {_STORED_NAMES.get(name, name): value for name, value in fields}


def from_stored_names(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `to_stored_names` returned, with the names of the fields."""
    names = {stored_name: name for name, stored_name in _STORED_NAMES.items()}
    return {names.get(name, name): value for name, value in stored.items()}


@dataclass(frozen=True, slots=True)
class PollsFile:
    """One Parquet file of polls.

    `bytes` is its size when it was written, here and in `StoresFile`; 0 if that is not known.
    """

    bucket: int
    key: str
    rows: int
    bytes: int
    min_timestamp_us: int
    max_timestamp_us: int

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self, dict_factory=to_stored_names)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read a file's entry in a plan or in the ingest log."""
        return cls(**from_stored_names(stored))


@dataclass(frozen=True, slots=True)
class WrittenPolls:
    """A file of polls, and its number of polls per ISO week (UTC).

    The keys of `rows_by_week` are the starts of the weeks, in microseconds.
    """

    file: PollsFile
    rows_by_week: Counter[int]


@dataclass(frozen=True, slots=True)
class StoresFile:
    """A Parquet file of a bucket's stores.

    `attributes` are the names of the attributes that some of the stores have, ascending.
    """

    bucket: int
    key: str
    stores: int
    bytes: int
    attributes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read a file's entry in a plan; older entries name no attributes."""
        return cls(**{**stored, "attributes": tuple(stored.get("attributes", ()))})


class Objects(Protocol):
    """Objects that are no longer needed."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; missing ones are ignored."""


class Tables(Protocol):
    """Tables and byte streams in object storage."""

    def read_bytes(self, key: str) -> bytes:
        """Return an object's content."""

    def read_part(self, key: str, piece_rows: int = 1000) -> Iterator["pa.Table"]:
        """Yield what one shard computed, in pieces of about `piece_rows` rows, at least a thousand.

        There is at least one piece, even if the part has no rows.

        Raises
        ------
        MissingObjectError
        """

    def read_table(self, key: str) -> "pa.Table":
        """Return a table that `write_table` wrote.

        Raises
        ------
        MissingObjectError
        """

    def read_metadata(self, key: str) -> Mapping[bytes, bytes] | None:
        """Return the metadata of a table's schema; None if the table does not exist."""

    def read_stores(self, files: Sequence[StoresFile], store_id: str | None = None) -> "pa.Table":
        """Return the stores of all files.

        With `store_id`, the result must contain that store and may contain others.
        """

    def read_polls(
        self,
        files: Sequence[PollsFile],
        min_timestamp_us: int,
        max_timestamp_us: int,
        store_id: str | None = None,
    ) -> "pa.Table":
        """Return all polls in [min_timestamp_us, max_timestamp_us], in any order, and maybe others.

        With `store_id`, polls of other stores may be left out.
        """

    def read_polls_in_batches(
        self,
        files: Sequence[PollsFile],
        min_timestamp_us: int,
        max_timestamp_us: int,
        store_id: str | None = None,
    ) -> Iterator["pa.Table"]:
        """Yield what `read_polls` returns, batch by batch; memory does not grow with the files."""

    def write_table(self, key: str, table: "pa.Table") -> int:
        """Write a table as a Parquet object; return its size in bytes."""

    def write_tables(self, key: str, tables: Iterable["pa.Table"]) -> int:
        """Write tables of one schema, at least one, as one object; return its size in bytes."""

    def write_polls(self, key: str, groups: Iterable["pa.Table"]) -> int:
        """Write one Parquet object, a row group for each table; return its size in bytes."""

    def write_part(self, key: str, part: "pa.Table") -> None:
        """Write what one shard computed."""

    def write_outages(self, key: str, outages: Iterable["pa.Table"]) -> None:
        """Write the outages of one shard's stores; there must be at least one table."""

    def write_file(self, key: str, path: Path) -> None:
        """Write a local file as an object."""

    def open_output(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """Open a stream whose content becomes the object when the context ends."""

"""Tables and objects in storage, as protocols; `aws` implements them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # not for the functions that carry no Arrow
    import pyarrow as pa


class ReportFiles(Protocol):
    """A report's objects, for those who do not read Parquet."""

    def write_json(self, key: str, value: object) -> None:
        """Write an object of JSON."""

    def create_json(self, key: str, value: object) -> bool:
        """Write an object of JSON unless there is one; tell whether it was written."""

    def read_json(self, key: str) -> object:
        """Return an object's JSON, decoded.

        Raises
        ------
        MissingObjectError
        """

    def count(self, prefix: str) -> int:
        """Return how many objects there are under a prefix."""

    def presigned_url(self, key: str, filename: str) -> str:
        """Return an address under which the object can be downloaded for a while."""


@dataclass(frozen=True, slots=True)
class PollsFile:
    """One Parquet file of polls."""

    bucket: int
    key: str
    rows: int
    bytes: int
    least_us: int
    greatest_us: int


@dataclass(frozen=True, slots=True)
class StoresFile:
    """The current Parquet file of a bucket's stores."""

    bucket: int
    key: str
    stores: int
    bytes: int


class Objects(Protocol):
    """Objects that are no longer needed."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are gone already do not matter."""


class Tables(Protocol):
    """Tables and byte streams in object storage."""

    def read_bytes(self, key: str) -> bytes:
        """Return an object's content."""

    def read_part(self, key: str) -> Iterator["pa.Table"]:
        """Yield what one shard computed, piece by piece.

        Raises
        ------
        MissingObjectError
        """

    def read_table(self, key: str) -> "pa.Table":
        """Return a table that was written whole.

        Raises
        ------
        MissingObjectError
        """

    def count_rows(self, key: str) -> int | None:
        """Return how many rows a table has, None if it is not there."""

    def read_stores(self, files: Sequence[StoresFile], store_id: str | None = None) -> "pa.Table":
        """Return the stores of all files; if one is named, it and some others."""

    def read_polls(
        self,
        files: Sequence[PollsFile],
        least_us: int,
        greatest_us: int,
        store_id: str | None = None,
    ) -> "pa.Table":
        """Return all polls in [least_us, greatest_us], and some others, in any order.

        If a store is named, only its polls need be among them.
        """

    def read_polls_in_batches(
        self,
        files: Sequence[PollsFile],
        least_us: int,
        greatest_us: int,
        store_id: str | None = None,
    ) -> Iterator["pa.Table"]:
        """Yield what `read_polls` returns, batch by batch: memory does not grow with the files."""

    def write_table(self, key: str, table: "pa.Table") -> int:
        """Write a table as a Parquet object; return its size in bytes."""

    def write_polls(self, key: str, groups: Iterable["pa.Table"]) -> int:
        """Write polls as row groups, one or more each, of one Parquet object; return its size."""

    def write_part(self, key: str, part: "pa.Table") -> None:
        """Write what one shard computed."""

    def write_report(self, key: str, batches: Iterable["pa.Table"]) -> None:
        """Write a report as Parquet; there is a batch at least."""

    def write_file(self, key: str, path: Path) -> None:
        """Write a local file as an object."""

    def open_output(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """Open a stream that becomes the object's content at the end of the context."""

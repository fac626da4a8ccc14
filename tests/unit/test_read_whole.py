"""A small file whose size is known is read whole, by one request."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import fs

from store_monitoring.aws.arrow_tables import ArrowTables
from store_monitoring.errors import MissingObjectError
from store_monitoring.storage.ports import PollsFile, StoresFile
from store_monitoring.storage.schemas import POLLS, STORES

ALL_TIME_US = (-(2**62), 2**62)
MEGABYTE = 1024 * 1024


class CountingReader:
    """Reads files of a folder whole, and counts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: list[str] = []

    def read(self, key: str) -> bytes:
        self.keys.append(key)
        return (self.folder / key).read_bytes()


@pytest.fixture
def reader(tmp_path: Path) -> CountingReader:
    return CountingReader(tmp_path)


@pytest.fixture
def tables(tmp_path: Path, reader: CountingReader) -> ArrowTables:
    return ArrowTables(fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()), reader.read)


def polls_of(*store_ids: str) -> pa.Table:
    rows = [{"store_id": each, "timestamp": 0, "active": True} for each in store_ids]
    return pa.Table.from_pylist(rows, POLLS)


@pytest.fixture
def file(tables: ArrowTables) -> PollsFile:
    """A file with the polls of two stores."""
    size = tables.write_polls("polls", [polls_of("a", "b")])
    return PollsFile(0, "polls", 2, size, *ALL_TIME_US)


def ids(polls: pa.Table) -> list[str]:
    found: list[str] = polls.column("store_id").to_pylist()
    return found


@pytest.mark.parametrize("store_id", [None, "a"])
def test_a_small_file_is_read_whole(
    tables: ArrowTables, reader: CountingReader, file: PollsFile, store_id: str | None
) -> None:
    assert ids(tables.read_polls([file], *ALL_TIME_US, store_id)) == ["a", "b"]
    assert reader.keys == ["polls"]


@pytest.mark.parametrize(("size", "store_id"), [(0, None), (2 * MEGABYTE, None), (MEGABYTE, "a")])
def test_a_file_of_unknown_size_or_a_large_one_is_not(
    tables: ArrowTables,
    reader: CountingReader,
    file: PollsFile,
    size: int,
    store_id: str | None,
) -> None:
    polls = tables.read_polls([replace(file, bytes=size)], *ALL_TIME_US, store_id)
    assert ids(polls) == ["a", "b"]
    assert reader.keys == []


def test_stores_are_read_whole(tables: ArrowTables, reader: CountingReader) -> None:
    size = tables.write_table("stores", pa.Table.from_pylist([{"store_id": "a"}], STORES))
    assert ids(tables.read_stores([StoresFile(0, "stores", 1, size)])) == ["a"]
    assert reader.keys == ["stores"]


def test_a_file_may_have_another_size_by_now(tables: ArrowTables, file: PollsFile) -> None:
    for store_ids in ([], ["b"], [str(number) for number in range(100)]):
        assert tables.write_polls("polls", [polls_of(*store_ids)]) != file.bytes
        assert ids(tables.read_polls([file], *ALL_TIME_US)) == store_ids


def test_a_missing_object_is_missing(tables: ArrowTables, file: PollsFile) -> None:
    with pytest.raises(MissingObjectError):
        tables.read_polls([replace(file, key="gone")], *ALL_TIME_US)
    with pytest.raises(MissingObjectError):
        tables.read_bytes("gone")

"""The folder in which a local cloud keeps its data."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from local.emulator.state_folder import LAYOUT_VERSION, Kind, Record, StateError, StateFolder

NAMES = {"buckets": ["inbox"]}

# Writes records until it is killed; prints the number of each after it is written.
WRITER = """
import sys
from pathlib import Path
from local.emulator.state_folder import Kind, Record, StateFolder

state = StateFolder(Path(sys.argv[1]))
for number in range(1_000_000):
    pair = [Record(Kind.ITEM, table, str(number), number) for table in ("a", "b")]
    state.write(*pair)
    print(number, flush=True)
"""


@contextmanager
def opened(folder: Path) -> Iterator[StateFolder]:
    with closing(StateFolder.open(folder, NAMES)) as state:
        yield state


def kept(state: StateFolder, owner: str = "t") -> list[tuple[str, object]]:
    return [(record.id, record.value) for record in state.records(Kind.ITEM, owner)]


def test_records_keep_their_order_when_they_change(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        for name in ("a", "b", "c"):
            state.write(Record(Kind.ITEM, "t", name, 1))
        state.write(Record(Kind.ITEM, "t", "a", 2), Record(Kind.ITEM, "t", "b", None))

    with opened(tmp_path) as state:
        assert kept(state) == [("a", 2), ("c", 1)]


def test_a_setting_is_set_once(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        assert state.setting("secret", "first") == "first"

    with opened(tmp_path) as state:
        assert state.setting("secret", "second") == "first"


def test_records_written_together_are_kept_together_when_the_writer_is_killed(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(500)][-1]
        writer.kill()

    with closing(StateFolder(tmp_path)) as state:
        assert kept(state, "a") == kept(state, "b")
        assert len(kept(state, "a")) > acknowledged


def test_the_file_of_an_object_without_a_record_is_deleted(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        for name in ("known", "unknown"):
            state.object_file(name).write_bytes(b"bytes")
        state.write(Record(Kind.OBJECT, "bucket", "known", {}))

    with opened(tmp_path) as state:
        assert state.object_file("known").read_bytes() == b"bytes"
        assert not state.object_file("unknown").exists()


def test_only_one_cloud_uses_a_folder(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        with pytest.raises(StateError, match="uses"):
            StateFolder(tmp_path)
        state.write(Record(Kind.ITEM, "t", "a", 1))
        assert kept(state) == [("a", 1)]


def test_another_version_of_the_layout_is_refused_and_unchanged(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as database:
        database.execute(f"PRAGMA user_version = {LAYOUT_VERSION + 1}")
        database.execute("DROP TABLE records")

    with pytest.raises(StateError, match=rf"version {LAYOUT_VERSION + 1}\b"):
        StateFolder(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_resources_with_other_names_are_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass

    with pytest.raises(StateError, match="inbox"):
        StateFolder.open(tmp_path, {"buckets": ["other"]})
    with opened(tmp_path) as state:
        assert kept(state) == []


def test_a_folder_with_other_files_is_refused_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(StateError, match="not empty"):
        StateFolder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StateError, match="file"):
        StateFolder(tmp_path / "file")

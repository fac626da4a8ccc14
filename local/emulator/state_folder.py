"""A folder that keeps the data of a local cloud: a SQLite database, and a file for each object.

A change is in the folder before anything can see it, and so before the response that acknowledges
it. Nothing is left to write when the cloud ends, however it ends. Nothing waits for the disk: after
a power failure the folder is consistent, but may lack the last changes.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from local import LocalError

LAYOUT_VERSION = 1
"""Increase it with every change that makes a folder unreadable for other versions."""

_DATABASE = "state.sqlite"
_OBJECTS = "objects"
_ONLY_FOR_ITS_USER = 0o700


class StateError(LocalError):
    """A folder cannot be used; the message says why."""


class Kind(StrEnum):
    """What a record is about."""

    OBJECT = "object"
    """A version of an S3 object, or a delete marker."""
    ITEM = "item"
    """An item of a DynamoDB table."""
    MESSAGE = "message"
    """A message of an SQS queue."""
    EVENT = "event"
    """An event for a function, accepted but not processed."""
    EXECUTION = "execution"
    """A running execution of a state machine."""
    TABLE = "table"
    """A table of the Glue catalog."""
    SETTING = "setting"
    """A value of the cloud itself."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of one thing.

    Attributes
    ----------
    kind : Kind
    owner : str
        The name of the bucket, table or other resource that it belongs to.
    id : str
        Unique among the owner's records of this kind.
    value : object
        JSON, or None to delete the record.
    """

    kind: Kind
    owner: str
    id: str
    value: Any


class StateFolder:
    """A folder that keeps the data of one local cloud at a time.

    Parameters
    ----------
    folder
        It is made if it does not exist.

    Raises
    ------
    StateError
        If it has other files or another version of the layout, or another local cloud uses it.

    Examples
    --------
    >>> import tempfile
    >>> state = StateFolder(Path(tempfile.mkdtemp()))
    >>> state.write(Record(Kind.MESSAGE, "uploads", "1", {"body": "a"}))
    >>> [record.value for record in state.records(Kind.MESSAGE, "uploads")]
    [{'body': 'a'}]
    >>> state.close()
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._objects = folder / _OBJECTS
        database = folder / _DATABASE
        try:
            folder.mkdir(mode=_ONLY_FOR_ITS_USER, parents=True, exist_ok=True)
            if not database.exists() and any(folder.iterdir()):
                raise StateError(
                    f"{folder} is not empty and keeps no local cloud: name another folder"
                )
            self._database = sqlite3.connect(database, timeout=0, check_same_thread=False)
            with ExitStack() as undo:
                undo.callback(self.close)
                self._open(folder)
                undo.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{folder} cannot be used: {error}") from error

    @classmethod
    def open(cls, folder: Path, names: Any) -> Self:
        """Open a folder for a cloud with these names.

        Raises
        ------
        StateError
            As above, or if the folder keeps resources with other names.
        """
        state = cls(folder)
        kept = state.setting("names", names)
        if kept != names:
            state.close()
            raise StateError(
                f"{folder} keeps the data of another template, whose resources are {_text(kept)} "
                f"and not {_text(names)}: name another folder"
            )
        return state

    def close(self) -> None:
        """Let another cloud use the folder."""
        self._database.close()

    def setting(self, name: str, default: Any) -> Any:
        """Return a value of the cloud; if there is none, set it to the default."""
        for record in self.records(Kind.SETTING, ""):
            if record.id == name:
                return record.value
        self.write(Record(Kind.SETTING, "", name, default))
        return default

    def write(self, *records: Record) -> None:
        """Write or delete records, all or none of them. A changed record keeps its place."""
        with self._transaction() as transaction:
            for record in records:
                key = record.kind, record.owner, record.id
                if record.value is None:
                    transaction.execute(
                        "DELETE FROM records WHERE kind = ? AND owner = ? AND id = ?", key
                    )
                else:
                    transaction.execute(
                        "INSERT INTO records (kind, owner, id, value) VALUES (?, ?, ?, ?) "
                        "ON CONFLICT (kind, owner, id) DO UPDATE SET value = excluded.value",
                        (*key, _text(record.value)),
                    )

    def records(self, kind: Kind, owner: str) -> list[Record]:
        """Return the records of a resource, in the order in which they were first written."""
        with self._lock:
            found = self._database.execute(
                "SELECT id, value FROM records WHERE kind = ? AND owner = ? ORDER BY place",
                (kind, owner),
            ).fetchall()
        return [Record(kind, owner, name, json.loads(value)) for name, value in found]

    def object_file(self, name: str) -> Path:
        """Return the file for the bytes of the object whose record has this id."""
        return self._objects / name

    def _open(self, folder: Path) -> None:
        database = self._database
        # This cloud's alone until it ends: the lock is taken by the first write below.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            [version] = database.execute("PRAGMA user_version").fetchone()
        except sqlite3.OperationalError as error:
            raise _in_use(folder) from error
        if version not in (0, LAYOUT_VERSION):
            raise StateError(
                f"{folder} has version {version} of the layout, and this program reads version "
                f"{LAYOUT_VERSION}: name another folder, or use the program that made it"
            )
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            raise _in_use(folder) from error
        database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction() as transaction:
            transaction.execute(
                "CREATE TABLE IF NOT EXISTS records (place INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
                " owner TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL,"
                " UNIQUE (kind, owner, id))"
            )
            transaction.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
        self._objects.mkdir(exist_ok=True)
        # An object's file is written before its record, and deleted after it.
        known = database.execute("SELECT id FROM records WHERE kind = ?", (Kind.OBJECT,))
        for name in {path.name for path in self._objects.iterdir()} - {name for (name,) in known}:
            with suppress(FileNotFoundError):
                self.object_file(name).unlink()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database:
            yield self._database


def _in_use(folder: Path) -> StateError:
    return StateError(f"another local cloud uses {folder}")


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))

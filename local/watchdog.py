"""Cleans up after the embedded cloud's server, however it ended.

Runs as a process of its own beside the server, in the server's session. It reads its standard
input, which only the server holds open, and so learns that the server is gone. Then it kills what
the server left in the session (the emulators put handlers into process groups of their own, so
killing a group would not do) and removes the state folder.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_PATIENCE_SECONDS = 10


def main() -> None:
    """Wait for the end of the server, then remove its processes and the folder ``sys.argv[1]``."""
    sys.stdin.buffer.read()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (pids := list(_others_in_session())) and time.monotonic() < deadline:
        for pid in pids:
            _kill(pid)
        time.sleep(0.01)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


def _others_in_session() -> Iterator[int]:
    own_session = str(os.getsid(0))
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            stat = (folder / "stat").read_text(errors="replace")
        except OSError:
            continue  # It ended while we looked.
        state, _parent, _group, session = stat.rpartition(")")[2].split()[:4]
        if session == own_session and state not in "ZX":
            yield int(folder.name)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()

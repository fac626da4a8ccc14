"""Runs the local cloud's server, and leaves nothing behind, however either of them ends.

Usage: ``python supervisor.py STATE_FOLDER COMMAND...``

The command runs until it ends by itself or until standard input ends, which it does when the
program that holds its other end is closed or killed. Then every process that the command left is
killed, and the state folder removed. The kernel hands orphans to this process, so that none can
hide: the emulators put their handlers into process groups of their own.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Run the command, then clean up."""
    state, command = sys.argv[1], sys.argv[2:]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  # our server
    threading.Thread(target=_kill_at_end_of_input, args=(server,), daemon=True).start()
    server.wait()
    _end_descendants()
    shutil.rmtree(state, ignore_errors=True)


def _kill_at_end_of_input(server: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    server.kill()


def _end_descendants() -> None:
    """Kill children until there are none; a killed child's own children become ours."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It ended while we looked.
            stat = (folder / "stat").read_text(errors="replace")
            _state, parent = stat.rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid():
                yield int(folder.name)


if __name__ == "__main__":
    main()

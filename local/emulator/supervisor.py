"""Runs the local cloud's server and cleans up, however either of them ends.

Usage: ``python supervisor.py STATE_FOLDER COMMAND...``

The command runs until it ends by itself or standard input ends, which happens when the program at
the other end closes it or is killed. Then this program kills all remaining processes of the command
and deletes the state folder. The kernel makes orphans children of this process, so that it finds
all of them: the emulators start their handlers in other process groups.
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
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  # the local cloud's server
    threading.Thread(target=_kill_at_end_of_input, args=(server,), daemon=True).start()
    server.wait()
    _end_descendants()
    shutil.rmtree(state, ignore_errors=True)


def _kill_at_end_of_input(server: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    server.kill()


def _end_descendants() -> None:
    """Kill children until none is left; this process inherits the children of a killed child."""
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

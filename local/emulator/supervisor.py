"""Runs the local cloud's server and cleans up, however either of them ends.

The server runs until it ends by itself or the program that started the cloud closes its end of the
connection, which also happens when it is killed. Then this process kills all remaining processes of
the server and deletes the state folder. The kernel makes orphans children of this process, so that
it finds all of them: the emulators start their handlers in other process groups.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def supervise(program: socket.socket, state: Path, serve: Callable[[], None]) -> None:
    """Run the server in a fork of this process, then clean up.

    Parameters
    ----------
    program
        The connection to the program that started the cloud.
    state
        The state folder.
    serve
        Runs the server.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = os.fork()
    if not server:
        serve()
        return
    process = os.pidfd_open(server)
    threading.Thread(target=_kill_at_end, args=(program, process), daemon=True).start()
    os.waitpid(server, 0)
    _end_descendants()
    shutil.rmtree(state, ignore_errors=True)


def _kill_at_end(program: socket.socket, server: int) -> None:
    with contextlib.suppress(ConnectionError):
        while program.recv(1):
            pass
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(server, signal.SIGKILL)


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

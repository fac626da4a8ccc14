"""Starts the processes of clouds, by forking one that has imported the emulator.

The import takes half of a cloud's start, so a program does it once: with its first cloud it starts
another process, the launcher, which forks a supervisor for each cloud. The supervisor forks the
server and cleans up after it. A socket connects it to the program, so that it ends the cloud when
the program ends, however it does.
"""

import atexit
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from local.emulator.faults import Faults
from local.emulator.runtime import Runtime
from local.emulator.supervisor import supervise

_ROOT = Path(__file__).parents[2]
_MAX_REQUEST_BYTES = 262_144  # above Linux's default limit for one message


@dataclass(frozen=True, slots=True)
class CloudOptions:
    """What a cloud's server is started with: see `LocalCloud`.

    Attributes
    ----------
    environment
        The server's environment variables.
    state
        Folder for logs and temporary files; it is deleted at the end.
    """

    environment: Mapping[str, str]
    state: Path
    template: Path
    parameters: Mapping[str, str]
    api_port: int
    aws_port: int
    runtime: Runtime
    api_key: str | None
    faults: Faults
    environments: int | None
    sample: Mapping[str, Path]
    keep: Path | None


Serve = Callable[[CloudOptions, socket.socket], None]
"""Runs a server: it sends one line to the socket when it is ready, and then serves."""


class Launcher:
    """The process that forks clouds. It starts with the first cloud and ends with the program."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, options: CloudOptions, errors: TextIO) -> socket.socket:
        """Start a cloud.

        Parameters
        ----------
        options
            What to start it with.
        errors
            File for what its processes print.

        Returns
        -------
        socket.socket
            The connection to its processes. The server sends one line when it is ready. The
            supervisor ends the cloud when this end is shut down; the other end closes when nothing
            of the cloud is left.
        """
        ours, theirs = socket.socketpair()
        with self._lock, theirs, suppress(ConnectionError):  # then both ends are closed
            if self._process is None or self._process.poll() is not None:
                self._start(errors)
            request = pickle.dumps(options)
            socket.send_fds(self._requests, [request], [theirs.fileno(), errors.fileno()])
        return ours

    def _start(self, errors: TextIO) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.emulator"],
                cwd=_ROOT,
                stdin=theirs.fileno(),
                stdout=errors,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for the program
            )
        atexit.register(_end, self._process, self._requests)


def _end(process: "subprocess.Popen[bytes]", requests: socket.socket) -> None:
    requests.close()
    process.kill()  # it may still be importing
    process.wait()


def fork_clouds(serve: Serve) -> None:
    """Fork a supervisor for each request on standard input, until that ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps supervisors that have ended
    with socket.socket(fileno=sys.stdin.fileno()) as requests:
        while True:
            request, descriptors, *_ = socket.recv_fds(requests, _MAX_REQUEST_BYTES, 2)
            if not request:
                return
            if not os.fork():
                break
            for descriptor in descriptors:
                os.close(descriptor)
    _run(serve, pickle.loads(request), *descriptors)  # noqa: S301  # from `Launcher`


def _run(serve: Serve, options: CloudOptions, connection: int, errors: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in enumerate((null, errors, errors)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(options.environment)
    program = socket.socket(fileno=connection)
    supervise(program, options.state, partial(serve, options, program))
    os._exit(0)  # at once, although the emulator is loaded

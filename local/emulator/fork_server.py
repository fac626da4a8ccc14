"""Starts the processes of handlers by forking one that has imported what most of them use.

Importing boto3, pyarrow and Powertools takes most of a cold start, and parsing botocore's models of
services half of the rest. So the emulator of an execution environment starts this file as a small
program instead of the runtime client. The program asks the fork server for a process, passes on its
working directory, environment variables and output, and exits as that process does. Both are in one
process group, so that a signal to the group ends both.

Usage: ``python fork_server.py SOCKET HANDLER``
"""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

_PRELOADED = (
    "aws_lambda_powertools.event_handler.openapi.params",
    "aws_lambda_powertools.metrics",
    "boto3",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "pytz",
)
_SERVICES = ("dynamodb", "events", "s3", "sns", "sqs", "stepfunctions")
_MODELS = ("service-2", "endpoint-rule-set-1")  # of each service
_DATA = ("_retry", "endpoints", "partitions", "sdk-default-configuration")  # of all services
_MAX_REQUEST_BYTES = 131_072
_STATUS_BYTES = 4


class ForkServer:
    """A process that forks one for each execution environment.

    Parameters
    ----------
    python : Path
        The interpreter. Handlers can import all its packages.
    path : Path
        Folder of modules that replace the interpreter's.
    folder : Path
        Folder for the server's socket. Only this user may open it: it runs programs.
    """

    def __init__(self, python: Path, path: Path, folder: Path) -> None:
        self._python = python
        self._socket = folder / "fork-server"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(self._socket))
            listener.listen(128)  # requests wait until the server has imported the packages
            self._process = subprocess.Popen(  # noqa: S603  # this file
                [str(python), "-P", __file__],
                # Threads do not survive a fork.
                env={"PYTHONPATH": str(path), "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
                stdin=listener.fileno(),
            )

    def command(self, handler: str) -> list[str]:
        """Return the command that runs a handler in the working directory."""
        return [str(self._python), "-I", "-S", __file__, str(self._socket), handler]


def main() -> None:
    """Run the server; with arguments, request a process from it."""
    if len(sys.argv) > 1:
        _run_forked(*sys.argv[1:])
    else:
        with socket.socket(fileno=sys.stdin.fileno()) as listener:
            _serve(listener)


def _run_forked(server: str, handler: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(server)
        variables = [f"{name}={value}" for name, value in os.environ.items()]
        request = "\0".join([str(os.getpgrp()), handler, str(Path.cwd()), *variables])
        socket.send_fds(connection, [os.fsencode(request)], [1, 2])
        status = int.from_bytes(connection.recv(_STATUS_BYTES))
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    sys.exit(os.waitstatus_to_exitcode(status))


def _serve(listener: socket.socket) -> None:
    import gc  # the small program does not need these
    import importlib

    gc.disable()
    for module in _PRELOADED:
        importlib.import_module(module)
    _load_models()
    gc.freeze()  # a collection would copy the memory that processes share
    gc.enable()
    _run_handler(_forked(listener))


def _load_models() -> None:
    """Parse what botocore knows about services, for boto3's default session of all handlers.

    Nothing else is loaded: credentials and settings are those of each handler's environment.
    """
    import boto3
    import botocore.session

    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    for service in _SERVICES:
        for model in _MODELS:
            loader.load_service_model(service, model)
    for data in _DATA:
        loader.load_data(data)
    boto3.setup_default_session(botocore_session=session)


def _forked(listener: socket.socket) -> socket.socket:
    """Fork a process for each connection; return the connection in that process only."""
    import selectors

    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    pid = os.fork()
                    if not pid:
                        return connection
                    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
                else:
                    pid, connection = key.data
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _, status = os.waitpid(pid, 0)
                    with connection, contextlib.suppress(ConnectionError):
                        connection.send(status.to_bytes(_STATUS_BYTES))


def _run_handler(connection: socket.socket) -> None:
    import runpy
    import time

    request, output, *_ = socket.recv_fds(connection, _MAX_REQUEST_BYTES, 2)
    connection.close()
    group, handler, folder, *variables = os.fsdecode(request).split("\0")
    os.setpgid(0, int(group))
    for target, source in enumerate((os.open(os.devnull, os.O_RDONLY), *output)):
        os.dup2(source, target)
        os.close(source)
    os.chdir(folder)
    os.environ.clear()
    for variable in variables:
        name, _, value = variable.partition("=")
        os.environ[name] = value
    time.tzset()
    # As `python -m awslambdaric` with these variables begins.
    sys.path[:0] = [folder, *os.environ["PYTHONPATH"].split(":")]
    sys.argv[1:] = [handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

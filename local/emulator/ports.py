"""Free ports of this machine."""

import errno
import os
import secrets
import socket

from local import LocalError
from local.emulator.settings import HOST

_LAST_PORT = 65_535


class PortError(LocalError):
    """The requested ports cannot be used; the message says why."""


def free_ports(count: int, host: str = HOST) -> list[int]:
    """Return ports that are free now; another program may take them at any time."""
    sockets = [socket.create_server((host, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def random_loopback_host() -> str:
    """Return a loopback address (127.0.0.0/8) that web pages cannot guess."""
    return ".".join(["127", *(str(1 + secrets.randbelow(254)) for _ in range(3))])


def check_ports(port: int) -> None:
    """Check that a port is free for the API, and the next one for AWS's services.

    Raises
    ------
    PortError
        If one of them is in use, not permitted or not a valid port.
    """
    if not 0 < port < _LAST_PORT:
        raise PortError(f"PORT={port} is not between 1 and {_LAST_PORT - 1}")
    for number, needed in ((port, ""), (port + 1, ", which AWS's services need beside it,")):
        try:
            socket.create_server((HOST, number)).close()
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            problem = "is in use" if in_use else f"is refused: {os.strerror(error.errno or 0)}"
            raise PortError(f"PORT={port}: port {number}{needed} {problem}") from error

"""Free ports of this machine."""

import socket

from local.settings import HOST


def free_ports(count: int) -> list[int]:
    """Find ports that nothing listens on. Another program may take them at any time."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports

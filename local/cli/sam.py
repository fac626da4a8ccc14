"""SAM CLI with containers on this machine's network: ``python -m local.cli.sam local invoke …``.

The local cloud listens on loopback only. Containers on the container engine's network cannot reach
it, even with ``sam local --docker-network host``. Here containers share this machine's network, and
the emulator in each container gets its own ports.
"""

from collections.abc import Callable
from typing import Any

from docker.models.containers import Container, ContainerCollection
from samcli.cli.main import cli

from local.emulator.patching import patch
from local.emulator.ports import free_ports
from local.emulator.settings import HOST


def main() -> None:
    """Run SAM CLI with the arguments of the command line."""
    _create_on_this_network()
    cli(prog_name="sam")


def _create_on_this_network() -> None:
    """Make SAM CLI create containers on this machine's network, with their own ports."""

    @patch(ContainerCollection, "create")
    def create(
        original: Callable[..., Container],
        containers: ContainerCollection,
        image: str,
        *,
        ports: dict[str, tuple[str, int]],
        entrypoint: list[str],
        **settings: Any,
    ) -> Container:
        # The port on which SAM CLI would publish the emulator's port 8080.
        ((_, emulator_port),) = ports.values()
        (runtime_port,) = free_ports(1)
        listening = [
            f"--runtime-interface-emulator-address={HOST}:{emulator_port}",
            f"--runtime-api-address={HOST}:{runtime_port}",
        ]
        return original(
            containers,
            image,
            entrypoint=[*entrypoint, *listening],
            network_mode="host",
            **settings,
        )


if __name__ == "__main__":
    main()

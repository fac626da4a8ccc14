"""SAM CLI, its containers on this machine's network: ``python -m local.cli.sam local invoke …``.

The local cloud listens on loopback only, which containers on the engine's network do not reach,
and that is where ``sam local --docker-network host`` leaves them. Here they share this machine's
network, and the emulator in each listens on ports of its own.
"""

from collections.abc import Callable
from typing import Any

from docker.models.containers import Container, ContainerCollection
from samcli.cli.main import cli

from local.emulator.patching import replace
from local.emulator.ports import free_ports
from local.emulator.settings import HOST


def main() -> None:
    """Run SAM CLI with the arguments of the command line."""
    replace(ContainerCollection, "create", _on_this_network)
    cli(prog_name="sam")


def _on_this_network(original: Callable[..., Container]) -> Callable[..., Container]:
    def create(
        containers: ContainerCollection,
        image: str,
        *,
        ports: dict[str, tuple[str, int]],
        entrypoint: list[str],
        **settings: Any,
    ) -> Container:
        # Where SAM CLI would have had the emulator's own port 8080 published.
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

    return create


if __name__ == "__main__":
    main()

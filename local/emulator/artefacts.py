"""What is run: the source as it stands, or what `sam build` made of it."""

import platform
from dataclasses import dataclass
from pathlib import Path

from local.emulator.runtime import Runtime, lambda_python, this_python


class NotBuiltError(Exception):
    """There is nothing built that this machine's processor can run."""


@dataclass(frozen=True, slots=True)
class Artefacts:
    """A template that names the code of its functions and layers, and the Python that runs it."""

    template: Path
    runtime: Runtime


def from_source(project: Path) -> Artefacts:
    """Return what lies in a project's folder."""
    return Artefacts(project / "template.yaml", this_python())


def as_built(project: Path) -> Artefacts:
    """Return what `make build` left in a project's folder.

    Raises
    ------
    NotBuiltError
        If it left nothing, or something for another processor.
    NoLambdaRuntimeError
        If there is no Python as Lambda has it.
    """
    build, machine = project / ".aws-sam" / "build", platform.machine()
    if not any(build.glob(f"*Layer/**/*-{machine}-linux-gnu.so")):
        architecture = "arm64" if machine == "aarch64" else machine
        raise NotBuiltError(
            f"nothing is built for this machine's processor: make build ARCH={architecture}"
        )
    return Artefacts(build / "template.yaml", lambda_python(project / ".data"))

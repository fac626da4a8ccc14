"""What to run: the source, or the output of `sam build`."""

import platform
from dataclasses import dataclass
from pathlib import Path

from local import LocalError
from local.emulator.runtime import Runtime, lambda_python, this_python


class NotBuiltError(LocalError):
    """No build exists for this machine's processor."""


@dataclass(frozen=True, slots=True)
class Artefacts:
    """A template, which names the code of its functions and layers, and the Python to run it."""

    template: Path
    runtime: Runtime


def from_source(project: Path) -> Artefacts:
    """Return the source in a project's folder."""
    return Artefacts(project / "template.yaml", this_python())


def as_built(project: Path) -> Artefacts:
    """Return the output of `make build` in a project's folder.

    Raises
    ------
    NotBuiltError
        If there is no build, or only one for another processor.
    NoLambdaRuntimeError
        If Lambda's version of Python is not installed.
    """
    build, machine = project / ".aws-sam" / "build", platform.machine()
    if not any(build.glob(f"*Layer/**/*-{machine}-linux-gnu.so")):
        architecture = "arm64" if machine == "aarch64" else machine
        raise NotBuiltError(
            f"nothing is built for this machine's processor: make build ARCH={architecture}"
        )
    return Artefacts(build / "template.yaml", lambda_python(project / ".data"))

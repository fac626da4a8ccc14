"""The Python that runs handlers, and the packages of Lambda's runtime."""

import hashlib
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from layers.build.bytecode import compile_all, find_interpreter
from local import LocalError

LAMBDA_VERSION = "3.13"

_REQUIREMENTS = Path(__file__).parent / "runtime_requirements.txt"


class NoLambdaRuntimeError(LocalError):
    """Lambda's version of Python is not installed, or its packages cannot be installed."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A Python for handlers.

    Attributes
    ----------
    python : Path
        The interpreter.
    version : str
        Its version, such as ``3.13``.
    packages : Path or None
        Folder of the runtime's own packages, like Lambda's /var/runtime: handlers can import these,
        their code and their layers only. None: they can import all packages of the interpreter.
    """

    python: Path
    version: str
    packages: Path | None = None

    def command(self, handler: str) -> list[str]:
        """Return the command that starts the runtime client, which sees no other packages."""
        return [str(self.python), "-S", "-m", "awslambdaric", handler]


def this_python() -> Runtime:
    """Return this Python with all its packages, to run handlers from source."""
    return Runtime(Path(sys.executable), f"{sys.version_info.major}.{sys.version_info.minor}")


def lambda_python(cache: Path) -> Runtime:
    """Return a Python like Lambda's, to run built handlers.

    Parameters
    ----------
    cache : Path
        Folder that keeps the runtime's packages after the first installation.

    Raises
    ------
    NoLambdaRuntimeError
        If there is no interpreter of that version, or pip fails; pip prints the reason.
    """
    interpreter = find_interpreter(LAMBDA_VERSION)
    if interpreter is None:
        raise NoLambdaRuntimeError(
            f"a build runs under Python {LAMBDA_VERSION}, and none was found on PATH, in pyenv "
            f"or in uv; one way to install it: uv python install {LAMBDA_VERSION}"
        )
    lock = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    packages = cache / f"runtime-{LAMBDA_VERSION}-{lock[:8]}"
    if not packages.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            unfinished = Path(folder, "packages")
            _install(unfinished)
            compile_all(unfinished, interpreter)
            unfinished.rename(packages)
    return Runtime(interpreter, LAMBDA_VERSION, packages)


def _install(folder: Path) -> None:
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-compile", "--no-deps", "--require-hashes", "--requirement", str(_REQUIREMENTS)),
        *("--only-binary", ":all:", "--platform", f"manylinux2014_{platform.machine()}"),
        *("--implementation", "cp", "--python-version", LAMBDA_VERSION),
        *("--target", str(folder)),
    ]
    if subprocess.run(command, check=False).returncode:  # noqa: S603  # pip
        raise NoLambdaRuntimeError(f"the packages of {_REQUIREMENTS.name} could not be installed")

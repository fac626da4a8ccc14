"""The Python that runs handlers, and the packages that Lambda's runtime puts beside their code."""

import hashlib
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from layers.build.bytecode import compile_all, find_interpreter

LAMBDA_VERSION = "3.13"

_REQUIREMENTS = Path(__file__).parent / "runtime_requirements.txt"


class NoLambdaRuntimeError(Exception):
    """There is no Python as Lambda has it, or its packages cannot be installed."""


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
        Folder of the runtime's own packages, as /var/runtime is in Lambda: handlers see nothing
        else beside their code and layers. None: they see all that is installed for the interpreter.
    """

    python: Path
    version: str
    packages: Path | None = None


def this_python() -> Runtime:
    """Return the Python that runs this, with all its packages: for handlers run from source."""
    return Runtime(Path(sys.executable), f"{sys.version_info.major}.{sys.version_info.minor}")


def lambda_python(cache: Path) -> Runtime:
    """Return a Python as Lambda has it: for handlers as they are built.

    Parameters
    ----------
    cache : Path
        Folder in which the runtime's packages are kept, once they are installed.

    Raises
    ------
    NoLambdaRuntimeError
        If there is no interpreter of that version, or pip fails, which says why itself.
    """
    interpreter = find_interpreter(LAMBDA_VERSION)
    if interpreter is None:
        raise NoLambdaRuntimeError(
            f"what is built runs under Python {LAMBDA_VERSION}, and there is none: "
            "not on PATH, of pyenv or of uv"
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

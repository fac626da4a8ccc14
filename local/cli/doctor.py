"""Checks what this machine has, and says what to do about what it lacks."""

import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import docker
import requests
from docker.errors import DockerException
from rich.table import Table

from layers.build.bytecode import find_interpreter
from local.emulator.ports import PortError, check_ports
from local.emulator.runtime import LAMBDA_VERSION
from local.emulator.settings import HOST

_MIN_PYTHON = (3, 11)
_MIN_FREE_BYTES = 1_000_000_000
_PORT = 3000
# The first needs half of the processor time of the others.
_CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_ENGINE_TIMEOUT_SECONDS = _API_TIMEOUT_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for.

    Attributes
    ----------
    name : str
    found : str
        What there is.
    advice : str
        What to do; empty if all is well.
    is_needed : bool
        Whether `make run` fails without it.
    """

    name: str
    found: str
    advice: str = ""
    is_needed: bool = True

    @property
    def failed(self) -> bool:
        """Whether the main job does not work here."""
        return self.is_needed and bool(self.advice)


def checks(project: Path) -> Iterator[Check]:
    """Yield a check of each thing that the project needs or can use on this machine."""
    yield _system()
    yield _python()
    yield _ports()
    for folder in (project, Path(tempfile.gettempdir())):
        yield disk(folder)
    yield _lambda_python()
    yield _chromium()
    yield _container_engine()


def table(done: list[Check]) -> Table:
    """Return a table of checks."""
    shown = Table("", "check", "found", "what to do")
    for check in done:
        mark = "ok" if not check.advice else "missing" if check.is_needed else "optional"
        shown.add_row(mark, check.name, check.found, check.advice)
    return shown


def installed_chromium() -> str | None:
    """Return the path of an installed Chromium, None if there is none."""
    return next((path for name in _CHROMIUM if (path := shutil.which(name))), None)


def disk(folder: Path, min_free_bytes: int = _MIN_FREE_BYTES) -> Check:
    """Check that a folder's disk has space for the sample and the local cloud's files."""
    free = shutil.disk_usage(folder).free
    enough = free >= min_free_bytes
    advice = "" if enough else f"free {min_free_bytes / 1e9:.0f} GB, or set TMPDIR"
    return Check(f"disk of {folder}", f"{free / 1e9:.1f} GB free", advice)


def _system() -> Check:
    system = platform.system()
    advice = "" if system == "Linux" else "open the folder in its dev container (CONTRIBUTING.md)"
    return Check("system", f"{system} {platform.machine()}", advice)


def _python() -> Check:
    new_enough = sys.version_info >= _MIN_PYTHON
    advice = "" if new_enough else "install Python 3.11 or later, then: make setup PYTHON=python3.x"
    return Check("Python", f"{platform.python_version()} in {sys.prefix}", advice)


def _ports() -> Check:
    name = f"ports {_PORT} and {_PORT + 1}"
    try:
        check_ports(_PORT)
    except PortError as error:
        if _is_local_cloud():
            return Check(name, "the local cloud is running", is_needed=False)
        return Check(name, str(error), "choose another: serve --port 4000", is_needed=False)
    return Check(name, "free")


def _is_local_cloud() -> bool:
    try:
        url = f"http://{HOST}:{_PORT}/healthz"
        return requests.get(url, timeout=_API_TIMEOUT_SECONDS).ok
    except requests.RequestException:
        return False


def _lambda_python() -> Check:
    name = f"Python {LAMBDA_VERSION}, as on Lambda"
    if found := find_interpreter(LAMBDA_VERSION):
        return Check(name, str(found))
    advice = f"to run what is built (--built): uv python install {LAMBDA_VERSION}"
    return Check(name, "none", advice, is_needed=False)


def _chromium() -> Check:
    if found := installed_chromium():
        return Check("Chromium", found)
    advice = "to run the tests of pages: apt-get install chromium-headless-shell"
    return Check("Chromium", "none", advice, is_needed=False)


def _container_engine() -> Check:
    try:
        with closing(docker.from_env(timeout=_ENGINE_TIMEOUT_SECONDS)) as client:
            return Check("container engine", client.version()["Version"])
    except (DockerException, requests.RequestException):
        advice = "to run the tests of sam local: start one, and set DOCKER_HOST"
        return Check("container engine", "none responds", advice, is_needed=False)

"""How `make` treats the virtual environment, with interpreters that only pretend to make one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_MAKEFILE = Path(__file__).parents[2] / "Makefile"
# Takes `-V`, `-c` and `-m venv --clear FOLDER`; the environment it makes has the same version.
_INTERPRETER = """#!/bin/sh
case "$1" in
-V) echo "Python VERSION" ;;
-m) rm -rf "$4"/* && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && cp "$0" "$4/bin/pip" ;;
esac
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def _python(folder: Path, version: str) -> Path:
    interpreter = folder / f"python{version}"
    interpreter.write_text(_INTERPRETER.replace("VERSION", version))
    interpreter.chmod(0o755)
    return interpreter


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder in which the environment was made by Python 3.12.1."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(_MAKEFILE, folder)
    (folder / "requirements.txt").touch()
    first = _make(folder, f"PYTHON={_python(tmp_path, '3.12.1')}")
    assert first.returncode == 0, first.stderr
    (folder / ".venv" / "kept").touch()
    return folder


def _make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # As a user calls it: the tests themselves may run under `make`, which then says more.
    of_make = ("PYTHON", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if name not in of_make}
    return subprocess.run(
        ["make", ".venv/.ready", *arguments],
        cwd=folder,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def _version(project: Path) -> str:
    shown = subprocess.run(
        [project / ".venv" / "bin" / "python", "-V"], capture_output=True, text=True, check=True
    )
    return shown.stdout.strip()


def test_another_python_recreates_the_environment(project: Path, tmp_path: Path) -> None:
    done = _make(project, f"PYTHON={_python(tmp_path, '3.13.0')}")
    assert done.returncode == 0, done.stderr
    assert _version(project) == "Python 3.13.0"
    assert not (project / ".venv" / "kept").exists()


def test_another_python_may_be_named_by_the_environment(project: Path, tmp_path: Path) -> None:
    done = _make(project, PYTHON=str(_python(tmp_path, "3.13.0")))
    assert done.returncode == 0, done.stderr
    assert _version(project) == "Python 3.13.0"


def test_the_same_version_and_no_version_keep_the_environment(
    project: Path, tmp_path: Path
) -> None:
    for arguments in ([f"PYTHON={_python(tmp_path, '3.12.1')}"], []):
        done = _make(project, *arguments)
        assert done.returncode == 0, done.stderr
        assert (project / ".venv" / "kept").exists()


@pytest.mark.parametrize("why", ["requirements", "python"])
def test_an_environment_behind_a_link_is_never_cleared(
    project: Path, tmp_path: Path, why: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (project / ".venv").rename(elsewhere)
    (project / ".venv").symlink_to(elsewhere)
    python = _python(tmp_path, "3.12.1" if why == "requirements" else "3.13.0")
    if why == "requirements":
        os.utime(project / "requirements.txt", (2**32, 2**32))
    done = _make(project, f"PYTHON={python}")
    assert done.returncode == 2
    assert "error: .venv is a symbolic link" in done.stderr
    assert (elsewhere / "kept").exists()
    assert (project / ".venv").is_symlink()


def test_an_environment_behind_a_link_is_used_while_it_is_up_to_date(
    project: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (project / ".venv").rename(elsewhere)
    (project / ".venv").symlink_to(elsewhere)
    done = _make(project)
    assert done.returncode == 0, done.stderr


def test_an_interpreter_that_is_not_there_is_named_and_nothing_is_cleared(project: Path) -> None:
    done = _make(project, "PYTHON=/nowhere/python3")
    assert done.returncode == 2
    assert "say which with PYTHON=" in done.stderr
    assert (project / ".venv" / "kept").exists()


# Prints its arguments and the options in its environment.
_PROGRAM = """#!/bin/sh
echo "$*"
env | grep -E '^(STORE_MONITORING_|API_KEY)' | sort
"""


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (
            ["run", "DATA=it's $$(here)", "OUT=a b.html", "AS_OF=2024-10-14T12:00:00Z", "BUILT="],
            [
                "-m local run",
                "STORE_MONITORING_RUN_AS_OF=2024-10-14T12:00:00Z",
                "STORE_MONITORING_RUN_DATA=it's $(here)",
                "STORE_MONITORING_RUN_OUT=a b.html",
            ],
        ),
        (
            ["serve", "SAMPLE=small", "API_KEY=a secret", "PORT=4000"],
            [
                "-m local serve",
                "API_KEY=a secret",
                "STORE_MONITORING_SERVE_PORT=4000",
                "STORE_MONITORING_SERVE_SAMPLE=small",
            ],
        ),
    ],
)
def test_options_reach_the_command_line_as_they_are(
    project: Path, arguments: list[str], printed: list[str]
) -> None:
    (project / ".venv" / "bin" / "python").write_text(_PROGRAM)
    done = _make(project, *arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line[:5] != "make:" and line[-1] != "="] == printed

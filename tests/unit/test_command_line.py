"""The commands of `store-monitoring`: help, wrong use, and what `doctor` finds."""

import csv
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from local.cli import sql
from local.cli.command_line import commands, main
from local.cli.doctor import disk

ROOT = Path(__file__).parents[2]
# Nothing listens there.
NOWHERE = "http://127.0.0.1:1"


def store_monitoring(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "layers" / "core"), **variables}
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_every_command_has_help_with_an_example() -> None:
    assert set(commands.commands) == {
        *("run", "serve", "upload", "report", "reports", "timeline", "sql", "doctor"),
    }
    shown = store_monitoring("--help").stdout
    for name, command in commands.commands.items():
        assert f"  {name} " in shown
        assert f"store-monitoring {name}" in (command.epilog or "")


@pytest.mark.parametrize("name", list(commands.commands))
def test_help_of_a_command(name: str) -> None:
    done = store_monitoring(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: store-monitoring {name} ")


@pytest.mark.parametrize(
    ("is_terminal", "options", "rows"), [(False, (), 1000), (True, ("--csv",), 1000), (True, (), 0)]
)
def test_sql_writes_all_rows_and_columns_as_csv_unless_to_a_terminal(
    is_terminal: bool,
    options: Sequence[str],
    rows: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns = ", ".join(f"range AS column_{number}" for number in range(30))
    statement = f"SELECT {columns} FROM range(1000)"
    monkeypatch.setattr(sql, "connect", lambda *_: duckdb.connect())
    monkeypatch.setattr(sys, "argv", ["store-monitoring", "sql", *options, statement])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert main() == 0
    out = capsys.readouterr().out
    found = [row.get("column_29") for row in csv.DictReader(out.splitlines())]
    if rows:
        assert found == [str(number) for number in range(rows)]
    else:
        assert 10 < len(found) < 100


def test_help_loads_nothing_that_takes_long() -> None:
    program = "import sys; from local.cli.command_line import commands; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {"boto3", "moto", "numpy", "pandas", "pyarrow", "requests"}
    assert heavy.isdisjoint(done.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["unknown"],
        ["run", "--unknown"],
        ["serve", "--port", "x"],
        ["upload"],
        ["upload", "no-such-file.csv"],
        ["upload", "pyproject.toml"],
        ["upload", "--kind", "menus", "pyproject.toml"],
        ["report", "--as-of", "yesterday"],
        ["report", "--formats", "pdf"],
        ["report", "some-id", "--store-id", "007"],
        ["report", "some-id", "--outages"],
        ["report", "--where", "brand"],
        ["reports", "--limit", "0"],
        ["timeline"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_an_error_of_one_line_with_status_2(arguments: list[str]) -> None:
    done = store_monitoring(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(" --help")


@pytest.mark.parametrize(
    "arguments",
    [["upload", "--kind", "polls", "pyproject.toml"], ["report"], ["reports"], ["timeline", "007"]],
    ids=" ".join,
)
def test_an_api_that_does_not_answer_is_named_in_one_line(arguments: list[str]) -> None:
    done = store_monitoring(*arguments, STORE_MONITORING_URL=NOWHERE)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert NOWHERE in line


def test_the_installed_command_is_this_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["store-monitoring"].partition(":")
    program = f"import sys; from {module} import {function}; sys.exit({function}())"
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == store_monitoring("--help").stdout


def test_every_part_that_the_command_line_imports_is_installed() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "local").rglob("__init__.py")}
    assert {".".join(folder.parts) for folder in folders} <= set(tools["setuptools"]["packages"])


def test_doctor_finds_all_that_these_tests_run_on() -> None:
    done = store_monitoring("doctor")
    assert done.returncode == 0, done.stdout
    for name in ("Python", "ports", "disk", "Chromium", "container engine"):
        assert name in done.stdout
    assert "missing" not in done.stdout


def test_doctor_says_what_is_optional() -> None:
    done = store_monitoring("doctor", PATH="", DOCKER_HOST="unix:///nowhere")
    assert done.returncode == 0
    lines = {line for line in done.stdout.splitlines() if "optional" in line}
    assert any("Chromium" in line for line in lines)
    assert any("container engine" in line for line in lines)


def test_a_full_disk_is_a_failure(tmp_path: Path) -> None:
    assert not disk(tmp_path, min_free_bytes=1).failed
    full = disk(tmp_path, min_free_bytes=10**18)
    assert full.failed
    assert full.advice

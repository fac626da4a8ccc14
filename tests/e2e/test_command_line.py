"""`python -m local run`, which `make run` calls."""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from local.cli.terminal import INTERRUPTED
from tests.e2e.conftest import PATIENCE_SECONDS
from tests.timing import is_met

_ROOT = Path(__file__).parents[2]
_POLLS = """store_id,status,timestamp_utc
a,active,2024-10-14 22:25:00 UTC
a,inactive,2024-10-14 23:10:00.5 UTC
b,active,2024-10-14 23:55:00 UTC
"""
_HOURS = """store_id,day,start_time_local,end_time_local
a,0,09:00,18:45
c,0,00:00,24:00
"""


_COMMAND = (sys.executable, "-m", "local", "run")


def _environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT / "layers" / "core"), **variables}


def _run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_COMMAND, *arguments],
        cwd=_ROOT,
        env=_environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_a_folder_becomes_a_report(tmp_path: Path) -> None:
    (tmp_path / "store_status.csv").write_text(_POLLS)
    (tmp_path / "menu_hours.csv").write_text(_HOURS)
    out = tmp_path / "out.csv"
    done = _run("--data", str(tmp_path), "--out", str(out), "--formats", "html,csv")
    assert done.returncode == 0, done.stderr
    # Now is Monday 18:55 in Chicago: a was open until 18:45, and up until 18:10:00.5. c was never
    # polled: it is down for 18:55 hours this Monday and, within the week, 5:05 hours last Monday.
    assert out.read_text().splitlines()[1:] == [
        "a,15.01,9.17,9.17,34.99,0.58,0.58",
        "b,60.00,24.00,168.00,0.00,0.00,0.00",
        "c,0.00,0.00,0.00,60.00,18.92,24.00",
    ]
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")
    assert re.search(r"store_status\.csv: committed\b.*\b3\b", done.stdout)
    assert re.search(r"^3 stores\b.*\b1 up\b.*\b0 down\b.*\b1 closed\b", done.stdout, re.MULTILINE)
    assert f"{tmp_path}/out.html, {out}" in done.stdout


def test_missing_polls_are_reported(tmp_path: Path) -> None:
    (tmp_path / "menu_hours.csv").write_text(_HOURS)
    done = _run("--data", str(tmp_path))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert str(tmp_path) in line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--as-of", "yesterday"], "2024-10-14T23:55:00Z"),  # an example
        (["--as-of", ""], "2024-10-14T23:55:00Z"),
        (["--formats", "csv,pdf"], "'pdf'"),
        (["--out", "report.pdf"], "pdf"),
        (["--out", "/dev/null", "--formats", "csv,html"], "/dev/null"),
        (["--out", "/"], " / "),
        (["--out", "/nowhere/report.csv"], "/nowhere "),
    ],
)
def test_invalid_arguments_are_refused_before_anything_starts(
    arguments: list[str], named: str
) -> None:
    done = _run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert named in line


@pytest.mark.parametrize(
    "after",
    [
        *("1 s", "report "),
        *(pytest.param(after, marks=pytest.mark.exhaustive) for after in ("0.2 s", "2 s")),
        pytest.param("committed", marks=pytest.mark.exhaustive),
    ],
)
def test_ctrl_c_ends_it_within_two_seconds(tmp_path: Path, after: str) -> None:
    (tmp_path / "store_status.csv").write_text(_POLLS)
    assert is_met(2, partial(_interrupted_after_seconds, tmp_path, after))


def _interrupted_after_seconds(folder: Path, after: str) -> float:
    """Interrupt a run after some time or word; return how long it takes to end."""
    report = folder / "out.csv"
    report.unlink(missing_ok=True)
    with subprocess.Popen(
        [*_COMMAND, "--data", str(folder), "--out", str(report)],
        cwd=_ROOT,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        if after.endswith(" s"):
            time.sleep(float(after.removesuffix(" s")))
        else:
            while after not in program.stdout.readline():
                pass
        began = time.monotonic()
        os.killpg(program.pid, signal.SIGINT)
        _, errors = program.communicate(timeout=PATIENCE_SECONDS)
        took_seconds = time.monotonic() - began
    ends = [INTERRUPTED, -signal.SIGINT]
    if report.exists():  # the run was faster than the interrupt, so both stores are in it
        assert [line[0] for line in report.read_text().splitlines()[1:]] == ["a", "b"]
        ends.append(0)
    assert program.returncode in ends
    assert errors in ("", "stopped\n")
    return took_seconds

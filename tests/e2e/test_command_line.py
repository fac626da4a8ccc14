"""`python -m local run`, which `make run` calls."""

import os
import subprocess
import sys
from pathlib import Path

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


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", "run", *arguments],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT / "layers" / "core")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_folder_becomes_a_report(tmp_path: Path) -> None:
    (tmp_path / "store_status.csv").write_text(_POLLS)
    (tmp_path / "menu_hours.csv").write_text(_HOURS)
    out = tmp_path / "out.csv"
    done = _run("--data", str(tmp_path), "--out", str(out))
    assert done.returncode == 0, done.stderr
    # Now is Monday 18:55 in Chicago: a was open until 18:45, and up until 18:10:00.5. c was never
    # polled: it is down for 18:55 of this Monday, and for the 5:05 of the last one in the week.
    assert out.read_text().splitlines()[1:] == [
        "a,15.01,9.17,9.17,34.99,0.58,0.58",
        "b,60.00,24.00,168.00,0.00,0.00,0.00",
        "c,0.00,0.00,0.00,60.00,18.92,24.00",
    ]
    assert "store_status.csv: committed, 3 rows" in done.stdout
    assert "3 stores, 2 of them polled" in done.stdout


def test_missing_polls_are_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "menu_hours.csv").write_text(_HOURS)
    done = _run("--data", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no polls file in ")


def test_a_file_that_cannot_be_read_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "store_status.csv").write_text("store,state\na,active\n")
    done = _run("--data", str(tmp_path), "--out", str(tmp_path / "out.csv"))
    assert done.returncode == 1
    assert "error: store_status.csv was not taken: missing column" in done.stderr
    assert not (tmp_path / "out.csv").exists()

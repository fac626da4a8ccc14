"""The recipes of docs/api.md run unchanged."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.cli.sample_data import SMALL
from tests.e2e.conftest import User
from tests.e2e.guarded.conftest import KEY

# Two stores that were down all week, with ids that pandas would parse as a number and as missing.
ODD_IDS = b"""store_id,status,timestamp_utc
007,inactive,2024-10-07 00:00:00 UTC
NULL,inactive,2024-10-07 00:00:00 UTC
"""
PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found


@pytest.fixture(scope="module")
def environment(guarded: User) -> Mapping[str, str]:
    assert guarded.upload("polls/odd.csv", ODD_IDS)["status"] == "Committed"
    return {"API": guarded.cloud.api_url, "KEY": KEY, "PATH": "/usr/local/bin:/usr/bin:/bin"}


def run(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_in_a_shell(environment: Mapping[str, str], tmp_path: Path) -> None:
    printed = run(["bash", "-euc", "\n".join(blocks("bash"))], environment, tmp_path)
    header, *rows = printed.splitlines()
    assert header.startswith("store_id,uptime_last_hour")
    ids = [line.partition(",")[0] for line in (tmp_path / "report.csv").read_text().splitlines()]
    assert len(ids) > SMALL.stores
    assert {"007", "NULL"} <= set(ids)
    *_, repeated = rows
    first, again = re.findall('"report_id": "([^"]*)"', repeated)[-2:]
    assert first == again


def test_in_python(environment: Mapping[str, str], tmp_path: Path) -> None:
    polls = b"store_id,status,timestamp_utc\n1,active,2024-10-14 12:00:00\n1,maybe,2024-10-14\n"
    (tmp_path / "store_status.csv").write_bytes(polls)
    worst, down, listed, uploaded = (
        run([sys.executable, "-c", block], environment, tmp_path) for block in blocks("python")
    )
    assert "downtime_last_week(in hours)" in worst
    assert {"007", "NULL"} <= {line.partition(" ")[0] for line in worst.splitlines()}
    assert "longest_outage_last_week(in hours)" in down
    assert "Complete" in listed
    assert uploaded.startswith("1 rows, 1 rejected\nline,")

"""The recipes of docs/api.md run unchanged."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import User

KEY = "open-sesame"
# Two stores that were down all week, with ids that pandas would parse as a number and as missing.
ODD_IDS = b"""store_id,status,timestamp_utc
007,inactive,2024-10-07 00:00:00 UTC
NULL,inactive,2024-10-07 00:00:00 UTC
"""
PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found


@pytest.fixture(scope="module")
def environment(sample: dict[str, bytes]) -> Iterator[Mapping[str, str]]:
    with LocalCloud(api_key=KEY) as cloud:
        user = User(cloud, {"x-api-key": KEY})
        for key, content in sample.items():
            assert user.upload(key, content)["status"] == "Committed"
        assert user.upload("polls/odd.csv", ODD_IDS)["status"] == "Committed"
        yield {"API": cloud.api_url, "KEY": KEY, "PATH": "/usr/local/bin:/usr/bin:/bin"}


def run(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_in_a_shell(environment: Mapping[str, str], tmp_path: Path) -> None:
    printed = run(["bash", "-euc", "\n".join(blocks("bash"))], environment, tmp_path)
    header, *rows = printed.splitlines()
    assert header.startswith("store_id,uptime_last_hour")
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 94
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

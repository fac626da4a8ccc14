"""Command lines from scripts of existing clients work; only host and key are replaced."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import User
from tests.e2e.guarded.conftest import KEY


def run(line: str, user: User, folder: Path, report_id: str = "") -> str:
    """Run a command line unchanged, with host, key and report id filled in."""
    words = shlex.split(line.replace("HOST", user.cloud.api_url).replace("ID", report_id))
    command = [*words, "-sS", "-H", f"x-api-key: {KEY}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def complete(guarded: User) -> str:
    report_id = guarded.trigger()
    assert guarded.ended(report_id)["status"] == "Complete"
    return report_id


@pytest.mark.parametrize(
    "line", ["curl -X GET HOST/trigger_report", "curl -X POST HOST/trigger_report"]
)
def test_a_report_is_triggered(line: str, guarded: User, tmp_path: Path) -> None:
    response = json.loads(run(line, guarded, tmp_path))
    assert response["status"] == "Running"
    assert guarded.ended(response["report_id"])["status"] == "Complete"


def test_the_old_way_to_trigger_says_that_it_is_deprecated(guarded: User) -> None:
    old, new = guarded.get("/trigger_report"), guarded.post("/trigger_report")
    assert re.fullmatch(r"@\d+", old.headers["Deprecation"])
    assert old.links["successor-version"]["url"] == "trigger_report"
    assert not {"Deprecation", "Link"} & new.headers.keys()


@pytest.mark.parametrize(
    "line",
    [
        "curl HOST/get_report?report_id=ID",
        "curl -X GET HOST/get_report/ID",
        "curl HOST/get_report/ID",
    ],
)
def test_a_report_is_requested(line: str, guarded: User, complete: str, tmp_path: Path) -> None:
    assert json.loads(run(line, guarded, tmp_path, complete))["status"] == "Complete"


@pytest.mark.parametrize(
    "line",
    [
        "curl -L -H 'Accept: text/csv' HOST/get_report/ID -o out.csv",
        "curl -L -H 'Accept: text/csv' 'HOST/get_report?report_id=ID' -o out.csv",
        "curl -L 'HOST/get_report?report_id=ID&download=true' -o out.csv",
    ],
)
def test_a_report_is_downloaded(line: str, guarded: User, complete: str, tmp_path: Path) -> None:
    run(line, guarded, tmp_path, complete)
    _, *rows = (tmp_path / "out.csv").read_text().splitlines()
    assert "1,60.00,24.00,168.00,0.00,0.00,0.00" in rows


def test_a_response_is_saved(guarded: User, complete: str, tmp_path: Path) -> None:
    run("curl HOST/get_report/ID -o out.csv", guarded, tmp_path, complete)
    assert json.loads((tmp_path / "out.csv").read_text())["url"].startswith("http")


def test_the_index_and_the_health_check(guarded: User, tmp_path: Path) -> None:
    assert json.loads(run("curl HOST/", guarded, tmp_path))["service"] == "store-monitoring"
    assert json.loads(run("curl HOST/healthz", guarded, tmp_path)) == {"ok": True}

"""The API, tested by schemathesis from its OpenAPI document."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import User

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
KEY = {"x-api-key": "open-sesame"}
MIN_EXAMPLES = 2_000
PATIENCE_SECONDS = 600


@pytest.fixture(scope="module")
def guarded() -> Iterator[User]:
    with LocalCloud(api_key=KEY["x-api-key"]) as cloud:
        user = User(cloud, KEY)
        polls = b"store_id,status,timestamp_utc\n1,active,2024-10-14 12:00:00 UTC\n"
        assert user.upload("polls/store_status.csv", polls)["status"] == "Committed"
        yield user


def test_the_api_does_what_its_document_says(guarded: User, tmp_path: Path) -> None:
    document, outcome = tmp_path / "openapi.json", tmp_path / "outcome.json"
    document.write_bytes(guarded.get("/openapi.json").content)
    [(name, value)] = KEY.items()
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "schemathesis", "--config-file"),
            *(HERE / "schemathesis.toml", "run", document, "--url", guarded.cloud.api_url),
            *("--header", f"{name}: {value}", "--checks", "all"),
            *("--report", "json", "--report-json-path", outcome),
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(outcome.read_text())
    assert report["operations"]["tested"] == report["operations"]["total"] > 0
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}
    assert report["test_cases"]["generated"] >= MIN_EXAMPLES


def test_the_api_works_afterwards(guarded: User) -> None:
    assert guarded.get("/healthz").status_code == 200
    assert guarded.report(as_of="2024-10-14T13:00:00Z").splitlines()[1].startswith(b"1,")

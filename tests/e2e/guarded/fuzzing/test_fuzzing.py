"""Requests that schemathesis generates from the OpenAPI document."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import PATIENCE_SECONDS, User

HERE = Path(__file__).parent
ROOT = HERE.parents[3]


@pytest.mark.parametrize(
    ("phases", "examples_per_operation", "min_examples"),
    [
        ("examples,fuzzing,stateful", 6, 200),
        pytest.param(
            "examples,coverage,fuzzing,stateful", 100, 2_000, marks=pytest.mark.exhaustive
        ),
    ],
)
def test_the_api_does_what_its_document_says(
    guarded: User, tmp_path: Path, phases: str, examples_per_operation: int, min_examples: int
) -> None:
    document, outcome = tmp_path / "openapi.json", tmp_path / "outcome.json"
    document.write_bytes(guarded.get("/openapi.json").content)
    [(name, value)] = guarded.headers.items()
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "schemathesis", "--config-file"),
            *(HERE / "schemathesis.toml", "run", document, "--url", guarded.cloud.api_url),
            *("--header", f"{name}: {value}", "--checks", "all"),
            *("--phases", phases, "--max-examples", str(examples_per_operation)),
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
    succeeded = {name for name, phase in report["phases"].items() if phase["status"] == "success"}
    assert succeeded == set(phases.split(","))
    assert report["test_cases"]["generated"] >= min_examples


def test_the_api_works_afterwards(guarded: User) -> None:
    assert guarded.get("/healthz").status_code == 200
    report = guarded.report(as_of="2024-10-14T13:00:00Z", store_ids=["1"])
    assert report.splitlines()[1].startswith(b"1,")

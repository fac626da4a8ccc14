"""What `run` prints and refuses; it uses this cloud instead of one of its own."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from local.cli import run as run_module
from local.cli.client import RunFailedError
from local.cli.output import outputs_of
from local.cli.terminal import console
from local.emulator.artefacts import from_source
from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import User

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(user: User, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], None]:
    """Make a report of a folder's files and of what the cloud has, and save it."""
    monkeypatch.setattr(run_module, "LocalCloud", lambda *_, **__: user.cloud)
    monkeypatch.setattr(LocalCloud, "__exit__", lambda *_: None)  # others still need it
    monkeypatch.setattr(console, "stderr", False)
    return lambda data, out: run_module.run(from_source(ROOT), data, outputs_of(out), None)


def test_standard_output_is_the_report_and_nothing_else(
    run: Callable[[Path, Path], None],
    user: User,
    sample: dict[str, bytes],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (polls,) = (content for key, content in sample.items() if key.startswith("polls/"))
    header, known, *_ = polls.splitlines(keepends=True)
    (tmp_path / "store_status.csv").write_bytes(header + known)
    run(tmp_path, Path("/dev/stdout"))
    printed = capfd.readouterr()
    assert printed.out == user.report().decode()
    assert re.search(r"store_status\.csv: committed\b.*\b1\b", printed.err)
    assert re.search(r"^\d+ stores\b.*\bup\b.*\bdown\b", printed.err, re.MULTILINE)


def test_a_file_that_cannot_be_read_is_reported(
    run: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    (tmp_path / "store_status.csv").write_text("store,state\na,active\n")
    with pytest.raises(RunFailedError, match=r"^store_status\.csv\b.*\btimestamp_utc\b"):
        run(tmp_path, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()

"""The golden and property tests, with the built layers and under Lambda's Python."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.built.conftest import ROOT, Builder
from tests.built.test_layers import NATIVE, on_layers

pytestmark = pytest.mark.exhaustive

GOLDEN = sorted(map(str, (ROOT / "tests/unit").glob("test_golden*.py")))
PACKAGES = ("hypothesis", "pytest", "pytest-xdist", "tzdata")  # the oracle reads the last


@pytest.fixture
def tools(lambda_python: Path, tmp_path: Path) -> Path:
    """Return a folder with what the tests need beyond the layers, as it is locked."""
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-build"),
            *("--python", lambda_python, "--target", tmp_path),
            *("--constraints", ROOT / "requirements.txt", *PACKAGES),
        ],
        check=True,
    )
    return tmp_path


def test_golden_and_property_tests_pass(builder: Builder, lambda_python: Path, tools: Path) -> None:
    # The library is in the layers only: without pythonpath. Unit tests' conftest.py needs moto.
    options = ("-opythonpath=", "--noconftest", "-ptests.conftest", "-pno:cacheprovider")
    tests = (*GOLDEN, str(ROOT / "tests/property"))
    command = on_layers(lambda_python, builder(NATIVE), "pytest", *options, *tests, tools=[tools])
    done = subprocess.run(
        command,
        env={},
        cwd=ROOT,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout

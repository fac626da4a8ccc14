"""The output of `sam build`, built once per architecture for all tests."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from layers.build.bytecode import find_interpreter

ROOT = Path(__file__).resolve().parents[2]
RUNTIME_VERSION = "3.13"

Builder = Callable[[str], Path]


@pytest.fixture(scope="session")
def builder() -> Iterator[Builder]:
    """Build the template for an architecture; return the folder."""
    with tempfile.TemporaryDirectory() as folder:

        @cache
        def build(architecture: str) -> Path:
            build_dir = Path(folder, architecture)
            subprocess.run(
                [
                    *(sys.executable, "-m", "samcli", "build", "--parallel"),
                    *("--template-file", ROOT / "template.yaml"),
                    *("--build-dir", build_dir),
                    *("--parameter-overrides", f"Architecture={architecture}"),
                ],
                cwd=folder,
                env={
                    **os.environ,
                    "BUILD_PYTHON": sys.executable,
                    "SAM_CLI_TELEMETRY": "0",
                    "AWS_DEFAULT_REGION": "us-east-1",
                },
                check=True,
            )
            return build_dir

        yield build


@pytest.fixture(scope="session")
def lambda_python() -> Path:
    """Find a Python of the version that Lambda runs."""
    interpreter = find_interpreter(RUNTIME_VERSION)
    if interpreter is None:
        pytest.skip(
            f"no CPython {RUNTIME_VERSION} to run the layers: none on PATH, from pyenv or from uv"
        )
    return interpreter

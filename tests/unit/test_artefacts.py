from pathlib import Path

import pytest

from local.emulator import runtime
from local.emulator.artefacts import NotBuiltError, as_built, from_source


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")


def test_source_runs_under_this_python(tmp_path: Path) -> None:
    assert from_source(tmp_path).template == tmp_path / "template.yaml"
    assert from_source(tmp_path).runtime == runtime.this_python()


def test_without_a_build_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="make build ARCH=arm64"):
        as_built(tmp_path)


def test_a_build_for_another_processor_does_not_count(tmp_path: Path) -> None:
    build_extension(tmp_path, "x86_64")
    with pytest.raises(NotBuiltError, match="make build ARCH=arm64"):
        as_built(tmp_path)


def test_a_build_needs_the_python_of_lambda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_extension(tmp_path, "aarch64")
    monkeypatch.setattr(runtime, "find_interpreter", lambda version: None)
    with pytest.raises(runtime.NoLambdaRuntimeError, match=r"3\.13"):
        as_built(tmp_path)


def build_extension(project: Path, machine: str) -> None:
    package = project / ".aws-sam/build/DataLayer/python/numpy"
    package.mkdir(parents=True)
    (package / f"core.cpython-313-{machine}-linux-gnu.so").touch()

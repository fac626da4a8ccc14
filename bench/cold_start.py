"""Measure how long each built function's handler takes to import: `make bench-cold-start`.

As in Lambda, only the function, its layers and boto3 are on the path. boto3 is the one of this
environment, compiled. Each import runs in a new process.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from layers.build.bytecode import compile_all, find_interpreter
from local.emulator.built_functions import BuiltFunction, built_functions
from local.emulator.settings import ACCESS_KEY, REGION, SECRET_KEY

_RUNS = 3
_BUILD = Path(__file__).resolve().parent.parent / ".aws-sam" / "build"
_RUNTIME_VERSION = "3.13"
_RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
# pyarrow puts part of its imports off until the first conversion.
_IMPORT = """
import json, sys, time
sys.path[:0] = json.loads(sys.argv[2])
began = time.perf_counter()
__import__(sys.argv[1])
if "pyarrow" in sys.modules:
    sys.modules["pyarrow"].array([1])
print(json.dumps({"seconds": time.perf_counter() - began, "modules": list(sys.modules)}))
"""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """How long the import of a handler took, and what it imported."""

    seconds: float
    modules: frozenset[str]


def main() -> None:
    """Print medians."""
    interpreter = find_interpreter(_RUNTIME_VERSION)
    if interpreter is None:
        sys.exit(f"error: no Python {_RUNTIME_VERSION} found, which Lambda uses")
    if not _BUILD.exists():
        sys.exit(
            "error: nothing is built; make build ARCH=x86_64, or arm64 if that is what this is"
        )
    with tempfile.TemporaryDirectory() as folder:
        runtime = Path(folder)
        fill_runtime(runtime, interpreter)
        for function in built_functions(_BUILD):
            runs = [cold_start(function, interpreter, runtime).seconds for _ in range(_RUNS)]
            print(f"{statistics.median(runs):8.3f} s  {function.logical_id}")


def fill_runtime(folder: Path, interpreter: Path) -> None:
    """Fill a folder with the packages of Lambda's runtime, as in /var/runtime."""
    for package in _RUNTIME_PACKAGES:
        spec = find_spec(package)
        assert spec is not None  # it is locked
        assert spec.origin is not None
        source = Path(spec.origin)
        if source.name == "__init__.py":
            stale = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source.parent, folder / package, ignore=stale)
        else:
            shutil.copy(source, folder)
    compile_all(folder, interpreter)


def cold_start(function: BuiltFunction, interpreter: Path, runtime: Path) -> ColdStart:
    """Import a function's handler in a new process; its start is not counted.

    Parameters
    ----------
    function : BuiltFunction
    interpreter : Path
        A Python of Lambda's version.
    runtime : Path
        Folder with the packages of Lambda's runtime.

    Raises
    ------
    subprocess.CalledProcessError
        If the handler cannot be imported.
    """
    module = function.handler.partition(".")[0]
    folders = (function.code, *(layer / "python" for layer in function.layers), runtime)
    process = subprocess.run(  # noqa: S603  # Lambda's Python
        [
            *(interpreter, "-I", "-S", "-B", "-c", _IMPORT),
            *(module, json.dumps([str(folder) for folder in folders])),
        ],
        env={
            **function.variables,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        },
        check=True,
        stdout=subprocess.PIPE,
    )
    measured = json.loads(process.stdout)
    return ColdStart(measured["seconds"], frozenset(measured["modules"]))


if __name__ == "__main__":
    main()

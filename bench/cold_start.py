"""Measure how long each built function's handler takes to import: `make bench-cold-start`.

As in Lambda, there is nothing on the path but the function, its layers and the runtime's boto3,
for which this environment's own stands, compiled; and each import has a process of its own.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from layers.build.bytecode import compile_all, find_interpreter
from local.built_functions import BuiltFunction, built_functions
from local.settings import ACCESS_KEY, REGION, SECRET_KEY

_RUNS = 3
_BUILD = Path(__file__).resolve().parent.parent / ".aws-sam" / "build"
_RUNTIME_VERSION = "3.13"
_RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
_IMPORT = """
import json, sys, time
sys.path[:0] = json.loads(sys.argv[2])
began = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - began)
"""


def main() -> None:
    """Print medians."""
    interpreter = find_interpreter(_RUNTIME_VERSION)
    if interpreter is None:
        sys.exit(f"error: no Python {_RUNTIME_VERSION} found, which Lambda uses")
    if not _BUILD.exists():
        sys.exit("error: nothing is built; make build ARCH=x86_64 (or arm64, if this machine is)")
    with tempfile.TemporaryDirectory() as folder:
        runtime = _copy_runtime(Path(folder), interpreter)
        for function in built_functions(_BUILD):
            runs = [import_seconds(function, interpreter, runtime) for _ in range(_RUNS)]
            print(f"{statistics.median(runs):8.3f} s  {function.logical_id}")


def import_seconds(function: BuiltFunction, interpreter: Path, runtime: Path) -> float:
    """Import a function's handler in a new process.

    Parameters
    ----------
    function : BuiltFunction
    interpreter : Path
        A Python of Lambda's version.
    runtime : Path
        Folder that stands for Lambda's own packages.

    Returns
    -------
    float
        Seconds that the import took; the start of the interpreter is not counted.
    """
    module = function.handler.partition(".")[0]
    path = [function.code, *(layer / "python" for layer in function.layers), runtime]
    process = subprocess.run(  # noqa: S603
        [interpreter, "-I", "-S", "-c", _IMPORT, module, json.dumps([str(part) for part in path])],
        env={
            **function.variables,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return float(process.stdout)


def _copy_runtime(folder: Path, interpreter: Path) -> Path:
    for package in _RUNTIME_PACKAGES:
        spec = find_spec(package)
        assert spec is not None  # it is locked
        assert spec.origin is not None
        source = Path(spec.origin)
        if source.name == "__init__.py":
            shutil.copytree(
                source.parent, folder / package, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(source, folder)
    compile_all(folder, interpreter)
    return folder


if __name__ == "__main__":
    main()

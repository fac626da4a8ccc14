"""Compile a layer's modules for Lambda's Python.

/opt is read-only: Lambda cannot keep what it compiles itself, and would do so at each cold start.
Only a Python of the same version can do it here. Without one the layer works all the same.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_LAYER_ROOT = "/opt/python"


def find_interpreter(version: str) -> Path | None:
    """Return a CPython of a version such as ``3.13``: this one, or one on PATH, of pyenv or of uv.

    Returns
    -------
    Path or None
        None if there is none. A name on PATH may be a mere shim that starts nothing.
    """
    tag = f"cpython-{version.replace('.', '')}"
    report_tag = "import sys; print(sys.implementation.cache_tag)"
    for path in _candidates(version):
        process = subprocess.run(  # noqa: S603  # a Python that was found
            [path, "-I", "-c", report_tag], capture_output=True, text=True, check=False
        )
        if process.stdout.strip() == tag:
            return path
    return None


def _candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    program = f"python{version}"
    for folder in os.get_exec_path():
        if found := shutil.which(program, path=folder):
            yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/{program}"))
    uv = Path.home() / ".local/share/uv"
    yield from sorted(uv.glob(f"python/cpython-{version}.*/bin/{program}"))


def compile_all(site: Path, interpreter: Path) -> None:
    """Compile all modules in a folder, as they will be found in a layer.

    The compiled files name no time and no folder of this machine, so that equal sources give
    equal layers, and Lambda does not compare them with their sources.
    """
    subprocess.run(  # noqa: S603  # a Python that was found
        [
            interpreter,
            *("-I", "-m", "compileall", "-q", "-j", "0"),
            *("--invalidation-mode", "unchecked-hash"),
            *("-s", site, "-p", _LAYER_ROOT),
            site,
        ],
        check=True,
    )


def main() -> None:
    """Compile a folder for a version, the two arguments."""
    site, version = Path(sys.argv[1]), sys.argv[2]
    for stale in list(site.rglob("__pycache__")):
        shutil.rmtree(stale)
    interpreter = find_interpreter(version)
    if interpreter is None:
        # SAM shows what is written to stderr only if the build fails
        print(f"No Python {version} found: {site.parent.name} is not compiled: slower cold starts.")
    else:
        compile_all(site, interpreter)


if __name__ == "__main__":
    main()

"""Remove from a layer what no function uses: whole, the layers almost fill what Lambda allows.

docs/layers.md says how much is left, and tests/built holds it to that.
"""

import shutil
import sys
from pathlib import Path

# What to remove, by layer. All that a wheel's own libraries link to must stay: pyarrow's extension
# modules link to libarrow_substrait and libarrow_dataset, used or not.
DATA = (
    # Tests.
    "numpy/**/tests",
    "numpy/_core/*_tests.*.so",
    "numpy/_core/_simd.*.so",
    "pyarrow/tests",
    "pyarrow/_pyarrow_cpp_tests.*",
    # What compilers need: headers, static libraries, sources of extension modules, type stubs.
    "numpy/_core/include",
    "numpy/f2py",
    "pyarrow/include",
    "pyarrow/includes",
    "pyarrow/src",
    "**/*.a",
    "**/*.pxd",
    "**/*.pxi",
    "**/*.pyi",
    "**/*.pyx",
    # Flight, a network protocol of Arrow's.
    "pyarrow/_flight.*",
    "pyarrow/libarrow_flight.*",
    "pyarrow/libarrow_python_flight.*",
    # ORC files, and file systems other than S3 and the local one.
    "pyarrow/_orc.*",
    "pyarrow/_dataset_orc.*",
    "pyarrow/_azurefs.*",
    "pyarrow/_gcsfs.*",
    "pyarrow/_hdfs.*",
    # Copies of libraries, for linking to: programs load the one with the short version.
    "pyarrow/libarrow_python*.so",
    "pyarrow/libarrow_python*.so.*.*.*",
)

TABLES = (
    # The core layer has these.
    "annotated_types",
    "pydantic",
    "pydantic_core",
    "typing_extensions.py",
    "typing_inspection",
    # Catalogs other than Glue, file systems other than Arrow's, and PyIceberg's command line.
    "certifi",
    "charset_normalizer",
    "click",
    "fb303",
    "fsspec",
    "hive_metastore",
    "idna",
    "markdown_it",
    "mdurl",
    "pygments",
    "requests",
    "rich",
    "urllib3",
    "pyiceberg/cli",
    # A second implementation of the same functions.
    "zstandard/_cffi.*",
    "zstandard/backend_cffi.py",
    "**/*.pyi",
)

UNUSED = {"data": DATA, "tables": TABLES}


class NothingToPruneError(Exception):
    """A pattern matches nothing: a new release has other names, and sizes."""


def prune(site: Path, layer: str) -> None:
    """Remove what is unused from a folder of a layer's installed packages.

    Raises
    ------
    NothingToPruneError
        If a pattern matches nothing.
    """
    for pattern in UNUSED[layer]:
        paths = list(site.glob(pattern))
        if not paths:
            raise NothingToPruneError(pattern)
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


if __name__ == "__main__":
    prune(Path(sys.argv[1]), sys.argv[2])

"""Starts the server of a local cloud: ``python -m local.emulator``, which `LocalCloud` calls."""

import gc
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def _without_batch() -> Iterator[None]:
    """Import moto without its AWS Batch, which imports EC2: that would take a quarter of the start.

    The interpreter of state machines needs only an enumeration from a module of the package. So
    while moto is imported, an empty package with the same modules stands for it.
    """
    moto = importlib.util.find_spec("moto")
    assert moto is not None  # it is locked
    batch = ModuleType("moto.batch")
    folders = moto.submodule_search_locations or ()
    batch.__path__ = [str(Path(folder, "batch")) for folder in folders]
    sys.modules[batch.__name__] = batch
    yield
    del sys.modules[batch.__name__]


# A fifth of the start would be collections that find nothing; `main` enables them.
gc.disable()
with _without_batch():
    from local.emulator.server import main

main()

"""Forks local clouds: ``python -m local.emulator``, which `local.emulator.launcher` starts."""

import gc
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from local.emulator.launcher import fork_clouds


@contextmanager
def _without_needless_packages() -> Iterator[None]:
    """Import moto without what takes a quarter of the start and is not used.

    moto's AWS Batch imports EC2, but the interpreter of state machines needs only an enumeration
    from a module of the package. So while moto is imported, an empty package with the same modules
    stands for it. And moto's API Gateway imports a validator of the definitions that it is given;
    here it is given none.
    """
    moto = importlib.util.find_spec("moto")
    assert moto is not None  # it is locked
    batch = ModuleType("moto.batch")
    folders = moto.submodule_search_locations or ()
    batch.__path__ = [str(Path(folder, "batch")) for folder in folders]
    validator = ModuleType("openapi_spec_validator")
    validator.validate = None  # type: ignore[attr-defined]  # of a module made here
    errors = ModuleType("openapi_spec_validator.validation.exceptions")
    errors.OpenAPIValidationError = Exception  # type: ignore[attr-defined]  # likewise
    modules = {module.__name__: module for module in (batch, validator, errors)}
    sys.modules.update(modules)
    yield
    for name in modules:
        del sys.modules[name]


# A fifth of the import would be collections that find nothing; `serve` enables them.
gc.disable()
with _without_needless_packages():
    from local.emulator.server import serve
gc.freeze()  # a collection would copy the memory that clouds share
fork_clouds(serve)

"""Shared by all tests: Hypothesis profiles, and the two implementations of the uptime rules."""

import gc
import os
import signal
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from tests.cases import ComputeUptime
from tests.compute_by_domain import (
    ComputeEverything,
    compute_by_domain,
    everything_by_domain,
    everything_by_oracle,
    everything_by_pieces,
)
from tests.oracle import report

# In the first, the tests share builds; in the others, a cloud.
_SHARED_FOLDERS = (
    "tests/built/",
    *("tests/browser/console/", "tests/e2e/guarded/", "tests/e2e/open/", "tests/e2e/few_shards/"),
)
# What takes longest comes first, so that no process is left with it at the end.
_ORDER = (
    *("tests/built/", "tests/unit/test_ingest_bounds.py", "tests/simulation/"),  # if exhaustive
    *("tests/property/test_every_transition.py", "tests/property/test_edges.py"),
    *_SHARED_FOLDERS,
    *("tests/property/", "tests/e2e/", "tests/browser/", "tests/integration/"),
)

# Without limits on time, which a busy machine exceeds. In CI, every run tries the same examples.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_REPEATED = settings(_PATIENT, derandomize=True, database=None)
_BASE = _REPEATED if "CI" in os.environ else _PATIENT
settings.register_profile("default", _BASE, max_examples=30)
settings.register_profile("thorough", _BASE, max_examples=500)
settings.register_profile("ci", _REPEATED, max_examples=50)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--prove-permissions",
        action="store_true",
        help="fail if a role allows what no test used, or refuses what one called",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Imports make millions of objects and hardly any garbage for a collection to find.
    gc.disable()
    # A shell starts background jobs with Ctrl-C ignored, and programs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--prove-permissions") and not hasattr(config, "workerinput"):
        from tests.permissions import Proof  # needs the local cloud, which layers do not have

        config.pluginmanager.register(Proof())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(("tests/unit/", "layers/")):
            item.add_marker("unit")
    items.sort(key=_position)


def pytest_collection_finish() -> None:
    # What is imported stays, so later collections need not look at it.
    gc.freeze()
    gc.enable()


def _position(item: pytest.Item) -> int:
    return next((n for n, each in enumerate(_ORDER) if item.nodeid.startswith(each)), len(_ORDER))


class _SharedFolders(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a process all tests of a file, or of a folder whose tests share what they start."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return next((each for each in _SHARED_FOLDERS if file.startswith(each)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return _SharedFolders(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(params=[report, compute_by_domain], ids=["oracle", "domain"])
def compute_uptime(request: pytest.FixtureRequest) -> ComputeUptime:
    """Run a test with the oracle and with the domain: expected values hold for both."""
    return request.param


@pytest.fixture(
    params=[everything_by_oracle, everything_by_domain, partial(everything_by_pieces, max_polls=1)],
    ids=["oracle", "domain", "pieces"],
)
def compute_everything(request: pytest.FixtureRequest) -> ComputeEverything:
    """Run a test about coverage or outages with all implementations."""
    return request.param

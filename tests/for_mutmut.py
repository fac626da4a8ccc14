"""A pytest plugin for `make mutants`."""

import pytest

from store_monitoring.domain.time_zones import zone_offsets


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item._nodeid = item.nodeid  # type: ignore[attr-defined]  # mutmut 3.7 asks for what pytest 9 calls otherwise


def pytest_runtest_setup() -> None:
    zone_offsets.cache_clear()  # else nothing that it calls is called again

"""A pytest plugin for `make mutants`: mutmut 3.7 asks tests for what pytest 9.1 has renamed."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item._nodeid = item.nodeid

"""A pytest plugin for `make mutants`; as a command, it prepares the library for mutmut."""

import ast
import sys
from pathlib import Path

import pytest

from store_monitoring.domain.time_zones import zone_offsets


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item._nodeid = item.nodeid  # type: ignore[attr-defined]  # mutmut 3.7 asks for what pytest 9 calls otherwise


def pytest_runtest_setup() -> None:
    zone_offsets.cache_clear()  # else nothing that it calls is called again


def decorate_below(source: str) -> str:
    """Apply the decorators of classes below them: mutmut skips decorated classes."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.ClassDef) and node.decorator_list:
            [decorator] = node.decorator_list
            lines.insert(
                node.end_lineno or 0, f"{node.name} = {ast.unparse(decorator)}({node.name})"
            )
            del lines[decorator.lineno - 1 : decorator.end_lineno]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    for path in Path(sys.argv[1]).rglob("*.py"):
        path.write_text(decorate_below(path.read_text(encoding="utf-8")), encoding="utf-8")

"""A pytest plugin for `make mutants`; as a command, it prepares the library for mutmut."""

import ast
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store_monitoring import delete_store
from store_monitoring.domain.time_zones import zone_offsets
from store_monitoring.errors import TransientError
from store_monitoring.ingest import compaction, ingest_file, take_back
from store_monitoring.ingest.deadline import Deadline


def pytest_sessionstart() -> None:
    for module in (compaction, delete_store, ingest_file, take_back):
        module.commit_attempts = few_attempts  # type: ignore[attr-defined]  # imported by name


def few_attempts(deadline: Deadline) -> Iterator[None]:
    """Yield for each attempt to commit; give up after a second, where the library needs minutes."""
    for _ in range(50):
        yield
        if deadline.seconds_left() > 0:
            time.sleep(0.02)
    raise TransientError("other ingests were always committed first")


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

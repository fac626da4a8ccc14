"""The library as the simulation runs it: in one thread, in virtual time, with AWS in memory.

The library knows nothing of the simulation: `library_in_memory` replaces what it uses. A module
with ``from uuid import uuid4`` has that function as an attribute of its own, so a replacement must
be set in each such module. `_uses` finds them by the identity of the function. For example,
``{uuid4: ours}`` does this::

    store_monitoring.delete_store.uuid4 = ours
    store_monitoring.reports.lifecycle.uuid4 = ours

Only the library gets the replacement, under whatever name its modules import the original. All
other code, such as the simulator and pytest, keeps the original.
"""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import boto3
import pyarrow as pa
import pytest

from store_monitoring import logs, metrics
from store_monitoring.aws import dynamodb_items
from store_monitoring.ingest import deadline, ingest_file
from store_monitoring.reports import period_summary, summary
from tests.simulation.pure_functions import faster_functions
from tests.simulation.scheduler import Scheduler


@contextmanager
def library_in_memory() -> Iterator[None]:
    """Run the library in simulated environments until the context ends."""
    everywhere = {
        **_time_and_threads(),
        **_aws(),
        **_output_that_no_check_reads(),
        **faster_functions(),
    }
    with pytest.MonkeyPatch.context() as patch, _process_tuned():
        for original, ours in everywhere.items():
            for module, name in _uses(original):
                patch.setattr(module, name, ours)
        for owner, name, ours in _attributes():
            patch.setattr(owner, name, ours)
        yield


def _uses(original: Any) -> list[tuple[Any, str]]:
    """Return the modules of the library that have an object, and its name there."""
    return [
        (module, name)
        for module_name, module in sorted(sys.modules.items())
        if module_name.startswith("store_monitoring.")
        for name, value in vars(module).items()
        if value is original
    ]


# --- the schedule that is running ---------------------------------------------------------------


@dataclass
class Environment:
    """The clock and the clients of AWS of the schedule that is running."""

    scheduler: Scheduler
    clients: Mapping[str, Any]
    uuids: Iterator[int] = field(default_factory=count)


_current: list[Environment] = []


def set_environment(environment: Environment) -> None:
    """Run what follows in this environment."""
    _current[:] = [environment]


@contextmanager
def other_environment() -> Iterator[None]:
    """Restore the current environment at the end of the context, after another schedule ran."""
    before = list(_current)
    try:
        yield
    finally:
        _current[:] = before


# --- replacements -------------------------------------------------------------------------------


def _time_and_threads() -> dict[Any, Any]:
    return {
        ThreadPoolExecutor: _SameThread,
        uuid4: lambda: UUID(int=next(_current[0].uuids) | 4 << 76),
    }


def _aws() -> dict[Any, Any]:
    # The simulated DynamoDB has values of Python in its items, without names of types.
    return {
        dynamodb_items.to_item: _without_none,
        dynamodb_items.from_item: dict,
    }


def _output_that_no_check_reads() -> dict[Any, Any]:
    return {
        logs.logger: _SILENT,
        metrics.emit: lambda values: None,
        summary.SummaryBuilder: _NoSummary,
        period_summary.PeriodSummaryBuilder: _NoPeriodSummary,
    }


def _attributes() -> list[tuple[Any, str, Any]]:
    """Return what is replaced in one module only: the module, the attribute and its new value."""
    time = SimpleNamespace(
        sleep=lambda seconds: _current[0].scheduler.sleep(seconds),
        monotonic=lambda: _current[0].scheduler.now,
    )
    random = SimpleNamespace(Random=lambda: _current[0].scheduler.task.rng)
    tempfile = SimpleNamespace(TemporaryDirectory=lambda: nullcontext("none"))
    return [
        (deadline, "time", time),
        (deadline, "random", random),
        (ingest_file, "tempfile", tempfile),
        (boto3, "client", lambda name, **_: _current[0].clients[name]),
    ]


class _SameThread:
    """A thread pool without threads."""

    def __init__(self, *_: object) -> None:
        """Take what a thread pool takes."""

    def __enter__(self) -> "_SameThread":
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing."""

    def map(self, function: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
        return list(map(function, *arguments))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(function(*arguments))
        return done


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


_SILENT: Any = SimpleNamespace(
    **dict.fromkeys(("info", "warning", "error", "exception", "append_keys"), lambda *_, **__: None)
)


class _NoSummary:
    """The summary of a report, with the number of stores only: nothing else affects a schedule."""

    def __init__(self, *_: object) -> None:
        self.stores = 0

    def add(self, rows: pa.Table) -> None:
        self.stores += len(rows)

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None  # the other methods that add something

    def summary(self, *_: object) -> "_NoSummary":
        return self

    def to_json(self) -> dict[str, Any]:
        return {"stores": self.stores}

    def headline(self) -> dict[str, Any]:
        return {"now": {"no_data": 0}}  # for a metric


class _NoPeriodSummary:
    """The same for the report of a period."""

    def __init__(self, *_: object) -> None:
        self._summary = _NoSummary()

    def add(self, rows: pa.Table) -> None:
        self._summary.add(rows)

    def stores(self) -> tuple[object, ...]:
        return ()  # for the page

    def summary(self, *_: object) -> _NoSummary:
        return self._summary


# --- the process --------------------------------------------------------------------------------


@contextmanager
def _process_tuned() -> Iterator[None]:
    """Let Arrow use one thread, and `collect_garbage` alone collect garbage."""
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    gc.disable()
    try:
        yield
    finally:
        pa.set_cpu_count(threads)
        gc.enable()
        gc.unfreeze()


_schedules = count(1)


def collect_garbage() -> None:
    """Collect garbage, but only in every 50th call; later collections skip what is left."""
    if next(_schedules) % 50 == 0:
        gc.collect()
        gc.freeze()

"""The library as the simulation runs it: in one thread, in virtual time, with cached results.

Threads, clocks, random ids, log lines and the types of DynamoDB's values are replaced in every
module that uses them. Functions without side effects are real, but their results are cached: see
`tests.simulation.caching`.
"""

import gc
import io
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import boto3
import pyarrow as pa
import pytest

from store_monitoring import logs, metrics
from store_monitoring.aws import dynamodb_items
from store_monitoring.errors import UnreadableFileError
from store_monitoring.ingest import deadline, ingest_file
from store_monitoring.ingest.parsing import content as parsing
from store_monitoring.ingest.parsing.content import Content
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.reports import measures, merge_parts, period_summary, shard, summary
from store_monitoring.reports.formats import csv
from store_monitoring.reports.plan import Plan
from store_monitoring.storage import arrays, polls, stores
from store_monitoring.storage.ports import WrittenPolls
from store_monitoring.storage.schemas import POLLS_AS_READ
from tests.simulation.caching import cached
from tests.simulation.scheduler import Scheduler

_PURE = (
    arrays.part_of,
    arrays.period_part_of,
    csv.csv_lines,
    ingest_file._partial_stores,
    ingest_file._with_content,
    measures.measures,
    merge_parts.rebatched,
    polls.row_groups,
    shard._concat_sorted,
    stores._attribute_columns,
    stores._known_columns,
    stores.equal_except_upload_times,
    stores.with_restored,
    stores.with_stores,
)

_read_content = parsing.read_content
_compute = shard._compute
_write_polls = polls.write_polls
_merge_sorted = merge_parts.merge_sorted


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


_schedules = count(1)


def collect_garbage() -> None:
    """Collect garbage, but only in every 50th call; later collections skip what is left."""
    if next(_schedules) % 50 == 0:
        gc.collect()
        gc.freeze()


@contextmanager
def library_in_memory() -> Iterator[None]:
    """Run the library in simulated environments until the context ends."""
    replaced: list[tuple[Any, Any]] = [
        (ThreadPoolExecutor, _SameThread),
        (uuid4, lambda: UUID(int=next(_current[0].uuids) | 4 << 76)),
        (dynamodb_items.to_item, _without_none),
        (dynamodb_items.from_item, dict),
        (logs.logger, _SILENT),
        (metrics.emit, lambda values: None),
        (_read_content, _read_cached_content),
        (summary.SummaryBuilder, _NoSummary),
        (period_summary.PeriodSummaryBuilder, _NoPeriodSummary),
        (_compute, _compute_cached),
        (_write_polls, _write_polls_cached),
        (_merge_sorted, _merge_sorted_cached),
        (asdict, _as_dict),
        *((function, cached(function)) for function in _PURE),
    ]
    deadline_time = SimpleNamespace(
        sleep=lambda seconds: _current[0].scheduler.sleep(seconds),
        monotonic=lambda: _current[0].scheduler.now,
    )
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    gc.disable()
    with pytest.MonkeyPatch.context() as patch:
        for original, ours in replaced:
            for module, name in _uses(original):
                patch.setattr(module, name, ours)
        patch.setattr(deadline, "time", deadline_time)
        patch.setattr(
            deadline, "random", SimpleNamespace(Random=lambda: _current[0].scheduler.task.rng)
        )
        patch.setattr(
            ingest_file, "tempfile", SimpleNamespace(TemporaryDirectory=lambda: nullcontext("none"))
        )
        patch.setattr(boto3, "client", lambda name, **_: _current[0].clients[name])
        yield
    pa.set_cpu_count(threads)
    gc.enable()
    gc.unfreeze()


def _uses(original: Any) -> list[tuple[Any, str]]:
    """Return the modules of the library that have an object, and its name there."""
    return [
        (module, name)
        for module_name, module in sorted(sys.modules.items())
        if module_name.startswith("store_monitoring.")
        for name, value in vars(module).items()
        if value is original
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


_SILENT: Any = SimpleNamespace(
    **dict.fromkeys(("info", "warning", "error", "exception", "append_keys"), lambda *_, **__: None)
)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _as_dict(value: Any, *, dict_factory: Callable[..., dict[str, Any]] = dict) -> dict[str, Any]:
    """Return what `asdict` returns, without copies of immutable values."""

    def plain(value: Any) -> Any:
        kind = type(value)
        if kind is str or kind is int:
            return value
        if is_dataclass(kind):
            return _as_dict(value, dict_factory=dict_factory)
        if kind is list or kind is tuple:
            return kind(map(plain, value))
        if kind is dict:
            return {name: plain(each) for name, each in value.items()}
        return value

    names = _names_of(value.__class__)
    return dict_factory([(name, plain(getattr(value, name))) for name in names])


@cache
def _names_of(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a file by bucket, as `Spill` has them on disk."""

    chunks_of: dict[int, list[pa.Table]]

    def buckets(self) -> list[int]:
        return list(self.chunks_of)

    def chunks(self, bucket: int) -> Iterator[pa.Table]:
        return iter(self.chunks_of.get(bucket, ()))


_FOLDER = tempfile.TemporaryDirectory()


@cache
def _parsed(kind: Kind, text: bytes, bucket_count: int, latest_us: int | None) -> Content | str:
    folder = Path(tempfile.mkdtemp(dir=_FOLDER.name))
    try:
        content = _read_content(kind, io.BytesIO(text), bucket_count, folder, latest_us=latest_us)
    except UnreadableFileError as error:
        return str(error)
    spills: Any = [
        _Rows({bucket: list(spill.chunks(bucket)) for bucket in spill.buckets()})
        for spill in (content.spill, content.rejected_stores)
    ]
    return replace(content, spill=spills[0], rejected_stores=spills[1])


def _read_cached_content(
    kind: Kind,
    stream: io.BufferedIOBase,
    bucket_count: int,
    folder: Path,
    latest_us: int | None = None,
) -> Content:
    content = _parsed(kind, stream.read(), bucket_count, latest_us)
    if isinstance(content, str):
        raise UnreadableFileError(content)
    return content


class _Writer:
    """Takes what is written."""

    polls = POLLS_AS_READ.empty_table()

    def write_polls(self, key: str, groups: Iterable[pa.Table]) -> int:
        self.polls = pa.concat_tables(groups).cast(POLLS_AS_READ)
        size: int = self.polls.nbytes
        return size


@cached
def _polls_laid_out(bucket: int, ingest_id: str, chunks: list[pa.Table]) -> Any:
    writer: Any = _Writer()
    written = _write_polls(bucket, ingest_id, chunks, writer)
    return written, writer.polls


def _write_polls_cached(
    bucket: int, ingest_id: str, chunks: Iterable[pa.Table], tables: Any
) -> WrittenPolls:
    written, table = _polls_laid_out(bucket, ingest_id, list(chunks))
    tables.write_table(written.file.key, table)
    return written


@cached
def _merged(parts: list[list[pa.Table]], schema: pa.Schema) -> Any:
    return _merge_sorted([iter(pieces) for pieces in parts], schema)


def _merge_sorted_cached(parts: Sequence[Iterator[pa.Table]], schema: pa.Schema) -> list[pa.Table]:
    return _merged([list(pieces) for pieces in parts], schema)


@cached
def _computed(plan: Plan, stores: pa.Table, polls: pa.Table, max_polls: int) -> Any:
    tables: Any = None  # the polls are read
    return list(_compute(plan, shard._Batch(stores, [], polls), tables, max_polls))


def _compute_cached(plan: Plan, batch: Any, tables: object, max_polls: int) -> Any:
    """Compute a batch; who asks, and in which files it was, changes nothing."""
    what = replace(plan, report_id="", version=0, shards=())
    return _computed(what, _without_times(batch.stores), batch.polls, max_polls)


@cached
def _without_times(table: pa.Table) -> pa.Table:
    return table.drop_columns(stores._UPLOADED_AT)

"""The library as the simulation runs it: in one thread, in virtual time, with pure results kept.

What has no part in a schedule is replaced in every module that uses it: threads, clocks, random
ids, log lines, the types of DynamoDB's values. Functions without side effects are real, but a
result is kept and returned again for equal arguments: worlds are small, so most have been computed
before.
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
from tests.simulation.kept import kept
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
    shard._joined,
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
class Surroundings:
    """The clock and the clients of AWS of the schedule that is running."""

    scheduler: Scheduler
    clients: Mapping[str, Any]
    uuids: Iterator[int] = field(default_factory=count)


_now: list[Surroundings] = []


def surround(surroundings: Surroundings) -> None:
    """Let what runs from now on belong to a schedule."""
    _now[:] = [surroundings]


@contextmanager
def other_surroundings() -> Iterator[None]:
    """Let another schedule run, and then this one go on."""
    before = list(_now)
    try:
        yield
    finally:
        _now[:] = before


_schedules = count(1)


def collect_garbage() -> None:
    """Free what past schedules left, now and then; what is kept is never looked at again."""
    if next(_schedules) % 50 == 0:
        gc.collect()
        gc.freeze()


@contextmanager
def library_in_memory() -> Iterator[None]:
    """Let the library run in simulated surroundings until the context ends."""
    replaced: list[tuple[Any, Any]] = [
        (ThreadPoolExecutor, _SameThread),
        (uuid4, lambda: UUID(int=next(_now[0].uuids) | 4 << 76)),
        (dynamodb_items.to_item, _without_none),
        (dynamodb_items.from_item, dict),
        (logs.logger, _SILENT),
        (metrics.emit, lambda values: None),
        (_read_content, _read_kept_content),
        (summary.SummaryBuilder, _NoSummary),
        (period_summary.PeriodSummaryBuilder, _NoPeriodSummary),
        (_compute, _compute_kept),
        (_write_polls, _write_polls_kept),
        (_merge_sorted, _merge_sorted_kept),
        (asdict, _as_dict),
        *((function, kept(function)) for function in _PURE),
    ]
    deadline_time = SimpleNamespace(
        sleep=lambda seconds: _now[0].scheduler.sleep(seconds),
        monotonic=lambda: _now[0].scheduler.now,
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
            deadline, "random", SimpleNamespace(Random=lambda: _now[0].scheduler.task.rng)
        )
        patch.setattr(
            ingest_file, "tempfile", SimpleNamespace(TemporaryDirectory=lambda: nullcontext("none"))
        )
        patch.setattr(boto3, "client", lambda name, **_: _now[0].clients[name])
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
    """The summary of a report, of which only the number of stores has a part in schedules."""

    def __init__(self, *_: object) -> None:
        self.stores = 0

    def add(self, rows: pa.Table) -> None:
        self.stores += len(rows)

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None  # what else is added

    def summary(self, *_: object) -> "_NoSummary":
        return self

    def to_json(self) -> dict[str, Any]:
        return {"stores": self.stores}

    def headline(self) -> dict[str, Any]:
        return {"now": {"no_data": 0}}  # what a metric says


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
    """Return what `asdict` does; what cannot change is not copied."""

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


def _read_kept_content(
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


@kept
def _polls_laid_out(bucket: int, ingest_id: str, chunks: list[pa.Table]) -> Any:
    writer: Any = _Writer()
    written = _write_polls(bucket, ingest_id, chunks, writer)
    return written, writer.polls


def _write_polls_kept(
    bucket: int, ingest_id: str, chunks: Iterable[pa.Table], tables: Any
) -> WrittenPolls:
    written, table = _polls_laid_out(bucket, ingest_id, list(chunks))
    tables.write_table(written.file.key, table)
    return written


@kept
def _merged(parts: list[list[pa.Table]], schema: pa.Schema) -> Any:
    return _merge_sorted([iter(pieces) for pieces in parts], schema)


def _merge_sorted_kept(parts: Sequence[Iterator[pa.Table]], schema: pa.Schema) -> list[pa.Table]:
    return _merged([list(pieces) for pieces in parts], schema)


@kept
def _computed(plan: Plan, stores: pa.Table, polls: pa.Table, max_polls: int) -> Any:
    tables: Any = None  # the polls are read
    return list(_compute(plan, shard._Batch(stores, [], polls), tables, max_polls))


def _compute_kept(plan: Plan, batch: Any, tables: object, max_polls: int) -> Any:
    """Compute a batch; who asks, and in which files it was, changes nothing."""
    what = replace(plan, report_id="", version=0, shards=())
    return _computed(what, _without_times(batch.stores), batch.polls, max_polls)


@kept
def _without_times(table: pa.Table) -> pa.Table:
    return table.drop_columns(stores._UPLOADED_AT)

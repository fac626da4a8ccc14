"""The library's functions without side effects, faster: each result is computed only once.

Most of them are called with tables and plans, and `cached` suffices. The others take a file, a
writer or iterators: here these are read first, and the result is cached by what they contain.
"""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from store_monitoring.errors import UnreadableFileError
from store_monitoring.ingest import ingest_file
from store_monitoring.ingest.parsing import content as parsing
from store_monitoring.ingest.parsing.content import Content
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.reports import measures, merge_parts, shard
from store_monitoring.reports.formats import csv
from store_monitoring.reports.plan import Plan
from store_monitoring.storage import arrays, polls, stores
from store_monitoring.storage.ports import WrittenPolls
from store_monitoring.storage.schemas import POLLS_AS_READ
from tests.simulation.caching import cached

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

# The originals, since the attributes of the modules are replaced.
_read_content = parsing.read_content
_compute = shard._compute
_write_polls = polls.write_polls
_merge_sorted = merge_parts.merge_sorted


def faster_functions() -> dict[Any, Any]:
    """Return the functions, each with its replacement."""
    return {
        **{function: cached(function) for function in _PURE},
        _read_content: _read_cached_content,
        _write_polls: _write_polls_cached,
        _merge_sorted: _merge_sorted_cached,
        _compute: _compute_cached,
        asdict: _as_dict,
    }


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

"""Merge many sorted tables, holding only a few pieces of each in memory."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from store_monitoring.errors import IncompleteReportError, MissingObjectError
from store_monitoring.reports.plan import PartInfo, Plan, Shard

_STRETCH_ROWS = 200_000  # of all parts together, merged at once
_READERS = 24  # the time is spent waiting for S3


class Part:
    """The part of one shard.

    Parameters
    ----------
    plan : Plan
    shard : Shard
    pieces : iterator of tables
        Its rows, in at least one piece. Raises `MissingObjectError` if the part does not exist.

    Attributes
    ----------
    unknown_store_ids : tuple of str
        Requested stores that it did not find; known once it is read.
    trend_us : tuple of (int, int)
        See `PartInfo`; known once it is read.
    """

    def __init__(self, plan: Plan, shard: Shard, pieces: Iterator[pa.Table]) -> None:
        self._pieces = pieces
        self._name = f"shard {shard.shard} of {len(plan.shards)} shards"
        self._stores = shard.stores
        self._rows_are_stores = plan.period is None and not plan.where
        self._stores_read = 0
        self.unknown_store_ids: tuple[str, ...] = ()
        self.trend_us: tuple[tuple[int, int], ...] = ()

    def read(self) -> Iterator[pa.Table]:
        """Yield its rows, piece by piece."""
        rows_read = 0
        try:
            for rows in self._pieces:
                info = PartInfo.from_metadata(rows.schema.metadata)
                rows_read += len(rows)
                yield rows.replace_schema_metadata(None)
        except MissingObjectError:
            raise IncompleteReportError(f"{self._name} has no part") from None
        self._stores_read = rows_read
        if info is not None:
            self.unknown_store_ids = info.unknown_store_ids
            self.trend_us = info.trend_us
            if not self._rows_are_stores:
                self._stores_read = info.stores_read

    def check_complete(self) -> None:
        """Raise an error if it was not computed from the planned number of stores."""
        if self._stores_read != self._stores:
            raise IncompleteReportError(
                f"{self._name} has {self._stores_read} stores instead of {self._stores}"
            )


def piece_rows(parts: int) -> int:
    """Return how many rows of each part to read at once, given the number of parts.

    >>> piece_rows(40)
    5000
    """
    return -(-_STRETCH_ROWS // parts)


def merge_sorted(parts: Sequence[Iterator[pa.Table]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of all parts in order of store id, one range of ids per table.

    Parameters
    ----------
    parts : sequence of iterators of tables
        Each part, piece by piece, ascending by `store_id`, which no other part has. Rows of the
        same store stay in order. At most two pieces of each part are in memory.
    schema : schema of all tables
    """
    if len(parts) == 1:
        yield from parts[0]
        return
    runs = [_Run(part, schema) for part in parts]
    with ThreadPoolExecutor(_READERS) as pool:
        while runs:
            list(pool.map(_Run.refill, runs))
            share = piece_rows(len(runs))
            bound = min(filter(None, (run.bound(share) for run in runs)), default=None)
            taken = [run.take(bound) for run in runs]
            yield pa.concat_tables(taken).sort_by("store_id")  # stable: windows stay in order
            runs = [run for run in runs if not run.ended or len(run.rows)]


def rebatched(tables: Iterator[pa.Table], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """Yield the same rows in tables of `rows` rows; at least one table, even if it is empty.

    Files written batch by batch then have the same bytes, however the input was split.
    """
    held = schema.empty_table()
    begun = False
    for table in tables:
        held = pa.concat_tables([held, table])
        while len(held) >= rows:
            yield held.slice(0, rows).combine_chunks()
            held, begun = held.slice(rows), True
    if len(held) or not begun:
        yield held.combine_chunks()


class _Run:
    """A part, and its rows that were read but not yet merged."""

    def __init__(self, part: Iterator[pa.Table], schema: pa.Schema) -> None:
        self._part = part
        self._piece_rows = 0  # rows of the last piece
        self.rows = schema.empty_table()
        self.ended = False

    def refill(self) -> None:
        """Read another piece if at most half a piece is left."""
        while not self.ended and len(self.rows) <= self._piece_rows // 2:
            piece = next(self._part, None)
            if piece is None:
                self.ended = True
            else:
                self._piece_rows = len(piece)
                self.rows = pa.concat_tables([self.rows, piece]).combine_chunks()

    def bound(self, share: int) -> str | None:
        """Return the greatest id that `take` may be given, so that it takes at most `share` rows.

        All rows up to this id have been read. None means no limit: at most `share` rows are left.
        """
        if self.ended and len(self.rows) <= share:
            return None
        last: str = self.rows.column("store_id")[min(share, len(self.rows)) - 1].as_py()
        return last

    def take(self, bound: str | None) -> pa.Table:
        """Remove and return the rows up to an id; all rows if it is None."""
        count = len(self.rows) if bound is None else self._count(bound)
        taken, self.rows = self.rows.slice(0, count), self.rows.slice(count)
        return taken

    def _count(self, bound: str) -> int:
        ids = self.rows.column("store_id")
        return bisect_right(range(len(ids)), bound, key=lambda row: ids[row].as_py())

"""Many sorted tables as one, in the memory of a few pieces of each."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

_STRETCH_ROWS = 500_000

_READERS = 24  # waiting for S3, not reading, takes the time


def merged(parts: Sequence[Iterator[pa.Table]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of all parts by store id, one stretch of ids after the other.

    Parameters
    ----------
    parts : sequence of iterators of tables
        Each part, piece by piece; ascending by `store_id`, a column without repeats. Of each, two
        pieces are held at a time.
    schema : schema of all tables
    """
    runs = [_Run(part, schema) for part in parts]
    with ThreadPoolExecutor(_READERS) as pool:
        while runs:
            list(pool.map(_Run.refill, runs))
            share = -(-_STRETCH_ROWS // len(runs))
            bound = min(filter(None, (run.bound(share) for run in runs)), default=None)
            yield pa.concat_tables([run.take(bound) for run in runs]).sort_by("store_id")
            runs = [run for run in runs if not run.ended or len(run.rows)]


def in_batches(tables: Iterator[pa.Table], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """Yield the rows of tables again, so many at a time; at least one table, though it be empty.

    So what is written batch by batch is the same bytes, however the tables were cut.
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
    """A part, of which the rows that were read and not yet taken are held."""

    def __init__(self, part: Iterator[pa.Table], schema: pa.Schema) -> None:
        self._part = part
        self._piece_rows = 0  # of the last piece
        self.rows = schema.empty_table()
        self.ended = False

    def refill(self) -> None:
        """Read another piece if less than one is held."""
        while not self.ended and len(self.rows) <= self._piece_rows // 2:
            piece = next(self._part, None)
            if piece is None:
                self.ended = True
            else:
                self._piece_rows = len(piece)
                self.rows = pa.concat_tables([self.rows, piece]).combine_chunks()

    def bound(self, share: int) -> str | None:
        """Return an id up to which the run has at most so many rows, all of them read.

        None if all that is left of it are no more.
        """
        if self.ended and len(self.rows) <= share:
            return None
        last: str = self.rows.column("store_id")[min(share, len(self.rows)) - 1].as_py()
        return last

    def take(self, bound: str | None) -> pa.Table:
        """Return the rows up to an id, or all, and hold them no longer."""
        count = len(self.rows) if bound is None else self._count(bound)
        taken, self.rows = self.rows.slice(0, count), self.rows.slice(count)
        return taken

    def _count(self, bound: str) -> int:
        ids = self.rows.column("store_id")
        return bisect_right(range(len(ids)), bound, key=lambda row: ids[row].as_py())

"""Merging sorted parts as streams."""

from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.reports import merge_parts
from store_monitoring.reports.merge_parts import Part, merge_sorted, rebatched

SCHEMA = pa.schema([("store_id", pa.string()), ("shard", pa.int64())])


def part_of(ids: list[str], shard: int, piece_rows: int) -> Iterator[pa.Table]:
    for start in range(0, len(ids), piece_rows):
        piece = ids[start : start + piece_rows]
        yield pa.table([piece, [shard] * len(piece)], schema=SCHEMA)


def ids_of(tables: list[pa.Table]) -> list[str]:
    return [store_id for table in tables for store_id in table.column("store_id").to_pylist()]


@given(
    st.lists(st.tuples(st.text(min_size=1), st.integers(0, 4)), unique_by=lambda pair: pair[0]),
    st.integers(1, 4),
    st.sampled_from([1, 7, 500_000]),
)
def test_all_rows_are_yielded_in_order(
    placed: list[tuple[str, int]], piece_rows: int, stretch_rows: int
) -> None:
    by_shard = [sorted(store_id for store_id, at in placed if at == shard) for shard in range(5)]
    parts = [part_of(ids, shard, piece_rows) for shard, ids in enumerate(by_shard)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge_parts, "_STRETCH_ROWS", stretch_rows)
        tables = list(merge_sorted(parts, SCHEMA))
    assert ids_of(tables) == sorted(store_id for store_id, _ in placed)
    assert all(len(table) < stretch_rows + len(parts) for table in tables)
    shard_of = dict(placed)
    for table in tables:
        assert all(shard_of[row["store_id"]] == row["shard"] for row in table.to_pylist())


@pytest.mark.parametrize("stretch_rows", [4, 500_000])
@pytest.mark.parametrize("piece_rows", [1, 2, 20])
def test_a_part_may_have_many_rows_between_those_of_another(
    monkeypatch: pytest.MonkeyPatch, stretch_rows: int, piece_rows: int
) -> None:
    monkeypatch.setattr(merge_parts, "_STRETCH_ROWS", stretch_rows)
    dense, sparse = list("abcdefghijkl"), ["a+", "f+", "z"]
    parts = [part_of(ids, shard, piece_rows) for shard, ids in enumerate([sparse, dense])]
    assert ids_of(list(merge_sorted(parts, SCHEMA))) == sorted(dense + sparse)


def test_about_a_stretch_is_merged_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_parts, "_STRETCH_ROWS", 6)
    for second in (range(100, 110), range(5, 15)):  # after the first part, or among its rows
        ids = [[f"{number:03d}" for number in numbers] for numbers in (range(10), second)]
        ids[1] = [f"{each}+" for each in ids[1]]
        parts = [part_of(each, shard, 10) for shard, each in enumerate(ids)]
        tables = list(merge_sorted(parts, SCHEMA))
        assert ids_of(tables) == sorted(ids[0] + ids[1])
        assert max(map(len, tables)) <= 6  # so memory is bounded
        assert len(tables) <= 6  # and the merge takes few steps


def test_a_part_is_read_only_as_far_as_needed() -> None:
    """At most two pieces of each part are in memory."""
    read: list[str] = []

    def watched(ids: list[str], shard: int) -> Iterator[pa.Table]:
        for piece in part_of(ids, shard, 1):
            read.extend(piece.column("store_id").to_pylist())
            yield piece

    first, second = ([f"{n:03d}" for n in range(begin, 200, 2)] for begin in (0, 1))
    out: list[str] = []
    for table in merge_sorted([watched(first, 0), watched(second, 1)], SCHEMA):
        out += table.column("store_id").to_pylist()
        assert len(read) - len(out) <= 4
    assert sorted(read) == out


def test_no_parts_are_no_rows() -> None:
    assert ids_of(list(merge_sorted([], SCHEMA))) == []


@pytest.mark.parametrize("cuts", [[0, 10], [0, 3, 4, 10], [0, 0, 10, 10], list(range(11))])
def test_batches_do_not_depend_on_the_input_tables(cuts: list[int]) -> None:
    whole = pa.table([[str(n) for n in range(10)], list(range(10))], schema=SCHEMA)
    tables = (whole.slice(begin, end - begin) for begin, end in pairwise(cuts))
    batches = list(rebatched(tables, SCHEMA, 4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert all(batch.column("store_id").num_chunks == 1 for batch in batches)
    assert pa.concat_tables(batches).equals(whole)


def test_the_stores_of_a_part_are_counted_over_all_its_pieces() -> None:
    plan: Any = SimpleNamespace(report_id="r", shards=[None], period=None, where=())
    shard: Any = SimpleNamespace(shard=0, stores=5)
    part = Part(plan, shard, part_of(list("abcde"), 0, 2))
    assert ids_of(list(part.read())) == list("abcde")
    part.check_complete()
    assert part.trend_us == ()  # as in parts from before trends


def test_batches_that_come_out_even_are_all() -> None:
    whole = pa.table([list("abcdefgh"), list(range(8))], schema=SCHEMA)
    assert [len(batch) for batch in rebatched(iter([whole]), SCHEMA, 4)] == [4, 4]


def test_no_rows_are_one_empty_batch() -> None:
    [batch] = rebatched(iter([]), SCHEMA, 4)
    assert batch.equals(SCHEMA.empty_table())

"""The content of a file does not depend on its split into blocks."""

import io
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.ingest.parsing import spill as spill_module
from store_monitoring.ingest.parsing.content import read_content
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.storage.keys import bucket_of

BUCKETS = 3
LINES = st.sampled_from(
    [
        "a,Asia/Tokyo",
        "b,Asia/Tokyo",
        '"c,c",Europe/Paris',
        "a,UTC",
        "a,Asia/Edo",
        "d",
        '"d,UTC',
        "d,UTC\r",
        "",
    ]
)


@dataclass(frozen=True)
class Read:
    """The content that was read from a file."""

    ingest_id: str
    rows: int
    rejected: int
    rejects: str
    by_bucket: dict[int, list[dict[str, Any]]]


def read(content: str, block_bytes: int) -> Read:
    with TemporaryDirectory() as folder:
        stream = io.BytesIO(content.encode())
        read = read_content(Kind.TIMEZONES, stream, BUCKETS, Path(folder), block_bytes)
        by_bucket = {
            bucket: [row for chunk in read.spill.chunks(bucket) for row in chunk.to_pylist()]
            for bucket in read.spill.buckets()
        }
        rejects = read.rejects.read_text("utf-8")
    return Read(read.ingest_id, read.rows, read.rejected, rejects, by_bucket)


@given(st.lists(LINES, min_size=1, max_size=30), st.integers(25, 200))
def test_the_size_of_blocks_does_not_matter(lines: list[str], block_bytes: int) -> None:
    content = "\n".join(["store_id,timezone_str", "first,UTC", *lines])
    assert read(content, block_bytes) == read(content, 1_000_000)


def test_each_row_is_in_the_bucket_of_its_store_in_the_order_of_lines() -> None:
    stores = [f"store {n % 20}" for n in range(100)]
    zones = ["UTC", "Asia/Tokyo", "Europe/Paris"] * 34
    rows = list(zip(stores, zones, strict=False))
    content = "\n".join(["store_id,timezone_str", *(",".join(row) for row in rows)])
    for block_bytes in (100, 100_000):
        assert read(content, block_bytes).by_bucket == {
            bucket: [
                {"store_id": store, "timezone": zone}
                for store, zone in rows
                if bucket_of(store, BUCKETS) == bucket
            ]
            for bucket in range(BUCKETS)
        }


def test_a_large_bucket_comes_in_chunks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spill_module, "CHUNK_ROWS", 25)
    stream = io.BytesIO(b"store_id,timezone_str\n" + b"s,UTC\n" * 100)
    spill = read_content(Kind.TIMEZONES, stream, 1, tmp_path, block_bytes=60).spill
    lengths = [len(chunk) for chunk in spill.chunks(0)]
    assert sum(lengths) == 100
    assert all(25 <= length < 25 + 60 for length in lengths[:-1])
    assert len(lengths) > 2


def test_a_chunk_has_each_id_of_its_bucket_once_and_no_other(tmp_path: Path) -> None:
    stores = [f"store {n % 20}" for n in range(100)]
    content = "\n".join(["store_id,timezone_str", *(f" {store},UTC" for store in stores)])
    stream = io.BytesIO(content.encode())
    spill = read_content(Kind.TIMEZONES, stream, BUCKETS, tmp_path, block_bytes=100).spill
    for bucket in range(BUCKETS):
        [chunk] = spill.chunks(bucket)
        [ids] = chunk.column("store_id").chunks
        own = {store for store in stores if bucket_of(store, BUCKETS) == bucket}
        assert sorted(ids.dictionary.to_pylist()) == sorted(own)


def test_a_bucket_is_a_documented_hash() -> None:
    # CRC-32 of "123456789" is the check value in every catalogue of CRCs.
    assert bucket_of("123456789", 2**32) == 0xCBF43926
    assert bucket_of("123456789", 64) == 0xCBF43926 % 64
    assert bucket_of("é", 2**32) != bucket_of("e", 2**32)

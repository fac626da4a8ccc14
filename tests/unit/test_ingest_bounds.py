"""Oversized files: their use of memory, and their errors.

Each is ingested by a process of its own, so that its peak memory can be measured.
"""

import io
import multiprocessing
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import pytest
from typing_extensions import Buffer

from store_monitoring.ingest.outcomes import UploadOutcome
from store_monitoring.ingest.parsing.kinds import Kind
from testing.pipeline import Pipeline

MILLION = 1_000_000
MIB = 1024**2
MAX_MEMORY_BYTES = 700 * MIB  # less than half of what the function has

POLLS = b"store_id,status,timestamp_utc\n"
ZONES = b"store_id,timezone_str\n"
POLL = b"a,active,2024-10-14 10:00:00 UTC\n"
HOURS = b"store_id,day,start_time_local,end_time_local\n"


class Chunks(io.RawIOBase):
    """A file of chunks that are generated as they are read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        self._rest = self._rest or next(self._chunks, b"")
        size = min(len(view), len(self._rest))
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def many(line: bytes, count: int) -> Iterator[bytes]:
    """Repeat a line `count` times, 10,000 at a time."""
    return repeat(line * 10_000, count // 10_000)


def zipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    gzip_format = 31
    compress = zlib.compressobj(level=1, wbits=gzip_format)
    yield from filter(None, map(compress.compress, chunks))
    yield compress.flush()


def numbered(line: bytes, count: int) -> Iterator[bytes]:
    """Yield a line formatted with each number, 10,000 at a time."""
    for first in range(0, count, 10_000):
        yield b"".join(line % number for number in range(first, first + 10_000))


@dataclass(frozen=True, slots=True)
class File:
    """A file and its expected outcome."""

    kind: Kind
    chunks: Callable[[], Iterable[bytes]]
    rows: int = 0
    rejected: int = 0
    error: str | None = None


FILES = {
    "a million rows of nothing": File(
        Kind.POLLS, lambda: chain([POLLS], many(b",,\n", MILLION)), rejected=MILLION
    ),
    "a million rows of one column": File(
        Kind.POLLS, lambda: chain([POLLS], many(b"x\n", MILLION)), rejected=MILLION
    ),
    "a million quotes that are never closed": File(
        Kind.POLLS, lambda: chain([POLLS], many(b'"a,active,x\n', MILLION)), rejected=MILLION
    ),
    "a million rows that are not UTF-8": File(
        Kind.POLLS, lambda: chain([POLLS], many(b"\xff,active,x\n", MILLION)), rejected=MILLION
    ),
    "a million unknown zones": File(
        Kind.TIMEZONES, lambda: chain([ZONES], numbered(b"s,%x\n", MILLION)), rejected=MILLION
    ),
    "two million stores": File(
        Kind.TIMEZONES, lambda: chain([ZONES], numbered(b"%x,GB\n", 2 * MILLION)), rows=2 * MILLION
    ),
    "a bomb of one line": File(
        Kind.POLLS,
        lambda: zipped(repeat(b"x" * MIB, 1024)),
        error="line 1 is longer than 16777216 bytes",
    ),
    "a bomb of blank lines": File(
        Kind.POLLS, lambda: zipped(chain([POLLS, POLL], repeat(b"\n" * MIB, 256))), rows=1
    ),
    "a bomb of polls": File(
        Kind.POLLS,
        lambda: zipped(chain([POLLS], many(POLL, 3 * MILLION))),
        rows=MILLION,  # as many as a store may have
        rejected=2 * MILLION,
    ),
    "a bomb of polls of two million stores": File(
        Kind.POLLS,
        lambda: zipped(
            chain([POLLS], numbered(b"%x,active,2024-10-14 10:00:00 UTC\n", 2 * MILLION))
        ),
        rows=2 * MILLION,
    ),
    "a header of 100,000 columns": File(
        Kind.TIMEZONES,
        lambda: [ZONES.strip(), b",x" * 100_000, b"\n", b"s,UTC", b"," * 100_000],
        error="the header has more than 1000 columns",
    ),
    "a header of 15 MiB": File(
        Kind.TIMEZONES, lambda: [b"," * 15 * MIB], error="the header has more than 1000 columns"
    ),
    "a row of 15 million columns": File(
        Kind.TIMEZONES, lambda: [ZONES, b"," * 15 * MIB], rejected=1
    ),
    "a store of 15 MiB": File(
        Kind.TIMEZONES, lambda: [ZONES, b"x" * 15 * MIB, b",UTC"], rejected=1
    ),
    "a store of 15 MiB of NUL": File(
        Kind.TIMEZONES, lambda: [ZONES, bytes(15 * MIB), b",UTC"], rejected=1
    ),
    "a zone of 15 MiB that is not UTF-8": File(
        Kind.TIMEZONES, lambda: [ZONES, b"s,", b"\xff" * 15 * MIB], rejected=1
    ),
    "a store with a million business hours": File(
        Kind.BUSINESS_HOURS,
        lambda: chain([HOURS], numbered(b"s,0,09:00,10:00:00.%06d\n", MILLION)),
        error="store s has 1000000 rows of business hours, more than 1000",
    ),
}


def ingest(name: str, folder: Path) -> tuple[UploadOutcome, int, list[str]]:
    """Ingest a file; return its outcome, the memory used and the stores of the next report."""
    pipeline = Pipeline(folder, bucket_count=64)
    pipeline.ingest("polls/good.csv", POLLS + POLL)
    memory_before = peak_memory_bytes()
    file = FILES[name]
    outcome = pipeline.ingest(f"{file.kind}/{name}", io.BufferedReader(Chunks(iter(file.chunks()))))
    memory = peak_memory_bytes() - memory_before
    return outcome, memory, pipeline.report().decode().splitlines()[1:]


def peak_memory_bytes() -> int:
    """Return the peak memory of this process, in bytes."""
    [line] = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", FILES)
def test_an_oversized_file(name: str, tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        outcome, memory, stores = pool.submit(ingest, name, tmp_path).result()
    file = FILES[name]
    assert (outcome.rows, outcome.rejected, outcome.error) == (file.rows, file.rejected, file.error)
    assert memory < MAX_MEMORY_BYTES
    assert stores

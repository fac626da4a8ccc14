"""Read a byte stream in blocks of whole lines, in bounded memory."""

import contextlib
import gzip
import hashlib
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typing_extensions import Buffer

from store_monitoring.errors import UnreadableFileError
from store_monitoring.ingest.parsing import lines as lines_module
from store_monitoring.ingest.parsing.content import read_content
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.parsing.lines import Block, LineReader

LINE = b"00017c6a-7a77-4a95-bb2d-40647868aff6,active,2024-10-14 23:55:18.727055 UTC\n"


def blocks_of(content: bytes, block_bytes: int) -> list[Block]:
    return list(LineReader(io.BytesIO(content), block_bytes).blocks())


@given(
    st.lists(st.binary(max_size=10).map(lambda line: line.replace(b"\n", b""))),
    st.booleans(),
    st.integers(11, 100),
    st.booleans(),
)
@example([b""], True, 11, False)
def test_blocks_are_the_lines(
    lines: list[bytes], newline_at_end: bool, block_bytes: int, zipped: bool
) -> None:
    content = b"\n".join(lines) + b"\n" * newline_at_end
    if content.startswith(b"\x1f\x8b"):
        content = b"x" + content
    blocks = blocks_of(gzip.compress(content) if zipped else content, block_bytes)
    whole = b"".join(block.data for block in blocks)
    assert whole == content if content.endswith(b"\n") or not content else content + b"\n"
    assert all(block.data.endswith(b"\n") for block in blocks)
    lines_before = 0
    for block in blocks:
        assert block.first_line == lines_before + 1
        lines_before += block.data.count(b"\n")


def test_the_digest_does_not_depend_on_compression_or_blocks() -> None:
    content = LINE * 100
    for packed in (content, gzip.compress(content), gzip.compress(content, compresslevel=1)):
        for block_bytes in (100, 100_000):
            reader = LineReader(io.BytesIO(packed), block_bytes)
            assert len(list(reader.blocks())) > (block_bytes == 100)
            assert reader.digest == hashlib.sha256(content).hexdigest()


def test_empty_content_has_no_blocks() -> None:
    assert blocks_of(b"", 10) == []
    assert blocks_of(gzip.compress(b""), 10) == []


def test_a_line_longer_than_a_block_is_rejected() -> None:
    with pytest.raises(UnreadableFileError, match=r"^line 3 .*\b10 bytes$"):
        blocks_of(b"a\nb\n" + b"x" * 30, 10)


@pytest.mark.parametrize("before", [b"", b"a\n", b"a\n" * 4, b"a\n" * 5])
def test_the_limit_of_a_line_does_not_depend_on_its_offset(before: bytes) -> None:
    for end in (b"", b"\n"):
        longest = before + b"x" * 9 + end
        assert b"".join(block.data for block in blocks_of(longest, 10)) == before + b"x" * 9 + b"\n"
        with pytest.raises(UnreadableFileError, match=rf" {before.count(10) + 1} .*\b10 "):
            blocks_of(before + b"x" * 10 + end, 10)


def test_a_block_has_a_bounded_number_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "BLOCK_LINES", 4)
    content = b"\n" * 9 + b"a line that is longer than all others together\n" + b"x\n" * 9
    blocks = blocks_of(content, 1000)
    assert b"".join(block.data for block in blocks) == content
    assert all(block.line_count <= 4 for block in blocks)
    numbers = [block.first_line for block in blocks]
    assert numbers == [1, *(1 + np.cumsum([block.line_count for block in blocks])[:-1]).tolist()]


@pytest.mark.parametrize("data", [b"", b"\n", b"one line\n"])
def test_a_single_line_is_not_split(data: bytes) -> None:
    assert Block(1, data).halves() is None


def test_content_that_is_too_long_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "CONTENT_BYTES", 100 * len(LINE))
    assert len(blocks_of(gzip.compress(LINE * 100), 1000)) > 1
    with pytest.raises(UnreadableFileError, match=r"\b7500 bytes"):
        blocks_of(gzip.compress(LINE * 100 + b"\n"), 1000)


GZIPPED = gzip.compress(LINE * 1000)
BROKEN = {
    "half": GZIPPED[: len(GZIPPED) // 2],
    "cut in the header": GZIPPED[:5],
    "one byte less": GZIPPED[:-1],
    "overwritten": GZIPPED[:20] + bytes(20) + GZIPPED[40:],
    "wrong checksum": GZIPPED[:-8] + bytes(8),
    "appended to": GZIPPED + b"no gzip",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_corrupt_gzip_is_rejected(content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match=r"gzip"):
        blocks_of(content, 1000)


@st.composite
def gzip_files(draw: st.DrawFn) -> bytes:
    """Draw files with a gzip header of any flags and fields of any length."""
    flags = draw(st.integers(0, 255))
    field = st.binary(max_size=20) | st.sampled_from([b"x" * 600 * 1024, bytes(70_000)])
    header = b"\x1f\x8b" + draw(st.sampled_from([b"\x08", b"\x00", b"\xff"])) + bytes([flags])
    header += draw(st.binary(min_size=6, max_size=6))
    for flag in (4, 8, 16, 2):  # extra field, name, comment, checksum of the header
        if flags & flag:
            header += draw(field) + draw(st.sampled_from([b"\0", b""]))
    return header + draw(field | st.sampled_from([GZIPPED[10:], GZIPPED[10:-4], GZIPPED]))


@given(gzip_files())
@example(b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 600 * 1024 + b"\0" + GZIPPED[10:])
@example(b"\x1f\x8b\x08\x10" + bytes(6) + b"x" * 600 * 1024)
def test_a_gzip_header_is_read_or_rejected(content: bytes) -> None:
    with contextlib.suppress(UnreadableFileError):
        assert all(block.data.endswith(b"\n") for block in blocks_of(content, 2**20))


# --- memory ---------------------------------------------------------------------------------

BLOCK_BYTES = 32 * 1024


class Lines(io.RawIOBase):
    """A file of lines that are generated as they are read.

    Attributes
    ----------
    given : int
        How many bytes were read so far.
    peak_bytes : int
        The most memory, in bytes, that Python and Arrow held at any read.
    """

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._rest = b""
        self.given = 0
        self.peak_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        held = tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0
        self.peak_bytes = max(self.peak_bytes, held + pa.total_allocated_bytes())
        while len(self._rest) < len(view) and (line := next(self._lines, None)):
            self._rest += line
        size = min(len(view), len(self._rest))
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self.given += size
        return size


def polls(count: int, bad: bool) -> Iterator[bytes]:
    """Make a header and polls of 2,000 stores; every tenth line, or none, is bad."""
    yield b"store_id,status,timestamp_utc\n"
    for number in range(count):
        end = b",\n" if bad and number % 10 == 0 else b"\n"
        yield b"%032d,active,2024-10-14 23:55:18.727055 UTC%s" % (number % 2_000, end)


def test_a_reader_is_at_most_two_blocks_ahead() -> None:
    stream = Lines(iter([LINE] * 10_000))
    taken = 0
    for block in LineReader(cast(io.BufferedIOBase, stream), BLOCK_BYTES).blocks():
        taken += len(block.data)
        assert stream.given - taken <= BLOCK_BYTES + io.DEFAULT_BUFFER_SIZE
    assert taken == 10_000 * len(LINE)


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, bad: bool) -> None:
    def peak_bytes(count: int) -> int:
        stream = Lines(polls(count, bad))
        tracemalloc.start()
        before = pa.total_allocated_bytes()
        content = read_content(
            Kind.POLLS, cast(io.BufferedIOBase, stream), 4, tmp_path, BLOCK_BYTES
        )
        tracemalloc.stop()
        assert content.rows + content.rejected == count
        return stream.peak_bytes - before

    peak_bytes(2_000)  # what is made once
    assert peak_bytes(12_000) < peak_bytes(2_000) + 4 * BLOCK_BYTES

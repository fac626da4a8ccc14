"""Read a byte stream in blocks of whole lines."""

import gzip
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import pyarrow as pa
from isal import igzip, isal_zlib

from store_monitoring.domain.model import Int64s
from store_monitoring.errors import UnreadableFileError

BLOCK_BYTES = 16 * 1024 * 1024
BLOCK_LINES = 256 * 1024
"""Bounds memory for short lines: each may become a row or a rejected row."""

CONTENT_BYTES = 16 * 1024**3
"""Bounds processing time: a small gzip file can expand to any size."""

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)  # no slots: cached_property needs a __dict__
class Block:
    """Whole lines of a file.

    Attributes
    ----------
    first_line : int
        Number of the first line; the file starts at line 1.
    data : bytes
        The lines, each ending in a newline.
    """

    first_line: int
    data: bytes

    @cached_property
    def _newlines(self) -> Int64s:
        """The positions of the newlines."""
        return np.flatnonzero(np.frombuffer(self.data, np.uint8) == ord("\n"))

    @property
    def line_count(self) -> int:
        """Number of lines."""
        return len(self._newlines)

    @property
    def has_empty_lines(self) -> bool:
        """Whether a line consists of its newline only."""
        return bool((np.diff(self._newlines, prepend=-1) == 1).any())

    @cached_property
    def lines(self) -> pa.BinaryArray:
        r"""The lines with their newlines, as views of `data` without copying.

        >>> Block(2, b"a\nb,c\n").lines.to_pylist()
        [b'a\n', b'b,c\n']
        """
        starts = np.append(0, self._newlines + 1).astype(np.int32)
        buffers = [None, pa.py_buffer(starts), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.binary(), len(starts) - 1, buffers)

    def halves(self) -> "tuple[Block, Block] | None":
        r"""Split the block between two lines near the middle; None if it has one line.

        >>> Block(2, b"a\nb\nc, a long line\n").halves()
        (Block(first_line=2, data=b'a\nb\n'), Block(first_line=4, data=b'c, a long line\n'))
        """
        half = len(self.data) // 2
        middle = self.data.find(b"\n", half) + 1
        if middle == len(self.data):
            middle = self.data.rfind(b"\n", 0, half) + 1
        if not middle:
            return None
        second_line = self.first_line + self.data.count(b"\n", 0, middle)
        return Block(self.first_line, self.data[:middle]), Block(second_line, self.data[middle:])

    def split(self, max_lines: int) -> Iterator["Block"]:
        """Split the block into blocks of at most `max_lines` lines."""
        halves = self.halves() if self.line_count > max_lines else None
        if halves is None:
            yield self
        else:
            for half in halves:
                yield from half.split(max_lines)


class LineReader:
    """Reads a CSV, plain or gzipped, in blocks, and computes its digest.

    Parameters
    ----------
    stream : binary file
    block_bytes : int
        Size of a block and of the longest line; bounds memory.
    """

    def __init__(self, stream: io.BufferedIOBase, block_bytes: int = BLOCK_BYTES) -> None:
        self._stream = _decompressed(stream)
        self._block_bytes = block_bytes
        self._digest = hashlib.sha256()
        self._bytes = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the decompressed content read so far, in hexadecimal."""
        return self._digest.hexdigest()

    def blocks(self) -> Iterator[Block]:
        """Yield the file's lines in blocks; a missing last newline is added.

        Raises
        ------
        UnreadableFileError
            If a line is longer than a block, the content is larger than `CONTENT_BYTES`, or the
            gzip data is corrupt.
        """
        line = 1
        while data := self._read(self._stream.read):
            if not data.endswith(b"\n"):
                data += self._read(self._stream.readline).removesuffix(b"\n") + b"\n"
                last = data.rfind(b"\n", 0, -1) + 1
                if len(data) - last > self._block_bytes:
                    line += data.count(b"\n", 0, last)
                    raise UnreadableFileError(
                        f"line {line} is longer than {self._block_bytes} bytes"
                    )
            block = Block(line, data)
            yield from block.split(BLOCK_LINES)
            line += block.line_count

    def _read(self, read: Callable[[int], bytes]) -> bytes:
        try:
            chunk = read(self._block_bytes)
        # isal bounds its header buffer: a very long file name raises OverflowError.
        except (EOFError, OverflowError, gzip.BadGzipFile, isal_zlib.error) as error:
            raise UnreadableFileError(f"the gzip data is corrupt: {error}") from error
        self._bytes += len(chunk)
        if self._bytes > CONTENT_BYTES:
            raise UnreadableFileError(
                f"the file has more than {CONTENT_BYTES} bytes, once unzipped"
            )
        self._digest.update(chunk)
        return chunk


def _decompressed(stream: io.BufferedIOBase) -> io.BufferedIOBase:
    buffered = io.BufferedReader(cast(io.RawIOBase, stream))  # needs readinto() only
    if buffered.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC):
        return cast(io.BufferedIOBase, igzip.IGzipFile(fileobj=buffered))
    return buffered

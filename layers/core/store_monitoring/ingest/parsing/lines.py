"""A byte stream as blocks of whole lines."""

import gzip
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO, cast

import numpy as np
import pyarrow as pa
from isal import igzip, isal_zlib

from store_monitoring.errors import UnreadableFileError

BLOCK_BYTES = 16 * 1024 * 1024

BLOCK_LINES = 256 * 1024

"""What bounds our memory where lines are short: each may become a row, or a reject."""

CONTENT_BYTES = 16 * 1024**3

"""What bounds our time: a small gzip file can hold any amount."""

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)  # no slots: they leave no place to keep the count in
class Block:
    """Whole lines of a file.

    Attributes
    ----------
    first_line : int
        Number of the first one; the file's first line is line 1.
    data : bytes
        The lines, each ending in a newline.
    """

    first_line: int
    data: bytes

    @cached_property
    def line_count(self) -> int:
        """Number of lines."""
        return self.data.count(b"\n")

    @cached_property
    def lines(self) -> pa.BinaryArray:
        r"""The lines, each with its newline; views of `data`, not copies.

        >>> Block(2, b"a\nb,c\n").lines.to_pylist()
        [b'a\n', b'b,c\n']
        """
        newline = np.frombuffer(self.data, np.uint8) == ord("\n")
        starts = np.append(0, np.flatnonzero(newline) + 1).astype(np.int32)
        buffers = [None, pa.py_buffer(starts), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.binary(), len(starts) - 1, buffers)

    def halves(self) -> "tuple[Block, Block] | None":
        r"""Cut the block between two lines, about in the middle; None if it is one line.

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

    def cut(self, most_lines: int) -> Iterator["Block"]:
        """Yield the block's lines in blocks of at most so many."""
        halves = self.halves() if self.line_count > most_lines else None
        if halves is None:
            yield self
        else:
            for half in halves:
                yield from half.cut(most_lines)


class LineReader:
    """Reads a CSV, plain or gzipped, block by block, and takes its digest on the way.

    Parameters
    ----------
    stream : binary file
    block_bytes : int
        How much is read at a time, and how long a line may be; what bounds our memory.
    """

    def __init__(self, stream: IO[bytes], block_bytes: int = BLOCK_BYTES) -> None:
        self._stream = _decompressed(stream)
        self._block_bytes = block_bytes
        self._digest = hashlib.sha256()
        self._bytes = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the (decompressed) content that was read so far, in hexadecimal."""
        return self._digest.hexdigest()

    def blocks(self) -> Iterator[Block]:
        """Yield the file's lines; the last one gets its newline if it lacks one.

        Raises
        ------
        UnreadableFileError
            If a line is longer than a block, all of them are more than `CONTENT_BYTES`, or the
            gzip data are broken.
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
            yield from block.cut(BLOCK_LINES)
            line += block.line_count

    def _read(self, read: Callable[[int], bytes]) -> bytes:
        try:
            chunk = read(self._block_bytes)
        # isal's own buffer for a header is bounded: an over-long file name in it is an overflow.
        except (EOFError, OverflowError, gzip.BadGzipFile, isal_zlib.error) as error:
            raise UnreadableFileError(f"the gzip data are broken: {error}") from error
        self._bytes += len(chunk)
        if self._bytes > CONTENT_BYTES:
            raise UnreadableFileError(
                f"the file has more than {CONTENT_BYTES} bytes, once unzipped"
            )
        self._digest.update(chunk)
        return chunk


def _decompressed(stream: IO[bytes]) -> io.BufferedIOBase:
    buffered = io.BufferedReader(cast(io.RawIOBase, stream))  # any readable will do
    if buffered.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC):
        return cast(io.BufferedIOBase, igzip.IGzipFile(fileobj=buffered))
    return buffered

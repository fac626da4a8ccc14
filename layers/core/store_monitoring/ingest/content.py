"""A whole uploaded file, read once as a stream and set aside on disk."""

import csv
import errno
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

from store_monitoring.errors import UnreadableFile
from store_monitoring.ingest.kinds import Kind, check_format, read_header
from store_monitoring.ingest.lines import BLOCK_BYTES, Block, LineReader
from store_monitoring.ingest.parse import parse
from store_monitoring.ingest.rows import read_rows
from store_monitoring.ingest.spill import Spill

MOST_REJECTS = 10_000_000
"""A file with more rows that are not valid is something else than what it says."""

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_FORMULA = re.compile(r"""^(?=[=+\-@\t\r])|(?<=;)(?="*[=+\-@\t\r])""")
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_ID_DIGITS = 32  # of a SHA-256 in hexadecimal: 128 bits


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds.

    Attributes
    ----------
    kind : Kind
    ingest_id : str
        Names the kind and the content: the same bytes (once unzipped) are the same ingest.
    rows, rejected : int
        How many rows were taken, and how many not.
    spill : Spill
        The rows that were taken.
    rejects : Path
        A CSV of the others: line, reason and text.
    """

    kind: Kind
    ingest_id: str
    rows: int
    rejected: int
    spill: Spill
    rejects: Path


def read_content(
    kind: Kind,
    stream: IO[bytes],
    bucket_count: int,
    folder: Path,
    block_bytes: int = BLOCK_BYTES,
) -> Content:
    """Read a file to its end; what it holds is set aside in `folder`.

    Raises
    ------
    UnreadableFile
        If the file cannot be read as a whole; the message says why.
    """
    reader = LineReader(stream, block_bytes)
    blocks = reader.blocks()
    first = next(blocks, None)
    if first is None:
        raise UnreadableFile("the file is empty")
    check_format(first.data)
    header_line, _, rest = first.data.partition(b"\n")
    header = read_header(header_line, kind)
    rejects_path = folder / "rejects.csv"
    rows = rejected = 0
    with (
        _room_on_disk(),
        Spill(folder / "rows.arrow", bucket_count) as spill,
        rejects_path.open("w", newline="", encoding="utf-8") as rejects_file,
    ):
        rejects_file.write("line,reason,text\n")
        # Texts are always quoted: Python before 3.13 does not see to a bare carriage return.
        writer = csv.writer(rejects_file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        rest_of_first = Block(first.first_line + 1, rest)
        for block in chain([rest_of_first], blocks):
            if not block.data or block.data.isspace():  # a file can be blank lines, and very many
                continue
            in_rows, not_rows = read_rows(block, header)
            table, bad_rows = parse(kind, in_rows)
            spill.add(table)
            rejects = sorted(not_rows + bad_rows, key=lambda reject: reject.line)
            writer.writerows(
                (reject.line, _cell(reject.reason), _cell(reject.text)) for reject in rejects
            )
            rows += len(table)
            rejected += len(rejects)
            if rejected > MOST_REJECTS:
                raise UnreadableFile(
                    f"more than {MOST_REJECTS} rows are not valid; line {rejects[-1].line}:"
                    f" {rejects[-1].reason}"
                )
    if not rows and not rejected:
        raise UnreadableFile("the file has a header and no rows")
    ingest_id = hashlib.sha256(f"{kind} {reader.digest}".encode()).hexdigest()[:_ID_DIGITS]
    return Content(kind, ingest_id, rows, rejected, spill, rejects_path)


@contextmanager
def _room_on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise UnreadableFile("there is no room on disk for the file's rows") from error
        raise


def _cell(text: str) -> str:
    r"""Return text as a spreadsheet shows it, and does not take it for a formula.

    Where commas are decimal points, a spreadsheet begins a cell at each semicolon, too.
    """
    return _FORMULA.sub("'", text).translate(_CONTROLS)

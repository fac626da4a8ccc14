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

import pyarrow as pa

from store_monitoring.errors import UnreadableFileError
from store_monitoring.ingest.parsing.columns import parse
from store_monitoring.ingest.parsing.kinds import Kind, check_format, read_header
from store_monitoring.ingest.parsing.lines import BLOCK_BYTES, Block, LineReader
from store_monitoring.ingest.parsing.poll_limit import PollLimit
from store_monitoring.ingest.parsing.rejected_stores import stores_of_rejects
from store_monitoring.ingest.parsing.rows import read_rows
from store_monitoring.ingest.parsing.spill import Spill

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
    rejected_stores : Spill
        Ids of the stores that the others name, if it is reference data: each at least once.
    least_future_us : int or None
        The earliest of the polls that were rejected as too far in the future, if there are any.
    """

    kind: Kind
    ingest_id: str
    rows: int
    rejected: int
    spill: Spill
    rejects: Path
    rejected_stores: Spill
    least_future_us: int | None


def read_content(
    kind: Kind,
    stream: IO[bytes],
    bucket_count: int,
    folder: Path,
    block_bytes: int = BLOCK_BYTES,
    latest_us: int | None = None,
) -> Content:
    """Read a file to its end; what it holds is set aside in `folder`.

    Parameters
    ----------
    kind : Kind
    stream : binary file
    bucket_count : int
    folder : Path
    block_bytes : int
    latest_us : int or None
        Polls later than this are rejected.

    Raises
    ------
    UnreadableFileError
        If the file cannot be read as a whole; the message says why.
    """
    reader = LineReader(stream, block_bytes)
    blocks = reader.blocks()
    first = next(blocks, None)
    if first is None:
        raise UnreadableFileError("the file is empty")
    check_format(first.data)
    header_line, _, rest = first.data.partition(b"\n")
    header = read_header(header_line, kind)
    rejects_path = folder / "rejects.csv"
    rows = rejected = 0
    least_future_us: int | None = None
    limit = PollLimit()
    with (
        _room_on_disk(),
        Spill(folder / "rows.arrow", bucket_count) as spill,
        Spill(folder / "rejected_stores.arrow", bucket_count) as rejected_stores,
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
            parsed = parse(kind, in_rows, limit, latest_us)
            spill.add(parsed.table)
            rejects = sorted(not_rows + parsed.rejects, key=lambda reject: reject.line)
            writer.writerows(
                (reject.line, _cell(reject.reason), _cell(reject.text)) for reject in rejects
            )
            if rejects and kind is not Kind.POLLS:
                texts = (reject.text for reject in rejects)
                rejected_stores.add(stores_of_rejects(texts, header))
            if parsed.least_future_us is not None:
                known_us = parsed.least_future_us if least_future_us is None else least_future_us
                least_future_us = min(known_us, parsed.least_future_us)
            rows += len(parsed.table)
            rejected += len(rejects)
            if rejected > MOST_REJECTS:
                raise UnreadableFileError(
                    f"more than {MOST_REJECTS} rows are not valid; line {rejects[-1].line}:"
                    f" {rejects[-1].reason}"
                )
    if not rows and not rejected:
        raise UnreadableFileError("the file has a header and no rows")
    ingest_id = derived_id(f"{kind} {reader.digest}")
    return Content(
        kind, ingest_id, rows, rejected, spill, rejects_path, rejected_stores, least_future_us
    )


def derived_id(text: str) -> str:
    """Return the id of an ingest, or of what is like one, that a text stands for."""
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def rejected_stores(content: Content, bucket: int) -> pa.Array:
    """Return the ids of a bucket's stores that rejected rows of reference data name, each once."""
    chunks = content.rejected_stores.chunks(bucket)
    ids = [chunk.column("store_id").unique().dictionary_decode() for chunk in chunks]
    return pa.chunked_array(ids, pa.string()).unique()


@contextmanager
def _room_on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise UnreadableFileError("there is no room on disk for the file's rows") from error
        raise


def _cell(text: str) -> str:
    r"""Return text as a spreadsheet shows it, and does not take it for a formula.

    Where commas are decimal points, a spreadsheet begins a cell at each semicolon, too.
    """
    return _FORMULA.sub("'", text).translate(_CONTROLS)

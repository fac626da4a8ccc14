"""Read a whole uploaded file once, as a stream, and spill its rows to disk."""

import csv
import errno
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.errors import UnreadableFileError
from store_monitoring.ingest.parsing import values
from store_monitoring.ingest.parsing.columns import PollLimit, SpecialDates, parse
from store_monitoring.ingest.parsing.kinds import Header, Kind, check_format, read_header
from store_monitoring.ingest.parsing.lines import BLOCK_BYTES, Block, LineReader
from store_monitoring.ingest.parsing.rows import read_rows
from store_monitoring.ingest.parsing.spill import Spill

MAX_REJECTS = 10_000_000
"""A file with more rejected rows is probably not a file of its kind."""

_DISK_FULL_ERRORS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_FORMULA = re.compile(r"""^(?=[=+\-@\t\r])|(?<=;)(?="*[=+\-@\t\r])""")
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_ID_DIGITS = 32  # of a SHA-256 in hexadecimal: 128 bits


@dataclass(frozen=True, slots=True)
class Content:
    """The parsed content of a file.

    Attributes
    ----------
    kind : Kind
    ingest_id : str
        A hash of the kind and the unzipped content: the same bytes are the same ingest.
    rows, rejected : int
        Number of valid and of rejected rows.
    spill : Spill
        The valid rows.
    rejects : Path
        A CSV of the rejected rows: line, reason and text.
    rejected_stores : Spill
        Ids of the stores with rejected rows, for reference data; an id may repeat.
    min_future_us : int or None
        The earliest poll that was rejected as too far in the future, if any.
    """

    kind: Kind
    ingest_id: str
    rows: int
    rejected: int
    spill: Spill
    rejects: Path
    rejected_stores: Spill
    min_future_us: int | None


def read_content(
    kind: Kind,
    stream: io.BufferedIOBase,
    bucket_count: int,
    folder: Path,
    block_bytes: int = BLOCK_BYTES,
    latest_us: int | None = None,
) -> Content:
    """Read a file to its end; its rows are spilled to files in `folder`.

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
        If the file as a whole is not readable; the message says why.
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
    min_future_us: int | None = None
    limit, special_dates = PollLimit(), SpecialDates()
    with (
        _disk_full_errors(),
        Spill(folder / "rows.arrow", bucket_count) as spill,
        Spill(folder / "rejected_stores.arrow", bucket_count) as rejected_stores,
        rejects_path.open("w", newline="", encoding="utf-8") as rejects_file,
    ):
        rejects_file.write("line,reason,text\n")
        # Always quote text: Python before 3.13 does not quote a bare carriage return.
        writer = csv.writer(rejects_file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        rest_of_first = Block(first.first_line + 1, rest)
        for block in chain([rest_of_first], blocks):
            if not block.data or block.data.isspace():  # a file may have very many blank lines
                continue
            block_rows, invalid_lines = read_rows(block, header)
            parsed = parse(kind, block_rows, limit, special_dates, latest_us)
            spill.add(parsed.table)
            rejects = sorted(invalid_lines + parsed.rejects, key=lambda reject: reject.line)
            writer.writerows(
                (reject.line, _cell(reject.reason), _cell(reject.text)) for reject in rejects
            )
            if rejects and kind is not Kind.POLLS:
                texts = (reject.text for reject in rejects)
                rejected_stores.add(_stores_of_rejects(texts, header))
            if parsed.min_future_us is not None:
                known_us = parsed.min_future_us if min_future_us is None else min_future_us
                min_future_us = min(known_us, parsed.min_future_us)
            rows += len(parsed.table)
            rejected += len(rejects)
            if rejected > MAX_REJECTS:
                raise UnreadableFileError(
                    f"more than {MAX_REJECTS} rows are not valid; line {rejects[-1].line}:"
                    f" {rejects[-1].reason}"
                )
    if not rows and not rejected:
        raise UnreadableFileError("the file has a header and no rows")
    ingest_id = derived_id(f"{kind} {reader.digest}")
    return Content(
        kind, ingest_id, rows, rejected, spill, rejects_path, rejected_stores, min_future_us
    )


def derived_id(text: str) -> str:
    """Return an ingest id derived from a text: a hash of it."""
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def rejected_stores(content: Content, bucket: int) -> pa.Array:
    """Return the distinct ids of a bucket's stores with rejected rows of reference data."""
    chunks = content.rejected_stores.chunks(bucket)
    ids = [chunk.column("store_id").unique().dictionary_decode() for chunk in chunks]
    return pa.chunked_array(ids, pa.string()).unique()


def _stores_of_rejects(texts: Iterable[str], header: Header) -> pa.Table:
    r"""Return the store ids in rejected lines that can be parsed.

    Returns
    -------
    table of store_id, a dictionary
        Distinct ids.

    Examples
    --------
    >>> header = Header(3, {"store_id": 0})
    >>> _stores_of_rejects(["a,7,09:00", " b ,0", '"c,0,09:00', ",0,09:00"], header)[
    ...     "store_id"].to_pylist()
    ['a', 'b']
    """
    position = header.positions["store_id"]
    fields = pa.array([_field(text, position) for text in texts], pa.string())
    ids = values.store_ids(pc.ascii_trim_whitespace(fields)).cast(pa.string())
    return pa.table({"store_id": ids.drop_null().unique().dictionary_encode()})


def _field(text: str, position: int) -> str | None:
    """Return a field of a line that may have too few fields or a misplaced quote."""
    fields = _fields(text)
    if fields is None:  # the fields before the last quote may be well-formed
        fields = (_fields(text.rpartition('"')[0]) or [])[:-1]
    return fields[position] if position < len(fields) else None


def _fields(text: str) -> list[str] | None:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        return None


@contextmanager
def _disk_full_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL_ERRORS:
            raise UnreadableFileError(
                "there is not enough disk space for the file's rows"
            ) from error
        raise


def _cell(text: str) -> str:
    r"""Escape text so that a spreadsheet does not run it as a formula.

    With some locales, a spreadsheet also starts a new cell at each semicolon.
    """
    return _FORMULA.sub("'", text).translate(_CONTROLS)

"""The rows of a block as columns of text."""

import csv
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from store_monitoring.domain.model import Int64s
from store_monitoring.ingest.kinds import Header
from store_monitoring.ingest.lines import Block

_LINE_BY_LINE_BYTES = 64 * 1024

# Lines of fields that either have no quote or are quoted as RFC 4180 says.
_WELL_FORMED = r'^(?:(?:[^",\r\n]*|"(?:[^"\r\n]|"")*")(?:,|\r?\n))*$'

csv.field_size_limit(sys.maxsize)  # a field is never longer than its block


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken: where it stands, what it says, and why not."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a block.

    Attributes
    ----------
    columns : dict of str to string array (rows,)
        The columns that we read, by our names.
    line : int64 (rows,)
        Number of each row's line in the file.
    block : Block
        The block that they were read from.
    """

    columns: dict[str, pa.StringArray]
    line: Int64s
    block: Block

    def rejects(self, reasons: dict[int, str]) -> list[Reject]:
        """Return rejects for the rows (by index) with the reasons given."""
        if not reasons:
            return []
        lines = _lines(self.block)
        return [
            Reject(int(self.line[row]), _text(lines[self.line[row] - self.block.first_line]), why)
            for row, why in sorted(reasons.items())
        ]


def read_rows(block: Block, header: Header) -> Iterator[tuple[Rows, list[Reject]]]:
    r"""Split a block into rows and columns. A row is a line: no field of ours spans lines.

    Blank lines are passed over; lines that are not a row of the header's width are rejected.

    Yields
    ------
    Rows, list of Reject
        Of one part of the block after the other.

    Examples
    --------
    >>> header = Header(2, {"store_id": 0, "timezone_str": 1})
    >>> [(rows, rejects)] = read_rows(Block(2, b'a,Asia/Tokyo\n\n"b,UTC\nc\n'), header)
    >>> rows.columns["timezone_str"].to_pylist(), rows.line.tolist()
    (['Asia/Tokyo'], [2])
    >>> [(reject.line, reject.reason) for reject in rejects]
    [(4, 'a quote or carriage return is out of place'), (5, 'number of columns is 1, not 2')]
    """
    if not block.data or block.data.isspace():  # a file can be blank lines, and very many
        return
    columns = _parse_at_once(block, header)
    if columns is not None:
        numbers = np.arange(block.first_line, block.first_line + block.line_count)
        yield Rows(columns, numbers, block), []
    elif len(block.data) > _LINE_BY_LINE_BYTES and (halves := block.halves()):
        for half in halves:  # one bad line is not to make the whole block slow
            yield from read_rows(half, header)
    else:
        yield _parse_line_by_line(block, header)


def _parse_at_once(block: Block, header: Header) -> dict[str, pa.StringArray] | None:
    """Parse a block whose lines are all rows; None if any is not, or may be read differently."""
    if not _is_plain(block.data):
        return None
    names = [str(position) for position in range(header.width)]
    read = [str(position) for position in header.positions.values()]
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(block.data),
            read_options=pa.csv.ReadOptions(column_names=names, block_size=len(block.data) + 1),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(read, pa.string()), include_columns=read
            ),
        )
    except pa.ArrowInvalid:  # a row of another width
        return None
    if len(table) != block.line_count:  # Arrow passes over blank lines
        return None
    return {
        column: table.column(str(position)).combine_chunks()
        for column, position in header.positions.items()
    }


def _is_plain(data: bytes) -> bool:
    """Tell whether Arrow reads the lines as we do: it is laxer, and reads on over line ends."""
    plain = b'"' not in data and b"\r" not in data
    if plain and data.isascii():
        return True
    try:
        text = pa.scalar(data).cast(pa.string())
    except pa.ArrowInvalid:  # not UTF-8
        return False
    if data.startswith(BOM_UTF8):  # Arrow would take it off
        return False
    return plain or pc.match_substring_regex(text, _WELL_FORMED).as_py()


def _parse_line_by_line(block: Block, header: Header) -> tuple[Rows, list[Reject]]:
    fields: list[list[str]] = []
    numbers: list[int] = []
    rejects: list[Reject] = []
    for number, line in enumerate(_lines(block), block.first_line):
        if not line.strip():
            continue
        try:
            row = _fields(line, header.width)
        except _NoRow as error:
            rejects.append(Reject(number, _text(line), str(error)))
        else:
            fields.append([row[position] for position in header.positions.values()])
            numbers.append(number)
    by_column = zip(*fields, strict=True) if fields else [()] * len(header.positions)
    columns = {
        column: pa.array(values, pa.string())
        for column, values in zip(header.positions, by_column, strict=True)
    }
    return Rows(columns, np.array(numbers, np.int64), block), rejects


class _NoRow(Exception):
    """A line is not a row; the message says why."""


def _fields(line: bytes, width: int) -> list[str]:
    try:
        fields = next(csv.reader([line.decode()], strict=True))
    except UnicodeDecodeError:
        raise _NoRow("not UTF-8") from None
    except csv.Error:
        raise _NoRow("a quote or carriage return is out of place") from None
    if len(fields) != width:
        raise _NoRow(f"number of columns is {len(fields)}, not {width}")
    return fields


def _lines(block: Block) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in block.data.split(b"\n")[:-1]]


def _text(line: bytes) -> str:
    return line.decode(errors="backslashreplace")

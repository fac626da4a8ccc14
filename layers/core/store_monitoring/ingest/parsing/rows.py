"""Split the lines of a block into text columns."""

import csv
import sys
from codecs import BOM_UTF8
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from store_monitoring.domain.model import Bools, Int64s
from store_monitoring.ingest.parsing.kinds import Header
from store_monitoring.ingest.parsing.lines import Block

# Fields that Arrow and Python's csv parse alike: not quoted, or quoted as in RFC 4180.
_FIELD = r'(?:[^",\r\n][^,\r\n]*|"(?:[^"\n]|"")*")?'
_WELL_FORMED = rf"^{_FIELD}(?:,{_FIELD})+\r?\n$"

# Valid UTF-8, as a regular expression: it tests all lines of a block in one call.
_UTF8 = (
    r"^(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]"
    r"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    r"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*$"
)

_BLANK = r"^[ \t\v\f\r\n]*$"

csv.field_size_limit(sys.maxsize)  # a field is never longer than its block


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected row: its line number, its text and the reason."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a block.

    Attributes
    ----------
    columns : dict of str to string array (rows,)
        The text columns, by their standard names.
    line : int64 (rows,)
        Line number of each row in the file.
    block : Block
        The source of the rows.
    """

    columns: dict[str, pa.StringArray]
    line: Int64s
    block: Block

    def merged_with(self, others: "Rows") -> "Rows":
        """Return these and other rows of the same block, sorted by line."""
        line = np.append(self.line, others.line)
        order = np.argsort(line)
        columns = {
            name: pa.concat_arrays([column, others.columns[name]]).take(pa.array(order))
            for name, column in self.columns.items()
        }
        return Rows(columns, line[order], self.block)

    def rejects(self, reasons: dict[int, str]) -> list[Reject]:
        """Return rejected rows, given reasons by row index."""
        if not reasons:
            return []
        rows = sorted(reasons)
        lines = self.block.lines.take(pa.array(self.line[rows] - self.block.first_line))
        return [
            Reject(int(self.line[row]), _text(line), reasons[row])
            for row, line in zip(rows, lines.to_pylist(), strict=True)
        ]


def read_rows(block: Block, header: Header) -> tuple[Rows, list[Reject]]:
    r"""Split a block into rows and columns. A row is a line: fields cannot span lines.

    Blank lines are skipped. Lines without the header's number of columns are rejected. Arrow
    parses the well-formed lines; the few others are parsed in Python, which is slower.

    Examples
    --------
    >>> header = Header(2, {"store_id": 0, "timezone_str": 1})
    >>> rows, rejects = read_rows(Block(2, b'a,Asia/Tokyo\n\n"b,UTC\nc\n'), header)
    >>> rows.columns["timezone_str"].to_pylist(), rows.line.tolist()
    (['Asia/Tokyo'], [2])
    >>> [(reject.line, reject.reason) for reject in rejects]
    [(4, 'a quote or carriage return is out of place'), (5, 'number of columns is 1, not 2')]
    """
    indices = np.arange(block.line_count)
    data = block.data
    if not _is_plain(block):
        well_formed = _are_well_formed(block)
        indices = indices[well_formed]
        data = _joined(block.lines.filter(pa.array(well_formed)))
    columns, wrong = _parse_at_once(data, header)
    indices = np.delete(indices, wrong)
    rows = Rows(columns, indices + block.first_line, block)
    if len(indices) == block.line_count:
        return rows, []
    remaining = np.ones(block.line_count, np.bool_)
    remaining[indices] = False
    others, rejects = _parse_one_by_one(block, np.flatnonzero(remaining), header)
    return (rows.merged_with(others) if len(others.line) else rows), rejects


def _is_plain(block: Block) -> bool:
    """Return, quickly, whether Arrow can parse all lines of a block."""
    data = block.data
    if b'"' in data or b"\r" in data:
        return False
    if block.has_empty_lines or data.startswith(BOM_UTF8):  # Arrow drops these
        return False
    try:
        return data.isascii() or pa.scalar(data).cast(pa.string()).is_valid
    except pa.ArrowInvalid:  # not UTF-8
        return False


def _are_well_formed(block: Block) -> Bools:
    """Return for each line whether Arrow can parse it."""
    well_formed = pc.match_substring_regex(block.lines, _WELL_FORMED)
    if not block.data.isascii():
        well_formed = pc.and_(well_formed, pc.match_substring_regex(block.lines, _UTF8))
    mask: Bools = well_formed.to_numpy(zero_copy_only=False)
    return mask


def _joined(lines: pa.BinaryArray) -> bytes:
    """Join lines after a newline, so that Arrow does not strip a byte-order mark."""
    _, _, data = lines.buffers()
    return b"\n" + (data.to_pybytes() if data else b"")


def _parse_at_once(data: bytes, header: Header) -> tuple[dict[str, pa.StringArray], Int64s]:
    """Parse well-formed lines; also return the indices of those with a wrong column count."""
    if data in (b"", b"\n"):  # Arrow cannot parse empty input
        return dict.fromkeys(header.positions, pa.array([], pa.string())), np.empty(0, np.int64)
    names = [str(position) for position in range(header.width)]
    read = [str(position) for position in header.positions.values()]
    wrong: list[int] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        wrong.append(row.number - 1)
        return "skip"

    table = pa.csv.read_csv(
        pa.BufferReader(data),
        # Arrow reports row numbers only when it parses with one thread.
        pa.csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
        pa.csv.ParseOptions(invalid_row_handler=skip),
        pa.csv.ConvertOptions(column_types=dict.fromkeys(read, pa.string()), include_columns=read),
    )
    columns = {
        column: _only_chunk(table.column(str(position)))
        for column, position in header.positions.items()
    }
    return columns, np.array(wrong, np.int64)


def _only_chunk(column: pa.ChunkedArray) -> pa.StringArray:
    """Return a column as an array; Arrow would copy even a single chunk."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _parse_one_by_one(block: Block, indices: Int64s, header: Header) -> tuple[Rows, list[Reject]]:
    """Parse some lines of a block, given their indices; skip blank ones."""
    lines = block.lines.take(pa.array(indices))
    blank = pc.match_substring_regex(lines, _BLANK).to_numpy(zero_copy_only=False)
    numbers = indices[~blank] + block.first_line
    fields: list[list[str]] = []
    numbers_of_rows: list[int] = []
    rejects: list[Reject] = []
    for number, line in zip(
        numbers.tolist(), lines.filter(pa.array(~blank)).to_pylist(), strict=True
    ):
        try:
            row = _fields(line, header.width)
        except _InvalidRowError as error:
            rejects.append(Reject(number, _text(line), str(error)))
        else:
            fields.append([row[position] for position in header.positions.values()])
            numbers_of_rows.append(number)
    by_column = zip(*fields, strict=True) if fields else [()] * len(header.positions)
    columns = {
        column: pa.array(values, pa.string())
        for column, values in zip(header.positions, by_column, strict=True)
    }
    return Rows(columns, np.array(numbers_of_rows, np.int64), block), rejects


class _InvalidRowError(Exception):
    """A line is not a valid row; the message says why."""


def _fields(line: bytes, width: int) -> list[str]:
    try:
        fields = next(csv.reader([_without_line_ending(line).decode()], strict=True))
    except UnicodeDecodeError:
        raise _InvalidRowError("not UTF-8") from None
    except csv.Error:
        raise _InvalidRowError("a quote or carriage return is out of place") from None
    if len(fields) != width:
        raise _InvalidRowError(f"number of columns is {len(fields)}, not {width}")
    return fields


def _without_line_ending(line: bytes) -> bytes:
    """Return a line without its line ending."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _text(line: bytes) -> str:
    return _without_line_ending(line).decode(errors="backslashreplace")

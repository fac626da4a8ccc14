"""The rows of a block as columns of text."""

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

# Fields that Arrow reads as we do: without a quote at their beginning, or quoted as RFC 4180 says.
_FIELD = r'(?:[^",\r\n][^,\r\n]*|"(?:[^"\n]|"")*")?'

_WELL_FORMED = rf"^{_FIELD}(?:,{_FIELD})+\r?\n$"

# Bytes that are UTF-8: a regular expression tests all lines of a block in one call.
_UTF8 = (
    r"^(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]"
    r"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    r"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*$"
)

_BLANK = r"^[ \t\v\f\r\n]*$"

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

    def merged_with(self, others: "Rows") -> "Rows":
        """Return these rows and others of the same block, by line."""
        line = np.append(self.line, others.line)
        order = np.argsort(line)
        columns = {
            name: pa.concat_arrays([column, others.columns[name]]).take(pa.array(order))
            for name, column in self.columns.items()
        }
        return Rows(columns, line[order], self.block)

    def rejects(self, reasons: dict[int, str]) -> list[Reject]:
        """Return rejects for the rows (by index) with the reasons given."""
        rows = sorted(reasons)
        lines = self.block.lines.take(pa.array(self.line[rows] - self.block.first_line))
        return [
            Reject(int(self.line[row]), _text(line), reasons[row])
            for row, line in zip(rows, lines.to_pylist(), strict=True)
        ]


def read_rows(block: Block, header: Header) -> tuple[Rows, list[Reject]]:
    r"""Split a block into rows and columns. A row is a line: no field of ours spans lines.

    Blank lines are passed over; lines that are not a row of the header's width are rejected.
    Arrow reads all lines that it reads as we do; only the others, which are few, cost Python's
    time.

    Examples
    --------
    >>> header = Header(2, {"store_id": 0, "timezone_str": 1})
    >>> rows, rejects = read_rows(Block(2, b'a,Asia/Tokyo\n\n"b,UTC\nc\n'), header)
    >>> rows.columns["timezone_str"].to_pylist(), rows.line.tolist()
    (['Asia/Tokyo'], [2])
    >>> [(reject.line, reject.reason) for reject in rejects]
    [(4, 'a quote or carriage return is out of place'), (5, 'number of columns is 1, not 2')]
    """
    which = np.arange(block.line_count)
    data = block.data
    if not _is_plain(data):
        well_formed = _are_well_formed(block)
        which = which[well_formed]
        data = _joined(block.lines.filter(pa.array(well_formed)))
    columns, wrong = _parse_at_once(data, header)
    which = np.delete(which, wrong)
    rows = Rows(columns, which + block.first_line, block)
    if len(which) == block.line_count:
        return rows, []
    left = np.ones(block.line_count, np.bool_)
    left[which] = False
    others, rejects = _parse_one_by_one(block, np.flatnonzero(left), header)
    return (rows.merged_with(others) if len(others.line) else rows), rejects


def _is_plain(data: bytes) -> bool:
    """Tell, quickly, whether Arrow reads all lines of a block as we do."""
    if b'"' in data or b"\r" in data:
        return False
    if b"\n\n" in data or data.startswith((b"\n", BOM_UTF8)):  # which Arrow passes over
        return False
    try:
        return data.isascii() or pa.scalar(data).cast(pa.string()).is_valid
    except pa.ArrowInvalid:  # not UTF-8
        return False


def _are_well_formed(block: Block) -> Bools:
    """Tell for each line whether Arrow reads it as we do."""
    well_formed = pc.match_substring_regex(block.lines, _WELL_FORMED)
    if not block.data.isascii():
        well_formed = pc.and_(well_formed, pc.match_substring_regex(block.lines, _UTF8))
    mask: Bools = well_formed.to_numpy(zero_copy_only=False)
    return mask


def _joined(lines: pa.BinaryArray) -> bytes:
    """Return lines behind a newline: there Arrow does not take a byte-order mark off."""
    _, _, data = lines.buffers()
    return b"\n" + (data.to_pybytes() if data else b"")


def _parse_at_once(data: bytes, header: Header) -> tuple[dict[str, pa.StringArray], Int64s]:
    """Parse well-formed lines; return also the indices of those that have another width."""
    if data in (b"", b"\n"):  # Arrow refuses to read nothing
        return dict.fromkeys(header.positions, pa.array([], pa.string())), np.empty(0, np.int64)
    names = [str(position) for position in range(header.width)]
    read = [str(position) for position in header.positions.values()]
    wrong: list[int] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        wrong.append(row.number - 1)
        return "skip"

    table = pa.csv.read_csv(
        pa.BufferReader(data),
        # Rows have numbers where they are parsed by one thread.
        pa.csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
        pa.csv.ParseOptions(invalid_row_handler=skip),
        pa.csv.ConvertOptions(column_types=dict.fromkeys(read, pa.string()), include_columns=read),
    )
    columns = {
        column: table.column(str(position)).combine_chunks()
        for column, position in header.positions.items()
    }
    return columns, np.array(wrong, np.int64)


def _parse_one_by_one(block: Block, which: Int64s, header: Header) -> tuple[Rows, list[Reject]]:
    """Parse some lines of a block, by their indices; blank ones are passed over."""
    lines = block.lines.take(pa.array(which))
    blank = pc.match_substring_regex(lines, _BLANK).to_numpy(zero_copy_only=False)
    numbers = which[~blank] + block.first_line
    fields: list[list[str]] = []
    numbers_of_rows: list[int] = []
    rejects: list[Reject] = []
    for number, line in zip(
        numbers.tolist(), lines.filter(pa.array(~blank)).to_pylist(), strict=True
    ):
        try:
            row = _fields(line, header.width)
        except _NoRow as error:
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


class _NoRow(Exception):
    """A line is not a row; the message says why."""


def _fields(line: bytes, width: int) -> list[str]:
    try:
        fields = next(csv.reader([_bare(line).decode()], strict=True))
    except UnicodeDecodeError:
        raise _NoRow("not UTF-8") from None
    except csv.Error:
        raise _NoRow("a quote or carriage return is out of place") from None
    if len(fields) != width:
        raise _NoRow(f"number of columns is {len(fields)}, not {width}")
    return fields


def _bare(line: bytes) -> bytes:
    """Return a line without its end."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _text(line: bytes) -> str:
    return _bare(line).decode(errors="backslashreplace")

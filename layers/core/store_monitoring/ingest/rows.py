"""The rows of a block as columns of text."""

import csv
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv

from store_monitoring.domain.model import Int64s
from store_monitoring.ingest.kinds import Header
from store_monitoring.ingest.lines import Block


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


def read_rows(block: Block, header: Header) -> tuple[Rows, list[Reject]]:
    r"""Split a block into rows and columns. A row is a line: no field of ours spans lines.

    Blank lines are passed over; lines that are not a row of the header's width are rejected.

    Examples
    --------
    >>> header = Header(2, {"store_id": 0, "timezone_str": 1})
    >>> rows, rejects = read_rows(Block(2, b'a,Asia/Tokyo\n\n"b,UTC\nc\n'), header)
    >>> rows.columns["timezone_str"].to_pylist(), rows.line.tolist()
    (['Asia/Tokyo'], [2])
    >>> [(reject.line, reject.text, reject.reason) for reject in rejects]
    [(4, '"b,UTC', 'unexpected end of data'), (5, 'c', '1 columns instead of 2')]
    """
    columns = _parse_at_once(block, header)
    if columns is not None:
        return Rows(columns, _line_numbers(block), block), []
    return _parse_line_by_line(block, header)


def _line_numbers(block: Block) -> Int64s:
    return np.arange(block.first_line, block.first_line + block.data.count(b"\n"))


def _parse_at_once(block: Block, header: Header) -> dict[str, pa.StringArray] | None:
    """Parse a block whose lines are all plain rows; None if any is not.

    If carriage returns stand only before newlines, Arrow finds at most as many rows as there are
    lines; when it finds as many, each row is a line.
    """
    if block.data.count(b"\r") != block.data.count(b"\r\n"):
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
    except pa.ArrowInvalid:  # a row of another width, or bytes that are not UTF-8
        return None
    if len(table) != block.data.count(b"\n"):
        return None
    return {
        column: table.column(str(position)).combine_chunks()
        for column, position in header.positions.items()
    }


def _parse_line_by_line(block: Block, header: Header) -> tuple[Rows, list[Reject]]:
    fields: list[list[str]] = []
    numbers: list[int] = []
    rejects: list[Reject] = []
    for number, line in enumerate(_lines(block), block.first_line):
        if not line.strip():
            continue
        try:
            row = next(csv.reader([line.decode()], strict=True))
            if len(row) != header.width:
                raise csv.Error(f"{len(row)} columns instead of {header.width}")
        except (UnicodeDecodeError, csv.Error) as error:
            reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            rejects.append(Reject(number, _text(line), reason))
        else:
            fields.append([row[position] for position in header.positions.values()])
            numbers.append(number)
    by_column = zip(*fields, strict=True) if fields else [()] * len(header.positions)
    columns = {
        column: pa.array(values, pa.string())
        for column, values in zip(header.positions, by_column, strict=True)
    }
    return Rows(columns, np.array(numbers, np.int64), block), rejects


def _lines(block: Block) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in block.data.split(b"\n")[:-1]]


def _text(line: bytes) -> str:
    return line.decode(errors="backslashreplace")

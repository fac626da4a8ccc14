"""Split a block into rows and rejected rows; lines do not affect each other."""

import csv
import re
import time
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from store_monitoring.ingest.parsing.kinds import Header
from store_monitoring.ingest.parsing.lines import Block
from store_monitoring.ingest.parsing.rows import Reject, read_rows

HEADER = Header(3, {"store_id": 0, "timezone_str": 2})
FIRST_LINE = 2
GOOD = b"s,,UTC\n"
BAD = b"a line of one column\n"

Row = tuple[int, str, str]


def read(data: bytes) -> tuple[list[Row], list[Reject]]:
    """Return the rows (line, store_id, timezone_str) and the rejected rows of a block."""
    return read_all([Block(FIRST_LINE, data)])


def read_all(blocks: Iterable[Block]) -> tuple[list[Row], list[Reject]]:
    rows: list[Row] = []
    rejects: list[Reject] = []
    for block in blocks:
        more_rows, more_rejects = read_rows(block, HEADER)
        columns = (more_rows.columns[name].to_pylist() for name in HEADER.positions)
        rows += zip(more_rows.line.tolist(), *columns, strict=True)
        rejects += more_rejects
    return rows, rejects


def of_line(data: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the fields of a line's row, or the reason why it is rejected."""
    rows, rejects = read(data)
    return [row[1:] for row in rows], [reject.reason for reject in rejects]


@pytest.mark.parametrize(
    ("line", "store_id"),
    [
        (b"s,x,UTC\n", "s"),
        (b"s,x,UTC\r\n", "s"),
        (b'"s","x","UTC"\n', "s"),
        (b'"s","x","UTC"\r\n', "s"),
        (b'"a,b",,UTC\n', "a,b"),
        (b'"a ""b""",,UTC\n', 'a "b"'),
        (b'"",,UTC\n', ""),
        (b'"""",,UTC\n', '"'),
        (b's,"a ""note"", with, all",UTC\n', "s"),
        (b'12" pizza,,UTC\n', '12" pizza'),
        (b' "s",,UTC\n', ' "s"'),
        (b"\xc3\xa9,,UTC\n", "é"),
        (b"a\x00b,,UTC\n", "a\x00b"),
        (b's,"a\rb",UTC\n', "s"),
        (b"\xef\xbb\xbfs,,UTC\n", "\ufeffs"),
        pytest.param(b's,"\r' + b"x" * 200_000 + b'",UTC\n', "s", id="a long field"),
    ],
)
def test_a_row(line: bytes, store_id: str) -> None:
    assert of_line(line) == ([(store_id, "UTC")], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"s,UTC\n", "number of columns is 2, not 3"),
        (b"s,,UTC,\n", "number of columns is 4, not 3"),
        (b"s\n", "number of columns is 1, not 3"),
        (b"s,,\xff\n", "not UTF-8"),
        (b"s,\xff,UTC\n", "not UTF-8"),
        (b"s,\xed\xa0\x80,UTC\n", "not UTF-8"),
        (b'"s,,UTC\n', "a quote or carriage return is out of place"),
        (b's,,"UTC\n', "a quote or carriage return is out of place"),
        (b's,,"UTC""\n', "a quote or carriage return is out of place"),
        (b'"a"b,,UTC\n', "a quote or carriage return is out of place"),
        (b'""b,,UTC\n', "a quote or carriage return is out of place"),
        (b'"a,"b",,UTC\n', "a quote or carriage return is out of place"),
        (b"a\rb,,UTC\n", "a quote or carriage return is out of place"),
        (b"s,,UTC\rt,,UTC\n", "a quote or carriage return is out of place"),
    ],
)
def test_an_invalid_row(line: bytes, reason: str) -> None:
    assert of_line(line) == ([], [reason])


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"  \t\n", b"\r\r\n"])
def test_a_blank_line_is_skipped(line: bytes) -> None:
    assert read(line + GOOD + line + GOOD) == ([(3, "s", "UTC"), (5, "s", "UTC")], [])


def test_an_empty_block_has_no_rows() -> None:
    assert read(b"") == ([], [])


def test_rejects_have_line_number_and_exact_text() -> None:
    _, rejects = read(GOOD + b'"s,\xc3\xa9\r\n' + GOOD + b"s, \xff\\ ,UTC\n")
    assert [(reject.line, reject.text) for reject in rejects] == [
        (3, '"s,é'),
        (5, r"s, \xff\ ,UTC"),
    ]


def test_a_quote_that_is_never_closed_ends_with_its_line() -> None:
    rows, rejects = read(GOOD + b'"s,,UTC\n' + GOOD + b's,",UTC\n' + GOOD)
    assert [row[0] for row in rows] == [2, 4, 6]
    assert [reject.line for reject in rejects] == [3, 5]


# --- the two ways to parse a block ----------------------------------------------------------

NASTY = st.sampled_from(
    [b'"', b'""', b",", b"\r", b"\x00", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b" ", b"\\", b"#"]
)
FIELDS = st.sampled_from(
    [b"s", b"UTC", b"", b'"a,b"', b'"a ""b"""', b'""', b"NA", b"null", b"-1", b"\xe2\x80\xa8"]
) | st.lists(st.sampled_from([b"a", b"1"]) | NASTY, max_size=4).map(b"".join)
ROWS = st.lists(FIELDS, min_size=3, max_size=3).map(b",".join)
LINES = st.builds(
    bytes.__add__,
    ROWS | st.lists(FIELDS, max_size=5).map(b",".join),
    st.sampled_from([b"\n", b"\r\n"]),
)


def read_by_csv(data: bytes) -> tuple[list[Row], list[Reject]]:
    """Read each line of a block with Python's `csv`."""
    rows: list[Row] = []
    rejects: list[Reject] = []
    for number, ended in enumerate(data.split(b"\n")[:-1], FIRST_LINE):
        line = ended.removesuffix(b"\r")
        text = line.decode(errors="backslashreplace")
        if not line.strip():
            continue
        try:
            fields = next(csv.reader([line.decode()], strict=True))
        except UnicodeDecodeError:
            rejects.append(Reject(number, text, "not UTF-8"))
        except csv.Error:
            reason = "a quote or carriage return is out of place"
            rejects.append(Reject(number, text, reason))
        else:
            if len(fields) == HEADER.width:
                rows.append((number, fields[0], fields[2]))
            else:
                reason = f"number of columns is {len(fields)}, not {HEADER.width}"
                rejects.append(Reject(number, text, reason))
    return rows, rejects


@given(st.lists(LINES | st.binary(max_size=8).map(lambda line: line + b"\n"), max_size=12))
@example([b"\n", b"s,,UTC\n", b"\xef\xbb\xbfs,,UTC\n"])
@example([b"\xef\xbb\xbfs,,UTC\n", b"x\n", b"\n", b"\n", GOOD])
@example([b" \t\x0b\x0c\r\n", b'12" pizza,,"a\rb"\n', b'x",",UTC"\n', b"\n"])
@example([b"\xff,,UTC\n", b's,"\xc3\xa9",UTC\r\n', b'",\n'])
def test_a_block_is_read_as_line_by_line(lines: list[bytes]) -> None:
    assert read(b"".join(lines)) == read_by_csv(b"".join(lines))


@given(st.lists(LINES, max_size=12))
@example([GOOD, b's,,"UTC\n'])  # to Arrow, the last row's last field ends with the block
@example([b'"s"t,,UTC\n'])
@example([b'"s,"t",,UTC\n'])
@example([b"s,\xff,UTC\n"])  # Arrow does not check columns that are not requested
@example([b"\xef\xbb\xbfs,,UTC\n", GOOD])  # Arrow strips a byte-order mark from each block
def test_the_split_into_blocks_does_not_matter(lines: list[bytes]) -> None:
    one_by_one = (Block(number, line) for number, line in enumerate(lines, FIRST_LINE))
    assert read(b"".join(lines)) == read_all(one_by_one)


@given(st.lists(LINES, max_size=12), st.integers(0, 12))
def test_a_bad_line_does_not_affect_the_others(lines: list[bytes], place: int) -> None:
    place = min(place, len(lines))
    rows, rejects = read(b"".join(lines))
    rows_beside, rejects_beside = read(b"".join([*lines[:place], BAD, *lines[place:]]))
    line = FIRST_LINE + place
    [of_bad] = [reject for reject in rejects_beside if reject.line == line]
    assert re.search(r"columns .*\b1\b.*\b3\b", of_bad.reason)

    def moved(number: int) -> int:
        return number - (number > line)

    assert [(moved(number), *fields) for number, *fields in rows_beside] == rows
    assert [
        Reject(moved(reject.line), reject.text, reject.reason)
        for reject in rejects_beside
        if reject is not of_bad
    ] == rejects


# --- time -----------------------------------------------------------------------------------

BLOCK_LINES = 100_000


@pytest.mark.parametrize(
    "bad",
    [b"x\n", b",,,,\n", b'"s,,UTC\n', b"\xff,,UTC\n", b"s,,U\rTC\n", b"\n", b" \r\n"],
)
def test_a_few_bad_lines_do_not_slow_the_others_down(bad: bytes) -> None:
    line = b"00017c6a-7a77-4a95-bb2d-40647868aff6,,2024-10-14 23:55:18.727055 UTC\n"
    lines = [line] * BLOCK_LINES

    def seconds(block_lines: list[bytes]) -> float:
        """Return the shortest CPU time of three attempts."""
        block = b"".join(block_lines)
        took = []
        for _ in range(3):
            began = time.process_time()
            read_rows(Block(FIRST_LINE, block), HEADER)
            took.append(time.process_time() - began)
        return min(took)

    lines[::800] = [bad] * len(lines[::800])
    # Parsing line by line takes more than twenty times as long.
    assert seconds(lines) < 10 * seconds([line] * BLOCK_LINES)

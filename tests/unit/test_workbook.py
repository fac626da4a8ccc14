"""Workbooks hold any values, are the same each time, and do not hide errors."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from openpyxl import load_workbook

from store_monitoring.reports.formats.workbook import Colour, Rule, Style, open_workbook

CREATED_AT = datetime(2024, 10, 14, 12, tzinfo=UTC)
TEXTS = [
    *("<b> & co.", '"quoted"', " spaces ", "line\nbreak", None, "\U0001f4a9"),
    *("_x0041_", "\x01\x1f"),
]


def written(columns: list[tuple[pa.Array, Style]], *, is_large: bool = False) -> bytes:
    output = io.BytesIO()
    with open_workbook(output, ("first", "second"), CREATED_AT) as workbook:
        headers = [f"column {number}" for number in range(len(columns))]
        rules = [Rule(0, "x", 0, Colour.RED)]
        workbook.sheet("second", [10] * len(headers), headers, rules, is_large=is_large).write(
            columns
        )
        workbook.sheet("first", [10]).write([(pa.array(["title"]), Style.TITLE)])
    return output.getvalue()


def cells(content: bytes) -> list[list[Any]]:
    workbook = load_workbook(io.BytesIO(content))
    assert workbook.sheetnames == ["first", "second"]
    assert [[cell.value for cell in row] for row in workbook["first"].iter_rows()] == [["title"]]
    return [[cell.value for cell in row] for row in workbook["second"].iter_rows(min_row=2)]


def test_values_of_all_kinds() -> None:
    at = datetime(2024, 10, 14, 12, 30, 0, 250_000)
    columns = [
        (pa.array(["a", None]), Style.TEXT),
        (pa.array([True, False]), Style.GENERAL),
        (pa.array([at, None], pa.timestamp("us", tz="UTC")), Style.INSTANT),
        (pa.array([12.5, -0.5]), Style.PERCENT),
        (pa.array([Decimal("-0.10"), Decimal("1234567890.25")]), Style.DECIMAL),
        (pa.array([2**40, None]), Style.COUNT),
        (pa.nulls(2), Style.PERCENT),
    ]
    assert cells(written(columns)) == [
        ["a", True, at, 0.125, -0.1, 2**40, None],
        [None, False, None, -0.005, 1234567890.25, None, None],
    ]


def test_any_text_is_kept() -> None:
    found = [row[0] for row in cells(written([(pa.array(TEXTS), Style.TEXT)]))]
    # Excel's escapes, which openpyxl leaves as they are.
    assert found == [*TEXTS[:6], "_x005F_x0041_", "_x0001__x001F_"]


def test_more_rows_than_are_written_at_once() -> None:
    count = 25_000
    found = cells(written([(pa.array(range(count)), Style.COUNT)], is_large=True))
    assert found == [[number] for number in range(count)]


def test_the_same_workbook_has_the_same_bytes() -> None:
    columns = [(pa.array(TEXTS), Style.TEXT)]
    assert written(columns) == written(columns)


def test_an_error_while_a_sheet_is_open_is_not_hidden() -> None:
    def fail() -> None:
        with open_workbook(io.BytesIO(), ("first",), CREATED_AT) as workbook:
            workbook.sheet("first", [10])
            raise KeyError

    with pytest.raises(KeyError):
        fail()

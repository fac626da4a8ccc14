"""The report as an Excel workbook."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter
from xlsxwriter.format import Format as CellFormat
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from store_monitoring.domain.parameters import DAY_US, MINUTE_US
from store_monitoring.domain.targets import TargetStatus
from store_monitoring.instants import EPOCH, to_text
from store_monitoring.reports.formats.rows import (
    PERCENT,
    TEXT_ROWS,
    detailed_rows,
    flat_headers,
    join_texts,
)
from store_monitoring.reports.formats.writers import Aggregates, Batch, Rows, Writer
from store_monitoring.reports.measures import CLASSIC_UNITS, PERIOD_UNITS, measures
from store_monitoring.reports.period_summary import PeriodSummary, PeriodTotal, PeriodWindow
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.request import period_to_json
from store_monitoring.reports.summary import Summary, WindowSummary
from store_monitoring.storage.stores import attribute_values

_NARROW, _WIDE = 13, 38  # widths of columns, in characters
_LANDSCAPE_A4 = 9
_RED = {"bg_color": "#FFC7CE", "font_color": "#9C0006"}
_GREEN = {"bg_color": "#C6EFCE", "font_color": "#006100"}
_NO_GROUP = "none"
_ESCAPES = {"\ufffe": "_xFFFE_", "\uffff": "_xFFFF_", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
_EPOCH_DAY = 25_569  # the day of 1970-01-01 in Excel

_Column = tuple[str, CellFormat, Sequence[Any]]  # header, format and values


@contextmanager
def open_xlsx(output: IO[bytes], plan: Plan, part_schema: pa.Schema) -> Iterator["XlsxWriter"]:
    """Open a workbook, which is written to the stream when the context ends.

    Its creation time is the report's own time, so that its bytes are reproducible.

    Parameters
    ----------
    output : binary stream
    plan : Plan
    part_schema : schema
        The schema of the report's parts.
    """
    created_at = datetime.fromtimestamp(plan.now_us // 1_000_000, EPOCH.tzinfo)
    with (
        tempfile.TemporaryDirectory() as folder,
        xlsxwriter.Workbook(
            output, {"constant_memory": True, "tmpdir": folder, "use_zip64": True}
        ) as workbook,
    ):
        workbook.set_properties({"created": created_at.replace(tzinfo=None)})
        yield XlsxWriter(workbook, plan, part_schema)


class XlsxWriter(Writer):
    """Writes the sheets Summary and Stores, and Groups and Outages if they were requested."""

    def __init__(self, workbook: xlsxwriter.Workbook, plan: Plan, part_schema: pa.Schema) -> None:
        self._workbook = workbook
        self._plan = plan
        self._formats = _Formats(workbook)
        self._summary = workbook.add_worksheet("Summary")
        fields = detailed_rows(measures(part_schema.empty_table(), Decimal(0))).schema
        self._stores = _Sheet(workbook, "Stores", fields, plan.attributes, self._formats)
        self._outages: _Sheet | None = None

    def write(self, batch: Batch) -> None:
        """Write one row per store."""
        self._stores.write(batch.rows.table)

    def write_aggregates(self, aggregates: Aggregates) -> None:
        """Write the summary, and one row per group."""
        self._stores.finish()
        if aggregates.groups is not None:
            groups, names = aggregates.groups, self._plan.group_by
            sheet = _Sheet(self._workbook, "Groups", groups.table.schema, names, self._formats)
            sheet.write(groups.table, missing=_NO_GROUP)
            sheet.finish()
        summary = aggregates.summary
        if isinstance(summary, PeriodSummary):
            _write_period_summary(self._summary, summary, self._plan, self._formats)
        else:
            _write_summary(self._summary, summary, self._plan, self._formats)

    def write_outages(self, rows: Rows) -> None:
        """Write one row per outage."""
        if self._outages is None:
            self._outages = _Sheet(self._workbook, "Outages", rows.table.schema, (), self._formats)
        self._outages.write(rows.table)

    def close(self) -> None:
        """Finish the sheet of outages."""
        if self._outages is not None:
            self._outages.finish()


class _Formats:
    """The formats of cells, and of cells that meet a condition."""

    def __init__(self, workbook: xlsxwriter.Workbook) -> None:
        def numbers(code: str) -> CellFormat:
            return workbook.add_format({"num_format": code, "align": "right"})

        self.header = workbook.add_format(
            {"bold": True, "text_wrap": True, "valign": "top", "bottom": 1}
        )
        self.title = workbook.add_format({"bold": True, "font_size": 14})
        self.bold = workbook.add_format({"bold": True})
        self.text = workbook.add_format({"align": "left"})
        self.count = numbers("#,##0")
        self.decimal = numbers("#,##0.00")
        self.percent = numbers("0.00%")
        self.target = numbers("0.00##%")
        self.instant = numbers("yyyy-mm-dd hh:mm:ss")
        self.red = workbook.add_format(_RED)
        self.green = workbook.add_format(_GREEN)

    def of(self, field: pa.Field) -> CellFormat:
        """Return the format of a column's cells."""
        if field.name == "target_percent":
            return self.target
        if (field.metadata or {}).get(b"unit") == PERCENT.encode():
            return self.percent
        if pa.types.is_timestamp(field.type):
            return self.instant
        if pa.types.is_integer(field.type):
            return self.count
        if pa.types.is_floating(field.type) or pa.types.is_decimal(field.type):
            return self.decimal
        return self.text


class _Worksheet(Worksheet):  # type: ignore[misc]  # XlsxWriter has no types
    """A worksheet that can also write many cells at once.

    XlsxWriter needs five calls and 5 µs for each cell: two thirds of the time to write a report. In
    its constant_memory mode it writes finished rows, as XML, to a file; so does this class. It uses
    undocumented parts of XlsxWriter, `fh` and methods with a leading underscore: check them when
    XlsxWriter is upgraded.
    """

    def write_columns(self, first_row: int, columns: Sequence[tuple[Any, CellFormat]]) -> None:
        """Write whole rows below all rows that were written before.

        Parameters
        ----------
        first_row : int
        columns : sequence of (array, format)
            The values of each column: texts, numbers or booleans, and null for an empty cell.
        """
        count = len(columns[0][0])
        self._write_single_row(first_row)  # flush the last row that was written cell by cell
        self._check_dimensions(first_row + count - 1, len(columns) - 1)
        numbers = pa.array(range(first_row + 1, first_row + 1 + count)).cast(pa.string())
        cells = [
            _cells(xl_col_to_name(column), numbers, values, cell_format._get_xf_index())
            for column, (values, cell_format) in enumerate(columns)
        ]
        rows = pc.binary_join_element_wise(
            *('<row r="', numbers, '">', *cells, "</row>", ""),
            null_handling="replace",
            null_replacement="",
        )
        self.fh.write(join_texts(rows, ""))


def _cells(column: str, rows: pa.Array, values: Any, style: int) -> pa.Array:
    """Return the cells of a column as XML; null where there is no value."""
    kind, start, end = "", "<v>", "</v></c>"
    if pa.types.is_string(values.type):
        kind, start, end = ' t="inlineStr"', '<is><t xml:space="preserve">', "</t></is></c>"
        texts = _escaped(values)
    elif pa.types.is_boolean(values.type):
        kind, texts = ' t="b"', pc.if_else(values, "1", "0")
    else:
        texts = values.cast(pa.string())
    return pc.binary_join_element_wise(
        f'<c r="{column}', rows, f'" s="{style}"{kind}>{start}', texts, end, ""
    )


def _escaped(texts: pa.Array) -> pa.Array:
    """Return texts as a workbook contains them. Control characters are rejected at ingest."""
    texts = pc.replace_substring_regex(texts, "(_x[0-9a-fA-F]{4}_)", r"_x005F\1")
    for character, escaped in _ESCAPES.items():
        texts = pc.replace_substring(texts, character, escaped)
    return texts


class _Sheet:
    """A sheet with a table: the first row and column are frozen, and the rows can be filtered.

    Parameters
    ----------
    workbook : Workbook
    name : str
    schema : schema
        Of the table. A struct or a map in it becomes a column for each of `attributes`.
    attributes : sequence of str
    formats : _Formats
    """

    def __init__(
        self,
        workbook: xlsxwriter.Workbook,
        name: str,
        schema: pa.Schema,
        attributes: Sequence[str],
        formats: _Formats,
    ) -> None:
        self._sheet = workbook.add_worksheet(name, _Worksheet)
        self._formats = formats
        self._attributes = attributes
        self._headers = flat_headers(schema, attributes)
        self._next_row = 1
        column = 0
        for field in schema:
            for _ in attributes if pa.types.is_nested(field.type) else [field.name]:
                # Setting a column's format takes less time than setting those of its cells.
                width = _NARROW if column else _WIDE
                self._sheet.set_column(column, column, width, formats.of(field))
                column += 1
        self._sheet.freeze_panes(1, 1)
        self._sheet.write_row(0, 0, self._headers, formats.header)
        _set_up_print(self._sheet)
        self._sheet.repeat_rows(0)

    def write(self, table: pa.Table, missing: str | None = None) -> None:
        """Write rows.

        Parameters
        ----------
        table : table
        missing : str or None
            The text of a missing attribute; None for an empty cell.
        """
        for rows in table.to_batches(TEXT_ROWS):
            columns = [
                (values, self._formats.of(field))
                for field in rows.schema
                for values in self._values(rows.column(field.name), field, missing)
            ]
            self._sheet.write_columns(self._next_row, columns)
            self._next_row += len(rows)

    def finish(self) -> None:
        """Add the filter and the colours, which need the number of rows."""
        last = max(self._next_row - 1, 1)
        self._sheet.autofilter(0, 0, last, len(self._headers) - 1)
        for window in CLASSIC_UNITS | PERIOD_UNITS:
            self._colour(f"target{window}", last, TargetStatus.MISSED, self._formats.red)
            self._colour(f"target{window}", last, TargetStatus.MET, self._formats.green)

    def _values(self, values: Any, field: pa.Field, missing: str | None) -> Iterator[Any]:
        """Yield the columns of a field, with values as a workbook contains them."""
        if pa.types.is_nested(field.type):
            is_struct = pa.types.is_struct(field.type)
            for name in self._attributes:
                texts = (
                    pc.struct_field(values, [name]) if is_struct else attribute_values(values, name)
                )
                yield pc.if_else(pc.equal(texts, ""), pa.scalar(missing, pa.string()), texts)
            return
        if pa.types.is_timestamp(field.type):  # in days since the end of 1899
            values = pc.add(values.cast(pa.int64()), _EPOCH_DAY * DAY_US)
            values = pc.divide(values.cast(pa.float64(), safe=False), DAY_US)
        elif self._formats.of(field) is self._formats.percent:
            values = pc.divide(values, 100)
        yield values

    def _colour(self, name: str, last: int, status: str, cell_format: CellFormat) -> None:
        """Colour the status of a target, and the percentage of uptime beside it."""
        if name not in self._headers:
            return
        column = self._headers.index(name)
        percent = self._headers.index(name.replace("target", "uptime_percent"))
        rule = {
            "type": "formula",
            "criteria": f'=${xl_col_to_name(column)}2="{status}"',
            "format": cell_format,
        }
        for each in (column, percent):
            self._sheet.conditional_format(1, each, last, each, rule)


def _write_cell(
    sheet: Worksheet,
    row: int,
    column: int,
    value: object,
    cell_format: CellFormat,
    formats: _Formats,
) -> None:
    match value:
        case str():
            sheet.write_string(row, column, value, cell_format)
        case int() | float() | Decimal():
            number = value / 100 if cell_format is formats.percent else value
            sheet.write_number(row, column, float(number), cell_format)


def _set_up_print(sheet: Worksheet) -> None:
    sheet.set_landscape()
    sheet.set_paper(_LANDSCAPE_A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&A&RPage &P of &N")


def _write_summary(sheet: Worksheet, summary: Summary, plan: Plan, formats: _Formats) -> None:
    """Write the facts about the report, and its totals."""
    sheet.set_column(0, 0, _WIDE)
    sheet.set_column(1, 3, _NARROW)
    _set_up_print(sheet)
    last_hour, last_day, last_week = summary.last_hour, summary.last_day, summary.last_week
    windows = (last_hour, last_day, last_week)
    facts: list[tuple[str, Any]] = [
        ("as of", to_text(plan.now_us)),
        *_parameters(plan),
        ("stores", summary.stores),
        ("up now", summary.now.up),
        ("down now", summary.now.down),
        ("closed now", summary.now.closed),
        ("no data", summary.now.no_data),
        ("outages in the week", summary.outages_last_week),
        ("mean time to recovery, hours", summary.mean_time_to_recovery_hours),
        *(("warning", warning.message) for warning in summary.warnings),
    ]
    totals: list[tuple[str, CellFormat, list[Any]]] = [
        ("uptime", formats.percent, [window.uptime_percent for window in windows]),
        ("coverage", formats.percent, [window.coverage_percent for window in windows]),
        ("uptime, hours", formats.decimal, [window.uptime_hours for window in windows]),
        ("downtime, hours", formats.decimal, [window.downtime_hours for window in windows]),
        ("no data, hours", formats.decimal, [window.no_data_hours for window in windows]),
        (
            "business time, hours",
            formats.decimal,
            [window.business_time_hours for window in windows],
        ),
        ("excluded, hours", formats.decimal, [window.excluded_hours for window in windows]),
        ("stores that met their target", formats.count, [each.stores_met for each in windows]),
        (
            "stores that missed their target",
            formats.count,
            [each.stores_missed for each in windows],
        ),
        ("lost revenue", formats.decimal, [window.lost_revenue for window in windows]),
    ]
    row = 1 + _write_facts(sheet, facts, formats)
    sheet.write_row(row, 0, ["", "last hour", "last day", "last week"], formats.header)
    for name, cell_format, values in totals:
        row += 1
        sheet.write_string(row, 0, name, formats.text)
        for column, total in enumerate(values, start=1):
            _write_cell(sheet, row, column, total, cell_format, formats)


def _write_period_summary(
    sheet: Worksheet, summary: PeriodSummary, plan: Plan, formats: _Formats
) -> None:
    """Write the facts about the report, its windows and the whole period, and its worst stores."""
    assert plan.period is not None  # its summary is a period's
    whole = summary.whole
    windows: list[tuple[str, PeriodWindow | PeriodTotal, WindowSummary]] = [
        *((each.window_start, each, each.totals) for each in summary.windows),
        ("whole period", whole, whole.total),
    ]
    of_windows: list[_Column] = [
        ("from", formats.text, [start for start, _, _ in windows]),
        ("stores", formats.count, [each.stores for _, each, _ in windows]),
        ("uptime", formats.percent, [each.uptime_percent for _, _, each in windows]),
        ("coverage", formats.percent, [each.coverage_percent for _, _, each in windows]),
        ("uptime, hours", formats.decimal, [each.uptime_hours for _, _, each in windows]),
        ("downtime, hours", formats.decimal, [each.downtime_hours for _, _, each in windows]),
        ("no data, hours", formats.decimal, [each.no_data_hours for _, _, each in windows]),
        ("excluded, hours", formats.decimal, [each.excluded_hours for _, _, each in windows]),
        (
            "stores that met their target",
            formats.count,
            [each.stores_met for _, _, each in windows],
        ),
        ("stores that missed it", formats.count, [each.stores_missed for _, _, each in windows]),
        ("outages", formats.count, [each.outages for _, each, _ in windows]),
        (
            "mean time to recovery, hours",
            formats.decimal,
            [each.mean_time_to_recovery_hours for _, each, _ in windows],
        ),
        ("lost revenue", formats.decimal, [each.lost_revenue for _, _, each in windows]),
    ]
    worst = summary.worst_stores
    of_worst: list[_Column] = [
        ("worst stores", formats.text, [each.store_id for each in worst]),
        ("name", formats.text, [each.name for each in worst]),
        ("uptime", formats.percent, [each.uptime_percent for each in worst]),
        ("target", formats.percent, [each.target_percent for each in worst]),
        ("uptime, hours", formats.decimal, [each.uptime_hours for each in worst]),
        ("downtime, hours", formats.decimal, [each.downtime_hours for each in worst]),
        ("no data, hours", formats.decimal, [each.no_data_hours for each in worst]),
        ("outages", formats.count, [each.outages for each in worst]),
    ]
    by_uptime = summary.stores_by_uptime_percent
    of_uptime: list[_Column] = [
        ("uptime in the period, %", formats.text, [each.label for each in by_uptime]),
        ("stores", formats.count, [each.stores for each in by_uptime]),
    ]
    sheet.set_column(0, 0, _WIDE)
    sheet.set_column(1, len(of_windows) - 1, _NARROW)
    _set_up_print(sheet)
    facts: list[tuple[str, Any]] = [
        *period_to_json(plan.period).items(),
        ("newest poll", summary.newest_poll_at),
        *_parameters(plan),
        ("stores", summary.stores),
        ("stores below their target", whole.total.stores_missed),
        ("stores whose polls ended early", summary.silent_stores),
        ("outages", whole.outages),
        *(("warning", warning.message) for warning in summary.warnings),
    ]
    row = 1 + _write_facts(sheet, facts, formats)
    for columns in (of_windows, of_worst, of_uptime):
        row = 1 + _write_columns(sheet, row, columns, formats)


def _write_columns(
    sheet: Worksheet, first_row: int, columns: Sequence[_Column], formats: _Formats
) -> int:
    """Write a header and rows; return the number of the row below them."""
    sheet.write_row(first_row, 0, [name for name, _, _ in columns], formats.header)
    # Row by row: in constant_memory mode, rows above the current one cannot be changed.
    rows = zip(*(values for _, _, values in columns), strict=True)
    row = first_row
    for row, cells in enumerate(rows, start=first_row + 1):
        for column, (value, (_, cell_format, _)) in enumerate(zip(cells, columns, strict=True)):
            _write_cell(sheet, row, column, value, cell_format, formats)
    return row + 1


def _parameters(plan: Plan) -> list[tuple[str, Any]]:
    """Return what the report was made from and with."""
    return [
        ("report", plan.report_id),
        ("snapshot", plan.version),
        ("polls", str(plan.poll_filter)),
        ("target", Decimal(plan.target_percent)),
        ("covered after a poll, minutes", plan.coverage_us // MINUTE_US),
        ("which stores", plan.selection),
        *([("groups by", ", ".join(plan.group_by))] if plan.group_by else ()),
    ]


def _write_facts(sheet: Worksheet, facts: Sequence[tuple[str, Any]], formats: _Formats) -> int:
    """Write the title, and facts in rows of their own; return the number of rows."""
    sheet.write_string(0, 0, "Store report", formats.title)
    for row, (name, value) in enumerate(facts, start=1):
        sheet.write_string(row, 0, name, formats.text)
        cell_format = {str: formats.text, int: formats.count, Decimal: formats.percent}.get(
            type(value), formats.decimal
        )
        _write_cell(sheet, row, 1, value, cell_format, formats)
    return 1 + len(facts)

"""The report as an Excel workbook."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.targets import TargetStatus
from store_monitoring.instants import EPOCH, to_text
from store_monitoring.reports.formats.rows import PERCENT
from store_monitoring.reports.formats.workbook import (
    Colour,
    Rule,
    Sheet,
    Style,
    Workbook,
    open_workbook,
)
from store_monitoring.reports.formats.writers import Aggregates, Batch, Rows, Writer
from store_monitoring.reports.measures import WINDOWS
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.summary import Summary
from store_monitoring.storage.stores import attribute_values

_NARROW, _WIDE = 13, 38  # widths of columns, in characters
_LARGE_ROWS = 100_000  # a row has about two kilobytes of XML
_NO_GROUP = "none"
_COLOURS = {TargetStatus.MISSED: Colour.RED, TargetStatus.MET: Colour.GREEN}


@contextmanager
def open_xlsx(output: IO[bytes], plan: Plan) -> Iterator["XlsxWriter"]:
    """Open a workbook, which is complete when the context ends.

    Its creation time is the report's own time, so that its bytes are reproducible.
    """
    created_at = datetime.fromtimestamp(plan.now_us // 1_000_000, EPOCH.tzinfo)
    names = ("Summary", "Stores", "Groups", "Outages")
    with open_workbook(output, names, created_at) as workbook:
        yield XlsxWriter(workbook, plan)


class XlsxWriter(Writer):
    """Writes the sheets Summary and Stores, and Groups and Outages if they were requested."""

    def __init__(self, workbook: Workbook, plan: Plan) -> None:
        self._workbook = workbook
        self._plan = plan
        self._tables: dict[str, Sheet] = {}

    def write(self, batch: Batch) -> None:
        """Write one row per store."""
        self._write_rows("Stores", batch.rows)

    def write_aggregates(self, aggregates: Aggregates) -> None:
        """Write the summary, and one row per group."""
        if aggregates.groups is not None:
            self._write_rows("Groups", aggregates.groups)
        sheet = self._workbook.sheet("Summary", [_WIDE, *[_NARROW] * len(WINDOWS)])
        _write_summary(sheet, aggregates.summary, self._plan)

    def write_outages(self, rows: Rows) -> None:
        """Write one row per outage."""
        self._write_rows("Outages", rows)

    def _write_rows(self, name: str, rows: Rows) -> None:
        headers, columns, styles = zip(*_columns(rows.table, self._plan), strict=True)
        if name not in self._tables:
            widths = [_WIDE, *[_NARROW] * (len(headers) - 1)]
            is_large = self._plan.stores > _LARGE_ROWS
            self._tables[name] = self._workbook.sheet(
                name, widths, headers, _rules(headers), is_large=is_large
            )
        self._tables[name].write(list(zip(columns, styles, strict=True)))


def _columns(table: pa.Table, plan: Plan) -> Iterator[tuple[str, pa.ChunkedArray, Style]]:
    """Yield the columns of a sheet: header, values and style. An attribute is a column."""
    for field, values in zip(table.schema, table.columns, strict=True):
        if pa.types.is_map(field.type):
            for name in plan.attributes:
                yield name, _non_empty(attribute_values(values, name), None), Style.TEXT
        elif pa.types.is_struct(field.type):
            for number, name in enumerate(plan.group_by):
                group = pc.struct_field(values, [number])
                yield name, _non_empty(group, _NO_GROUP), Style.TEXT
        else:
            yield field.name, values, _style(field)


def _non_empty(values: pa.ChunkedArray, missing: str | None) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(values, ""), pa.scalar(missing, pa.string()), values)


def _style(field: pa.Field) -> Style:
    if (field.metadata or {}).get(b"unit") == PERCENT.encode():
        return Style.PERCENT
    if pa.types.is_timestamp(field.type):
        return Style.INSTANT
    if pa.types.is_integer(field.type):
        return Style.COUNT
    if pa.types.is_floating(field.type) or pa.types.is_decimal(field.type):
        return Style.DECIMAL
    return Style.TEXT if pa.types.is_string(field.type) else Style.GENERAL


def _rules(headers: tuple[str, ...]) -> list[Rule]:
    """Return rules that colour the status of each target, and the percentage that it is about."""
    return [
        Rule(headers.index(target), status, headers.index(name), colour)
        for window in WINDOWS
        if (target := f"target_{window}") in headers
        for status, colour in _COLOURS.items()
        for name in (target, f"uptime_percent_{window}")
    ]


def _write_summary(sheet: Sheet, summary: Summary, plan: Plan) -> None:
    """Write what the report is about, and its totals."""
    windows = (summary.last_hour, summary.last_day, summary.last_week)
    now, recovery_hours = summary.now, summary.mean_time_to_recovery_hours
    lines: list[tuple[str, Style, list[Any]]] = [
        ("as of", Style.TEXT, [to_text(plan.now_us)]),
        ("report", Style.TEXT, [plan.report_id]),
        ("snapshot", Style.COUNT, [plan.version]),
        ("polls", Style.TEXT, [str(plan.poll_filter)]),
        ("target", Style.PERCENT, [float(plan.target_percent)]),
        ("stores", Style.COUNT, [summary.stores]),
        ("up now", Style.COUNT, [now.up]),
        ("down now", Style.COUNT, [now.down]),
        ("closed now", Style.COUNT, [now.closed]),
        ("no data", Style.COUNT, [now.no_data]),
        ("outages in the week", Style.COUNT, [summary.outages_last_week]),
        ("mean time to recovery, hours", Style.DECIMAL, [recovery_hours]),
        *(("warning", Style.TEXT, [warning.message]) for warning in summary.warnings),
        ("", Style.TEXT, []),
        ("", Style.HEADER, ["last hour", "last day", "last week"]),
        ("uptime", Style.PERCENT, [each.uptime_percent for each in windows]),
        ("coverage", Style.PERCENT, [each.coverage_percent for each in windows]),
        ("uptime, hours", Style.DECIMAL, [each.uptime_hours for each in windows]),
        ("downtime, hours", Style.DECIMAL, [each.downtime_hours for each in windows]),
        ("no data, hours", Style.DECIMAL, [each.no_data_hours for each in windows]),
        ("business time, hours", Style.DECIMAL, [each.business_time_hours for each in windows]),
        ("excluded, hours", Style.DECIMAL, [each.excluded_hours for each in windows]),
        ("stores that met their target", Style.COUNT, [each.stores_met for each in windows]),
        ("stores that missed their target", Style.COUNT, [each.stores_missed for each in windows]),
        ("lost revenue", Style.DECIMAL, [each.lost_revenue for each in windows]),
    ]
    sheet.write([(pa.array(["Store report"]), Style.TITLE)])
    for name, style, values in lines:
        cells = [(pa.array([value]), style) for value in values]
        sheet.write([(pa.array([name or None], pa.string()), Style.TEXT), *cells])

"""Merge a report's parts into the report, in all its formats."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

import pyarrow as pa

from store_monitoring.reports.formats.csv import CsvWriter, PeriodCsvWriter
from store_monitoring.reports.formats.json import JsonWriter, to_json
from store_monitoring.reports.formats.parquet import open_parquet
from store_monitoring.reports.formats.rows import outage_rows
from store_monitoring.reports.formats.tables import TableWriter, open_table
from store_monitoring.reports.formats.writers import (
    Aggregates,
    Batch,
    Rows,
    Writer,
    report_header,
)
from store_monitoring.reports.groups import GroupsBuilder
from store_monitoring.reports.measures import measures
from store_monitoring.reports.merge_parts import Part, merge_sorted, rebatched
from store_monitoring.reports.period_summary import PeriodSummary, PeriodSummaryBuilder
from store_monitoring.reports.plan import Plan, read_plan
from store_monitoring.reports.report import TABLE_FORMATS, Format, TableName, check_formats_hold
from store_monitoring.reports.request import no_matching_stores
from store_monitoring.reports.summary import SUMMARY_GROUPS, Summary, SummaryBuilder
from store_monitoring.storage.keys import (
    outages_key,
    report_key,
    request_key,
    summary_key,
    table_key,
)
from store_monitoring.storage.ports import Tables
from store_monitoring.storage.schemas import OUTAGES, PART, PERIOD_PART
from store_monitoring.store_ids import unknown_stores

_BATCH_ROWS = 100_000


def merge_report(report_id: str, tables: Tables) -> Summary | PeriodSummary:
    """Write the report from its parts, in byte order of store ids (rule 12), and its summary.

    Parts are sorted, so they are read and merged once, as streams, for all formats. Memory does not
    grow with the report, except for HTML, whose table needs all rows, and with the number of
    groups.

    Returns
    -------
    Summary or PeriodSummary

    Raises
    ------
    IncompleteReportError
        If a shard's part is missing, or its number of stores differs from the plan's.
    NoStoresError
        If no store meets the request's conditions.
    UnknownStoreError
        If no input file names some of the requested stores.
    TooManyStoresError
        If a requested format cannot hold the report.
    TooManyGroupsError
        If the attributes to group by have too many combinations of values.
    """
    plan = read_plan(report_id, tables)
    header = report_header(plan, json.loads(tables.read_bytes(request_key(report_id))))
    formats = list({Format.CSV: None} | dict.fromkeys(plan.formats))
    # After an error, no report is written: the outputs become objects when the contexts end.
    with ExitStack() as stack:
        writers = [
            stack.enter_context(_open_writer(format_, plan, header, tables)) for format_ in formats
        ]
        aggregates = _write_stores(plan, writers, tables)
        for writer in writers:
            writer.write_aggregates(aggregates)
        with tables.open_output(summary_key(report_id)) as output:
            output.write(to_json({"report": header, **_summary(aggregates)}).encode())
        if aggregates.groups is not None:
            with _open_tables(
                TableName.GROUPS, aggregates.groups.table.schema, formats, header, tables
            ) as files:
                for file in files:
                    file.write(aggregates.groups)
        if plan.include_outages:
            _write_outages(plan, writers, formats, header, tables)
        for writer in writers:
            writer.close()
    return aggregates.summary


def _write_stores(plan: Plan, writers: Sequence[Writer], tables: Tables) -> Aggregates:
    """Write all rows, check that they are all, and return their aggregates."""
    parts = [Part(plan, shard, tables) for shard in plan.shards]
    schema = _schema_of(plan)
    summary = SummaryBuilder(plan) if plan.period is None else PeriodSummaryBuilder(plan)
    is_period = plan.period is not None
    groups = GroupsBuilder(plan.group_by, by_window=is_period) if plan.group_by else None
    rows, what = 0, "rows" if is_period else "stores"
    merged = merge_sorted([part.read() for part in parts], schema)
    for table in rebatched(merged, schema, _BATCH_ROWS):
        rows += len(table)
        check_formats_hold(plan.formats, rows, what)
        batch = Batch(measures(table, Decimal(plan.target_percent)))
        summary.add(batch.exact)
        if groups is not None:
            groups.add(batch.exact)
        for writer in writers:
            writer.write(batch)
    unknown = set(plan.unknown_store_ids).union(*(part.unknown_store_ids for part in parts))
    if unknown:
        raise unknown_stores(sorted(unknown))
    for part in parts:
        part.check_complete()
    if plan.where and not rows:
        raise no_matching_stores(plan.where)
    if isinstance(summary, SummaryBuilder):
        for part in parts:
            summary.add_trend(part.trend_us)
    return Aggregates(summary.summary(groups), None if groups is None else Rows(groups.table()))


def _schema_of(plan: Plan) -> pa.Schema:
    """Return the schema of the report's parts."""
    return PART if plan.period is None else PERIOD_PART


def _summary(aggregates: Aggregates) -> dict[str, Any]:
    """Return the summary with the groups, unless they are too many for people to look at."""
    summary = aggregates.summary.to_json()
    groups = aggregates.groups
    if isinstance(aggregates.summary, PeriodSummary):  # has them, as series
        return summary
    if groups is None or len(groups.table) > SUMMARY_GROUPS:
        return summary
    return {**summary, "groups": groups.records}


def _write_outages(
    plan: Plan,
    writers: Sequence[Writer],
    formats: Sequence[Format],
    header: dict[str, Any],
    tables: Tables,
) -> None:
    keys = [outages_key(plan.report_id, shard.shard) for shard in plan.shards]
    merged = merge_sorted([tables.read_part(key) for key in keys], OUTAGES)
    schema = outage_rows(OUTAGES.empty_table()).schema
    count = 0
    with _open_tables(TableName.OUTAGES, schema, formats, header, tables) as files:
        for table in rebatched(merged, OUTAGES, _BATCH_ROWS):
            count += len(table)
            check_formats_hold(plan.formats, count, "outages")
            rows = Rows(outage_rows(table))
            for file in files:
                file.write(rows)
            for writer in writers:
                writer.write_outages(rows)


@contextmanager
def _open_writer(
    format_: Format, plan: Plan, header: dict[str, Any], tables: Tables
) -> Iterator[Writer]:
    with tables.open_output(report_key(plan.report_id, format_)) as output:
        match format_:
            case Format.CSV:
                yield CsvWriter(output) if plan.period is None else PeriodCsvWriter(output)
            case Format.JSON:
                yield JsonWriter(output, header)
            case Format.PARQUET:
                with open_parquet(output, header, _schema_of(plan)) as writer:
                    yield writer
            case Format.XLSX:
                # Rarely used, and slow to import; so is the next.
                from store_monitoring.reports.formats.xlsx import open_xlsx

                with open_xlsx(output, plan, _schema_of(plan)) as workbook:
                    yield workbook
            case Format.HTML:
                from store_monitoring.reports.html.page import HtmlWriter, PeriodHtmlWriter

                is_classic = plan.period is None
                yield (HtmlWriter if is_classic else PeriodHtmlWriter)(output, plan)


@contextmanager
def _open_tables(
    name: TableName,
    schema: pa.Schema,
    formats: Sequence[Format],
    header: dict[str, Any],
    tables: Tables,
) -> Iterator[list[TableWriter]]:
    """Open the files of a further table, one for each format that does not contain it."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                open_table(
                    format_,
                    name,
                    schema,
                    header,
                    stack.enter_context(
                        tables.open_output(table_key(header["report_id"], f"{name}.{format_}"))
                    ),
                )
            )
            for format_ in formats
            if format_ in TABLE_FORMATS
        ]

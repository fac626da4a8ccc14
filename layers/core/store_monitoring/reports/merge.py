"""Merge a report's parts into the report, in all its formats."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
from store_monitoring.reports.merge_parts import Part, merge_sorted, piece_rows, rebatched
from store_monitoring.reports.period_summary import PeriodSummary, PeriodSummaryBuilder
from store_monitoring.reports.plan import Plan, read_plan
from store_monitoring.reports.report import TABLE_FORMATS, Format, TableName, check_formats_hold
from store_monitoring.reports.request import no_matching_stores
from store_monitoring.reports.shard import compute_part, max_polls_in_memory
from store_monitoring.reports.summary import SUMMARY_GROUPS, Summary, SummaryBuilder
from store_monitoring.storage.keys import (
    outages_key,
    part_key,
    report_key,
    request_key,
    summary_key,
    table_key,
)
from store_monitoring.storage.ports import Tables
from store_monitoring.storage.schemas import OUTAGES, PART, PERIOD_PART
from store_monitoring.store_ids import unknown_stores

_BATCH_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of `merge_report`.

    Attributes
    ----------
    summary : Summary or PeriodSummary
    polls_read : int
        Number of polls that were read to compute the only shard; 0 if there are several.
    """

    summary: Summary | PeriodSummary
    polls_read: int


def merge_report(
    report_id: str, tables: Tables, max_polls: int = max_polls_in_memory(1769)
) -> Merged:
    """Write the report from its parts, in byte order of store ids (rule 12), and its summary.

    Parts are sorted, so they are read and merged once, as streams, for all formats. Memory does not
    grow with the report, except for HTML, whose table needs all rows, and with the number of
    groups.

    If the plan has only one shard, it is computed here: no other function has to start, and its
    part is not read back from S3. A later attempt computes it again.

    Returns
    -------
    Merged

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
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(tables.read_bytes, request_key(report_id))
        plan = read_plan(report_id, tables)
        header = report_header(plan, json.loads(reading.result()))
        keys = [part_key(report_id, shard.shard) for shard in plan.shards]
        uploads: list[Future[None]] = []
        if len(keys) == 1:
            part, receipt = compute_part(plan, 0, tables, max_polls)
            uploads.append(pool.submit(tables.write_part, keys[0], part))
            parts, polls_read = [iter([part])], receipt.polls_read
        else:
            parts, polls_read = _read_parts(keys, tables), 0
        formats = list({Format.CSV: None} | dict.fromkeys(plan.formats))
        # After an error, no report is written: the outputs become objects when the contexts end.
        with ExitStack() as stack:
            writers = [
                stack.enter_context(_open_writer(format_, plan, header, tables))
                for format_ in formats
            ]
            aggregates = _write_stores(plan, parts, writers)
            for writer in writers:
                writer.write_aggregates(aggregates)
            uploads.append(pool.submit(_write_summary, header, aggregates, tables))
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
        for upload in uploads:
            upload.result()
    return Merged(aggregates.summary, polls_read)


def _read_parts(keys: Sequence[str], tables: Tables) -> list[Iterator[pa.Table]]:
    return [tables.read_part(key, piece_rows(len(keys))) for key in keys]


def _write_stores(
    plan: Plan, pieces_of_parts: Sequence[Iterator[pa.Table]], writers: Sequence[Writer]
) -> Aggregates:
    """Write all rows, check that none is missing, and return their aggregates."""
    parts = [
        Part(plan, shard, pieces)
        for shard, pieces in zip(plan.shards, pieces_of_parts, strict=True)
    ]
    schema = _schema_of(plan)
    is_period = plan.period is not None
    summary = PeriodSummaryBuilder(plan) if is_period else SummaryBuilder(plan)
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
    group_rows = None if groups is None else Rows(groups.table())
    if isinstance(summary, PeriodSummaryBuilder):
        return Aggregates(summary.summary(groups), group_rows, summary.stores())
    for part in parts:
        summary.add_trend(part.trend_us)
    return Aggregates(summary.summary(), group_rows)


def _schema_of(plan: Plan) -> pa.Schema:
    """Return the schema of the report's parts."""
    return PART if plan.period is None else PERIOD_PART


def _write_summary(header: dict[str, Any], aggregates: Aggregates, tables: Tables) -> None:
    with tables.open_output(summary_key(header["report_id"])) as output:
        output.write(to_json({"report": header, **_summary(aggregates)}).encode())


def _summary(aggregates: Aggregates) -> dict[str, Any]:
    """Return the summary with the groups, unless they are too many for people to look at."""
    summary = aggregates.summary.to_json()
    groups = aggregates.groups
    if isinstance(aggregates.summary, PeriodSummary):  # it contains them, as series
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
    merged = merge_sorted(_read_parts(keys, tables), OUTAGES)
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
                # Imported here, since they are slow to import and rarely used; HTML is, too.
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

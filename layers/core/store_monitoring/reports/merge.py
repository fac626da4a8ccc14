"""Merge a report's parts into the report, in all its formats."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa

from store_monitoring.errors import IncompleteReportError, MissingObjectError
from store_monitoring.reports.formats import detailed_rows, write_csv, write_json, write_xlsx
from store_monitoring.reports.merge_parts import merge_sorted, rebatched
from store_monitoring.reports.plan import Plan, Shard, read_plan
from store_monitoring.reports.report import Format
from store_monitoring.storage.keys import part_key, report_key
from store_monitoring.storage.ports import Tables
from store_monitoring.storage.schemas import DETAILED_PART, PART
from store_monitoring.store_ids import unknown_stores

_BATCH_ROWS = 100_000


def merge_report(report_id: str, tables: Tables) -> int:
    """Write the report from its parts, in byte order of store ids (rule 12).

    Parts are sorted, so they are merged as streams, once per format. Memory does not grow with the
    report, except for HTML, whose figures need all rows.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    IncompleteReportError
        If a shard's part is missing, or its number of stores differs from the plan's.
    UnknownStoreError
        If requested stores are in no part: no input file names them.
    """
    plan = read_plan(report_id, tables)
    if not plan.covers_all_stores:
        _check_known(plan, tables)
    _write(plan, Format.CSV, tables)
    for format_ in plan.formats:
        if format_ is not Format.CSV:
            _write(plan, format_, tables)
    return plan.stores


def _check_known(plan: Plan, tables: Tables) -> None:
    unknown = set(plan.unknown_store_ids)
    for shard in plan.shards:
        unknown.update(shard.store_ids or ())
        for rows in _read_part(plan, shard, tables):
            unknown.difference_update(rows.column("store_id").to_pylist())
    if unknown:
        raise unknown_stores(sorted(unknown))


def _write(plan: Plan, format_: Format, tables: Tables) -> None:
    key = report_key(plan.report_id, format_)
    rows = _rows(plan, tables)
    match format_:
        case Format.CSV:
            with tables.open_output(key) as output:
                write_csv(rows, output)
        case Format.JSON:
            with tables.open_output(key) as output:
                write_json(map(detailed_rows, rows), output)
        case Format.PARQUET:
            tables.write_report(key, map(detailed_rows, rows))
        case Format.XLSX:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "report.xlsx")
                write_xlsx(map(detailed_rows, rows), plan.now_us, path)
                tables.write_file(key, path)
        case Format.HTML:
            with tables.open_output(key) as output:
                _write_html(plan, pa.concat_tables(rows), output)


def _write_html(plan: Plan, part: pa.Table, output: IO[bytes]) -> None:
    from store_monitoring.reports.html.page import (
        About,
        write_html,
    )  # rarely used, and slow to import

    about = About(
        now_us=plan.now_us,
        snapshot=plan.version,
        memory_us=plan.memory_us,
        poll_filter=plan.poll_filter,
        all_stores=plan.covers_all_stores,
    )
    write_html(part, detailed_rows(part), about, output)


def _rows(plan: Plan, tables: Tables) -> Iterator[pa.Table]:
    """Yield the report's rows, batch by batch."""
    schema = DETAILED_PART if plan.in_detail else PART
    parts = [_part(plan, shard, tables) for shard in plan.shards]
    return rebatched(merge_sorted(parts, schema), schema, _BATCH_ROWS)


def _part(plan: Plan, shard: Shard, tables: Tables) -> Iterator[pa.Table]:
    """Yield the rows of a shard's part, piece by piece; check their number."""
    count = 0
    for rows in _read_part(plan, shard, tables):
        count += len(rows)
        yield rows
    if count != shard.stores:
        raise IncompleteReportError(
            f"{_name(plan, shard)} has {count} stores instead of {shard.stores}"
        )


def _read_part(plan: Plan, shard: Shard, tables: Tables) -> Iterator[pa.Table]:
    try:
        yield from tables.read_part(part_key(plan.report_id, shard.shard))
    except MissingObjectError:
        raise IncompleteReportError(f"{_name(plan, shard)} left no part") from None


def _name(plan: Plan, shard: Shard) -> str:
    return f"shard {shard.shard} of {len(plan.shards)} shards"

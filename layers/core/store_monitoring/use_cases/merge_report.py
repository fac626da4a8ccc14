"""Merge a report's parts into the report, once they are all there."""

import tempfile
from pathlib import Path
from typing import IO

import pyarrow as pa

from store_monitoring.errors import IncompleteReport, MissingObject
from store_monitoring.storage.keys import part_key, report_key
from store_monitoring.storage.schemas import DETAILED_PART, PART
from store_monitoring.use_cases.plan_report import Plan, read_plan
from store_monitoring.use_cases.ports import Tables
from store_monitoring.use_cases.report import Format
from store_monitoring.use_cases.report_forms import detailed, write_csv, write_json, write_xlsx


def merge_report(report_id: str, tables: Tables) -> int:
    """Write the report from its parts, in byte order of store ids (rule 12).

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    IncompleteReport
        If a shard's part is missing or has not as many stores as the plan says.
    TooManyStores
        If a form was asked for that cannot hold so many rows.
    """
    plan = read_plan(report_id, tables)
    parts = [_part(plan, shard.shard, tables) for shard in plan.shards]
    schema = DETAILED_PART if plan.in_detail else PART
    rows = pa.concat_tables([schema.empty_table(), *parts]).sort_by("store_id")
    with tables.open_output(report_key(report_id, Format.CSV)) as output:
        write_csv(rows, output)
    if plan.in_detail:
        _write_detailed(plan, rows, detailed(rows), tables)
    return len(rows)


def _write_detailed(plan: Plan, part: pa.Table, rows: pa.Table, tables: Tables) -> None:
    for format_ in plan.formats:
        key = report_key(plan.report_id, format_)
        match format_:
            case Format.JSON:
                with tables.open_output(key) as output:
                    write_json(rows, output)
            case Format.PARQUET:
                tables.write_table(key, rows)
            case Format.XLSX:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder, "report.xlsx")
                    write_xlsx(rows, plan.now_us, path)
                    tables.write_file(key, path)
            case Format.HTML:
                with tables.open_output(key) as output:
                    _write_html(plan, part, rows, output)


def _write_html(plan: Plan, part: pa.Table, rows: pa.Table, output: IO[bytes]) -> None:
    from store_monitoring.html_report.page import About, write_html  # seldom wanted, and slow

    about = About(
        now_us=plan.now_us,
        snapshot=plan.version,
        memory_us=plan.memory_us,
        poll_filter=plan.poll_filter,
        all_stores=plan.of_all_stores,
    )
    write_html(part, rows, about, output)


def _part(plan: Plan, shard: int, tables: Tables) -> pa.Table:
    done = f"{len(plan.shards)} shards"
    try:
        part = tables.read_table(part_key(plan.report_id, shard))
    except MissingObject:
        raise IncompleteReport(f"shard {shard} of {done} left no part") from None
    expected = plan.shards[shard].stores
    if len(part) != expected:
        raise IncompleteReport(
            f"shard {shard} of {done} has {len(part)} stores instead of {expected}"
        )
    return part

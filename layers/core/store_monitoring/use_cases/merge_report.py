"""Merge a report's parts into its CSV, once they are all there."""

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.rounding import hundredths
from store_monitoring.domain.time_units import DAY_US, HOUR_US, MINUTE_US
from store_monitoring.errors import IncompleteReport, MissingObject
from store_monitoring.storage.keys import part_key, plan_key, report_csv_key
from store_monitoring.storage.schemas import PART, TOTAL_COLUMNS
from store_monitoring.use_cases.plan_report import Plan
from store_monitoring.use_cases.ports import Tables

CSV_HEADER = (
    "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),uptime_last_week(in hours),"
    "downtime_last_hour(in minutes),downtime_last_day(in hours),downtime_last_week(in hours)"
)
_UNITS_US = (MINUTE_US, HOUR_US, HOUR_US) * 2
_GREATEST_HUNDREDTHS = 7 * DAY_US // HOUR_US * 100
_NUMBERS = pa.array([f"{n // 100}.{n % 100:02d}" for n in range(_GREATEST_HUNDREDTHS + 1)])


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
    """
    plan = Plan.from_json(tables.read_bytes(plan_key(report_id)))
    parts = [_part(plan, shard.shard, tables) for shard in plan.shards]
    report = pa.concat_tables([PART.empty_table(), *parts]).sort_by("store_id")
    with tables.open_output(report_csv_key(report_id)) as output:
        output.write(f"{CSV_HEADER}\n".encode())
        for batch in report.to_batches(max_chunksize=100_000):
            output.write(csv_lines(batch))
    return len(report)


def _part(plan: Plan, shard: int, tables: Tables) -> pa.Table:
    done = f"{len(plan.shards)} shards"
    try:
        part = tables.read_part(part_key(plan.report_id, shard))
    except MissingObject:
        raise IncompleteReport(f"shard {shard} of {done} left no part") from None
    expected = plan.shards[shard].stores
    if len(part) != expected:
        raise IncompleteReport(
            f"shard {shard} of {done} has {len(part)} stores instead of {expected}"
        )
    return part


def csv_lines(batch: pa.RecordBatch) -> bytes:
    r"""Return rows of schema `PART` as lines of the report (rule 14).

    >>> row = pa.record_batch([["a,b"], *([[90_000_000]] * 6)], schema=PART)
    >>> csv_lines(row)
    b'"a,b",1.50,0.02,0.02,1.50,0.02,0.02\n'
    """
    columns = [_quoted(batch.column("store_id"))]
    for name, unit_us in zip(TOTAL_COLUMNS, _UNITS_US, strict=True):
        rounded = hundredths(batch.column(name).to_numpy(), unit_us)
        columns.append(_NUMBERS.take(pa.array(rounded)))
    lines = pc.binary_join_element_wise(*columns, ",")
    return "".join(f"{line}\n" for line in lines.to_pylist()).encode()


def _quoted(store_ids: pa.StringArray) -> pa.StringArray:
    """Quote the ids that need it, as RFC 4180 says."""
    doubled = pc.replace_substring(store_ids, '"', '""')
    quoted = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(pc.match_substring_regex(store_ids, '[",]'), quoted, store_ids)

"""The data of the page's table of stores, the worst first."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.parameters import SECOND_US
from store_monitoring.reports.html.summary import is_down, weekly_share, worst_first


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: its name in the data, its header, and how the page's script formats it."""

    name: str
    title: str
    unit: str
    kind: str


COLUMNS = (
    TableColumn("store_id", "Store", "", "text"),
    TableColumn("now", "Now", "", "state"),
    TableColumn("weekly_uptime", "Uptime", "% of week", "number"),
    TableColumn("uptime_last_hour(in minutes)", "Up, hour", "min", "number"),
    TableColumn("uptime_last_day(in hours)", "Up, day", "h", "number"),
    TableColumn("uptime_last_week(in hours)", "Up, week", "h", "number"),
    TableColumn("downtime_last_hour(in minutes)", "Down, hour", "min", "number"),
    TableColumn("downtime_last_day(in hours)", "Down, day", "h", "number"),
    TableColumn("downtime_last_week(in hours)", "Down, week", "h", "number"),
    TableColumn("outages_last_week", "Outages", "in week", "count"),
    TableColumn("longest_outage_last_week(in hours)", "Longest", "h", "number"),
    TableColumn("polls_last_week", "Polls", "in week", "count"),
    TableColumn("last_poll_at", "Last poll", "UTC", "instant"),
    TableColumn("last_poll_status", "Status", "at last poll", "text"),
)


def stores_table(part: pa.Table, rows: pa.Table) -> pa.Table:
    """Return one row per store with `COLUMNS`, the worst first.

    Parameters
    ----------
    part : table
        Rows of schema `PART`.
    rows : table
        The same rows, as `detailed_rows` returns them.
    """
    state = pc.if_else(is_down(part), "down", pc.if_else(part.column("open_now"), "up", "closed"))
    percentage = np.round(100 * weekly_share(part), 2)
    last_poll_us = part.column("last_poll_at").cast(pa.int64())
    computed: dict[str, Any] = {
        "now": state,
        "weekly_uptime": pa.array(percentage, from_pandas=True),  # NaN becomes null
        "last_poll_at": pc.divide(
            last_poll_us, SECOND_US
        ),  # microseconds would exceed JavaScript's integers
    }
    report_columns = dict(zip(rows.column_names, rows.columns, strict=True))
    table = pa.table(report_columns | computed).select([column.name for column in COLUMNS])
    return table.take(worst_first(part))


def polled_and_down(table: pa.Table, count: int) -> list[dict[str, Any]]:
    """Return the first `count` stores that were both polled and down in the last week."""
    was_polled_and_down = (pc.field("polls_last_week") > 0) & (
        pc.field("downtime_last_week(in hours)") > 0
    )
    stores: list[dict[str, Any]] = table.filter(was_polled_and_down)[:count].to_pylist()
    return stores

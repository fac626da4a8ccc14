"""The data of the page's table of stores, the worst first."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.parameters import SECOND_US


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: its name in the data, its header, and how the page's script formats it."""

    name: str
    title: str
    unit: str
    kind: str


COLUMNS = (
    TableColumn("store_id", "Store", "", "text"),
    TableColumn("name", "Name", "", "text"),
    TableColumn("state", "Now", "", "state"),
    TableColumn("uptime_percent_last_week", "Uptime", "% of week", "number"),
    TableColumn("target_percent", "Target", "%", "number"),
    TableColumn("target_last_week", "Met?", "in week", "status"),
    TableColumn("uptime_last_hour(in minutes)", "Up, hour", "min", "number"),
    TableColumn("uptime_last_day(in hours)", "Up, day", "h", "number"),
    TableColumn("uptime_last_week(in hours)", "Up, week", "h", "number"),
    TableColumn("downtime_last_hour(in minutes)", "Down, hour", "min", "number"),
    TableColumn("downtime_last_day(in hours)", "Down, day", "h", "number"),
    TableColumn("downtime_last_week(in hours)", "Down, week", "h", "number"),
    TableColumn("no_data_last_week(in hours)", "No data, week", "h", "number"),
    TableColumn("outages_last_week", "Outages", "in week", "count"),
    TableColumn("longest_outage_last_week(in hours)", "Longest", "h", "number"),
    TableColumn("polls_last_week", "Polls", "in week", "count"),
    TableColumn("last_poll_at", "Last poll", "UTC", "instant"),
    TableColumn("last_poll_status", "Status", "at last poll", "text"),
)


def stores_table(rows: pa.Table) -> pa.Table:
    """Return one row per store with `COLUMNS`, the worst first.

    Stores are sorted by their percentage of uptime in the week, then by id. Those without one come
    last.

    Parameters
    ----------
    rows : table
        As `detailed_rows` returns them.
    """
    table = rows.select([column.name for column in COLUMNS])
    position = table.column_names.index("last_poll_at")
    # Microseconds would exceed JavaScript's integers.
    seconds = pc.divide(table.column(position).cast(pa.int64()), SECOND_US)
    table = table.set_column(position, "last_poll_at", seconds)
    return table.sort_by([("uptime_percent_last_week", "ascending"), ("store_id", "ascending")])

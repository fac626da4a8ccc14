"""What a report says of each store, exactly: the columns of a part, and what follows from them."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.parameters import HOUR_US, MINUTE_US
from store_monitoring.domain.targets import budget_us, lost_revenue, target_status

WINDOWS = ("last_hour", "last_day", "last_week")
UNITS = {
    "last_hour": ("minutes", MINUTE_US),
    "last_day": ("hours", HOUR_US),
    "last_week": ("hours", HOUR_US),
}
"""The unit in which reports show the times of a window: its name and its length."""


class State(StrEnum):
    """What a store is now. Without a known poll it is `no data`, open or not (rule 19)."""

    UP = "up"
    DOWN = "down"
    CLOSED = "closed"
    NO_DATA = "no data"


def measures(part: pa.Table, target_percent: Decimal) -> pa.Table:
    """Return rows of a part with the columns that follow from them.

    Parameters
    ----------
    part : table
        Schema `PART`.
    target_percent : Decimal
        The target of stores that have none of their own (rule 22).

    Returns
    -------
    table
        The same rows and columns, `target_percent` without nulls; `state`, a `State`; and for each
        window `known_…_us`, `business_time_…_us`, `budget_…_us`, `budget_left_…_us`, `target_…`, a
        `TargetStatus`, and `lost_revenue_…`, as `lost_revenue` returns it.
    """
    columns: dict[str, Any] = dict(zip(part.column_names, part.columns, strict=True))
    target = pc.coalesce(
        columns["target_percent"], pa.scalar(target_percent, columns["target_percent"].type)
    )
    columns["target_percent"] = target
    columns["state"] = _state(part)
    for window in WINDOWS:
        downtime_us = columns[f"downtime_{window}_us"]
        known_us = pc.add(columns[f"uptime_{window}_us"], downtime_us)
        budget = budget_us(known_us, target)
        columns |= {
            f"known_{window}_us": known_us,
            f"business_time_{window}_us": pc.add(known_us, columns[f"no_data_{window}_us"]),
            f"budget_{window}_us": budget,
            f"budget_left_{window}_us": pc.subtract(budget, downtime_us.cast(pa.decimal128(19, 0))),
            f"target_{window}": target_status(downtime_us, known_us, budget),
            f"lost_revenue_{window}": lost_revenue(downtime_us, columns["revenue_per_hour"]),
        }
    return pa.table(columns)


def _state(part: pa.Table) -> pa.ChunkedArray:
    active = pc.if_else(part.column("last_poll_active"), State.UP.value, State.DOWN.value)
    state = pc.if_else(part.column("open_now"), active, State.CLOSED.value)
    return pc.if_else(part.column("last_poll_at").is_valid(), state, State.NO_DATA.value)

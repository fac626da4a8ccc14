"""Rows of parts, as shards compute them, without the computation."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from store_monitoring.domain.parameters import DAY_US, HOUR_US, WEEK_US
from testing.parts import part_with

NOW = datetime(2024, 10, 14, 23, 55, 18, 727055, tzinfo=UTC)
NEVER_POLLED = {"polls_last_week": 0, "last_poll_at": None, "last_poll_active": None}
WINDOWS_US = {"last_hour": HOUR_US, "last_day": DAY_US, "last_week": WEEK_US}
MEASURES = ("uptime", "downtime", "no_data")


def store(store_id: str = "s", **values: Any) -> dict[str, Any]:
    """Return a row; by default up for half of 100 hours of business time in the week."""
    return {
        "store_id": store_id,
        "uptime_last_hour_us": HOUR_US // 2,
        "uptime_last_day_us": 6 * HOUR_US,
        "uptime_last_week_us": 50 * HOUR_US,
        "downtime_last_hour_us": HOUR_US // 2,
        "downtime_last_day_us": 6 * HOUR_US,
        "downtime_last_week_us": 50 * HOUR_US,
        "no_data_last_hour_us": 0,
        "no_data_last_day_us": 0,
        "no_data_last_week_us": 0,
        "excluded_last_hour_us": 0,
        "excluded_last_day_us": 0,
        "excluded_last_week_us": 0,
        "covered_last_hour_us": HOUR_US,
        "covered_last_day_us": 12 * HOUR_US,
        "covered_last_week_us": 90 * HOUR_US,
        "polls_last_week": 30,
        "last_poll_at": NOW - timedelta(minutes=30),
        "last_poll_active": True,
        "open_now": True,
        "outages_last_week": 2,
        "longest_outage_last_week_us": 5 * HOUR_US,
        "incidents_last_week": 2,
        "recoveries_last_week": 1,
        "recovery_last_week_us": 5 * HOUR_US,
        "outage_hours": [9, 57],
        "timezone": "America/New_York",
        "attributes": [],
        **values,
    }


def week(up_hours: float, down_hours: float, no_data_hours: float = 0) -> dict[str, int]:
    """Return a week's times."""
    hours = dict(zip(MEASURES, (up_hours, down_hours, no_data_hours), strict=True))
    return {f"{name}_last_week_us": int(value * HOUR_US) for name, value in hours.items()}


def without_data(hours: float = 100) -> dict[str, Any]:
    """Return the columns of a store that has no known poll: all business time is no data."""
    nothing = {
        f"{measure}_{window}_us": 0
        for measure in ("uptime", "downtime", "no_data", "covered")
        for window in WINDOWS_US
    }
    no_outages = {
        "outages_last_week": 0,
        "longest_outage_last_week_us": 0,
        "incidents_last_week": 0,
        "recoveries_last_week": 0,
        "recovery_last_week_us": 0,
        "outage_hours": [],
    }
    return nothing | no_outages | NEVER_POLLED | week(0, 0, hours)


def part_of(stores: Sequence[dict[str, Any]]) -> pa.Table:
    """Return rows as a table, without their order changed."""
    names = {"store_id": None} | {name: None for row in stores for name in row}
    return part_with({name: [row.get(name) for row in stores] for name in names})


_ONE = st.fixed_dictionaries(
    {
        "store_id": st.uuids().map(str),
        **{
            window: st.lists(st.integers(0, length_us), min_size=4, max_size=4)
            for window, length_us in WINDOWS_US.items()
        },
        "polled": st.none() | st.tuples(st.integers(0, 500), st.booleans()),
        "open_now": st.booleans(),
        "outage_hours": st.lists(st.integers(0, 167), max_size=3),
        "recovery_us": st.integers(0, WEEK_US),
        "timezone": st.sampled_from(["America/Chicago", "Asia/Tokyo", None]),
        "name": st.sampled_from([None, "", "A"]),
        "target_percent": st.none() | st.decimals(Decimal("0.0001"), 100, places=4),
        "revenue_per_hour": st.none() | st.decimals(0, Decimal("9999999999.9999"), places=4),
        "attributes": st.sampled_from(
            [
                *([], [("brand", "a")], [("region", "b")], [("brand", "a"), ("region", "b")]),
                *([("brand", "b"), ("region", "b")], [("brand", "b"), ("region", "a")]),
            ]
        ),
    }
)


def _row(drawn: dict[str, Any]) -> dict[str, Any]:
    times: dict[str, int] = {}
    for window in WINDOWS_US:
        *cuts, end = sorted(drawn.pop(window))
        lengths = (cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1])
        times |= {f"{name}_{window}_us": us for name, us in zip(MEASURES, lengths, strict=True)}
        times[f"covered_{window}_us"] = end % (cuts[2] + 1)
        times[f"excluded_{window}_us"] = end - cuts[2]
    polled, recovery_us = drawn.pop("polled"), drawn.pop("recovery_us")
    if polled is None:
        return drawn | times | without_data(times["no_data_last_week_us"] / HOUR_US)
    polls, is_active = polled
    outages = len(drawn["outage_hours"])
    return {
        **drawn,
        **times,
        "polls_last_week": polls,
        "last_poll_at": NOW - timedelta(minutes=polls),
        "last_poll_active": is_active,
        "outages_last_week": outages,
        "longest_outage_last_week_us": times["downtime_last_week_us"] // 2,
        "incidents_last_week": outages // 2,
        "recoveries_last_week": outages // 3,
        "recovery_last_week_us": recovery_us if outages // 3 else 0,
    }


STORES = _ONE.map(_row)
"""Any rows, each with a new id."""

"""Rules 1 to 13 as a loop over the stores, with pandas, as most public solutions do it."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from bench.peers import CLASSIC
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME

_DAY = pd.Timedelta(days=1)
_END_OF_DAY = pd.Timedelta(hours=23, minutes=59)
_WINDOWS = (pd.Timedelta(hours=1), _DAY, 7 * _DAY)

Interval = tuple[pd.Timestamp, pd.Timestamp]


def compute_uptime(folder: Path, now_us: int, memory_us: int) -> pa.Table:
    """Return the exact totals of all stores of a data set."""
    now = pd.Timestamp(now_us, unit="us", tz="UTC")
    polls = _read(folder, "polls")
    since = now - pd.Timedelta(memory_us, unit="us")
    polls = polls[(polls["timestamp"] >= since) & (polls["timestamp"] <= now)]
    polls_of = dict(tuple(polls.groupby("store_id")))
    rows = []
    stores = _read(folder, "stores").sort_values("store_id").fillna({"timezone": DEFAULT_ZONE_NAME})
    for store in stores.to_dict("records"):
        intervals = _business_time(store, now)
        totals = _totals(polls_of.get(store["store_id"]), intervals, now)
        rows.append(dict(zip(CLASSIC.names, [store["store_id"], *totals], strict=True)))
    return pa.Table.from_pylist(rows, CLASSIC)


def _read(folder: Path, kind: str) -> pd.DataFrame:
    paths = sorted(folder.glob(f"{kind}/*/*.parquet"))
    return pd.concat([pd.read_parquet(path, partitioning=None) for path in paths])


def _business_time(store: dict[str, Any], now: pd.Timestamp) -> list[Interval]:
    """Return when a store is open in the last week: disjoint, ascending."""
    week_start = now - 7 * _DAY
    if store["hours"] is None:
        return [(week_start, now)]
    zone = store["timezone"]
    first = week_start.tz_convert(zone).tz_localize(None).normalize() - 2 * _DAY
    intervals = []
    for date in pd.date_range(first, now.tz_convert(zone).tz_localize(None) + _DAY):
        for row in store["hours"]:
            if row["day"] != date.weekday():
                continue
            start = pd.Timedelta(row["start_us"], unit="us")
            end = pd.Timedelta(row["end_us"], unit="us")
            close = _DAY if end != start and end >= _END_OF_DAY else end
            close += _DAY if end <= start else pd.Timedelta(0)
            opens = (date + start).tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
            closes = (date + close).tz_localize(zone, ambiguous=False, nonexistent="shift_forward")
            if opens < now and closes > week_start:
                intervals.append((max(opens, week_start), min(closes, now)))
    joined: list[Interval] = []
    for opens, closes in sorted(intervals):
        if joined and opens <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
        else:
            joined.append((opens, closes))
    return joined


def _totals(polls: pd.DataFrame | None, intervals: list[Interval], now: pd.Timestamp) -> list[int]:
    """Return uptime and downtime in the last hour, day and week, in microseconds."""
    week_start = now - 7 * _DAY
    if polls is None:
        stretches = pd.DataFrame({"since": [week_start], "until": [now], "active": [False]})
    else:
        stretches = polls.sort_values(["timestamp", "active"]).drop_duplicates("timestamp")
        stretches = stretches.assign(
            since=stretches["timestamp"], until=stretches["timestamp"].shift(-1).fillna(now)
        )
        stretches.iloc[0, stretches.columns.get_loc("since")] = min(
            stretches["since"].iloc[0], week_start
        )
    up, down = [0, 0, 0], [0, 0, 0]
    for opens, closes in intervals:
        for nth, window in enumerate(_WINDOWS):
            start = max(opens, now - window)
            if start >= closes:
                continue
            since = stretches["since"].clip(lower=start)
            until = stretches["until"].clip(upper=closes)
            length = (until - since).clip(lower=pd.Timedelta(0))
            up[nth] += length[stretches["active"]].sum() // pd.Timedelta(microseconds=1)
            down[nth] += length[~stretches["active"]].sum() // pd.Timedelta(microseconds=1)
    return up + down

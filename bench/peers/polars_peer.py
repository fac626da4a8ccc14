"""Rules 1 to 13 in Polars."""

from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa

from bench.peers import CLASSIC

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_WEEK_US = 7 * _DAY_US
_END_OF_DAY_US = _DAY_US - 60_000_000
_WINDOWS_US = {"hour": _HOUR_US, "day": _DAY_US, "week": _WEEK_US}


def compute_uptime(folder: Path, now_us: int, memory_us: int) -> pa.Table:
    """Return the exact totals of all stores of a data set."""
    store = _scan(folder, "stores").select(
        "store_id", pl.col("timezone").fill_null("America/Chicago"), "hours"
    )
    open_time = _open_time(store, now_us)
    business = _totals(open_time, now_us, "business")
    uptime = _totals(_up(open_time, _stretches(folder, now_us, memory_us)), now_us, "uptime")
    totals = store.select("store_id").join(business, on="store_id", how="left")
    totals = totals.join(uptime, on="store_id", how="left").fill_null(0)
    up = [pl.col(f"uptime_{window}") for window in _WINDOWS_US]
    open_ = [pl.col(f"business_{window}") for window in _WINDOWS_US]
    columns = [*up, *(both - part for both, part in zip(open_, up, strict=True))]
    named = [column.alias(name) for column, name in zip(columns, CLASSIC.names[1:], strict=True)]
    report = totals.select("store_id", *named).sort("store_id").collect()
    return report.to_arrow(compat_level=pl.CompatLevel.oldest())


def _scan(folder: Path, kind: str) -> pl.LazyFrame:
    return pl.scan_parquet(f"{folder}/{kind}/*/*.parquet", hive_partitioning=False)


def _open_time(store: pl.LazyFrame, now_us: int) -> pl.LazyFrame:
    """Return business time in the week: disjoint intervals, start_us and end_us."""
    week_us = now_us - _WEEK_US
    first, last = week_us // _DAY_US - 4, now_us // _DAY_US + 2
    dates = pl.LazyFrame({"date": range(first, last + 1)}).with_columns(
        day=((pl.col("date") + 3) % 7).cast(pl.Int8)
    )
    overnight = pl.col("end") <= pl.col("start")
    to_midnight = (pl.col("end") != pl.col("start")) & (pl.col("end") >= _END_OF_DAY_US)
    closes = pl.when(to_midnight).then(_DAY_US).otherwise("end") + pl.when(overnight).then(
        _DAY_US
    ).otherwise(0)
    opening = (
        store.explode("hours")
        .drop_nulls("hours")
        .select(
            "store_id",
            "timezone",
            pl.col("hours").struct.field("day"),
            start=pl.col("hours").struct.field("start_us"),
            end=pl.col("hours").struct.field("end_us"),
        )
        .join(dates, on="day")
        .select(
            "store_id",
            "timezone",
            opens=pl.col("date") * _DAY_US + pl.col("start"),
            closes=pl.col("date") * _DAY_US + closes,
        )
    )
    # Convert each distinct opening only once, zone by zone.
    zones = store.select(pl.col("timezone").unique()).collect().to_series()
    distinct = opening.select("timezone", "opens", "closes").unique()
    instants = pl.concat(
        distinct.filter(pl.col("timezone") == zone).with_columns(
            start_us=_to_utc("opens", zone, "earliest").clip(lower_bound=week_us),
            end_us=_to_utc("closes", zone, "latest").clip(upper_bound=now_us),
        )
        for zone in zones
    )
    clipped = (
        opening.join(instants, on=["timezone", "opens", "closes"])
        .filter(pl.col("start_us") < pl.col("end_us"))
        .select("store_id", "start_us", "end_us")
    )
    always = store.filter(pl.col("hours").is_null()).select(
        "store_id", start_us=pl.lit(week_us), end_us=pl.lit(now_us)
    )
    latest_end = pl.col("end_us").cum_max().shift().over("store_id")
    return (
        pl.concat([clipped, always])
        .sort("store_id", "start_us")
        .with_columns(island=(pl.col("start_us") > latest_end).fill_null(True).cum_sum())
        .group_by("island", maintain_order=True)
        .agg(pl.col("store_id").first(), pl.col("start_us").min(), pl.col("end_us").max())
        .drop("island")
    )


def _to_utc(wall_us: str, zone: str, ambiguous: Literal["earliest", "latest"]) -> pl.Expr:
    # What Polars does with times that do not exist is not rule 6; the data have none.
    wall = pl.from_epoch(wall_us, time_unit="us")
    return wall.dt.replace_time_zone(zone, ambiguous=ambiguous).dt.epoch("us")


def _stretches(folder: Path, now_us: int, memory_us: int) -> pl.LazyFrame:
    """Return when stores are active, since_us and until_us."""
    week_us = now_us - _WEEK_US
    known = _scan(folder, "polls").filter(
        pl.col("timestamp") >= pl.lit(now_us - memory_us).cast(pl.Datetime("us", "UTC")),
        pl.col("timestamp") <= pl.lit(now_us).cast(pl.Datetime("us", "UTC")),
    )
    poll = known.select("store_id", "active", at=pl.col("timestamp").dt.epoch("us"))
    in_week = poll.filter(pl.col("at") >= week_us)
    # Of the polls before the week only each store's last one matters: it is put just before it.
    before = (
        poll.filter(pl.col("at") < week_us)
        .group_by("store_id")
        .agg(latest=(pl.col("at") * 2 + (~pl.col("active")).cast(pl.Int64)).max())
        .select("store_id", active=pl.col("latest") % 2 == 0, at=pl.lit(week_us - 1))
    )
    ordered = pl.concat([in_week, before]).sort("store_id", "at", "active")
    # `inactive` comes first among equal instants, and the others are dropped (rule 10).
    new_store = (pl.col("store_id") != pl.col("store_id").shift()).fill_null(True)
    distinct = ordered.filter(new_store | (pl.col("at") != pl.col("at").shift()))
    first = distinct.with_columns(first=new_store)
    changes = first.filter(pl.col("first") | (pl.col("active") != pl.col("active").shift()))
    last = pl.col("first").shift(-1).fill_null(True)
    return changes.select(
        "store_id",
        "active",
        since_us=pl.when("first").then(week_us).otherwise("at"),
        until_us=pl.when(last).then(now_us).otherwise(pl.col("at").shift(-1)),
    ).filter("active")


def _up(open_time: pl.LazyFrame, stretches: pl.LazyFrame) -> pl.LazyFrame:
    return (
        stretches.join(open_time, on="store_id")
        .select(
            "store_id",
            start_us=pl.max_horizontal("start_us", "since_us"),
            end_us=pl.min_horizontal("end_us", "until_us"),
        )
        .filter(pl.col("start_us") < pl.col("end_us"))
    )


def _totals(intervals: pl.LazyFrame, now_us: int, name: str) -> pl.LazyFrame:
    length_us = {
        f"{name}_{window}": (
            pl.col("end_us") - pl.col("start_us").clip(lower_bound=now_us - window_us)
        )
        .clip(lower_bound=0)
        .sum()
        for window, window_us in _WINDOWS_US.items()
    }
    return intervals.group_by("store_id").agg(**length_us)

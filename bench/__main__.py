"""Measure the computation of uptime in one process, and the main job through the local cloud."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from local.cli.client import ApiClient
from local.cli.inputs import find_inputs
from local.cli.run import FEW_BUCKETS, upload_all
from local.cli.sample_data import cached_sample
from local.emulator.cloud import LocalCloud
from store_monitoring.domain.model import Polls, Stores, WeeklyHours
from store_monitoring.domain.parameters import DAY_US, SECOND_US, Parameters
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME
from store_monitoring.domain.uptime import compute_uptime
from store_monitoring.domain.windows import classic_windows
from store_monitoring.ingest.parsing.values import instants, times_of_day
from store_monitoring.reports.report import Format

_RUNS = 5
_PERIOD_DAYS = 75
_PERIOD = {"from": "2024-08-01", "to": "2024-10-15", "by": "day"}  # all of the sample's polls
_ALL_FORMATS = {
    "formats": [format_.value for format_ in Format],
    "group_by": ["brand", "region"],
    "include": ["outages"],
}
_DATA = Path(__file__).resolve().parent.parent / ".data"


def main() -> None:
    """Print medians."""
    folder = cached_sample(_DATA)
    stores, polls = _arrays(folder)
    now_us = int(polls.timestamp_us.max())
    dense = _within(polls, now_us, 8 * DAY_US)
    windows, parameters = classic_windows(stores.count, now_us), Parameters(14 * DAY_US)
    _show(
        "computing uptime, the sample",
        _seconds(lambda: compute_uptime(stores, polls, windows, parameters)),
    )
    _show(
        "computing uptime, all polls in eight days",
        _seconds(lambda: compute_uptime(stores, dense, windows, parameters)),
    )
    ingest, first, later, by_day, in_all_formats = [], [], [], [], []
    for _ in range(_RUNS):
        with LocalCloud(parameter_overrides=FEW_BUCKETS) as cloud:
            began = time.perf_counter()
            upload_all(find_inputs(folder), cloud)
            ingest.append(time.perf_counter() - began)
            first.append(_report_seconds(cloud, runs=1))
            later.append(_report_seconds(cloud))
            by_day.append(_report_seconds(cloud, period=_PERIOD))
        with LocalCloud(parameter_overrides=FEW_BUCKETS) as cloud:
            upload_all(find_inputs(folder), cloud)
            in_all_formats.append(_report_seconds(cloud, runs=1, **_ALL_FORMATS))
    _show("ingest of all files", statistics.median(ingest))
    _show("trigger to Complete, first report", statistics.median(first))
    _show("trigger to Complete, later ones", statistics.median(later))
    _show("trigger to Complete, first report, all formats", statistics.median(in_all_formats))
    seconds = statistics.median(by_day)
    _show(f"trigger to Complete, {_PERIOD_DAYS} days by day", seconds)
    rows = stores.count * _PERIOD_DAYS
    print(f"{1e6 * (seconds - statistics.median(later)) / rows:8.1f} µs a row of that period")


def _report_seconds(cloud: LocalCloud, runs: int = 3, **request: object) -> float:
    client = ApiClient(cloud.api_url)

    return _seconds(lambda: client.wait(client.trigger(**request)), runs)


def _arrays(folder: Path) -> tuple[Stores, Polls]:
    """Return the sample as the arrays that `compute_uptime` takes."""
    polls, hours, zones = (
        _read(folder / name)
        for name in ("store_status.csv", "menu_hours.csv", "store_timezones.csv")
    )
    store_ids, store = np.unique(
        np.concatenate([table["store_id"].to_numpy() for table in (polls, hours, zones)]),
        return_inverse=True,
    )
    poll_store, hours_store, zone_store = np.split(store, np.cumsum([len(polls), len(hours)]))
    zone_names, zone = np.unique(
        np.append(zones["timezone_str"].to_numpy(), DEFAULT_ZONE_NAME), return_inverse=True
    )
    zone_of_store = np.full(len(store_ids), zone[-1])
    zone_of_store[zone_store] = zone[:-1]
    weekly = WeeklyHours(
        hours_store,
        hours["dayOfWeek"].to_numpy().astype(np.int64),
        times_of_day(hours["start_time_local"].combine_chunks()).to_numpy(),
        times_of_day(hours["end_time_local"].combine_chunks()).to_numpy(),
    )
    return Stores(zone_of_store, tuple(zone_names), weekly), Polls(
        poll_store,
        instants(polls["timestamp_utc"].combine_chunks()).cast(pa.int64()).to_numpy(),
        polls["status"].to_numpy() == "active",
    )


def _read(path: Path) -> pa.Table:
    text = pa.csv.ConvertOptions(
        column_types={
            name: pa.string() for name in ("timestamp_utc", "start_time_local", "end_time_local")
        }
    )
    return pa.csv.read_csv(path, convert_options=text)


def _within(polls: Polls, now_us: int, length_us: int) -> Polls:
    """Squeeze all polls into a shorter time before now: the dense case."""
    ago_us = now_us - polls.timestamp_us
    squeezed_us = (ago_us / ago_us.max() * (length_us - SECOND_US)).astype(np.int64)
    return Polls(polls.store, now_us - squeezed_us, polls.active)


def _seconds(call: Callable[[], object], runs: int = _RUNS) -> float:
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _show(what: str, seconds: float) -> None:
    print(f"{seconds:8.3f} s  {what}")


if __name__ == "__main__":
    main()

"""Measure the merge of a report of millions of stores: `python -m bench.merge`."""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.measuring import peak_mb, use_one_core
from store_monitoring.domain.parameters import HOUR_US, PollFilter
from store_monitoring.reports.merge import merge_report
from store_monitoring.reports.plan import Plan, Shard
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import part_key, plan_key, request_key
from store_monitoring.storage.schemas import TOTAL_COLUMNS
from testing.fakes import FolderFiles, FolderTables
from testing.parts import part_with

_SEED = 20241014


def main() -> None:
    """Print seconds and peak memory."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stores", type=int, default=5_000_000)
    arguments.add_argument("--shards", type=int, default=64)
    arguments.add_argument("--groups", type=int, default=0, help="group the stores by an attribute")
    chosen = arguments.parse_args()
    use_one_core()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parts(folder, chosen.stores, chosen.shards, chosen.groups)
        made_mb = peak_mb()
        began, began_cpu = time.perf_counter(), time.process_time()
        stores = merge_report("r", FolderTables(folder)).summary.stores
        print(
            f"{stores:,} stores in {chosen.shards} parts:"
            f" {time.process_time() - began_cpu:.1f} s CPU, {time.perf_counter() - began:.1f} s;"
            f" peak {peak_mb():,.0f} MB"
            f" ({made_mb:,.0f} MB before)"
        )


def write_parts(folder: Path, stores: int, shards: int, groups: int) -> None:
    """Write parts as shards would, whose stores are any."""
    rng = np.random.default_rng(_SEED)
    tables = FolderTables(folder)
    sizes = [stores // shards + (shard < stores % shards) for shard in range(shards)]
    for shard, size in enumerate(sizes):
        ids = pa.array([f"{rng.bytes(16).hex()}-{shard:03d}" for _ in range(size)])
        totals_us = {name: rng.integers(0, HOUR_US, size) for name in TOTAL_COLUMNS}
        columns = {"store_id": ids, "last_poll_at": np.zeros(size, np.int64)} | totals_us
        if groups:
            columns["attributes"] = [[("brand", str(n))] for n in rng.integers(0, groups, size)]
        part = part_with(columns).sort_by("store_id")
        tables.write_part(part_key("r", shard), part)
    plan = Plan(
        *("r", 1, 0, 0, 0, PollFilter.ALL, (Format.CSV,), False),
        tuple(Shard(shard, size, (), (), None) for shard, size in enumerate(sizes)),
        group_by=("brand",) if groups else (),
    )
    FolderFiles(folder).write_json(plan_key("r"), plan.to_json())
    FolderFiles(folder).write_json(request_key("r"), ReportRequest().to_json())


if __name__ == "__main__":
    main()

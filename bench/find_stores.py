"""Measure pages of the stores of a large report: `make bench-stores`."""

import argparse
import tempfile
import time
from pathlib import Path

from bench.measuring import peak_mb, use_one_core
from bench.merge import write_parts
from store_monitoring.find_stores import ReportRowsReader, StoreQuery, find_stores
from store_monitoring.reports.report import Report, Status
from testing.fakes import FolderTables, MemoryReports
from testing.pipeline import CLOCK_TIME

_QUERIES = {
    "the first page, read": StoreQuery(),
    "the first page": StoreQuery(),
    "sorted by downtime": StoreQuery(sort="-downtime_last_week"),
    "sorted by percentage": StoreQuery(sort="uptime_percent_last_week"),
    "without data": StoreQuery(states=("no data",)),
    "below target, sorted": StoreQuery(target_missed="last_week", sort="-downtime_last_week"),
    "by the start of an id": StoreQuery("00ab"),
    "a mistyped id": StoreQuery("00ab00ab00ab00ab00ab00ab00ab00ab-000"),
}


def main() -> None:
    """Print the processor's seconds of each query, and the peak of memory."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stores", type=int, default=1_000_000)
    arguments.add_argument("--shards", type=int, default=64)
    chosen = arguments.parse_args()
    use_one_core()
    reports = MemoryReports({"r": Report("r", Status.COMPLETE, CLOCK_TIME)})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parts(folder, chosen.stores, chosen.shards, groups=20)
        bytes_read = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
        rows = ReportRowsReader(FolderTables(folder))
        print(f"{chosen.stores:,} stores, {bytes_read / 1e6:,.0f} MB in {chosen.shards} parts")
        for what, query in _QUERIES.items():
            began = time.process_time()
            found = find_stores(query, 100, None, "r", reports, rows)
            took = time.process_time() - began
            print(f"{took:8.2f} s  {what}: {found.found:,} stores")
        print(f"peak {peak_mb():,.0f} MB")


if __name__ == "__main__":
    main()

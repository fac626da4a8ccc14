"""Measure shards of data sets of 1, 10 and 100 times the sample: `make bench-scale`.

Each data set is planned like a report, and its shards are computed one after the other, on one
core, in a separate process. The result is printed as a table, and drawn in docs/performance.svg.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from bench.data_set import BUCKETS, MEMORY_US, SHARD_POLLS, make_data_set, recompute_shard
from bench.measuring import cpu_seconds, peak_mb, use_one_core
from store_monitoring.reports.plan import read_plan
from testing.fakes import CountingTables, FolderTables

SCALES = (1, 10, 100)
_REPORT_ID = "r"
_RUNS = 3
_PLOT = Path(__file__).resolve().parent.parent / "docs" / "performance.svg"


@dataclass(frozen=True, slots=True)
class Run:
    """What it took to compute all shards of a data set, one after the other."""

    stores: int
    shards: int
    polls: int
    cpu_seconds: float
    read_cpu_seconds: float
    peak_mb: float
    bytes_read: int


def main() -> None:
    """Print the table and draw the plot; or, as a child, measure the data set in a folder."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--scales", type=int, nargs="*", default=SCALES)
    arguments.add_argument("--folder", type=Path, help="measure this data set only, print JSON")
    chosen = arguments.parse_args()
    if chosen.folder is not None:
        print(json.dumps(asdict(_measure(chosen.folder))))
        return
    runs = []
    print("| stores | polls read | shards | s | M polls/s | M polls/s read | MB | bytes/poll |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for scale in chosen.scales:
        run = _of_scale(scale)
        runs.append(run)
        print(
            f"| {run.stores:,} | {run.polls:,} | {run.shards} | {run.cpu_seconds:.2f}"
            f" | {run.polls / run.cpu_seconds / 1e6:.1f}"
            f" | {run.polls / run.read_cpu_seconds / 1e6:.1f}"
            f" | {run.peak_mb:,.0f} | {run.bytes_read / run.polls:.2f} |",
            flush=True,
        )
    _draw(runs)


def _of_scale(scale: float) -> Run:
    with tempfile.TemporaryDirectory() as name:
        make_data_set(Path(name), scale, BUCKETS).plan(_REPORT_ID, SHARD_POLLS)
        child = [sys.executable, "-m", "bench.scale", "--folder", name]
        done = subprocess.run(child, check=True, capture_output=True, text=True)  # noqa: S603  # our own program
        return Run(**json.loads(done.stdout))


def _measure(folder: Path) -> Run:
    use_one_core()
    tables = FolderTables(folder)
    plan = read_plan(_REPORT_ID, tables)
    polls = 0

    def compute() -> None:
        nonlocal polls
        polls = sum(
            recompute_shard(_REPORT_ID, shard.shard, tables).polls_read for shard in plan.shards
        )

    def read() -> None:
        for shard in plan.shards:
            for stores_files, polls_files in shard.batches(1, 1):
                tables.read_stores(stores_files)
                tables.read_polls(polls_files, plan.now_us - MEMORY_US, plan.now_us)

    compute()  # warm up: imports and the first read of the files do not count
    seconds = statistics.median(cpu_seconds(compute) for _ in range(_RUNS))
    most_mb = peak_mb()
    counting = CountingTables(folder)
    for shard in plan.shards:
        recompute_shard(_REPORT_ID, shard.shard, counting)
    return Run(
        plan.stores,
        len(plan.shards),
        polls,
        seconds,
        cpu_seconds(read),
        most_mb,
        counting.bytes_read,
    )


def _draw(runs: list[Run]) -> None:
    mpl.rcParams["svg.hashsalt"] = "bench"  # the same measurements are the same file
    figure, (cost, memory) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    polls = [run.polls for run in runs]
    cost.plot(polls, [run.cpu_seconds / run.polls * 1e9 for run in runs], "o-", label="a shard")
    cost.plot(
        polls, [run.read_cpu_seconds / run.polls * 1e9 for run in runs], "o--", label="reading only"
    )
    cost.set(xscale="log", xlabel="polls", ylabel="ns a poll", title="Time", ylim=(0, None))
    cost.legend()
    memory.plot(polls, [run.peak_mb for run in runs], "o-")
    memory.axhline(1769, color="grey", linestyle=":")
    memory.set(xscale="log", xlabel="polls", ylabel="MB", title="Peak memory", ylim=(0, None))
    figure.savefig(_PLOT, metadata={"Date": None})


if __name__ == "__main__":
    main()

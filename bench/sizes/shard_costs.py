"""What a shard costs: processor time for a call, a file, a store and a poll; and memory.

Shards of many shapes are computed on one core, each by a process of its own, and the costs fitted
to what they took. Each shape has many polls a store, and few: changes of status cost as well.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.data_set import DENSE, SPARSE, make_data_set, recompute_shard
from bench.measuring import cpu_seconds, peak_mb, use_one_core
from store_monitoring.reports.plan import read_plan
from testing.fakes import FolderTables

SHAPES = ((1, 8), (1, 64), (4, 64), (4, 256), (10, 8), (10, 64), (25, 4))  # scale, buckets
_REPORT_ID = "r"
_RUNS = 5


@dataclass(frozen=True, slots=True)
class MeasuredShard:
    """A shard that was computed, of all buckets of a data set.

    Attributes
    ----------
    buckets, files, stores, polls : int
        What it read.
    cpu_seconds : float
        Median of its processor time.
    peak_mb : float
        Peak memory of its process.
    """

    buckets: int
    files: int
    stores: int
    polls: int
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class ShardCosts:
    """Processor seconds, and megabytes of memory.

    Attributes
    ----------
    call, file, store, poll : float
        Seconds for each.
    base_mb : float
        Memory without stores and polls.
    bucket_store_mb, bucket_poll_mb : float
        Memory for a store and a poll of a bucket; a shard holds two buckets at a time, here of one
        size.
    """

    call: float
    file: float
    store: float
    poll: float
    base_mb: float
    bucket_store_mb: float
    bucket_poll_mb: float

    def cpu_seconds(self, files: int, stores: int, polls: float) -> float:
        """Return what a shard takes."""
        return self.call + files * self.file + stores * self.store + polls * self.poll

    def memory_mb(self, bucket_stores: float, bucket_polls: float) -> float:
        """Return what a shard needs, whose buckets have so many stores and polls each."""
        of_stores = bucket_stores * self.bucket_store_mb
        return self.base_mb + of_stores + bucket_polls * self.bucket_poll_mb


def measure(
    shapes: Sequence[tuple[float, int]] = SHAPES,
) -> tuple[list[MeasuredShard], ShardCosts]:
    """Compute shards of all shapes, each a scale and a number of buckets, and fit their costs."""
    shards = [shard for scale, buckets in shapes for shard in _of_shape(scale, buckets)]
    return shards, _fitted(shards)


def _of_shape(scale: float, buckets: int) -> Iterator[MeasuredShard]:
    for sample in (SPARSE, DENSE):
        with tempfile.TemporaryDirectory() as folder:
            make_data_set(Path(folder), scale, buckets, sample).plan(_REPORT_ID)
            child = [sys.executable, "-m", __name__, folder, str(buckets)]
            done = subprocess.run(child, check=True, capture_output=True, text=True)  # noqa: S603  # our own program
        yield MeasuredShard(**json.loads(done.stdout))


def _compute(folder: Path, buckets: int) -> MeasuredShard:
    """Compute the only shard of the planned report."""
    use_one_core()
    tables = FolderTables(folder)
    [planned] = read_plan(_REPORT_ID, tables).shards
    receipt = recompute_shard(_REPORT_ID, 0, tables)  # imports are no shard's own
    seconds = [cpu_seconds(lambda: recompute_shard(_REPORT_ID, 0, tables)) for _ in range(_RUNS)]
    return MeasuredShard(
        buckets,
        len(planned.stores_files) + len(planned.polls_files),
        receipt.stores,
        receipt.polls_read,
        statistics.median(seconds),
        peak_mb(),
    )


def _fitted(shards: Sequence[MeasuredShard]) -> ShardCosts:
    """Fit the costs by least squares of the relative error."""
    took = np.array([shard.cpu_seconds for shard in shards])
    counts = np.array([[1, shard.files, shard.stores, shard.polls] for shard in shards])
    costs, *_ = np.linalg.lstsq(counts / took[:, np.newaxis], np.ones(len(took)))
    peak_mb = np.array([shard.peak_mb for shard in shards])
    of_bucket = np.array([[1, s.stores / s.buckets, s.polls / s.buckets] for s in shards])
    memory, *_ = np.linalg.lstsq(of_bucket / peak_mb[:, np.newaxis], np.ones(len(shards)))
    return ShardCosts(*costs.tolist(), *memory.tolist())


if __name__ == "__main__":
    print(json.dumps(asdict(_compute(Path(sys.argv[1]), int(sys.argv[2])))))

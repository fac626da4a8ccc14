"""What a shard costs: processor time for a call, a file, a store and a poll; and memory.

Shards of many shapes are computed on one core, each data set's by a process of its own, and the
four costs fitted to what they took.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.data_set import DataSet, compute_anew, make_data_set
from bench.measuring import cpu_seconds, peak_mb, use_one_core
from store_monitoring.domain.parameters import DAY_US
from store_monitoring.reports.plan import read_plan
from store_monitoring.reports.request import ReportRequest
from testing.fakes import FolderTables

_SHAPES = ((1, 8), (1, 64), (4, 64), (4, 256), (10, 8), (10, 64), (25, 4))  # scale, buckets
_REPORT_IDS = ("with polls", "without")
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
        Memory without polls.
    bucket_poll_mb : float
        Memory for a poll of a bucket; a shard holds two buckets at a time, here of one size.
    """

    call: float
    file: float
    store: float
    poll: float
    base_mb: float
    bucket_poll_mb: float

    def cpu_seconds(self, files: int, stores: int, polls: float) -> float:
        """Return what a shard takes."""
        return self.call + files * self.file + stores * self.store + polls * self.poll

    def memory_mb(self, bucket_polls: float) -> float:
        """Return what a shard needs, whose buckets have so many polls each."""
        return self.base_mb + bucket_polls * self.bucket_poll_mb


def measure() -> tuple[list[MeasuredShard], ShardCosts]:
    """Compute shards of all shapes, and fit their costs."""
    shards = [shard for scale, buckets in _SHAPES for shard in _of_shape(scale, buckets)]
    return shards, _fitted(shards)


def _of_shape(scale: float, buckets: int) -> list[MeasuredShard]:
    with tempfile.TemporaryDirectory() as folder:
        data_set = make_data_set(Path(folder), scale, buckets)
        _plan(data_set)
        child = [sys.executable, "-m", __name__, folder, str(buckets)]
        done = subprocess.run(child, check=True, capture_output=True, text=True)  # noqa: S603  # our own program
    return [MeasuredShard(**shard) for shard in json.loads(done.stdout)]


def _plan(data_set: DataSet) -> None:
    """Plan two reports of one shard each; all polls are too old for the second."""
    max_timestamp_us = data_set.log.snapshot().max_timestamp_us
    assert max_timestamp_us is not None
    later = ReportRequest(as_of_us=max_timestamp_us + 40 * DAY_US)
    for report_id, request in zip(_REPORT_IDS, (ReportRequest(), later), strict=True):
        data_set.plan(report_id, request=request)


def _compute(folder: Path, buckets: int) -> list[MeasuredShard]:
    """Compute both reports' shards, the one without polls first: memory never shrinks."""
    use_one_core()
    tables = FolderTables(folder)
    shards = []
    for report_id in reversed(_REPORT_IDS):
        [planned] = read_plan(report_id, tables).shards
        receipt = compute_anew(report_id, 0, tables)  # imports are no shard's own
        seconds = [cpu_seconds(lambda: compute_anew(report_id, 0, tables)) for _ in range(_RUNS)]  # noqa: B023  # called at once
        shards.append(
            MeasuredShard(
                buckets,
                len(planned.stores_files) + len(planned.polls_files),
                receipt.stores,
                receipt.polls_read,
                statistics.median(seconds),
                peak_mb(),
            )
        )
    return shards


def _fitted(shards: Sequence[MeasuredShard]) -> ShardCosts:
    """Fit the costs by least squares of the relative error."""
    took = np.array([shard.cpu_seconds for shard in shards])
    counts = np.array([[1, shard.files, shard.stores, shard.polls] for shard in shards])
    costs, *_ = np.linalg.lstsq(counts / took[:, np.newaxis], np.ones(len(took)))
    peak_mb = np.array([shard.peak_mb for shard in shards])
    bucket_polls = np.array([[1, shard.polls / shard.buckets] for shard in shards])
    memory, *_ = np.linalg.lstsq(bucket_polls, peak_mb)
    return ShardCosts(*costs.tolist(), *memory.tolist())


if __name__ == "__main__":
    print(json.dumps([asdict(shard) for shard in _compute(Path(sys.argv[1]), int(sys.argv[2]))]))

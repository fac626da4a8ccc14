"""Measure what is read of the sample for one store's timeline: `make bench-timeline`."""

import random
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from local.cli.inputs import find_inputs
from local.cli.sample_data import cached_sample
from store_monitoring.aws.arrow_tables import ArrowTables
from store_monitoring.domain.parameters import DAY_US, DEFAULT_COVERAGE_US
from store_monitoring.timeline import TimelineRequest, read_timeline
from testing.fakes import CountingBucket
from testing.pipeline import Pipeline

_STORES = 200
_DATA = Path(__file__).resolve().parent.parent / ".data"


def main() -> None:
    """Print medians over some stores, with the sample in many buckets and in one large one."""
    for bucket_count in (64, 1):
        with tempfile.TemporaryDirectory() as folder:
            pipeline = Pipeline(Path(folder), bucket_count)
            for upload in find_inputs(cached_sample(_DATA)):
                pipeline.ingest(upload.key, upload.path.read_bytes())
            stores = random.Random(1).sample(sorted(pipeline.zones()), _STORES)  # noqa: S311  # no secret
            measured = [_measure(store_id, pipeline) for store_id in stores]
        print(f"{bucket_count} buckets")
        for kind in ("polls", "stores"):
            read = statistics.median(each.bytes_read[kind] for each in measured)
            size = statistics.median(each.bytes_there[kind] for each in measured)
            print(f"{read:>10,.0f} of {size:>10,.0f} bytes of {kind}")
        print(f"{statistics.median(each.seconds for each in measured) * 1000:>10.1f} ms")


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one timeline took, by the kind of object."""

    bytes_read: dict[str, int]
    bytes_there: dict[str, int]
    seconds: float


def _measure(store_id: str, pipeline: Pipeline) -> _Measured:
    bucket = CountingBucket(fs.SubTreeFileSystem(str(pipeline.folder), fs.LocalFileSystem()))
    began = time.perf_counter()
    read_timeline(
        TimelineRequest(store_id),
        14 * DAY_US,
        DEFAULT_COVERAGE_US,
        pipeline.bucket_count,
        pipeline.reports,
        pipeline.log,
        ArrowTables(bucket),
    )
    seconds = time.perf_counter() - began
    there = {key: (pipeline.folder / key).stat().st_size for key in bucket.bytes_read}
    return _Measured(_by_kind(bucket.bytes_read), _by_kind(there), seconds)


def _by_kind(by_key: Mapping[str, int]) -> dict[str, int]:
    total = dict.fromkeys(("polls", "stores"), 0)
    for key, count in by_key.items():
        total[key.partition("/")[0]] += count
    return total


if __name__ == "__main__":
    main()

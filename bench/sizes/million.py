"""A million stores through the local cloud, beside the model's forecast: `make bench-million`.

Data like the sample's are made for some thousand stores at a time. Each group's polls are a file of
their own, which is ingested and deleted while the next group is made; the other kinds are one file
each. Then a report of all stores is made, in so many shards that it takes the Distributed Map.
"""

import argparse
import re
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from pyarrow import csv

from bench.measuring import function_uses
from bench.sizes.model import (
    CALL_SECONDS,
    INGEST_MB,
    MERGE_MB,
    MERGE_PART_MB,
    PLAN_REQUESTS,
    Size,
    ingest_cpu_seconds,
    ingest_requests,
    merge_cpu_seconds,
    merge_requests,
    plan_cpu_seconds,
    planned,
    shard_cpu_seconds,
    shard_requests,
)
from bench.sizes.shard_costs import ShardCosts, measure
from local.cli.client import ApiClient
from local.cli.inputs import InputFile, kind_by_name
from local.cli.run import upload_all
from local.cli.sample_data import FULL, SampleShape, make_tables, scaled_down
from local.emulator.cloud import LocalCloud
from local.emulator.faults import Fault, Kind
from store_monitoring.reports.shard import read_ahead

POLLS = "store_status.csv"
_OTHER_FILES = 3
_SHAPES = ((1, 8), (1, 64), (4, 16))  # small ones: the forecast is for a larger one
_START_SECONDS = 0.15  # of processor time, for an execution environment of the local cloud
_UNQUOTED = csv.WriteOptions(quoting_style="none", quoting_header="none")
_COUNTED = Fault(Kind.SLOW, "local-* *", seconds=0)  # records each request of a function
_CALL = re.compile(r"^slow: (local-\w+)-\w+ (?:s3|dynamodb):", re.MULTILINE)
_REPORT_LINE = re.compile(r"^REPORT ", re.MULTILINE)


def main() -> None:
    """Ingest the data and make the report; print what each function took, and the forecast."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stores", type=int, default=1_000_000)
    arguments.add_argument("--polls", type=int, default=100_000_000, help="in the last two weeks")
    arguments.add_argument("--files", type=int, default=20, help="number of files of polls")
    chosen = arguments.parse_args()
    shape = _shape(chosen.stores // chosen.files, chosen.polls // chosen.files)
    size = Size(
        chosen.stores,
        polls_of_store=chosen.polls / chosen.stores,
        uploads=chosen.files,
        shard_polls=1,  # as many shards as buckets, for the Distributed Map
    )
    _, costs = measure(_SHAPES)
    parameters = {
        "BucketCount": str(size.bucket_count),
        "FuturePollToleranceMinutes": "0",
        "ShardPolls": str(size.shard_polls),
    }
    with tempfile.TemporaryDirectory() as name, LocalCloud(parameter_overrides=parameters) as cloud:
        cloud.inject(_COUNTED)
        began = time.monotonic()
        rows = ingest(Path(name), shape, chosen.files, cloud)
        ingested = time.monotonic()
        client = ApiClient(cloud.api_url)
        report = client.wait(client.trigger(formats=["csv"]))
        ended = time.monotonic()
        assert report["stores"] == chosen.stores
        requests = Counter(_CALL.findall("\n".join(cloud.injected_faults())))
        uses = function_uses(cloud.state)
        calls = {name: len(_REPORT_LINE.findall(cloud.logs(name))) for name in uses}
    print(f"\n{rows:,} rows ingested in {ingested - began:.0f} s")
    print(f"a report of {chosen.stores:,} stores in {ended - ingested:.1f} s\n")
    print("| function | calls | s, processor | forecast | requests | forecast | MB | forecast |")
    print("|---|" + "---:|" * 7)
    for name, forecast in _forecasts(size, costs, rows).items():
        used = uses[name]
        print(
            f"| {name.removeprefix('local-')} | {calls[name]} | {used.cpu_seconds:.1f}"
            f" | {forecast.cpu_seconds + used.environments * _START_SECONDS:.1f}"
            f" | {requests[name]:,} | {forecast.requests:,}"
            f" | {used.peak_mb:,.0f} | {forecast.peak_mb:,.0f} |"
        )


def _shape(stores: int, polls: int) -> SampleShape:
    """Return the sample's shape for so many stores with so many polls in the last two weeks."""
    shape = scaled_down(FULL, FULL.stores / stores)
    return replace(
        shape,
        stores=stores,
        polls=polls + shape.stores_polled,
        polls_last_fortnight=polls,
        polls_last_week=polls // 2,
    )


def ingest(folder: Path, shape: SampleShape, files: int, cloud: LocalCloud) -> int:
    """Make the data and ingest them, one file after the other; return the number of rows."""
    rows = 0
    with ExitStack() as stack:
        writers: dict[str, csv.CSVWriter] = {}

        def make(number: int) -> Path:
            nonlocal rows
            path = folder / str(number) / POLLS
            path.parent.mkdir()
            for name, table in make_tables(shape, seed=number).items():
                rows += len(table)
                if name == POLLS:
                    csv.write_csv(table, path, _UNQUOTED)
                    continue
                if name not in writers:
                    writer = csv.CSVWriter(folder / name, table.schema, write_options=_UNQUOTED)
                    writers[name] = stack.enter_context(writer)
                writers[name].write_table(table)
            return path

        for path in read_ahead(make, range(files), ahead=1):
            _ingest(path, cloud)
    for name in writers:
        _ingest(folder / name, cloud)
    return rows


def _ingest(path: Path, cloud: LocalCloud) -> None:
    """Ingest a file, and delete it here and in the inbox."""
    upload_all([InputFile(kind_by_name(path), path)], cloud)
    path.unlink()
    s3, bucket = cloud.client("s3"), cloud.outputs["InboxBucketName"]
    for version in s3.list_object_versions(Bucket=bucket)["Versions"]:
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


@dataclass(frozen=True, slots=True)
class _Forecast:
    """What a function is to use, without the start of its environments."""

    cpu_seconds: float
    requests: int
    peak_mb: float


def _forecasts(size: Size, costs: ShardCosts, rows: int) -> dict[str, _Forecast]:
    """Return the model's forecast for each function."""
    shards = planned(size).shards
    assert size.uploads is not None
    ingests = size.uploads + _OTHER_FILES
    shard_seconds = sum(shard_cpu_seconds(costs, shard, size) for shard in shards)
    return {
        "local-IngestFunction": _Forecast(
            ingest_cpu_seconds(rows, ingests, size),
            ingest_requests(size.uploads, _OTHER_FILES, size),
            INGEST_MB,
        ),
        "local-ComputeShardFunction": _Forecast(
            len(shards) * CALL_SECONDS + shard_seconds,
            sum(shard_requests(shard) for shard in shards),
            costs.memory_mb(size.stores / size.bucket_count, size.bucket_polls),
        ),
        "local-PlanAndMergeFunction": _Forecast(
            2 * CALL_SECONDS + plan_cpu_seconds(size) + merge_cpu_seconds(size, len(shards)),
            PLAN_REQUESTS + 1 + merge_requests(size, len(shards)),
            MERGE_MB + MERGE_PART_MB * len(shards),
        ),
    }


if __name__ == "__main__":
    main()

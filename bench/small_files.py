"""Measure a report after two weeks of hourly uploads: `make bench-small-files`.

The sample's number of polls in 336 ingests, before and after they are compacted, and in one ingest.
"""

import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench.data_set import BUCKETS, MEMORY_US, UPLOADED_AT, DataSet, make_data_set, recompute_shard
from bench.measuring import cpu_seconds, medians, use_one_core
from store_monitoring.domain.parameters import HOUR_US
from store_monitoring.ingest.compaction import compact_polls
from store_monitoring.ingest.ports import Commit
from store_monitoring.reports.plan import read_plan
from store_monitoring.storage.keys import part_key
from store_monitoring.storage.polls import write_polls
from store_monitoring.storage.ports import WrittenPolls
from store_monitoring.storage.schemas import POLLS
from testing.fakes import CountingTables, FolderObjects, MemoryLog

_HOURS = 336
_RUNS = 5


def main() -> None:
    """Print the table."""
    use_one_core()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = make_data_set(folder, 1)
        many = _in_hourly_ingests(one)
        one.plan("one")
        many.plan("many")
        took = cpu_seconds(partial(_compact, many))
        many.plan("compacted")
        reports = ("many", "compacted", "one")
        calls = {report: partial(recompute_shard, report, 0, one.tables) for report in reports}
        seconds = medians(calls, _RUNS)
        parts = [_part(one, report) for report in reports]
        assert parts[0].equals(parts[1])
        assert parts[0].equals(parts[2])
        print(f"compaction of {_HOURS} ingests: {took:.1f} s")
        print("| ingests | files | MB read | s |\n|---|---:|---:|---:|")
        for report in reports:
            counting = CountingTables(folder)
            recompute_shard(report, 0, counting)
            files = len(read_plan(report, one.tables).shards[0].polls_files)
            megabytes = counting.bytes_read / 1e6
            print(f"| {report} | {files:,} | {megabytes:.1f} | {seconds[report]:.2f} |")


def _in_hourly_ingests(data_set: DataSet) -> DataSet:
    """Return the same polls of the last two weeks in an ingest an hour."""
    snapshot = data_set.log.snapshot()
    assert snapshot.max_timestamp_us is not None
    since_us = snapshot.max_timestamp_us - MEMORY_US
    files = data_set.log.polls(snapshot.version, since_us, snapshot.max_timestamp_us)
    written: list[list[WrittenPolls]] = [[] for _ in range(_HOURS)]
    for file in files:
        polls = data_set.tables.read_polls([file], since_us, snapshot.max_timestamp_us).cast(POLLS)
        age_us = pc.subtract(snapshot.max_timestamp_us, polls.column("timestamp").cast(pa.int64()))
        hour = pc.divide(age_us, HOUR_US).to_numpy()
        for nth in range(_HOURS):
            rows = polls.filter(pa.array(hour == _HOURS - 1 - nth))
            if len(rows):
                written[nth].append(
                    write_polls(file.bucket, f"hour-{nth:03d}", [rows], data_set.tables)
                )
    log = MemoryLog()
    stores = list(snapshot.stores.values())
    for nth, some in enumerate(written):
        rows = sum(each.file.rows for each in some)
        log.commit(
            log.snapshot(),
            stores,
            Commit("polls", f"hour-{nth:03d}", rows, 0, UPLOADED_AT, tuple(some)),
        )
    return DataSet(data_set.folder, data_set.buckets, log)


def _compact(data_set: DataSet) -> None:
    compact_polls(
        MEMORY_US,
        BUCKETS,
        timedelta(days=90),
        lambda: UPLOADED_AT,
        data_set.tables,
        FolderObjects(data_set.folder),
        data_set.log,
    )


def _part(data_set: DataSet, report: str) -> pa.Table:
    return pa.concat_tables(data_set.tables.read_part(part_key(report, 0)))


if __name__ == "__main__":
    main()

"""Measure ingest, from CSV text to committed Parquet: `make bench-ingest`."""

import argparse
import gzip
import shutil
import tempfile
from datetime import UTC, datetime
from io import BufferedIOBase
from pathlib import Path

import store_monitoring.adapters.without_pandas  # noqa: F401  # as the function does
from bench.measuring import cpu_seconds, peak_mb, use_one_core
from local.sample_data import cached_sample
from store_monitoring.use_cases.ingest_file import ingest_file
from store_monitoring.use_cases.upload_outcomes import Upload
from tests.fakes import FolderTables, MemoryLog

_BUCKETS = 64
_DATA = Path(__file__).resolve().parent.parent / ".data"


def main() -> None:
    """Print rows per second and peak memory."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--copies", type=int, default=1, help="of the sample's polls, in a file")
    arguments.add_argument("--gzip", action="store_true")
    chosen = arguments.parse_args()
    use_one_core()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "polls.csv")
        _write(path, chosen.copies, chosen.gzip)
        print(f"{path.stat().st_size / 1e6:,.0f} MB{' of gzip' * chosen.gzip}, ", end="")
        log = MemoryLog()

        def ingest() -> None:
            with path.open("rb") as stream:
                upload = Upload("polls/polls.csv", "etag", datetime.now(UTC))
                tables = FolderTables(Path(name, "bucket"))
                ingest_file(
                    upload, stream, _BUCKETS, lambda: datetime.now(UTC), tables, log, log.uploads
                )

        seconds = cpu_seconds(ingest)
    rows = log.commits[0].rows
    print(
        f"{rows:,} rows: {seconds:.1f} s CPU, {rows / seconds:,.0f} rows/s,"
        f" peak {peak_mb():,.0f} MB"
    )


def _write(path: Path, copies: int, zipped: bool) -> None:
    source = cached_sample(_DATA) / "store_status.csv"
    with gzip.open(path, "wb", compresslevel=6) if zipped else path.open("wb") as output:
        for copy in range(copies):
            _append(source, output, with_header=copy == 0)


def _append(source: Path, output: BufferedIOBase, *, with_header: bool) -> None:
    with source.open("rb") as lines:
        if not with_header:
            lines.readline()
        shutil.copyfileobj(lines, output)


if __name__ == "__main__":
    main()

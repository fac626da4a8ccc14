"""Measure ingest, from CSV text to committed Parquet: `make bench-ingest`."""

import argparse
import gzip
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BufferedIOBase
from pathlib import Path

from bench.measuring import cpu_seconds, import_as_in_lambda, peak_mb, use_one_core
from local.cli.sample_data import cached_sample
from store_monitoring.ingest.deadline import Deadline
from store_monitoring.ingest.ingest_file import ingest_file
from store_monitoring.ingest.outcomes import Upload
from testing.fakes import FolderTables, MemoryLog

_BUCKETS = 64
_SECONDS = 900
_DATA = Path(__file__).resolve().parent.parent / ".data"
_BAD = {
    "short": b"x\n",
    "unquoted": b'"s,active,2024-10-14 10:00:00 UTC\n',
    "binary": b"\xff,active,2024-10-14 10:00:00 UTC\n",
    "blank": b"\n",
    "valueless": b",active,\n",
    "undated": b"s,active,2024-02-30 10:00:00 UTC\n",
}


def main() -> None:
    """Print rows per second and peak memory."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--copies", type=int, default=1, help="of the sample's polls, in a file")
    arguments.add_argument("--gzip", action="store_true")
    arguments.add_argument("--bad", choices=_BAD, help="add bad lines of this kind")
    arguments.add_argument("--bad-every", type=int, default=60_000, help="bytes (default 60 kB)")
    chosen = arguments.parse_args()
    use_one_core()
    import_as_in_lambda()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "polls.csv")
        _write(path, chosen.copies, chosen.gzip)
        megabytes = path.stat().st_size / 1e6
        print(f"{megabytes:,.0f} MB{' of gzip' * chosen.gzip}, ", end="")
        if chosen.bad:
            _insert(_BAD[chosen.bad], path, chosen.bad_every)
            print(f"a line that is {chosen.bad} every {chosen.bad_every:,} bytes, ", end="")
        log = MemoryLog()

        def ingest() -> None:
            with path.open("rb") as stream:
                upload = Upload("polls/polls.csv", "etag", datetime.now(UTC))
                tables = FolderTables(Path(name, "bucket"))
                deadline = Deadline.within(_SECONDS)
                now = partial(datetime.now, UTC)
                ingest_file(
                    *(upload, stream, _BUCKETS, deadline, now, tables, log, log.uploads),
                    future_tolerance=timedelta(0),
                )

        seconds = cpu_seconds(ingest)
    rows = log.commits[0].rows
    print(
        f"{rows:,} rows: {seconds:.1f} s CPU, {rows / seconds:,.0f} rows/s,"
        f" {megabytes / seconds:,.0f} MB/s, peak {peak_mb():,.0f} MB"
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


def _insert(line: bytes, path: Path, every: int) -> None:
    """Insert a line after as many bytes, again and again."""
    clean = path.rename(path.with_suffix(".clean"))
    with clean.open("rb") as lines, path.open("wb") as output:
        while part := lines.read(every):
            output.writelines((part, lines.readline(), line))


if __name__ == "__main__":
    main()

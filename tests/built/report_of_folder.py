"""Run by CPython 3.13 on the built layers: ingest a folder's files, print the report's CSV."""

import sys
from pathlib import Path

from store_monitoring.reports.report import Format
from store_monitoring.reports.request import ReportRequest
from testing.pipeline import Pipeline


def main() -> None:
    """Take the inputs' folder and the objects' folder from the command line."""
    inputs, objects = map(Path, sys.argv[1:])
    pipeline = Pipeline(objects)
    for path in sorted(inputs.glob("*/*.csv")):
        outcome = pipeline.ingest(f"{path.parent.name}/{path.name}", path.read_bytes())
        assert outcome.status == "Committed", outcome
    request = ReportRequest(formats=tuple(Format))
    sys.stdout.buffer.write(pipeline.report(request, shard_polls=1))


if __name__ == "__main__":
    main()

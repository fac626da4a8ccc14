"""Makes a report of a folder's files in the local cloud."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from local.cli.client import Ingested, ReportClient, Uploader
from local.cli.inputs import InputFile, find_inputs
from local.cli.output import Output, OutputError, is_standard_output, save
from local.cli.summary import summary
from local.cli.terminal import console, printable
from local.emulator.artefacts import Artefacts
from local.emulator.cloud import LocalCloud
from store_monitoring.reports.report import Format

_IDS_NAMED = 5


def run(artefacts: Artefacts, data: Path, outputs: Sequence[Output], as_of: str | None) -> None:
    """Make a report of the files in a folder and save it.

    Parameters
    ----------
    artefacts : Artefacts
        What to deploy.
    data : Path
        Folder with the input files.
    outputs : sequence of Output
        The files to save the report to.
    as_of : str or None
        The instant at which the report's windows end; None: the greatest poll timestamp.

    Raises
    ------
    InputError
        If the folder does not contain the needed files.
    OutputError
        If the report could not be saved; the message says where it is kept.
    RunFailedError
        If an upload or the report failed.
    """
    inputs = find_inputs(data)
    # Standard output may have nothing but the report.
    console.stderr = any(is_standard_output(output.path) for output in outputs)
    seconds: dict[str, float] = {}
    with _stage("start of the local cloud", seconds):
        # Accept all timestamps: the data may be from any time.
        parameters = {"FuturePollToleranceMinutes": "0"}
        cloud = LocalCloud(artefacts.template, parameters, runtime=artefacts.runtime)
    with cloud:
        with _stage("ingest", seconds):
            upload_all(inputs, cloud)
        client = ReportClient(cloud.api_url)
        with _stage("report, from trigger to Complete", seconds):
            report = _report(client, as_of, [output.format for output in outputs])
        with _stage("download", seconds):
            files = _download(client, report, outputs, cloud.state)
        with _stage("summary", seconds):
            polled = _polled_in_the_week_before(report["as_of"], cloud)
            text = summary(files[Format.CSV], polled)
        _save(files, outputs)
    console.print()
    console.print(text)
    saved = ", ".join(str(output.path) for output in outputs)
    console.print(f"\nas of {report['as_of']}; saved as {saved}\n")
    for stage, took in seconds.items():
        console.print(f"{took:6.2f} s  {stage}")


def upload_all(inputs: list[InputFile], cloud: LocalCloud) -> None:
    """Upload files, two at a time, and print the outcome of each."""
    uploader = Uploader(
        cloud.client("s3"),
        cloud.outputs["InboxBucketName"],
        cloud.client("dynamodb"),
        cloud.outputs["IngestTableName"],
    )

    def upload(file: InputFile) -> None:
        ingested = uploader.upload(file)
        console.print(describe_upload(file, ingested, cloud))

    # Polls take longest and are ingested while hours and zones follow each other; ingests of those
    # two at the same time would conflict.
    pool = ThreadPoolExecutor(2)
    try:
        list(pool.map(upload, inputs))
    finally:
        # After Ctrl-C do not wait for uploads; they end with the cloud.
        pool.shutdown(wait=False, cancel_futures=True)


def describe_upload(file: InputFile, ingested: Ingested, cloud: LocalCloud) -> Text:
    """Describe the outcome of an upload, in yellow if stores have rejected rows."""
    line = f"{printable(file.path.name)}: {ingested.status.lower()}, {ingested.rows:,} rows"
    if ingested.rejected:
        where = f"s3://{cloud.outputs['DataBucketName']}/{ingested.rejects_key}"
        line += f", {ingested.rejected:,} rejected (see {where})"
    line += f", {ingested.seconds:.1f} s"
    if not ingested.partial_stores:
        return Text(line)
    ids = ingested.partial_store_ids[:_IDS_NAMED]
    named = printable(", ".join(ids)) + (", …" if ingested.partial_stores > len(ids) else "")
    line += f"\n  {ingested.partial_stores:,} stores with rejected rows: {named}"
    return Text(line, style="yellow")


def _download(
    client: ReportClient, report: Mapping[str, Any], outputs: Sequence[Output], folder: Path
) -> dict[Format, Path]:
    """Download the report as CSV, for the summary, and in the requested formats."""
    urls = {Format.CSV: report["url"], **report["urls"]}
    files = {}
    for format_ in (Format.CSV, *(output.format for output in outputs)):
        files[format_] = folder / f"report.{format_}"
        client.download(urls[format_], files[format_])
    return files


def _save(files: Mapping[Format, Path], outputs: Sequence[Output]) -> None:
    for output in outputs:
        try:
            save(files[output.format], output.path)
        except BrokenPipeError:
            pass  # the reading program has closed the pipe
        except OSError as error:
            kept = Path(tempfile.mkdtemp(prefix="store-report-"))
            for each in outputs:
                shutil.copy(files[each.format], kept)
            raise OutputError(
                f"the report cannot be saved as {output.path}: {error.strerror}; "
                f"it is kept in {kept}"
            ) from error


def _report(client: ReportClient, as_of: str | None, formats: list[Format]) -> dict[str, Any]:
    report_id = client.trigger(as_of, formats)
    console.print(f"report {report_id}")
    columns = (TextColumn("shards"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("shards", total=None)
        for report in client.follow(report_id):
            if "progress" in report:
                done, total = report["progress"].values()
                progress.update(bar, completed=done, total=total)
        if (total := progress.tasks[bar].total) is not None:
            progress.update(bar, completed=total)
    return report


def _polled_in_the_week_before(as_of: str, cloud: LocalCloud) -> set[str]:
    """Return the stores with polls in the week before an instant, from the stored Parquet files."""
    s3 = fs.S3FileSystem(
        access_key="local",
        secret_key="local",  # noqa: S106  # the local cloud accepts any
        region="us-east-1",
        endpoint_override=cloud.endpoint_url,
    )
    polls = ds.dataset(f"{cloud.outputs['DataBucketName']}/polls", filesystem=s3, format="parquet")
    now = datetime.fromisoformat(as_of)
    timestamp = pc.field("timestamp")
    in_week = (timestamp >= pa.scalar(now - timedelta(days=7))) & (timestamp <= pa.scalar(now))
    return set(polls.to_table(columns=["store_id"], filter=in_week)["store_id"].to_pylist())


@contextmanager
def _stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[name] = time.monotonic() - began

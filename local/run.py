"""The main job, from files to a report, through the embedded cloud."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.artefacts import Artefacts
from local.client import ReportClient, Uploader
from local.cloud import EmbeddedCloud
from local.inputs import InputFile, InputProblem, find_inputs
from local.summary import summary

console = Console(highlight=False, soft_wrap=True)


def run(artefacts: Artefacts, data: Path, out: Path, as_of: str | None) -> None:
    """Make a report of the files in a folder and save it as CSV.

    Parameters
    ----------
    artefacts : Artefacts
        What is deployed.
    data : Path
        Folder with the input files.
    out : Path
        Where the CSV is saved.
    as_of : str or None
        The instant that the report is about; None: the greatest poll timestamp.

    Raises
    ------
    InputProblem
        If the folder does not hold what is needed, or there is none to save the report in.
    RunFailed
        If a file or the report could not be processed.
    """
    inputs = find_inputs(data)
    if not out.parent.is_dir():
        raise InputProblem(f"the report cannot be saved: {out.parent} is no folder")
    seconds: dict[str, float] = {}
    with _stage("start of the embedded cloud", seconds):
        # The report is about the files, whenever they are from.
        parameters = {"FuturePollToleranceMinutes": "0"}
        cloud = EmbeddedCloud(artefacts.template, parameters, runtime=artefacts.runtime)
    with cloud:
        with _stage("ingest", seconds):
            upload_all(inputs, cloud)
        client = ReportClient(cloud.api_url)
        with _stage("report, from trigger to Complete", seconds):
            report = _report(client, as_of)
        with _stage("download", seconds):
            client.download(report["url"], out)
        with _stage("summary", seconds):
            polled = _polled_in_the_week_before(report["as_of"], cloud)
            text = summary(out, polled)
    console.print()
    console.print(text)
    console.print(f"\nas of {report['as_of']}; saved as {out}\n")
    for stage, took in seconds.items():
        console.print(f"{took:6.2f} s  {stage}")


def upload_all(inputs: list[InputFile], cloud: EmbeddedCloud) -> None:
    """Upload files, two at a time, and show what each ingest did."""
    uploader = Uploader(
        cloud.client("s3"),
        cloud.outputs["InboxBucketName"],
        cloud.client("dynamodb"),
        cloud.outputs["IngestTableName"],
    )

    def upload(file: InputFile) -> None:
        ingested = uploader.upload(file)
        line = f"{file.path.name}: {ingested.status.lower()}, {ingested.rows:,} rows"
        if ingested.rejected:
            where = f"s3://{cloud.outputs['DataBucketName']}/{ingested.rejects_key}"
            line += f", {ingested.rejected:,} rejected (see {where})"
        console.print(f"{line}, {ingested.seconds:.1f} s")

    # Polls, which take longest, go beside hours and zones; those would get into each other's way.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(upload, inputs))


def _report(client: ReportClient, as_of: str | None) -> dict[str, str]:
    report_id = client.trigger(as_of)
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


def _polled_in_the_week_before(as_of: str, cloud: EmbeddedCloud) -> set[str]:
    """Return the stores with polls in the week, from the Parquet files that ingest wrote."""
    s3 = fs.S3FileSystem(
        access_key="local",
        secret_key="local",  # noqa: S106  # the embedded cloud takes any
        region="us-east-1",
        endpoint_override=cloud.endpoint_url,
    )
    polls = ds.dataset(f"{cloud.outputs['DataBucketName']}/polls", filesystem=s3, format="parquet")
    now = datetime.fromisoformat(as_of)
    timestamp = pc.field("timestamp")
    in_week = (timestamp > pa.scalar(now - timedelta(days=7))) & (timestamp <= pa.scalar(now))
    return set(polls.to_table(columns=["store_id"], filter=in_week)["store_id"].to_pylist())


@contextmanager
def _stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[name] = time.monotonic() - began

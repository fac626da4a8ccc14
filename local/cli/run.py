"""Makes a report of a folder's files in the local cloud."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import requests
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client

from local.cli.api_commands import describe_upload, download, follow
from local.cli.client import TIMEOUT_SECONDS, ApiClient, Ingested, RunFailedError, pauses
from local.cli.inputs import InputFile, find_inputs
from local.cli.output import Output, is_standard_output, save_all
from local.cli.summary import describe_summary
from local.cli.terminal import console
from local.emulator.artefacts import Artefacts
from local.emulator.cloud import LocalCloud
from store_monitoring.aws.dynamodb_items import from_item, to_item
from store_monitoring.ingest.outcomes import UploadStatus

FEW_BUCKETS = {"BucketCount": "16"}
"""Parameters of a local stack: each bucket costs requests, which this machine has to serve."""


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
    formats = [output.format for output in outputs]
    seconds: dict[str, float] = {}
    with _stage("start of the local cloud", seconds):
        # Accept all timestamps: the data may be from any time.
        parameters = {"FuturePollToleranceMinutes": "0"} | FEW_BUCKETS
        cloud = LocalCloud(artefacts.template, parameters, runtime=artefacts.runtime)
    with cloud:
        with _stage("ingest", seconds):
            upload_all(inputs, cloud)
        client = ApiClient(cloud.api_url)
        with _stage("report, from trigger to Complete", seconds):
            report = follow(client, client.trigger(as_of=as_of, formats=formats))
        with _stage("download", seconds):
            files = download(client, report, formats, cloud.state)
        with _stage("summary", seconds):
            summary = client.call("GET", f"/reports/{report['report_id']}/summary")
        save_all(files, outputs)
    console.print()
    console.print(describe_summary(summary))
    saved = ", ".join(str(output.path) for output in outputs)
    console.print(f"\nas of {report['as_of']}; saved as {saved}\n")
    for stage, took in seconds.items():
        console.print(f"{took:6.2f} s  {stage}")


def upload_all(inputs: Sequence[InputFile], cloud: LocalCloud) -> None:
    """Upload files to the inbox bucket, two at a time, and print the outcome of each.

    Unlike uploads through the API, these need no key and may have any size.

    Raises
    ------
    RunFailedError
        If a file is rejected as a whole, or has no outcome in time.
    """
    s3, dynamodb = cloud.client("s3"), cloud.client("dynamodb")

    def upload(file: InputFile) -> None:
        ingested = _upload(file, cloud.outputs, s3, dynamodb)
        console.print(describe_upload(file, ingested))

    # Polls take longest and are ingested while hours and zones follow each other; ingests of those
    # two at the same time would conflict.
    pool = ThreadPoolExecutor(2)
    try:
        list(pool.map(upload, inputs))
    finally:
        # After Ctrl-C do not wait for uploads; they end with the cloud.
        pool.shutdown(wait=False, cancel_futures=True)


def _upload(
    file: InputFile, outputs: Mapping[str, str], s3: S3Client, dynamodb: DynamoDBClient
) -> Ingested:
    """Upload a file and wait until it is ingested."""
    began = time.monotonic()
    # A signed request hashes its body, which takes as long as sending it; a presigned one does not.
    target = {"Bucket": outputs["InboxBucketName"], "Key": file.key}
    url = s3.generate_presigned_url("put_object", Params=target)
    with file.path.open("rb") as content:
        response = requests.put(url, data=content, timeout=TIMEOUT_SECONDS)
    response.raise_for_status()
    key = to_item({"log": f"uploads/{file.key}", "entry": response.headers["x-amz-version-id"]})
    for _ in pauses(f"{file.path.name} was not ingested"):
        found = dynamodb.get_item(
            TableName=outputs["IngestTableName"], Key=key, ConsistentRead=True
        )
        outcome = from_item(found.get("Item", {}))
        if outcome.get("status", UploadStatus.RETRYING) != UploadStatus.RETRYING:
            break
    if outcome["status"] == UploadStatus.FAILED:
        raise RunFailedError(f"{file.path.name} was rejected: {outcome['error']}")
    rejects_key = outcome.get("rejects_key")
    return Ingested(
        outcome["status"],
        outcome["rows"],
        outcome["rejected"],
        rejects_key and f"s3://{outputs['DataBucketName']}/{rejects_key}",
        outcome.get("partial_stores", 0),
        tuple(outcome.get("partial_store_ids", ())),
        time.monotonic() - began,
    )


@contextmanager
def _stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[name] = time.monotonic() - began

"""The embedded cloud, left running for trying and developing."""

import signal
from pathlib import Path
from threading import Event

from rich.console import Console

from local.cloud import EmbeddedCloud
from local.inputs import find_inputs
from local.run import upload_all

console = Console(highlight=False, soft_wrap=True)


def serve(data: Path | None, port: int) -> None:
    """Start the embedded cloud, ingest a folder's files if one is given, and wait to be stopped."""
    inputs = find_inputs(data) if data else []
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with EmbeddedCloud(api_port=port) as cloud:
        upload_all(inputs, cloud)
        console.print(_help(cloud))
        stopped.wait()


def _help(cloud: EmbeddedCloud) -> str:
    api, inbox = cloud.api_url, cloud.outputs["InboxBucketName"]
    return f"""
The API answers at {api}, AWS's services at {cloud.endpoint_url}. Stop with Ctrl-C. Try:

  curl -X POST {api}/trigger_report
  curl {api}/get_report/REPORT_ID
  curl -L -H 'Accept: text/csv' -o report.csv {api}/get_report/REPORT_ID
  curl {api}/healthz

Upload more polls:

  curl -T store_status.csv {cloud.endpoint_url}/{inbox}/polls/store_status.csv
"""

"""The embedded cloud, left running for trying and developing."""

import signal
from pathlib import Path
from threading import Event

from rich.console import Console

from local.artefacts import Artefacts
from local.cloud import EmbeddedCloud
from local.inputs import find_inputs
from local.run import upload_all

console = Console(highlight=False, soft_wrap=True)


def serve(artefacts: Artefacts, data: Path | None, port: int, api_key: str | None) -> None:
    """Start the embedded cloud, ingest a folder's files if one is given, and wait to be stopped.

    Parameters
    ----------
    artefacts : Artefacts
        What is deployed.
    data : Path or None
        Folder with input files.
    port : int
        Port of the API; AWS's services have the next one. 0: any free ones.
    api_key : str or None
        The key that callers of the API have to have; None: they need none.
    """
    inputs = find_inputs(data) if data else []
    with EmbeddedCloud(
        artefacts.template,
        api_port=port,
        aws_port=port and port + 1,
        runtime=artefacts.runtime,
        api_key=api_key,
    ) as cloud:
        upload_all(inputs, cloud)
        stopped = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        console.print(_help(cloud, api_key))
        stopped.wait()


def _help(cloud: EmbeddedCloud, api_key: str | None) -> str:
    api, inbox = cloud.api_url, cloud.outputs["InboxBucketName"]
    key = "" if api_key is None else f"-H 'x-api-key: {api_key}' "
    return f"""
The API answers at {api}, AWS's services at {cloud.endpoint_url}. Stop with Ctrl-C. Open the
API's address in a browser, or try:

  curl {key}-X POST {api}/trigger_report
  curl {key}{api}/get_report/REPORT_ID
  curl {key}-L -H 'Accept: text/csv' -o report.csv {api}/get_report/REPORT_ID
  curl {api}/healthz

Follow a report through the functions' logs:

  grep -h REPORT_ID {cloud.state}/*.log

Upload more polls:

  curl -T store_status.csv {cloud.endpoint_url}/{inbox}/polls/store_status.csv
"""

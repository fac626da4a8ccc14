"""Keeps the local cloud running, to try the system and to develop it."""

import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from urllib.parse import quote

from local.cli.client import ApiClient, RunFailedError
from local.cli.inputs import InputFile, find_inputs
from local.cli.run import FEW_BUCKETS, upload_all
from local.cli.terminal import console
from local.emulator.artefacts import Artefacts
from local.emulator.cloud import LocalCloud
from local.emulator.settings import ACCESS_KEY, REGION, SECRET_KEY

_CHECK_EVERY_SECONDS = 0.5
_DATA_IN_MEMORY = "All data are kept in memory and are lost when this ends."
_EXAMPLE_POLLS = r"store_id,status,timestamp_utc\nexample,active,2024-10-14 12:00:00 UTC\n"


def serve(
    artefacts: Artefacts,
    data: Path | None,
    sample: Path,
    port: int,
    api_key: str | None,
    state: Path | None,
) -> None:
    """Start the local cloud, make a report of a folder if one is given, and run until stopped.

    Parameters
    ----------
    artefacts : Artefacts
        What to deploy.
    data : Path or None
        Folder with input files.
    sample : Path
        Folder with the input files that the console offers while there is no report.
    port : int
        Port of the API; AWS's services use the next one. 0: any free ports.
    api_key : str or None
        The key that callers of the API need; None: they need none.
    state : Path or None
        Folder that keeps the data for the next time; None: they are lost.

    Raises
    ------
    LocalCloudError
        If the cloud ends before it is stopped.
    """
    inputs = find_inputs(data) if data else []
    data_place = _DATA_IN_MEMORY if state is None else f"All data are kept in {state.resolve()}."
    console.print(data_place)
    with LocalCloud(
        artefacts.template,
        {"PublishTables": "true"} | FEW_BUCKETS,
        api_port=port,
        aws_port=port and port + 1,
        runtime=artefacts.runtime,
        api_key=api_key,
        sample={file.key: file.path for file in find_inputs(sample)},
        keep=state,
    ) as cloud:
        upload_all(inputs, cloud)
        report_id = _first_report(cloud, api_key) if inputs else None
        stopped = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        console.print(_help(cloud, inputs, report_id, api_key, data_place))
        while not stopped.wait(_CHECK_EVERY_SECONDS):
            cloud.check()
        cloud.abandon()


def _first_report(cloud: LocalCloud, api_key: str | None) -> str | None:
    """Make a first report and return its id, None if it fails."""
    client = ApiClient(cloud.api_url, api_key)
    report_id = client.trigger()
    try:
        client.wait(report_id)
    except RunFailedError as error:
        console.print(f"{error}")
        return None
    return report_id


def _help(
    cloud: LocalCloud,
    inputs: Sequence[InputFile],
    report_id: str | None,
    api_key: str | None,
    data_place: str,
) -> str:
    """Return help on what to do next. Its commands work without changes, at any time."""
    api = cloud.api_url
    key = ""
    if api_key is not None:
        header = cloud.state / "x-api-key"  # no other user can read this folder
        header.write_text(f"x-api-key: {api_key}\n")
        key = f"-H @{header} "
    commands = [f"curl {key}-X POST {api}/trigger_report", f"curl {key}{api}/reports"]
    if report_id is not None:
        report = f"{api}/get_report/{report_id}"
        commands += [
            f"curl {key}{report}",
            f"curl {key}-L -H 'Accept: text/csv' -o report.csv {report}",
        ]
    paragraphs = [
        f"The API is at {api}, AWS's services are at {cloud.endpoint_url}.\n"
        f"{data_place}\n"
        "Stop it with Ctrl-C. Open the API's address in a browser, or try:",
        _indented([*commands, f"curl {api}/healthz"]),
        f"The functions' logs are in {cloud.state}.",
    ]
    if report_id is not None:
        paragraphs += [
            "Follow a report through them:",
            _indented([f"grep -h {report_id} {cloud.state}/*.log"]),
        ]
    paragraphs.append(
        "Query polls, stores and reports with SQL: see store-monitoring sql --help, with\n"
        f"--endpoint {cloud.endpoint_url}."
    )
    paragraphs += ["Upload polls:", _indented([_upload(cloud, inputs)])]
    return "\n" + "\n\n".join(paragraphs) + "\n"


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _upload(cloud: LocalCloud, inputs: Sequence[InputFile]) -> str:
    # S3 refuses unsigned requests that replace a file; nothing here checks the signature's value.
    signed = f"--aws-sigv4 aws:amz:{REGION}:s3 --user {ACCESS_KEY}:{SECRET_KEY}"
    inbox = f"{cloud.endpoint_url}/{cloud.outputs['InboxBucketName']}"
    if inputs:
        file = inputs[0]  # polls
        path = shlex.quote(str(file.path.resolve()))
        return f"curl {signed} -T {path} {shlex.quote(f'{inbox}/{quote(file.key)}')}"
    polls = f"printf '{_EXAMPLE_POLLS}'"
    return f"{polls} | curl {signed} -X PUT --data-binary @- {inbox}/polls/store_status.csv"

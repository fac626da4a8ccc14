"""SAM CLI runs the built functions in containers, against the local cloud."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.cli.client import ApiClient
from local.cli.inputs import find_inputs
from local.cli.run import upload_all
from local.cli.sample_data import SMALL, write_sample
from local.emulator.cloud import LocalCloud
from tests.built.conftest import ROOT, Builder
from tests.built.test_layers import NATIVE
from tests.e2e.conftest import PATIENCE_SECONDS
from tests.e2e.test_serve import two_free_ports

pytestmark = pytest.mark.exhaustive

EVENTS = ROOT / "events"
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
REPORT_ID = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"  # in the events
UPLOAD_ID = f"polls.{REPORT_ID}.store_status.csv"
STORES = 91
STATUS_CODES = {
    **{"create_upload": 201, "get_report": 200, "get_timeline": 200, "get_upload": 200},
    **{"healthz": 200, "list_reports": 200, "list_stores": 200, "pages": 200},
    **{"retry_report": 409, "trigger_report": 202},
}
RESULTS: dict[str, dict[str, Any] | None] = {
    "compact": {"ingests_replaced": 0, "files_deleted": 0},
    "compute_shard": {"shard": 0, "stores": STORES},
    "delete_store": {"polls_files": 0, "stores_files": 0, "reports": 0, "rejects": 0},
    "end_report": None,
    # This one keeps its message, and the other does not touch its upload.
    "fail_upload": {
        "batchItemFailures": [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d"}]
    },
    "ingest": {"batchItemFailures": []},
    "plan_and_merge": {"as_of": "2024-10-14T23:55:18.727055Z", "shards": 1},
    "start_scheduled_report": None,
    "take_back_ingest": {"errorType": "UnknownIngestError"},
    "publish_store_changes": None,
    "publish_tables": None,
}


@pytest.fixture(scope="module")
def _engine() -> None:
    """Skip tests that need a container engine if none responds."""
    # In its own process: docker leaves sockets open when it fails.
    ping = [sys.executable, "-c", "import docker; docker.from_env().ping()"]
    pinged = subprocess.run(ping, stderr=subprocess.PIPE, text=True, check=False)
    if pinged.returncode:
        reason = pinged.stderr.splitlines()[-1]
        pytest.skip(f"no container engine responds at DOCKER_HOST or its default socket: {reason}")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A running cloud that has ingested the small sample."""
    folder = tmp_path_factory.mktemp("sample") / "small"
    write_sample(folder, shape=SMALL)
    with LocalCloud(parameter_overrides={"PublishTables": "true"}) as cloud:
        upload_all(find_inputs(folder), cloud)
        yield cloud


@pytest.fixture(scope="module")
def report_id(cloud: LocalCloud) -> str:
    client = ApiClient(cloud.api_url)
    report_id = client.trigger(as_of=None)
    client.wait(report_id)
    return report_id


@pytest.fixture(scope="module")
def upload_id(cloud: LocalCloud) -> str:
    request = {"kind": "polls", "filename": "store_status.csv"}
    response = requests.post(f"{cloud.api_url}/uploads", json=request, timeout=PATIENCE_SECONDS)
    issued: str = response.json()["upload_id"]
    return issued


@pytest.fixture(scope="module")
def options(
    builder: Builder, cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """Return the options of docs/running-locally.md, with the port of this cloud."""
    variables = tmp_path_factory.mktemp("events") / "env.json"
    served = served_variables()["AWS_ENDPOINT_URL"]
    variables.write_text((EVENTS / "env.json").read_text().replace(served, cloud.endpoint_url))
    return [
        *("--template", str(builder(NATIVE) / "template.yaml")),
        *("--env-vars", str(variables)),
        *("--parameter-overrides", f"Architecture={NATIVE}"),
        *("--language-extensions", "--skip-pull-image"),
    ]


def test_variables_name_the_resources_of_make_serve(cloud: LocalCloud) -> None:
    outputs = cloud.outputs
    *_, region, account, upload_queue = outputs["UploadQueueArn"].split(":")
    assert served_variables() == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:3001",  # the port after PORT's default
        "DATA_BUCKET": outputs["DataBucketName"],
        "INBOX_BUCKET": outputs["InboxBucketName"],
        "REPORT_TABLE": outputs["ReportTableName"],
        "INGEST_TABLE": outputs["IngestTableName"],
        "UPLOAD_QUEUE_URL": f"https://sqs.{region}.amazonaws.com/{account}/{upload_queue}",
        "STATE_MACHINE_ARN": outputs["StateMachineArn"],
    }


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_invoke(name: str, options: list[str], report_id: str, upload_id: str) -> None:
    event = (EVENTS / f"{name}.json").read_text()
    event = event.replace(UPLOAD_ID, upload_id).replace(REPORT_ID, report_id)
    logical_id = name.title().replace("_", "") + "Function"
    done = subprocess.run(
        [*sam("local", "invoke", logical_id), "--event", "-", *options],
        cwd=ROOT,
        input=event,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    if name in STATUS_CODES:
        assert result["statusCode"] == STATUS_CODES[name], done.stderr
    elif (expected := RESULTS[name]) is None:
        assert result is None, done.stderr
    else:
        assert expected.items() <= result.items(), done.stderr


@pytest.mark.usefixtures("_engine")
def test_start_api(options: list[str], tmp_path: Path) -> None:
    port = two_free_ports()
    log = tmp_path / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [*sam("local", "start-api"), f"--port={port}", "--warm-containers=LAZY", *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as service,
    ):
        try:
            api = f"http://127.0.0.1:{port}"
            wait_for(api, service, log)
            client = ApiClient(api)
            report_id = client.trigger(as_of=None)
            report = client.wait(report_id)
            assert report["stores"] == STORES
            response = requests.get(
                f"{api}/get_report/{report_id}",
                headers={"Accept": "text/csv"},
                timeout=PATIENCE_SECONDS,
            )
            assert response.history[0].status_code == 303
            assert len(list(csv.DictReader(response.text.splitlines()))) == STORES
        finally:
            service.terminate()


def served_variables() -> dict[str, str]:
    variables: dict[str, str] = json.loads((EVENTS / "env.json").read_text())["Parameters"]
    return variables


def sam(*command: str) -> list[str]:
    return [sys.executable, "-m", "local.cli.sam", *command]


def wait_for(api: str, service: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until SAM CLI serves the API: it returns 403 for an unknown path."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        try:
            requests.get(f"{api}/nothing", timeout=PATIENCE_SECONDS)
        except requests.ConnectionError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"the API is not served: {log.read_text()}")

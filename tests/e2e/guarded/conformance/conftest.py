"""A deployment that is tested from outside: the one at a URL, or this folder's local cloud.

`make conformance URL=… KEY=…` names it; docs/deploying.md says what a run leaves there. A run is
safe beside the data of others: its stores have ids of their own, their polls are of 2001 and so
never the newest, and every report that it requests names its stores.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import boto3
import pytest
import requests

from local.emulator.cloud import LocalCloud
from store_monitoring.uploads import UploadTarget
from tests.e2e.conftest import Api, send_form
from tests.e2e.guarded.conftest import KEY

NO_STORE = "no-such-store"
_DEPLOYMENT = pytest.StashKey["Deployment"]()


class Deployment(Api):
    """An API under test, with the stores of one run among those of others."""

    def __init__(self, url: str, key: str | None) -> None:
        super().__init__(url, {"x-api-key": key} if key else {})
        self.prefix = f"conformance-{uuid4().hex}-"
        self.upload_ids: list[str] = []
        self.report_ids: set[str] = set()
        self.is_taken_back = False

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> requests.Response:
        """Call the API; remember what the call adds."""
        if path == "/trigger_report" and "json" in arguments:
            stores = arguments["json"].get("store_ids")
            assert stores, "a report on the stores of others"
            assert all(each == NO_STORE or each.startswith(self.prefix) for each in stores)
        response = super().request(method, path, headers, **arguments)
        if method == "POST" and response.ok:
            added = response.json()
            if path == "/uploads":
                self.upload_ids.append(added["upload_id"])
            elif path == "/trigger_report":
                self.report_ids.add(added["report_id"])
        return response

    def store(self, name: str) -> str:
        """Return the id of a store of this run."""
        return f"{self.prefix}{name}"

    def csv(self, header: str, *rows: str) -> bytes:
        """Return a file whose rows begin with the names of stores of this run."""
        return "".join([f"{header}\n", *(f"{self.prefix}{row}\n" for row in rows)]).encode()

    def upload(self, kind: str, content: bytes) -> dict[str, Any]:
        """Upload a file through a form; return its outcome."""
        form = self.create_upload(kind, f"{kind}.csv")
        response = send_form(form, content)
        assert response.status_code == 204, response.text
        return self.ended_upload(form)

    def left(self) -> list[str]:
        """Return what the run has left behind, a line each."""
        uploads = [f"upload {each}" for each in self.upload_ids]
        reports = [f"report {each}" for each in sorted(self.report_ids)]
        if not self.is_taken_back:
            uploads.insert(0, f"stores {self.prefix}…, until these uploads are taken back:")
        return uploads + reports

    def take_back(self, outputs: Mapping[str, str], client: Any) -> None:
        """Take back all uploads of this run, as operators do; afterwards its stores are unknown."""
        dynamodb, functions = client("dynamodb"), client("lambda")
        ingest_ids = set()
        for key in (UploadTarget.from_id(each).key for each in self.upload_ids):
            outcomes = dynamodb.query(
                TableName=outputs["IngestTableName"],
                KeyConditionExpression="#log = :uploads",
                ExpressionAttributeNames={"#log": "log"},
                ExpressionAttributeValues={":uploads": {"S": f"uploads/{key}"}},
            )["Items"]
            ingest_ids |= {each["ingest_id"]["S"] for each in outcomes if "ingest_id" in each}
        for ingest_id in sorted(ingest_ids):
            response = functions.invoke(
                FunctionName=outputs["TakeBackIngestFunctionName"],
                Payload=json.dumps({"ingest_id": ingest_id}).encode(),
            )
            taken_back = json.load(response["Payload"])
            assert taken_back.get("ingest_id") == ingest_id, taken_back
        self.is_taken_back = True
        for name in ("up", "down"):
            assert self.get("/timeline", params={"store_id": self.store(name)}).status_code == 404


@pytest.fixture(scope="package")
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """The API that is tested; at the end, what was uploaded is taken back if that is possible."""
    url, key, stack = (os.environ.get(f"CONFORMANCE_{each}") for each in ("URL", "KEY", "STACK"))
    outputs: Mapping[str, str] = {}
    client: Any = boto3.client
    if not url:
        cloud: LocalCloud = request.getfixturevalue("guarded").cloud
        url, key, outputs, client = cloud.api_url, KEY, cloud.outputs, cloud.client
    elif stack:
        [described] = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in described["Outputs"]}
        assert url.rstrip("/") == outputs["ApiUrl"], "STACK has another URL"
    deployment = request.config.stash[_DEPLOYMENT] = Deployment(url, key)
    yield deployment
    if outputs:
        deployment.take_back(outputs, client)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what a run left in a deployment that was given."""
    deployment = config.stash.get(_DEPLOYMENT, None)
    if deployment is None or not os.environ.get("CONFORMANCE_URL"):
        return
    terminalreporter.section(f"left at {deployment.url}")
    for line in deployment.left():
        terminalreporter.line(line)


@pytest.fixture(scope="package")
def stranger(deployment: Deployment) -> Api:
    """A client without the key."""
    if not deployment.headers:
        pytest.skip("no KEY was given")
    return Api(deployment.url)

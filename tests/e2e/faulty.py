"""Checks that hold for reports and uploads whatever fails."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import requests

from local.emulator.cloud import LocalCloud
from local.emulator.faults import Fault
from tests.e2e.conftest import PATIENCE_SECONDS, User, until
from tests.e2e.inputs import NOW, Inputs, a_few_stores, a_store_in_each_bucket
from tests.oracle import Poll

MANY_SHARDS = 41  # the fewest for a Distributed Map
_SMALL_SHARDS = {"ShardPolls": "1", "MapConcurrency": "4"}
_ATTEMPTS = 4  # how often a user requests a report before giving up
_CLOSE_SECONDS = 5  # longer than an event and its function's three attempts
_LONG_AGO = "2024-01-01T00:00:00.000000Z"
_STEP = re.compile(
    r"(plan|record the plan|shard|compute the shards|merge|mark the report complete)( \d+)?"
)
_NO_STEP = re.compile(r"the report's execution (no longer exists|is [A-Z_]+|could not be started)")


@dataclass
class Trials:
    """A local cloud with injected faults, and its uploaded inputs.

    At its end, each trial checks that the report is Complete, with the bytes that the oracle
    computes from the same inputs, or Failed with a reason that names the step; that no other report
    is Running; that each upload is committed once; and that a later report is correct.
    """

    user: User
    inputs: Inputs = field(default_factory=a_few_stores)
    _correct: set[bytes] = field(default_factory=set)

    def ingest(self) -> None:
        """Upload all inputs and make a report, so that all functions are warm."""
        for key, content in self.inputs.files().items():
            assert self.user.upload(key, content)["status"] == "Committed"
        self.now_has(self.inputs)

    def now_has(self, inputs: Inputs) -> None:
        """Check that a report is of these inputs: all that are ingested by now."""
        self.inputs = inputs
        self._correct = {inputs.report()}
        self.check_a_later_report()

    @contextmanager
    def faults(self, *faults: Fault, seed: int = 0) -> Iterator[None]:
        """Inject faults for a while; unless they are random, at least one must occur."""
        self.user.cloud.inject(*faults, seed=seed)
        try:
            yield
            assert self.user.cloud.injected_faults() or any(
                fault.probability < 1 for fault in faults
            )
        finally:
            self.user.cloud.inject()

    def report(self, *faults: Fault) -> str:
        """Request a report while faults are injected; return its outcome.

        Returns
        -------
        str
            "Complete", "refused", or the failed step and the error.
        """
        with self.faults(*faults):
            report_id = self._request_report()
        return self._end(report_id)

    def upload(self, key: str, content: bytes, after: Inputs, *faults: Fault) -> str:
        """Upload a file while faults are injected; return its outcome.

        Parameters
        ----------
        after : Inputs
            The inputs once it is ingested.

        Returns
        -------
        str
            "ingested", or "given up" if it had to be uploaded again.
        """
        with self.faults(*faults):
            ingested = self._wait_for_ingest(key, self._put(key, content, after))
        return self._settle(ingested, key, content, after)

    def both(self, key: str, content: bytes, after: Inputs, *faults: Fault, seed: int) -> str:
        """Upload a file and request a report at once, while faults are injected at random."""
        with self.faults(*faults, seed=seed):
            version_id = self._put(key, content, after)
            report_id = self._request_report()
            ingested = self._wait_for_ingest(key, version_id)
        outcome = self._end(report_id)
        return f"{outcome}, {self._settle(ingested, key, content, after)}"

    # --- reports ----------------------------------------------------------------------------

    def _request_report(self) -> str | None:
        """Request a report, in several attempts; poll it until its execution has ended."""
        headers = {"Idempotency-Key": str(uuid4())}
        for _ in range(_ATTEMPTS):
            response = self.user.post(
                "/trigger_report", json={"as_of": f"{NOW:%FT%TZ}"}, headers=headers
            )
            if response.status_code == 202:
                report_id: str = response.json()["report_id"]
                until(partial(self._has_ended, report_id))
                return report_id
            assert response.status_code in (502, 503), response.text
        return None

    def _has_ended(self, report_id: str) -> bool | None:
        """Check the response about a report; return whether its execution had ended before."""
        is_executing = self._is_executing(report_id)
        self._check_response(self.user.get(f"/get_report/{report_id}"))
        return None if is_executing else True

    def _check_response(self, response: requests.Response) -> None:
        if response.status_code == 200 and response.json()["status"] == "Complete":
            file = requests.get(response.json()["url"], timeout=PATIENCE_SECONDS)
            assert file.content in self._correct
        elif response.status_code == 200:
            assert "url" not in response.json()
        else:
            assert response.status_code in (502, 503), response.text

    def _end(self, report_id: str | None) -> str:
        outcome = "refused" if report_id is None else self._outcome(report_id)
        for report in self.user.get("/reports", params={"limit": 5}).json()["reports"]:
            if report["status"] == "Running":
                self.wait_for_execution(report["report_id"])
                self._outcome(report["report_id"])
        self.check_a_later_report()
        return outcome

    def _outcome(self, report_id: str) -> str:
        """Return the outcome of a report whose execution has ended."""
        try:
            until(lambda: self.row(report_id)["status"]["S"] != "Running" or None, _CLOSE_SECONDS)
        except TimeoutError:
            self.backdate_start(report_id)
        response = self.user.get(f"/get_report/{report_id}")
        self._check_response(response)
        body = response.json()
        if body["status"] == "Complete":
            return "Complete"
        assert body["status"] == "Failed", body
        file = self.user.get(f"/get_report/{report_id}", params={"download": "true"})
        assert file.status_code == 409
        error = body["error"]
        if "step" not in error:
            assert _NO_STEP.fullmatch(error["message"]), body
            return f"execution: {error['code']}"
        step = _STEP.fullmatch(error["step"])
        assert step, body
        return f"{step[1]}: {error['code']}"

    def check_a_later_report(self) -> None:
        """Make a report without faults, and check it."""
        assert self.user.report(as_of=f"{NOW:%FT%TZ}") in self._correct

    def _is_executing(self, report_id: str) -> bool:
        client = self.user.cloud.client("stepfunctions")
        machine = self.user.cloud.outputs["StateMachineArn"]
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{report_id}"
        try:
            return client.describe_execution(executionArn=arn)["status"] == "RUNNING"
        except client.exceptions.ExecutionDoesNotExist:
            return False

    def wait_for_execution(self, report_id: str) -> None:
        """Wait until a report's first execution has ended."""
        until(lambda: not self._is_executing(report_id) or None)

    def row(self, report_id: str) -> dict[str, Any]:
        """Return a report's item in the table."""
        return self.user.cloud.client("dynamodb").get_item(
            TableName=self.user.cloud.outputs["ReportTableName"],
            Key={"report_id": {"S": report_id}},
        )["Item"]

    def backdate_start(self, report_id: str) -> None:
        """Set a report's start to long ago."""
        self.user.cloud.client("dynamodb").update_item(
            TableName=self.user.cloud.outputs["ReportTableName"],
            Key={"report_id": {"S": report_id}},
            UpdateExpression="SET started_at = :then",
            ExpressionAttributeValues={":then": {"S": _LONG_AGO}},
        )

    # --- uploads ----------------------------------------------------------------------------

    def _put(self, key: str, content: bytes, after: Inputs) -> str:
        """Upload a file; return its version."""
        self._correct.add(after.report())
        return self.user.put(key, content)

    def _wait_for_ingest(self, key: str, version_id: str) -> bool:
        """Wait until a file is ingested or given up; return whether it is ingested."""
        outcome = until(lambda: self.user.outcome(key, version_id))
        return outcome["status"] in ("Committed", "Unchanged")

    def _settle(self, ingested: bool, key: str, content: bytes, after: Inputs) -> str:
        if not ingested:
            outcome = self.user.upload(key, content)
            assert outcome["status"] in ("Committed", "Unchanged"), outcome
        self.now_has(after)
        assert self._polls_stored() == sorted(_text(poll) for poll in after.polls)
        return "ingested" if ingested else "given up"

    def _polls_stored(self) -> list[str]:
        """Return all polls of all files that are committed in the ingest table."""
        cloud = self.user.cloud
        entries = cloud.client("dynamodb").query(
            TableName=cloud.outputs["IngestTableName"],
            KeyConditionExpression="#log = :polls",
            ExpressionAttributeNames={"#log": "log"},
            ExpressionAttributeValues={":polls": {"S": "polls"}},
        )["Items"]
        s3, bucket = cloud.client("s3"), cloud.outputs["DataBucketName"]
        polls = []
        for entry in entries:
            for file in entry["files"]["L"]:
                number = int(file["M"]["bucket"]["N"])
                key = f"polls/bucket={number:03d}/{entry['entry']['S']}.parquet"
                content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                polls += pq.read_table(io.BytesIO(content)).to_pylist()
        return sorted(
            _text(Poll(poll["store_id"], poll["timestamp"], poll["active"])) for poll in polls
        )


@contextmanager
def trials_with_few_shards() -> Iterator[Trials]:
    """A cloud in which a report has two shards, which an inline Map computes."""
    with LocalCloud(parameter_overrides={"BucketCount": "2"} | _SMALL_SHARDS) as cloud:
        trials = Trials(User(cloud))
        trials.ingest()
        yield trials


@contextmanager
def trials_with_many_shards() -> Iterator[Trials]:
    """A cloud in which a report has so many shards that a Distributed Map computes them."""
    buckets = {"BucketCount": str(MANY_SHARDS)}
    with LocalCloud(parameter_overrides=buckets | _SMALL_SHARDS) as cloud:
        trials = Trials(User(cloud), a_store_in_each_bucket(MANY_SHARDS))
        trials.ingest()
        yield trials


def _text(poll: Poll) -> str:
    return f"{poll.store_id} {poll.timestamp:%FT%T} {poll.active}"

"""A report is Failed if its execution ended unexpectedly; a Failed report can be retried."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import requests

from local.emulator.faults import Fault, Kind
from tests.e2e.conftest import PATIENCE_SECONDS, User, until
from tests.e2e.faulty import Trials
from tests.e2e.inputs import NOW

AS_OF = {"as_of": f"{NOW:%FT%TZ}"}
ABORTED = Fault(Kind.ABORTED, "StepFunctions states:EnterState Merge", nth=1)
NOT_CLOSED = Fault(Kind.KILLED, "local-EndReportFunction-* dynamodb:UpdateItem")
SHARD_KILLED = Fault(
    Kind.KILLED, "local-ComputeShardFunction-* s3:PutObject */parts/v2-00001.parquet"
)
ABORTED_REASON = {"code": "ABORTED", "message": "the report's execution is ABORTED"}


# --- nothing stays Running ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.LOST, Kind.KILLED])
def test_a_report_is_closed_when_its_execution_ends(trials: Trials, user: User, kind: Kind) -> None:
    fault = Fault(kind, "local-EndReportFunction-* dynamodb:UpdateItem", nth=1)
    with trials.faults(ABORTED, fault):
        report_id = user.trigger(**AS_OF)
        until(lambda: is_closed(user, report_id) or None)
        assert len(user.cloud.injected_faults()) == 2
    assert user.ended(report_id)["error"] == ABORTED_REASON


def test_get_report_closes_a_report_that_was_left_running(trials: Trials, user: User) -> None:
    report_id = left_running(trials)
    assert user.get(f"/get_report/{report_id}").json()["status"] == "Running"
    trials.backdate_start(report_id)
    response = user.get(f"/get_report/{report_id}").json()
    assert (response["status"], response["error"]) == ("Failed", ABORTED_REASON)


def test_list_reports_closes_a_report_that_was_left_running(trials: Trials, user: User) -> None:
    report_id = left_running(trials)
    trials.backdate_start(report_id)
    assert listed(user, report_id)["error"] == ABORTED_REASON
    assert trials.row(report_id)["status"]["S"] == "Failed"


def test_retry_closes_a_report_that_was_left_running(trials: Trials, user: User) -> None:
    report_id = left_running(trials)
    trials.backdate_start(report_id)
    assert user.post(f"/reports/{report_id}/retry").status_code == 202
    assert user.ended(report_id)["status"] == "Complete"


@pytest.mark.parametrize("lists", [False, True], ids=["get_report", "list_reports"])
def test_a_report_whose_execution_vanished_is_failed_with_that_reason(
    trials: Trials, user: User, lists: bool
) -> None:
    report_id = str(uuid4())
    row = trials.row(user.trigger(**AS_OF))
    row |= {"report_id": {"S": report_id}, "execution": {"S": report_id}}
    row |= {"status": {"S": "Running"}}
    user.cloud.client("dynamodb").put_item(
        TableName=user.cloud.outputs["ReportTableName"], Item=row
    )
    trials.backdate_start(report_id)
    found = listed(user, report_id) if lists else user.get(f"/get_report/{report_id}").json()
    assert found["status"] == "Failed"
    assert found["error"]["code"] == "ExecutionDoesNotExist"


def is_closed(user: User, report_id: str) -> bool:
    """Return whether end_report has finished, so that later faults do not affect it."""
    lines = user.cloud.logs("EndReportFunction").splitlines()
    return any("report ended" in line and report_id in line for line in lines)


def left_running(trials: Trials) -> str:
    """Abort a report's execution so that the report stays Running; return its id."""
    with trials.faults(ABORTED, NOT_CLOSED):
        report_id = trials.user.trigger(**AS_OF)
        # Lambda calls the function three times, then gives up.
        until(lambda: len(trials.user.cloud.injected_faults()) >= 4 or None)
    assert trials.row(report_id)["status"]["S"] == "Running"
    return report_id


def listed(user: User, report_id: str) -> dict[str, Any]:
    """Return a report's entry in the list of reports."""
    reports = user.get("/reports", params={"limit": 100}).json()["reports"]
    [report] = [report for report in reports if report["report_id"] == report_id]
    return report


# --- retry ----------------------------------------------------------------------------------


@pytest.fixture
def failed(trials: Trials, user: User) -> str:
    """A report that failed because its execution was aborted before Merge."""
    with trials.faults(ABORTED):
        report_id = user.trigger(**AS_OF)
        until(lambda: is_closed(user, report_id) or None)
    assert user.ended(report_id)["status"] == "Failed"
    return report_id


@pytest.fixture
def failed_in_a_shard(trials: Trials, user: User) -> str:
    """A report that failed because one shard could not be computed."""
    with trials.faults(SHARD_KILLED):
        report_id = user.trigger(**AS_OF)
        response = user.ended(report_id)
        assert response["error"]["step"] == "shard 1", response
        # The other shard may still be running.
        until(
            lambda: f"reports/{report_id}/parts/v2-00000.parquet" in keys(user, report_id) or None
        )
        trials.wait_for_execution(report_id)
    return report_id


def test_a_retry_resumes_where_the_report_failed(
    trials: Trials, user: User, failed_in_a_shard: str
) -> None:
    failed = failed_in_a_shard
    # Slow writes change no result; as injected faults, they show which parts are written.
    with trials.faults(Fault(Kind.SLOW, "local-ComputeShardFunction-* s3:PutObject *")):
        retried = user.post(f"/reports/{failed}/retry")
        assert retried.status_code == 202
        assert retried.json() == {"report_id": failed, "status": "Running"}
        response = user.ended(failed)
        # A shard may be computed twice, and a report of an earlier test may still run.
        calls = user.cloud.injected_faults()
        written = {call.rpartition("/")[2] for call in calls if f"/reports/{failed}/" in call}
    assert response["status"] == "Complete", response
    assert requests.get(response["url"], timeout=PATIENCE_SECONDS).content == trials.inputs.report()
    assert trials.row(failed)["attempt"]["N"] == "2"
    assert written == {"v2-00001.parquet"}


def test_a_report_can_be_retried_until_it_is_complete(
    trials: Trials, user: User, failed: str
) -> None:
    with trials.faults(
        Fault(Kind.KILLED, "local-PlanAndMergeFunction-* s3:PutObject */report.csv")
    ):
        user.post(f"/reports/{failed}/retry")
        assert user.ended(failed)["error"]["step"] == "merge"
    assert user.post(f"/reports/{failed}/retry").status_code == 202
    assert user.ended(failed)["status"] == "Complete"
    assert trials.row(failed)["attempt"]["N"] == "3"


def test_simultaneous_retries_start_one_execution(user: User, failed: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: user.post(f"/reports/{failed}/retry"), range(20)))
    assert {response.status_code for response in responses} <= {202, 409}
    assert any(response.status_code == 202 for response in responses)
    assert user.ended(failed)["status"] == "Complete"
    machine = user.cloud.outputs["StateMachineArn"]
    pages = user.cloud.client("stepfunctions").get_paginator("list_executions")
    names = [
        execution["name"]
        for page in pages.paginate(stateMachineArn=machine)
        for execution in page["executions"]
    ]
    assert sorted(name for name in names if name.startswith(failed)) == [failed, f"{failed}-2"]


def test_a_late_event_of_the_first_execution_does_not_affect_the_second(
    user: User, trials: Trials, failed: str
) -> None:
    [end_report] = [
        function["FunctionName"]
        for function in user.cloud.client("lambda").list_functions()["Functions"]
        if function["FunctionName"].endswith("EndReportFunction")
    ]
    late = {"detail": {"name": failed, "status": "ABORTED"}}
    slow = Fault(
        Kind.SLOW, "StepFunctions lambda:Invoke local-PlanAndMergeFunction merge", seconds=600
    )
    with trials.faults(slow):  # it ends with this block
        user.post(f"/reports/{failed}/retry")
        until(lambda: user.cloud.injected_faults() or None)
        closed = user.cloud.client("lambda").invoke(
            FunctionName=end_report, Payload=json.dumps(late)
        )
        assert "FunctionError" not in closed
        assert trials.row(failed)["status"]["S"] == "Running"
    assert user.ended(failed)["status"] == "Complete"


def test_a_retry_that_cannot_start_can_be_retried(trials: Trials, user: User, failed: str) -> None:
    with trials.faults(Fault(Kind.THROTTLED, "local-RetryReportFunction-* states:*")):
        assert user.post(f"/reports/{failed}/retry").status_code == 503
    assert user.ended(failed)["error"]["code"] == "NotStarted"
    assert user.post(f"/reports/{failed}/retry").status_code == 202
    assert user.ended(failed)["status"] == "Complete"


@pytest.mark.parametrize("kind", [Kind.LOST, Kind.TWICE])
def test_a_retry_that_is_recorded_twice_starts_its_execution(
    trials: Trials, user: User, failed: str, kind: Kind
) -> None:
    with trials.faults(Fault(kind, "local-RetryReportFunction-* dynamodb:UpdateItem", nth=1)):
        assert user.post(f"/reports/{failed}/retry").status_code == 202
    assert user.ended(failed)["status"] == "Complete"


def test_only_a_failed_report_can_be_retried(user: User) -> None:
    report_id = user.trigger(**AS_OF)
    user.ended(report_id)
    response = user.post(f"/reports/{report_id}/retry")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "report_not_failed")
    response = user.post(f"/reports/{uuid4()}/retry")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_report")
    response = user.post("/reports/nonsense/retry")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "malformed_report_id")


def keys(user: User, report_id: str) -> set[str]:
    """Return the keys of a report's objects."""
    listing = user.cloud.client("s3").list_objects_v2(
        Bucket=user.cloud.outputs["DataBucketName"], Prefix=f"reports/{report_id}/"
    )
    return {item["Key"] for item in listing["Contents"]}

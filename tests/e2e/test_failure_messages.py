"""Error messages never expose the texts of AWS services or libraries."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from local.emulator.cloud import LocalCloud
from local.emulator.faults import Fault, Kind
from store_monitoring.reports.failures import public_message
from tests.e2e.conftest import User, until
from tests.permissions import unrecorded

POLLS = (
    b"store_id,status,timestamp_utc\n"
    b"1,active,2024-10-14 12:00:00 UTC\n"
    b"4,active,2024-10-14 12:00:00 UTC\n"
)
# ARNs and accounts, names of resources, other services' and libraries' texts, and traces.
FOREIGN = re.compile(
    r"arn:|\d{12}|amazonaws|\blocal-\w|botocore|boto3|pyarrow|127\.0\.0\.1|Traceback|File \""
    r"|[a-z]Exception\b|An error occurred|\bAWS\b|is not authorized"
)
UPLOAD_ID = f"polls.{uuid4()}.store_status.csv"
NO_REPORT = str(uuid4())
CALLS = {
    "TriggerReportFunction": [("POST", "/trigger_report"), ("GET", "/trigger_report")],
    "GetReportFunction": [("GET", "/get_report/{report_id}"), ("GET", f"/get_report/{NO_REPORT}")],
    "ListReportsFunction": [("GET", "/reports")],
    "RetryReportFunction": [("POST", "/reports/{report_id}/retry")],
    "GetTimelineFunction": [
        ("GET", "/timeline?store_id=1"),
        ("GET", "/timeline?store_id=1&report_id={report_id}"),
    ],
    "ListStoresFunction": [("GET", "/stores"), ("GET", "/reports/{report_id}/stores")],
    "GetUploadFunction": [("GET", "/uploads"), ("GET", f"/uploads/{UPLOAD_ID}")],
    "HealthzFunction": [("GET", "/healthz")],
}
NOWHERE = {
    name: f"{name.lower().replace('_', '-')}-123456789012"
    for name in ("DATA_BUCKET", "INGEST_TABLE", "REPORT_TABLE")
}


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with unrecorded():  # some calls are denied on purpose
        # A shard for each store.
        cloud = LocalCloud(parameter_overrides={"ShardPolls": "1", "BucketCount": "2"})
    with cloud:
        user = User(cloud)
        assert user.upload("polls/store_status.csv", POLLS)["status"] == "Committed"
        yield user


@pytest.fixture(scope="module")
def report_id(user: User) -> str:
    report_id = user.trigger()
    assert user.ended(report_id)["status"] == "Complete"
    return report_id


def check(body: Any) -> None:
    """Check that no text of a response is foreign, except in links."""
    match body:
        case dict():
            for name, value in body.items():
                if name == "code":
                    assert re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z]\w*)?", value)
                elif name not in ("url", "urls"):
                    check(value)
        case list():
            for value in body:
                check(value)
        case str():
            assert not FOREIGN.search(body), body


@contextmanager
def faults(user: User, *faults: Fault) -> Iterator[None]:
    user.cloud.inject(*faults)
    try:
        yield
    finally:
        user.cloud.inject()


@contextmanager
def without_rights(user: User, logical_id: str, *variables: str) -> Iterator[None]:
    """Point a function at resources that its role does not name: a permanent error."""
    client = user.cloud.client("lambda")
    name = f"local-{logical_id}"
    function = client.get_function_configuration(FunctionName=name)
    before = function["Environment"]["Variables"]
    nowhere = {variable: NOWHERE[variable] for variable in variables or NOWHERE}
    update = client.update_function_configuration
    update(FunctionName=name, Environment={"Variables": before | nowhere})
    try:
        yield
    finally:
        update(FunctionName=name, Environment={"Variables": before})


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        *((function, Kind.BROKEN) for function in CALLS),
        *(("GetReportFunction", kind) for kind in (Kind.THROTTLED, Kind.RESET, Kind.KILLED)),
        *(
            pytest.param(function, kind, marks=pytest.mark.exhaustive)
            for function in CALLS
            for kind in (Kind.THROTTLED, Kind.RESET, Kind.KILLED)
            if function != "GetReportFunction"
        ),
    ],
)
def test_calls_while_services_fail(user: User, report_id: str, function: str, kind: Kind) -> None:
    for method, path in CALLS[function]:
        with faults(user, Fault(kind, f"local-{function}-* *")):
            response = user.request(method, path.format(report_id=report_id))
        assert response.status_code in (200, 500, 502, 503), response.text
        check(response.json())


@pytest.mark.parametrize(
    "function",
    [
        *("GetReportFunction", "GetTimelineFunction"),
        *(
            pytest.param(function, marks=pytest.mark.exhaustive)
            for function in CALLS
            if function not in ("GetReportFunction", "GetTimelineFunction")
        ),
    ],
)
def test_calls_without_permissions(user: User, report_id: str, function: str) -> None:
    with without_rights(user, function):
        for method, path in CALLS[function]:
            response = user.request(method, path.format(report_id=report_id))
            assert response.status_code in (500, 503), response.text
            check(response.json())


def check_failed(user: User) -> dict[str, Any]:
    """Make a report that fails; return the response."""
    report_id = user.trigger()
    response = user.ended(report_id)
    assert response["status"] == "Failed"
    check(response)
    [entry] = (
        report
        for report in user.get("/reports").json()["reports"]
        if report["report_id"] == report_id
    )
    check(entry)
    assert entry["error"] == response["error"]
    return response


@pytest.mark.parametrize("function", ["ComputeShardFunction", "PlanAndMergeFunction"])
def test_a_report_whose_step_has_no_permissions(user: User, function: str) -> None:
    with without_rights(user, function):
        check_failed(user)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.KILLED, "local-ComputeShardFunction-* *"),
        Fault(Kind.KILLED, "local-PlanAndMergeFunction-* *"),
        Fault(Kind.ABORTED, "StepFunctions states:EnterState Merge"),
        Fault(Kind.TIMED_OUT, "StepFunctions states:EnterState Merge"),
        Fault(Kind.BROKEN, "StepFunctions dynamodb:UpdateItem", nth=1),
    ],
    ids=lambda fault: f"{fault.kind} {fault.call}",
)
def test_a_report_with_an_injected_fault(user: User, fault: Fault) -> None:
    with faults(user, fault):
        report_id = user.trigger()
        response = user.ended(report_id)
    check(response)
    check(user.get("/reports").json())


def test_the_table_keeps_the_original_error(user: User) -> None:
    with without_rights(user, "PlanAndMergeFunction"):
        response = check_failed(user)
    assert response["error"]["message"] == public_message(response["error"]["code"])
    assert response["error"]["step"] == "plan"
    item = user.dynamodb.get_item(
        TableName=user.cloud.outputs["ReportTableName"],
        Key={"report_id": {"S": response["report_id"]}},
    )["Item"]
    assert FOREIGN.search(json.dumps(item))


def test_an_upload_whose_ingest_fails(user: User) -> None:
    request = {"kind": "polls", "filename": "x.csv"}
    form = user.post("/uploads", json=request).json()

    def outcome() -> dict[str, Any] | None:
        upload: dict[str, Any] = user.get(f"/uploads/{form['upload_id']}").json()
        return None if upload["status"] == "Pending" else upload

    with without_rights(user, "IngestFunction", "DATA_BUCKET"):
        bucket, key = user.cloud.outputs["InboxBucketName"], form["fields"]["key"]
        user.s3.put_object(Bucket=bucket, Key=key, Body=POLLS + b"2,active,2024-10-14 12:00:00\n")
        check(until(outcome))

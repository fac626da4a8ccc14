"""The local cloud behaves like AWS, whatever functions do."""

import base64
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from local.emulator.cloud import LocalCloud

STACK = Path(__file__).parent / "fixtures" / "local_cloud"
LARGEST_RESULT_BYTES = 6_291_556


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(STACK / "template.yaml", {"Greeting": "good day"}) as cloud:
        yield cloud


@dataclass(frozen=True, slots=True)
class Result:
    value: Any
    error: str | None


Invoke = Callable[..., Result]


@pytest.fixture(scope="module")
def invoke(cloud: LocalCloud) -> Invoke:
    functions = cloud.client("lambda")

    def invoke(function: str, **event: Any) -> Result:
        response = functions.invoke(FunctionName=f"local-{function}", Payload=json.dumps(event))
        return Result(json.load(response["Payload"]), response.get("FunctionError"))

    return invoke


def eventually(look: Callable[[], Any], seconds: float = 600) -> Any:
    """Poll until there is a result."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, "no result"
        time.sleep(0.02)
    return seen


def objects(cloud: LocalCloud, prefix: str) -> list[Any]:
    s3, bucket = cloud.client("s3"), cloud.outputs["RecordsBucket"]
    listing = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [
        s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        for item in listing.get("Contents", [])
    ]


# --- Lambda ---------------------------------------------------------------------------------------


def test_a_function_runs_as_the_template_defines(invoke: Invoke) -> None:
    value = invoke("DescribeFunction", question="who?").value

    assert value["event"] == {"question": "who?"}
    assert value["function"] == "local-DescribeFunction"
    assert value["memory_mb"] == 192
    assert 200_000 < value["remaining_ms"] <= 300_000
    assert value["layer"] == "layer"
    assert value["folder"] == str(STACK / "functions")
    variables = value["variables"]
    assert variables["GREETING"] == "good day"
    assert variables["TABLE"] == "local-ItemTable"
    assert variables["TABLE_ARN"].endswith(":table/local-ItemTable")
    assert variables["RECORDS_BUCKET"] == "local-recordsbucket"
    assert variables["LAMBDA_TASK_ROOT"] == str(STACK / "functions")
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "192"
    assert variables["AWS_REGION"] == "us-east-1"
    assert value["temporary_folder"] == variables["TMPDIR"]
    assert "PYTEST_CURRENT_TEST" not in variables


def test_a_warm_start_reuses_the_process(invoke: Invoke) -> None:
    assert invoke("DescribeFunction").value["pid"] == invoke("DescribeFunction").value["pid"]


def test_packages_that_only_this_machine_has_cannot_be_imported(invoke: Invoke) -> None:
    value = invoke("DescribeFunction", names=["awscrt", "OpenSSL", "pandas", "botocore"]).value

    assert value["importable"] == ["botocore"]


def test_a_pool_grows_to_a_limit_and_then_queues(invoke: Invoke, tmp_path: Path) -> None:
    limit = max(2, os.cpu_count() or 1)
    request = {"do": "meet", "folder": str(tmp_path), "count": limit}
    with ThreadPoolExecutor(limit + 3) as callers:
        calls = [callers.submit(invoke, "MisbehaveFunction", **request) for _ in range(limit + 3)]
    pids = {call.result().value["pid"] for call in calls}

    assert len(pids) == limit


def test_lines_of_calls_at_the_same_time_do_not_mix(cloud: LocalCloud, invoke: Invoke) -> None:
    request = {"do": "print", "lines": 2_000, "length": 500}
    with ThreadPoolExecutor(2) as callers:
        for call in [callers.submit(invoke, "MisbehaveFunction", **request) for _ in range(2)]:
            assert call.result().error is None
    lines = [line for line in cloud.logs("MisbehaveFunction").splitlines() if "a line of" in line]

    assert lines == 4_000 * [f"a line of {500 * 'x'}"]


def test_a_raised_exception_is_reported_by_its_name(cloud: LocalCloud, invoke: Invoke) -> None:
    result = invoke("MisbehaveFunction", do="raise")

    assert result.error == "Unhandled"
    assert result.value["errorType"] == "PermanentError"
    assert result.value["errorMessage"] == "as asked"
    assert "misbehave.py" in result.value["stackTrace"][0]
    assert "PermanentError: as asked" in cloud.logs("MisbehaveFunction")


def test_a_result_that_looks_like_an_error_is_not_one(invoke: Invoke) -> None:
    result = invoke("MisbehaveFunction", do="look like an error")

    assert result == Result({"errorType": "NotAnError", "errorMessage": "only a result"}, None)


def test_a_time_out_ends_the_environment(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("HastyFunction", do="meet", folder=str(tmp_path), count=2)
    [pid] = [path.name for path in tmp_path.iterdir()]

    assert result.error == "Unhandled"
    assert result.value["errorType"] == "Sandbox.Timedout"
    assert result.value["errorMessage"] == "Task timed out after 1.00 seconds"
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    eventually(lambda: invoke("HastyFunction").error is None)


@pytest.mark.parametrize(
    ("request_", "error_type"),
    [
        ({"do": "exit"}, "Runtime.ExitError"),
        ({"do": "return a set"}, "Runtime.MarshalError"),
        (
            {"do": "return a string", "length": LARGEST_RESULT_BYTES - 1},
            "Function.ResponseSizeTooLarge",
        ),
    ],
)
def test_failures_have_the_names_of_lambda(
    invoke: Invoke, request_: dict[str, Any], error_type: str
) -> None:
    result = invoke("MisbehaveFunction", **request_)

    assert result.error == "Unhandled"
    assert result.value["errorType"] == error_type
    assert invoke("MisbehaveFunction").error is None


def test_the_largest_result_arrives(invoke: Invoke) -> None:
    result = invoke("MisbehaveFunction", do="return a string", length=LARGEST_RESULT_BYTES - 2)

    assert len(result.value) == LARGEST_RESULT_BYTES - 2


def test_code_that_cannot_be_imported(invoke: Invoke) -> None:
    result = invoke("BrokenFunction")

    assert result.error == "Unhandled"
    assert result.value["errorType"] == "Runtime.ImportModuleError"
    assert "no_such_module" in result.value["errorMessage"]


@pytest.mark.parametrize(
    ("invocation", "limit_bytes"), [("RequestResponse", 6_291_456), ("Event", 1_048_576)]
)
def test_a_request_that_is_too_large_is_refused(
    cloud: LocalCloud, invocation: str, limit_bytes: int
) -> None:
    with pytest.raises(ClientError) as refusal:
        cloud.client("lambda").invoke(
            FunctionName="local-MisbehaveFunction",
            InvocationType=invocation,
            Payload=json.dumps("x" * limit_bytes),
        )

    assert refusal.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_an_unknown_function(cloud: LocalCloud) -> None:
    functions = cloud.client("lambda")

    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName="local-NoSuchFunction")


def test_a_changed_configuration_applies_to_the_next_call(
    cloud: LocalCloud, invoke: Invoke
) -> None:
    before = invoke("DescribeFunction").value
    cloud.client("lambda").update_function_configuration(
        FunctionName="local-DescribeFunction", Environment={"Variables": {"GREETING": "bye"}}
    )
    after = invoke("DescribeFunction").value

    assert after["variables"]["GREETING"] == "bye"
    assert after["pid"] != before["pid"]
    eventually(lambda: not Path(f"/proc/{before['pid']}").exists())


@pytest.mark.parametrize(("failures", "attempts"), [(0, 1), (1, 2), (9, 3)])
def test_an_event_is_accepted_at_once_and_retried_twice(
    cloud: LocalCloud, failures: int, attempts: int
) -> None:
    name = uuid.uuid4().hex
    response = cloud.client("lambda").invoke(
        FunctionName="local-FlakyFunction",
        InvocationType="Event",
        Payload=json.dumps({"name": name, "failures": failures, "after": f"go/{name}"}),
    )

    assert response["StatusCode"] == 202
    assert not objects(cloud, f"attempts/{name}/")
    cloud.client("s3").put_object(Bucket=cloud.outputs["RecordsBucket"], Key=f"go/{name}")
    eventually(lambda: len(objects(cloud, f"attempts/{name}/")) == attempts)


# --- S3 -------------------------------------------------------------------------------------------


def test_an_upload_calls_its_function_and_does_not_wait_for_it(cloud: LocalCloud) -> None:
    s3, inbox = cloud.client("s3"), cloud.outputs["InboxBucket"]
    hold = {"Bucket": cloud.outputs["RecordsBucket"], "Key": "hold"}
    key = f"in/{uuid.uuid4().hex} ü.csv"

    def uploads() -> list[Any]:
        events = [json.loads(record) for record in objects(cloud, "events/")]
        return [event["Records"][0] for event in events if "Records" in event]

    s3.put_object(**hold)
    s3.put_object(Bucket=inbox, Key="elsewhere/other.csv", Body=b"other")
    s3.put_object(Bucket=inbox, Key=key, Body=b"content")

    assert not uploads()
    s3.delete_object(**hold)
    (record,) = eventually(uploads)
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["s3"]["bucket"]["name"] == inbox
    assert record["s3"]["object"]["key"] == key.replace(" ", "+").replace("ü", "%C3%BC")
    assert record["s3"]["object"]["size"] == len(b"content")


# --- Step Functions and EventBridge ---------------------------------------------------------------


def start(cloud: LocalCloud, **test: Any) -> str:
    return cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.outputs["Machine"], input=json.dumps(test)
    )["executionArn"]


def outcome(cloud: LocalCloud, execution: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = cloud.client("stepfunctions").describe_execution(executionArn=execution)
        return None if found["status"] == "RUNNING" else found

    return eventually(look)


def put_items(cloud: LocalCloud, items: list[dict[str, Any]]) -> str:
    key = f"items/{uuid.uuid4().hex}.json"
    cloud.client("s3").put_object(
        Bucket=cloud.outputs["RecordsBucket"], Key=key, Body=json.dumps(items)
    )
    return key


def test_retry_sees_the_name_of_the_exception(cloud: LocalCloud) -> None:
    end = outcome(cloud, start(cloud, test="retry", name=uuid.uuid4().hex, failures=1))

    assert end["status"] == "SUCCEEDED"
    assert json.loads(end["output"]) == {"attempts": 2}


def test_catch_sees_the_name_of_the_exception_and_its_report(cloud: LocalCloud) -> None:
    end = outcome(cloud, start(cloud, test="catch", do="raise"))

    error = json.loads(end["output"])["error"]
    assert error["Error"] == "PermanentError"
    assert json.loads(error["Cause"])["errorMessage"] == "as asked"


def test_an_uncaught_name_goes_to_the_next_catcher(cloud: LocalCloud) -> None:
    end = outcome(cloud, start(cloud, test="catch", do="exit"))

    assert (end["status"], end["error"]) == ("FAILED", "Runtime.ExitError")


@pytest.mark.parametrize("child", ["raise", "exit"])
def test_a_distributed_map_fails_with_its_child(cloud: LocalCloud, child: str) -> None:
    items = put_items(cloud, [{"do": "nothing"}, {"do": child}, {"do": "nothing"}])

    end = outcome(cloud, start(cloud, test="map", items_key=items, tolerated=0))

    error = json.loads(end["output"])["error"]
    assert error["Error"] == "States.ExceedToleratedFailureThreshold"
    assert "threshold" in error["Cause"]


@pytest.mark.parametrize(("failures", "fails"), [(1, False), (2, True)])
def test_a_distributed_map_tolerates_as_many_failures_as_defined(
    cloud: LocalCloud, failures: int, fails: bool
) -> None:
    items = put_items(cloud, [{"do": "nothing"}] + [{"do": "raise"}] * failures)

    end = outcome(cloud, start(cloud, test="map", items_key=items, tolerated=1))

    assert ("error" in json.loads(end["output"])) == fails


def test_a_distributed_map_runs_many_children(cloud: LocalCloud) -> None:
    items = put_items(cloud, [{"do": "nothing"}] * 40)

    end = outcome(cloud, start(cloud, test="map", items_key=items, tolerated=0))

    assert end["status"] == "SUCCEEDED"
    assert "error" not in json.loads(end["output"])


def test_a_distributed_map_runs_more_children_than_the_recursion_limit(
    cloud: LocalCloud,
) -> None:
    items = put_items(cloud, [{"do": "nothing"}] * (sys.getrecursionlimit() + 100))

    end = outcome(cloud, start(cloud, test="map_in_turn", items_key=items))

    assert end["status"] == "SUCCEEDED"


def test_a_task_times_out(cloud: LocalCloud) -> None:
    end = outcome(cloud, start(cloud, test="task_timeout", seconds=1))

    assert json.loads(end["output"])["error"]["Error"] == "States.Timeout"


def received_event(cloud: LocalCloud, execution: str) -> dict[str, Any]:
    """Wait for the event about an execution that the rule's function receives."""

    def look() -> list[dict[str, Any]]:
        events = [json.loads(record) for record in objects(cloud, "events/")]
        return [event for event in events if event.get("resources") == [execution]]

    (event,) = eventually(look)
    return event


def test_a_failed_execution_reaches_the_rules_function(cloud: LocalCloud) -> None:
    execution = start(cloud, test="catch", do="exit")

    event = received_event(cloud, execution)

    assert event["source"] == "aws.states"
    assert event["detail-type"] == "Step Functions Execution Status Change"
    detail = event["detail"]
    assert detail["executionArn"] == execution
    assert detail["name"] == execution.rpartition(":")[2]
    assert detail["stateMachineArn"] == cloud.outputs["Machine"]
    assert (detail["status"], detail["error"]) == ("FAILED", "Runtime.ExitError")
    assert json.loads(detail["input"]) == {"test": "catch", "do": "exit"}
    assert detail["startDate"] <= detail["stopDate"]


def test_an_execution_that_times_out_reaches_the_rules_function(cloud: LocalCloud) -> None:
    execution = cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.outputs["ImpatientMachine"]
    )["executionArn"]

    assert received_event(cloud, execution)["detail"]["status"] == "TIMED_OUT"
    assert outcome(cloud, execution)["status"] == "TIMED_OUT"


def test_a_stopped_execution_ends_at_once_and_reaches_the_rules_function(
    cloud: LocalCloud,
) -> None:
    execution = start(cloud, test="wait", seconds=600)
    cloud.client("stepfunctions").stop_execution(executionArn=execution)

    end = cloud.client("stepfunctions").describe_execution(executionArn=execution)

    assert end["status"] == "ABORTED"
    assert received_event(cloud, execution)["detail"]["status"] == "ABORTED"


def test_a_stop_ends_an_execution_while_its_task_runs(cloud: LocalCloud) -> None:
    execution = start(cloud, test="task_timeout", seconds=600)
    cloud.client("stepfunctions").stop_execution(executionArn=execution)

    assert outcome(cloud, execution)["status"] == "ABORTED"


# --- EventBridge ----------------------------------------------------------------------------------


def listen(cloud: LocalCloud, name: str, state: str = "ENABLED") -> str:
    """Route a source's events to a function and a queue; return the queue's URL."""
    queue_url: str = cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    functions = cloud.client("lambda")
    recorder = functions.get_function(FunctionName="local-RecordFunction")["Configuration"]
    arns = [recorder["FunctionArn"], f"arn:aws:sqs:us-east-1:123456789012:{name}"]
    events = cloud.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}), State=state)
    targets = [{"Id": str(number), "Arn": arn} for number, arn in enumerate(arns)]
    events.put_targets(Rule=name, Targets=targets)
    return queue_url


def publish(cloud: LocalCloud, source: str) -> None:
    entry = {"Source": source, "DetailType": "Tried", "Detail": '{"a": 1}', "Resources": ["arn"]}
    assert cloud.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_an_event_reaches_a_rules_function_and_queue(cloud: LocalCloud) -> None:
    queue_url = listen(cloud, "heard")
    publish(cloud, "heard")

    def look() -> list[dict[str, Any]]:
        events = [json.loads(record) for record in objects(cloud, "events/")]
        return [event for event in events if event.get("source") == "heard"]

    (event,) = eventually(look)
    (message,) = cloud.client("sqs").receive_message(QueueUrl=queue_url)["Messages"]

    assert event.keys() == {
        *("version", "id", "detail-type", "source", "account", "time", "region", "resources"),
        "detail",
    }
    assert (event["detail-type"], event["detail"], event["resources"]) == (
        *("Tried", {"a": 1}, ["arn"]),
    )
    assert event["time"].endswith("Z")
    assert json.loads(message["Body"])["id"] == event["id"]


def test_a_disabled_rule_passes_no_events_on(cloud: LocalCloud) -> None:
    ignored, received = listen(cloud, "ignored", "DISABLED"), listen(cloud, "heard-after")
    publish(cloud, "ignored")
    publish(cloud, "heard-after")
    queues = cloud.client("sqs")

    assert "Messages" in queues.receive_message(QueueUrl=received)
    assert "Messages" not in queues.receive_message(QueueUrl=ignored)


# --- API Gateway ----------------------------------------------------------------------------------


def call(cloud: LocalCloud, path: str, **request: Any) -> tuple[int, Any, bytes]:
    try:
        with urlopen(Request(cloud.api_url + path, **request), timeout=600) as response:
            return response.status, response.headers, response.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_a_get_becomes_a_proxy_event(cloud: LocalCloud) -> None:
    status, headers, body = call(cloud, "/show?a=1&a=2&b=%C3%BC", headers={"X-Question": "what?"})
    event = json.loads(body)

    assert status == 200
    assert headers["X-Answer"] == "yes"
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert (event["httpMethod"], event["path"], event["body"]) == ("GET", "/show", None)
    assert event["queryStringParameters"] == {"a": "2", "b": "ü"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["ü"]}
    assert event["headers"]["X-Question"] == "what?"


def test_a_post_becomes_a_proxy_event_with_its_body(cloud: LocalCloud) -> None:
    body = json.dumps({"größe": 1}, ensure_ascii=False)
    status, _, response = call(
        cloud,
        "/show",
        data=body.encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )

    assert status == 202
    assert json.loads(response)["body"] == body


def test_parameters_in_the_path(cloud: LocalCloud) -> None:
    _, _, body = call(cloud, "/items/a%20b%2Fc")
    event = json.loads(body)

    assert event["resource"] == "/items/{item_id}"
    # A REST API does not decode paths.
    assert event["pathParameters"] == {"item_id": "a%20b%2Fc"}
    assert event["path"] == "/items/a%20b%2Fc"


def test_a_binary_response(cloud: LocalCloud) -> None:
    status, headers, body = call(cloud, "/picture", headers={"Accept": "image/png"})

    assert (status, headers["Content-Type"], body) == (200, "image/png", b"\x89PNG\xff\x00")


def test_a_binary_request_is_base64_in_the_event(cloud: LocalCloud) -> None:
    picture = b"\x89PNG\xff"
    _, _, body = call(
        cloud, "/show", data=picture, headers={"Content-Type": "image/png"}, method="POST"
    )
    event = json.loads(body)

    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == picture


def test_a_handlers_error_is_not_exposed(cloud: LocalCloud) -> None:
    status, _, body = call(cloud, "/failure")

    assert (status, json.loads(body)) == (502, {"message": "Internal server error"})


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("DELETE", "/show"), ("GET", "/items")]
)
def test_an_unknown_route(cloud: LocalCloud, method: str, path: str) -> None:
    status, _, body = call(cloud, path, method=method)

    assert (status, json.loads(body)) == (403, {"message": "Missing Authentication Token"})


def test_head_is_not_get(cloud: LocalCloud) -> None:
    assert call(cloud, "/show", method="HEAD")[0] == 403


def test_a_failed_transaction_undoes_no_other_writes(cloud: LocalCloud) -> None:
    dynamodb = cloud.client("dynamodb")
    dynamodb.create_table(
        TableName="notes",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    # A larger table takes longer to copy.
    many = {"L": [{"S": "note"}] * 2_000}
    dynamodb.put_item(TableName="notes", Item={"id": {"S": "many"}, "notes": many})
    absent_item = {
        "TableName": "notes",
        "Key": {"id": {"S": "none"}},
        "ConditionExpression": "attribute_exists(id)",
    }

    # Loaded once: boto3 would define the class again in each thread.
    canceled = dynamodb.exceptions.TransactionCanceledException

    def fail(_: int) -> None:
        with pytest.raises(canceled):
            dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": absent_item}])

    def write(number: int) -> None:
        dynamodb.put_item(TableName="notes", Item={"id": {"S": str(number)}})

    with ThreadPoolExecutor(2) as pool:
        failing = pool.map(fail, range(50))
        for number in range(50):
            write(number)
        list(failing)

    assert dynamodb.scan(TableName="notes", Select="COUNT")["Count"] == 51

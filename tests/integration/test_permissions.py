"""A function may do what its role allows and nothing else."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.emulator.cloud import LocalCloud, LocalCloudError
from local.emulator.permissions import RECORD_VARIABLE

TEMPLATE = Path(__file__).parent / "fixtures" / "local_cloud" / "template.yaml"
ACCOUNT = "us-east-1:123456789012"
RECORDS = "local-recordsbucket"
MACHINE = f"arn:aws:states:{ACCOUNT}:stateMachine:local-Machine"
IMPATIENT = f"arn:aws:states:{ACCOUNT}:stateMachine:local-ImpatientMachine"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012"
ITEM = {"id": {"S": "1"}}

Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that records allowed and denied calls."""
    path: Path = tmp_path_factory.mktemp("permissions") / "record"
    return path


@pytest.fixture(scope="module")
def cloud(record: Path) -> Iterator[LocalCloud]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RECORD_VARIABLE, str(record))
        cloud = LocalCloud(TEMPLATE)
    with cloud:
        cloud.client("sns").create_topic(Name="mine")
        cloud.client("sqs").create_queue(QueueName="mine")
        s3 = cloud.client("s3")
        for key in ("mine/a", "mine/secret", "theirs"):
            s3.put_object(Bucket=RECORDS, Key=key, Body=key.encode())
        yield cloud


def invoke(cloud: LocalCloud, event: dict[str, Any]) -> dict[str, Any]:
    response = cloud.client("lambda").invoke(
        FunctionName="local-CallFunction", Payload=json.dumps(event)
    )
    assert "FunctionError" not in response
    result: dict[str, Any] = json.load(response["Payload"])
    return result


@pytest.fixture(scope="module")
def call(cloud: LocalCloud) -> Call:
    """Let the function call a service; return the error."""

    def call(service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        event = {"service": service, "operation": operation, "parameters": parameters}
        return invoke(cloud, event)

    return call


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("s3", "get_object", {"Bucket": RECORDS, "Key": "mine/a"}),
        ("s3", "head_object", {"Bucket": RECORDS, "Key": "mine/a"}),
        ("s3", "put_object", {"Bucket": RECORDS, "Key": "mine/a", "Body": "b"}),
        ("s3", "list_objects_v2", {"Bucket": RECORDS, "Prefix": "mine/"}),
        (
            "s3",
            "delete_objects",
            {"Bucket": RECORDS, "Delete": {"Objects": [{"Key": "mine/b"}, {"Key": "mine/c"}]}},
        ),
        ("dynamodb", "put_item", {"TableName": "local-ItemTable", "Item": ITEM}),
        (
            "dynamodb",
            "transact_write_items",
            {"TransactItems": [{"Put": {"TableName": "local-ItemTable", "Item": ITEM}}]},
        ),
        ("stepfunctions", "start_execution", {"stateMachineArn": IMPATIENT}),
        (
            "events",
            "put_events",
            {"Entries": [{"Source": "mine", "DetailType": "x", "Detail": "{}"}]},
        ),
        ("sns", "publish", {"TopicArn": f"arn:aws:sns:{ACCOUNT}:mine", "Message": "x"}),
        ("sqs", "send_message", {"QueueUrl": f"{QUEUE}/mine", "MessageBody": "x"}),
        ("lambda", "invoke", {"FunctionName": "local-MisbehaveFunction", "Payload": "{}"}),
    ],
)
def test_allowed_calls_succeed(
    call: Call, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    assert call(service, operation, **parameters) == {"code": None}


DENIED = [
    ("s3", "get_object", {"Bucket": RECORDS, "Key": "theirs"}, "s3:GetObject"),
    ("s3", "get_object", {"Bucket": RECORDS, "Key": "mine/secret"}, "s3:GetObject"),
    (
        "s3",
        "get_object",
        {"Bucket": RECORDS, "Key": "mine/a", "VersionId": "1"},
        "s3:GetObjectVersion",
    ),
    ("s3", "put_object", {"Bucket": RECORDS, "Key": "theirs", "Body": "b"}, "s3:PutObject"),
    ("s3", "list_objects_v2", {"Bucket": RECORDS, "Prefix": "theirs"}, "s3:ListBucket"),
    ("s3", "list_objects_v2", {"Bucket": RECORDS}, "s3:ListBucket"),
    (
        "s3",
        "delete_objects",
        {"Bucket": RECORDS, "Delete": {"Objects": [{"Key": "mine/b"}, {"Key": "theirs"}]}},
        "s3:DeleteObject",
    ),
    (
        "s3",
        "copy_object",
        {"Bucket": RECORDS, "Key": "mine/b", "CopySource": f"{RECORDS}/theirs"},
        "s3:GetObject",
    ),
    ("dynamodb", "delete_item", {"TableName": "local-ItemTable", "Key": ITEM}, "DeleteItem"),
    ("dynamodb", "get_item", {"TableName": "local-Other", "Key": ITEM}, "GetItem"),
    (
        "dynamodb",
        "transact_write_items",
        {
            "TransactItems": [
                {"Put": {"TableName": "local-ItemTable", "Item": ITEM}},
                {"Delete": {"TableName": "local-ItemTable", "Key": {"id": {"S": "2"}}}},
            ]
        },
        "dynamodb:DeleteItem",
    ),
    ("stepfunctions", "start_execution", {"stateMachineArn": MACHINE}, "states:StartExecution"),
    (
        "events",
        "put_events",
        {
            "Entries": [
                {"Source": "mine", "DetailType": "x", "Detail": "{}"},
                {"Source": "theirs", "DetailType": "x", "Detail": "{}"},
            ]
        },
        "events:PutEvents",
    ),
    ("sns", "publish", {"TopicArn": f"arn:aws:sns:{ACCOUNT}:theirs", "Message": "x"}, "Publish"),
    ("sqs", "delete_message", {"QueueUrl": f"{QUEUE}/mine", "ReceiptHandle": "x"}, "sqs:Delete"),
    ("lambda", "invoke", {"FunctionName": "local-FlakyFunction"}, "lambda:InvokeFunction"),
    # The permissions that these calls need are not listed.
    ("s3", "put_bucket_tagging", {"Bucket": RECORDS, "Tagging": {"TagSet": []}}, "does not know"),
    ("logs", "describe_log_groups", {}, "does not know"),
]
ERRORS = {
    "lambda": ("AccessDeniedException", 403),
    "s3": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
    "sqs": ("AccessDenied", 403),
}


@pytest.mark.parametrize(("service", "operation", "parameters", "named"), DENIED)
def test_a_denial_has_the_service_s_own_error(
    call: Call, service: str, operation: str, parameters: dict[str, Any], named: str
) -> None:
    error = call(service, operation, **parameters)

    assert (error["code"], error["status"]) == ERRORS.get(service, ("AccessDeniedException", 400))
    assert named in error["message"]


def test_a_missing_object_is_404_only_for_roles_that_may_list_the_bucket(
    cloud: LocalCloud, call: Call
) -> None:
    # A request for an object has no prefix, which the role's condition requires.
    error = call("s3", "get_object", Bucket=RECORDS, Key="mine/nothing")

    assert (error["code"], error["status"]) == ("AccessDenied", 403)
    s3 = cloud.client("s3")
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=RECORDS, Key="mine/nothing")


@pytest.mark.parametrize(
    ("key", "may_read", "may_write"),
    [("mine/a", True, True), ("mine/secret", False, True), ("theirs", False, False)],
)
def test_a_presigned_request_has_only_the_role_s_permissions(
    cloud: LocalCloud, key: str, may_read: bool, may_write: bool
) -> None:
    signed = invoke(cloud, {"presign": key, "bucket": RECORDS})

    read = requests.get(signed["url"], timeout=30)
    form = signed["form"]
    write = requests.post(form["url"], data=form["fields"], files={"file": b"content"}, timeout=30)

    assert read.status_code == (200 if may_read else 403)
    assert write.status_code == (204 if may_write else 403)
    for response, is_allowed in ((read, may_read), (write, may_write)):
        assert is_allowed or "<Code>AccessDenied</Code>" in response.text


def test_a_state_machine_may_do_what_its_role_allows(cloud: LocalCloud) -> None:
    machines = cloud.client("stepfunctions")
    role = cloud.client("iam").get_role(RoleName="local-ImpatientMachineRole")["Role"]["Arn"]
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "local-MisbehaveFunction", "Payload": {}},
        "End": True,
    }
    machine = machines.create_state_machine(
        name="bold", definition=json.dumps({"StartAt": "A", "States": {"A": task}}), roleArn=role
    )["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=machine)["executionArn"]

    while (end := machines.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.05)

    assert end["error"] == "Lambda.AccessDeniedException"
    assert "local-ImpatientMachineRole" in end["cause"]


def test_used_permissions_and_denials_are_recorded(
    cloud: LocalCloud, call: Call, record: Path
) -> None:
    call("lambda", "invoke", FunctionName="local-MisbehaveFunction", Payload="{}")
    call("lambda", "invoke", FunctionName="local-FlakyFunction", Payload="{}")

    lines = [json.loads(line) for line in record.read_text().splitlines()]
    recorded = {
        (line["resource"].rpartition(":")[2], line["allowed"])
        for line in lines
        if line["action"] == "lambda:InvokeFunction" and line["role"] == "local-CallFunctionRole"
    }
    assert recorded == {("local-MisbehaveFunction", True), ("local-FlakyFunction", False)}


def test_a_function_that_may_not_poll_its_queue_is_not_deployed(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        """
Transform: AWS::Serverless-2016-10-31
Resources:
  Line: { Type: AWS::SQS::Queue }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {}
      Policies:
        - PolicyName: half
          PolicyDocument:
            Statement:
              Effect: Allow
              Action: [sqs:ReceiveMessage, sqs:GetQueueAttributes]
              Resource: !GetAtt Line.Arn
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: app.lambda_handler
      CodeUri: .
      Role: !GetAtt Role.Arn
      Events:
        Message: { Type: SQS, Properties: { Queue: !GetAtt Line.Arn, BatchSize: 1 } }
"""
    )
    with pytest.raises(LocalCloudError, match="sqs:DeleteMessage"):
        LocalCloud(template)

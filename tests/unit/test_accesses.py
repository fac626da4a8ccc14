"""The permissions that boto3's requests need."""

from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from werkzeug import Request
from werkzeug.test import EnvironBuilder

from local.emulator.accesses import UnknownRequestError, accesses
from local.emulator.policies import Access

HERE = "us-east-1:123456789012"
BUCKET = "arn:aws:s3:::bucket"
TABLE = f"arn:aws:dynamodb:{HERE}:table/things"
MACHINE = f"arn:aws:states:{HERE}:stateMachine:machine"
EXECUTION = f"arn:aws:states:{HERE}:execution:machine:name"
FUNCTION = f"arn:aws:lambda:{HERE}:function:work"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/line"
TOPIC = f"arn:aws:sns:{HERE}:news"
KEY = {"id": {"S": "1"}}
OBJECT = {"Bucket": "bucket", "Key": "a/b ü?*"}
NAMED = f"{BUCKET}/a/b ü?*"
UPLOAD = {**OBJECT, "UploadId": "u"}
QUEUE_CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("send_message", "SendMessage", {"QueueUrl": QUEUE, "MessageBody": "x"}),
    ("receive_message", "ReceiveMessage", {"QueueUrl": QUEUE}),
    ("delete_message", "DeleteMessage", {"QueueUrl": QUEUE, "ReceiptHandle": "x"}),
    (
        "delete_message_batch",
        "DeleteMessage",
        {"QueueUrl": QUEUE, "Entries": [{"Id": "1", "ReceiptHandle": "x"}]},
    ),
    (
        "change_message_visibility",
        "ChangeMessageVisibility",
        {"QueueUrl": QUEUE, "ReceiptHandle": "x", "VisibilityTimeout": 1},
    ),
]


class StoppedError(Exception):
    """Raised instead of sending a request."""


def request(service: str, operation: str, parameters: dict[str, Any]) -> Request:
    """Return the request that boto3 would send."""
    make: Any = boto3.client  # of a service that is not a literal
    client = make(
        service,
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    sent: list[AWSPreparedRequest] = []

    def keep(request: AWSPreparedRequest, **_: Any) -> None:
        sent.append(request)
        raise StoppedError

    client.meta.events.register("before-send", keep)
    with pytest.raises(StoppedError):
        getattr(client, operation)(**parameters)
    url = urlsplit(sent[0].url)
    body: Any = sent[0].body or b""
    builder = EnvironBuilder(
        url.path,
        query_string=url.query,
        method=sent[0].method,
        headers=[
            (name, value.decode() if isinstance(value, bytes) else value)
            for name, value in sent[0].headers.items()
        ],
        data=body if isinstance(body, str | bytes) else body.read(),
    )
    return Request(builder.get_environ())


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("get_object", OBJECT, [Access("s3:GetObject", NAMED)]),
        ("get_object", {**OBJECT, "VersionId": "v"}, [Access("s3:GetObjectVersion", NAMED)]),
        ("head_object", OBJECT, [Access("s3:GetObject", NAMED)]),
        ("head_object", {**OBJECT, "VersionId": "v"}, [Access("s3:GetObjectVersion", NAMED)]),
        ("put_object", {**OBJECT, "Body": b"x"}, [Access("s3:PutObject", NAMED)]),
        (
            "copy_object",
            {**OBJECT, "CopySource": "other/c d"},
            [Access("s3:PutObject", NAMED), Access("s3:GetObject", "arn:aws:s3:::other/c d")],
        ),
        (
            "copy_object",
            {**OBJECT, "CopySource": {"Bucket": "other", "Key": "c d", "VersionId": "v"}},
            [
                Access("s3:PutObject", NAMED),
                Access("s3:GetObjectVersion", "arn:aws:s3:::other/c d"),
            ],
        ),
        ("create_multipart_upload", OBJECT, [Access("s3:PutObject", NAMED)]),
        ("upload_part", {**UPLOAD, "PartNumber": 1}, [Access("s3:PutObject", NAMED)]),
        ("complete_multipart_upload", UPLOAD, [Access("s3:PutObject", NAMED)]),
        ("abort_multipart_upload", UPLOAD, [Access("s3:AbortMultipartUpload", NAMED)]),
        ("list_parts", UPLOAD, [Access("s3:ListMultipartUploadParts", NAMED)]),
        ("delete_object", OBJECT, [Access("s3:DeleteObject", NAMED)]),
        ("delete_object", {**OBJECT, "VersionId": "v"}, [Access("s3:DeleteObjectVersion", NAMED)]),
        (
            "delete_objects",
            {
                "Bucket": "bucket",
                "Delete": {"Objects": [{"Key": "a&b"}, {"Key": "c", "VersionId": "v"}]},
            },
            [
                Access("s3:DeleteObject", f"{BUCKET}/a&b"),
                Access("s3:DeleteObjectVersion", f"{BUCKET}/c"),
            ],
        ),
        (
            "list_objects_v2",
            {"Bucket": "bucket", "Prefix": "a/ü", "Delimiter": "/", "MaxKeys": 1},
            [Access("s3:ListBucket", BUCKET, {"s3:prefix": ("a/ü",), "s3:delimiter": ("/",)})],
        ),
        ("list_objects_v2", {"Bucket": "bucket"}, [Access("s3:ListBucket", BUCKET)]),
        (
            "list_object_versions",
            {"Bucket": "bucket", "Prefix": "a/"},
            [Access("s3:ListBucketVersions", BUCKET, {"s3:prefix": ("a/",)})],
        ),
        ("head_bucket", {"Bucket": "bucket"}, [Access("s3:ListBucket", BUCKET)]),
    ],
)
def test_s3(operation: str, parameters: dict[str, Any], expected: list[Access]) -> None:
    assert accesses("s3", request("s3", operation, parameters)) == expected


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("get_item", {"TableName": "things", "Key": KEY}, {("GetItem", TABLE)}),
        ("put_item", {"TableName": TABLE, "Item": KEY}, {("PutItem", TABLE)}),
        (
            "query",
            {"TableName": "things", "KeyConditionExpression": "id = :id"},
            {("Query", TABLE)},
        ),
        ("query", {"TableName": "things", "IndexName": "by_a"}, {("Query", f"{TABLE}/index/by_a")}),
        ("scan", {"TableName": "things", "IndexName": "by_a"}, {("Scan", f"{TABLE}/index/by_a")}),
        ("describe_table", {"TableName": "things"}, {("DescribeTable", TABLE)}),
        (
            "batch_get_item",
            {"RequestItems": {"things": {"Keys": [KEY]}, "others": {"Keys": [KEY]}}},
            {
                ("BatchGetItem", TABLE),
                ("BatchGetItem", f"arn:aws:dynamodb:{HERE}:table/others"),
            },
        ),
        (
            "batch_write_item",
            {"RequestItems": {"things": [{"DeleteRequest": {"Key": KEY}}]}},
            {("BatchWriteItem", TABLE)},
        ),
        (
            "transact_write_items",
            {
                "TransactItems": [
                    {"Put": {"TableName": "things", "Item": KEY}},
                    {"Update": {"TableName": "things", "Key": KEY, "UpdateExpression": "SET a=b"}},
                    {"Delete": {"TableName": "things", "Key": KEY}},
                    {
                        "ConditionCheck": {
                            "TableName": "things",
                            "Key": KEY,
                            "ConditionExpression": "a = b",
                        }
                    },
                ]
            },
            {
                ("PutItem", TABLE),
                ("UpdateItem", TABLE),
                ("DeleteItem", TABLE),
                ("ConditionCheckItem", TABLE),
            },
        ),
        (
            "transact_get_items",
            {"TransactItems": [{"Get": {"TableName": "things", "Key": KEY}}]},
            {("GetItem", TABLE)},
        ),
    ],
)
def test_dynamodb(
    operation: str, parameters: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    found = accesses("dynamodb", request("dynamodb", operation, parameters))
    assert {(access.action, access.resource) for access in found} == {
        (f"dynamodb:{action}", resource) for action, resource in expected
    }


def test_a_put_of_events_has_the_sources_of_each_bus() -> None:
    common: dict[str, Any] = {"DetailType": "x", "Detail": "{}"}
    entries = [
        {**common, "Source": "a"},
        {**common, "Source": "b", "EventBusName": "default"},
        {**common, "Source": "c", "EventBusName": "o"},
    ]
    found = accesses("events", request("events", "put_events", {"Entries": entries}))
    assert sorted(found, key=lambda access: access.resource) == [
        Access(
            "events:PutEvents",
            f"arn:aws:events:{HERE}:event-bus/default",
            {"events:source": ("a", "b")},
        ),
        Access("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/o", {"events:source": ("c",)}),
    ]


@pytest.mark.parametrize(
    ("client", "service", "operation", "parameters", "action", "resource"),
    [
        *(
            ("stepfunctions", "states", operation, {name: arn}, f"states:{action}", arn)
            for operation, action, name, arn in [
                ("start_execution", "StartExecution", "stateMachineArn", MACHINE),
                ("describe_execution", "DescribeExecution", "executionArn", EXECUTION),
                ("stop_execution", "StopExecution", "executionArn", EXECUTION),
            ]
        ),
        ("sns", "sns", "publish", {"TopicArn": TOPIC, "Message": "ü&"}, "sns:Publish", TOPIC),
        *(
            ("sqs", "sqs", operation, parameters, f"sqs:{action}", f"arn:aws:sqs:{HERE}:line")
            for operation, action, parameters in QUEUE_CALLS
        ),
        *(
            ("lambda", "lambda", "invoke", parameters, "lambda:InvokeFunction", resource)
            for parameters, resource in [
                ({"FunctionName": "work"}, FUNCTION),
                ({"FunctionName": FUNCTION}, FUNCTION),
                ({"FunctionName": "work", "Qualifier": "live"}, f"{FUNCTION}:live"),
                ({"FunctionName": f"{FUNCTION}:live"}, f"{FUNCTION}:live"),
            ]
        ),
    ],
)
def test_other_services(
    client: str,
    service: str,
    operation: str,
    parameters: dict[str, Any],
    action: str,
    resource: str,
) -> None:
    assert accesses(service, request(client, operation, parameters)) == [Access(action, resource)]


@pytest.mark.parametrize(
    ("client", "service", "operation", "parameters"),
    [
        ("s3", "s3", "get_object_tagging", OBJECT),
        ("s3", "s3", "list_buckets", {}),
        ("dynamodb", "dynamodb", "execute_statement", {"Statement": "SELECT"}),
        ("stepfunctions", "states", "list_state_machines", {}),
        ("events", "events", "list_rules", {}),
        ("sqs", "sqs", "list_queues", {}),
        ("sns", "sns", "list_topics", {}),
        ("lambda", "lambda", "list_functions", {}),
        ("sts", "sts", "get_caller_identity", {}),
    ],
)
def test_an_unknown_request_is_refused(
    client: str, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(UnknownRequestError):
        accesses(service, request(client, operation, parameters))

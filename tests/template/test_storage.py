"""Buckets, tables and the queue: private, encrypted, recoverable, with expiry."""

import pytest

from local.emulator.template import Template
from tests.template.translation import by_id, only, translated

BUCKETS = ("InboxBucket", "DataBucket")
TABLES = ("ReportTable", "IngestTable")


def test_there_are_no_other_buckets_and_tables(template: Template) -> None:
    assert set(by_id(template, "AWS::S3::Bucket")) == set(BUCKETS)
    assert set(by_id(template, "AWS::DynamoDB::Table")) == set(TABLES)


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_is_private_and_encrypted(name: str, template: Template) -> None:
    bucket = by_id(template, "AWS::S3::Bucket")[name].properties
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_requires_tls(name: str, template: Template) -> None:
    bucket = by_id(template, "AWS::S3::Bucket")[name].name
    policy = by_id(template, "AWS::S3::BucketPolicy")[f"{name}Policy"].properties
    assert policy["Bucket"] == bucket
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement == {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": False}},
    }


def test_a_page_may_only_post_to_the_inbox(template: Template) -> None:
    buckets = by_id(template, "AWS::S3::Bucket")
    assert buckets["InboxBucket"].properties["CorsConfiguration"] == {
        "CorsRules": [
            {
                "AllowedOrigins": ["*"],
                "AllowedMethods": ["POST"],
                "AllowedHeaders": ["*"],
                "MaxAge": 3600,
            }
        ]
    }
    assert "CorsConfiguration" not in buckets["DataBucket"].properties


@pytest.mark.parametrize("name", BUCKETS)
def test_incomplete_uploads_are_deleted(name: str, template: Template) -> None:
    rules = by_id(template, "AWS::S3::Bucket")[name].properties["LifecycleConfiguration"]["Rules"]
    assert [
        rule["AbortIncompleteMultipartUpload"]
        for rule in rules
        if "AbortIncompleteMultipartUpload" in rule and "Prefix" not in rule
    ] == [{"DaysAfterInitiation": 1}]


@pytest.mark.parametrize("name", BUCKETS)
def test_deleted_and_overwritten_objects_can_be_restored_for_a_month(
    name: str, template: Template
) -> None:
    data = by_id(template, "AWS::S3::Bucket")[name].properties
    assert data["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = [
        rule
        for rule in data["LifecycleConfiguration"]["Rules"]
        if "NoncurrentVersionExpiration" in rule
    ]
    assert "Prefix" not in rule
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}


def test_which_objects_expire() -> None:
    template = translated(ReportRetentionDays="5")
    assert _expiring(template, "InboxBucket") == {"": 30}
    assert {prefix: int(days) for prefix, days in _expiring(template, "DataBucket").items()} == {
        "reports/": 5,  # a report's parts and plan are there, too
        "rejects/": 5,
        "receipts/": 7,
    }


def _expiring(template: Template, bucket: str) -> dict[str, int]:
    properties = by_id(template, "AWS::S3::Bucket")[bucket].properties
    rules = properties["LifecycleConfiguration"]["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    return {
        rule.get("Prefix", ""): rule["ExpirationInDays"]
        for rule in rules
        if "ExpirationInDays" in rule
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_on_demand_encrypted_and_recoverable(name: str, template: Template) -> None:
    table = by_id(template, "AWS::DynamoDB::Table")[name].properties
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize("name", TABLES)
def test_reports_and_upload_outcomes_expire(name: str, template: Template) -> None:
    table = by_id(template, "AWS::DynamoDB::Table")[name]
    expiry = {"AttributeName": "expires_at", "Enabled": True}
    assert table.properties["TimeToLiveSpecification"] == expiry


@pytest.mark.parametrize("name", ["DataBucket", "IngestTable"])
def test_data_outlive_the_stack(name: str, template: Template) -> None:
    resource = template.document["Resources"][name]
    # A stack that could not be made leaves nothing behind.
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"
    # A name would stand in the way of the next stack.
    assert {"BucketName", "TableName"}.isdisjoint(resource["Properties"])


TWO_WEEKS_SECONDS = 14 * 86400  # the longest that SQS keeps messages
QUEUE = "arn:aws:sqs:us-east-1:123456789012:here-{}"


def test_an_upload_is_never_lost_silently(template: Template) -> None:
    queues = by_id(template, "AWS::SQS::Queue")
    redriven = {name: queue.properties.get("RedrivePolicy") for name, queue in queues.items()}
    assert redriven == {
        "UploadQueue": {
            "deadLetterTargetArn": QUEUE.format("UploadFailureQueue"),
            "maxReceiveCount": 5,
        },
        "UploadFailureQueue": {
            "deadLetterTargetArn": QUEUE.format("IngestFailures"),
            "maxReceiveCount": 10,
        },
        "IngestFailures": None,
    }
    for queue in queues.values():
        assert queue.properties["MessageRetentionPeriod"] == TWO_WEEKS_SECONDS
        assert queue.properties["SqsManagedSseEnabled"] is True


def test_only_the_inbox_may_send_messages_to_the_upload_queue(template: Template) -> None:
    inbox = by_id(template, "AWS::S3::Bucket")["InboxBucket"]
    assert inbox.properties["NotificationConfiguration"] == {
        "QueueConfigurations": [
            {"Event": "s3:ObjectCreated:*", "Queue": QUEUE.format("UploadQueue")}
        ]
    }
    # S3 refuses a notification to a queue that it may not send to yet.
    assert template.document["Resources"]["InboxBucket"]["DependsOn"] == "UploadQueuePolicy"
    policy = only(template, "AWS::SQS::QueuePolicy").properties
    assert policy["Queues"] == ["https://sqs.us-east-1.amazonaws.com/123456789012/here-UploadQueue"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement == {
        "Sid": "OnlyOurInbox",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE.format("UploadQueue"),
        "Condition": {
            "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{inbox.name}"},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        },
    }


@pytest.mark.parametrize(
    ("mapping", "queue", "function", "concurrency"),
    [
        ("IngestFunctionUploads", "UploadQueue", "IngestFunction", "11"),
        ("FailUploadFunctionFailures", "UploadFailureQueue", "FailUploadFunction", "2"),
    ],
)
def test_a_queue_s_messages_run_its_function(
    mapping: str, queue: str, function: str, concurrency: str
) -> None:
    template = translated(IngestConcurrency="11")
    properties = by_id(template, "AWS::Lambda::EventSourceMapping")[mapping].properties
    assert properties["EventSourceArn"] == QUEUE.format(queue)
    assert properties["FunctionName"].endswith(f":here-{function}:live")
    assert properties["BatchSize"] == 1
    assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert str(properties["ScalingConfig"]["MaximumConcurrency"]) == concurrency
    timeout = by_id(template, "AWS::Lambda::Function")[function].properties["Timeout"]
    # As AWS recommends, so that Lambda can retry while the function is throttled.
    visibility = by_id(template, "AWS::SQS::Queue")[queue].properties["VisibilityTimeout"]
    assert visibility >= 6 * timeout

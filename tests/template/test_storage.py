"""Buckets, tables and the queue: closed, encrypted, recoverable, and not kept for ever."""

import pytest

from local.template import Template
from tests.template.translation import by_id, only, translated

BUCKETS = ("InboxBucket", "DataBucket")
TABLES = ("ReportTable", "IngestTable")


def test_these_are_all(template: Template) -> None:
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
def test_a_bucket_answers_over_tls_only(name: str, template: Template) -> None:
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


def test_a_page_may_send_a_form_to_the_inbox_and_that_is_all(template: Template) -> None:
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
def test_unfinished_uploads_are_dropped(name: str, template: Template) -> None:
    rules = by_id(template, "AWS::S3::Bucket")[name].properties["LifecycleConfiguration"]["Rules"]
    assert [
        rule["AbortIncompleteMultipartUpload"]
        for rule in rules
        if "AbortIncompleteMultipartUpload" in rule and "Prefix" not in rule
    ] == [{"DaysAfterInitiation": 1}]


@pytest.mark.parametrize("name", BUCKETS)
def test_what_was_deleted_or_overwritten_can_be_fetched_back_for_a_month(
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


def test_what_expires_and_what_never_does() -> None:
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
def test_a_table_is_paid_by_use_encrypted_and_recoverable(name: str, template: Template) -> None:
    table = by_id(template, "AWS::DynamoDB::Table")[name].properties
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize("name", TABLES)
def test_reports_and_outcomes_of_uploads_expire(name: str, template: Template) -> None:
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


def test_an_upload_is_never_lost_silently(template: Template) -> None:
    queue = only(template, "AWS::SQS::Queue")
    assert queue.properties == {"MessageRetentionPeriod": 14 * 86400, "SqsManagedSseEnabled": True}
    asynchronous = only(template, "AWS::Lambda::EventInvokeConfig").properties
    ingest = by_id(template, "AWS::Lambda::Function")["IngestFunction"]
    assert asynchronous["FunctionName"] == ingest.name
    assert asynchronous["Qualifier"] == "live"
    assert "MaximumRetryAttempts" not in asynchronous  # it is tried again twice
    assert asynchronous["DestinationConfig"]["OnFailure"]["Destination"] == (
        f"arn:aws:sqs:us-east-1:123456789012:{queue.name}"
    )

"""What the roles allow: what the code calls, on the stack's own resources, and no more."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from local.template import Resource, Template
from store_monitoring.adapters.event_bus import SOURCE
from store_monitoring.ingest.kinds import Kind
from tests.template.translation import by_id, translated

ACCOUNT = "us-east-1:123456789012"
INBOX = "arn:aws:s3:::here-inbox-123456789012-us-east-1"
DATA = "arn:aws:s3:::here-databucket"
REQUEST = f"{DATA}/reports/*/request.json"
PLAN = f"{DATA}/reports/*/plan.json"
SHARDS = f"{DATA}/reports/*/shards.json"
PARTS = f"{DATA}/reports/*/parts/*"
REPORTS = f"{DATA}/reports/*/report.*"
STATES = f"{DATA}/reports/*/store_states.parquet"
REPORT_TABLE = f"arn:aws:dynamodb:{ACCOUNT}:table/here-ReportTable"
INGEST_TABLE = f"arn:aws:dynamodb:{ACCOUNT}:table/here-IngestTable"
MACHINE = f"arn:aws:states:{ACCOUNT}:stateMachine:here-report"
EXECUTIONS = f"arn:aws:states:{ACCOUNT}:execution:here-report:*"
CHILDREN = f"arn:aws:states:{ACCOUNT}:execution:here-report/*"
FAILURES = f"arn:aws:sqs:{ACCOUNT}:here-IngestFailures"
BUS = f"arn:aws:events:{ACCOUNT}:event-bus/default"
TOPIC = f"arn:aws:sns:{ACCOUNT}:here-readers"

WRITTEN_BY_INGEST = {f"{DATA}/polls/*", f"{DATA}/stores/*", f"{DATA}/rejects/*"}

# What the adapters call, function by function. By Arrow's S3 client, reading is HeadObject and
# GetObject, and writing is PutObject, or the parts of an upload that is aborted if it fails; a
# transaction's Put needs PutItem, and its condition nothing more.
CALLS: dict[str, dict[str, set[str]]] = {
    "TriggerReportFunction": {
        "dynamodb:DeleteItem": {REPORT_TABLE},
        "dynamodb:PutItem": {REPORT_TABLE},
        "dynamodb:UpdateItem": {REPORT_TABLE},
        "s3:PutObject": {REQUEST},
        "states:StartExecution": {MACHINE},
    },
    "GetReportFunction": {
        "dynamodb:GetItem": {REPORT_TABLE},
        "dynamodb:UpdateItem": {REPORT_TABLE},
        "s3:GetObject": {REPORTS},
        "s3:ListBucket": {DATA},
        "states:DescribeExecution": {EXECUTIONS},
    },
    "ListReportsFunction": {
        "dynamodb:GetItem": {REPORT_TABLE},
        "dynamodb:Query": {f"{REPORT_TABLE}/index/by_start"},
        "dynamodb:UpdateItem": {REPORT_TABLE},
        "states:DescribeExecution": {EXECUTIONS},
    },
    "RetryReportFunction": {
        "dynamodb:GetItem": {REPORT_TABLE},
        "dynamodb:UpdateItem": {REPORT_TABLE},
        "states:DescribeExecution": {EXECUTIONS},
        "states:StartExecution": {MACHINE},
    },
    "GetTimelineFunction": {
        "dynamodb:GetItem": {REPORT_TABLE, INGEST_TABLE},
        "dynamodb:Query": {f"{INGEST_TABLE}/index/by_greatest_timestamp"},
        "s3:GetObject": {PLAN, f"{DATA}/polls/*", f"{DATA}/stores/*"},
        "s3:ListBucket": {DATA},
    },
    "CreateUploadFunction": {
        "s3:PutObject": {f"{INBOX}/{kind}/*" for kind in Kind},
    },
    "GetUploadFunction": {
        "dynamodb:GetItem": {INGEST_TABLE},
        "dynamodb:Query": {INGEST_TABLE},
        "s3:GetObject": {f"{DATA}/rejects/*"},
    },
    "ConsoleFunction": {},
    "DocsFunction": {},
    "HealthzFunction": {
        "dynamodb:DescribeTable": {REPORT_TABLE, INGEST_TABLE},
        "s3:ListBucket": {DATA, INBOX},
    },
    "IngestFunction": {
        "dynamodb:GetItem": {INGEST_TABLE},
        "dynamodb:PutItem": {INGEST_TABLE},
        "s3:AbortMultipartUpload": WRITTEN_BY_INGEST,
        "s3:GetObject": {f"{INBOX}/*", f"{DATA}/stores/*"},
        "s3:GetObjectVersion": {f"{INBOX}/*"},
        "s3:ListBucket": {INBOX, DATA},
        "s3:PutObject": WRITTEN_BY_INGEST,
        "sqs:SendMessage": {FAILURES},
    },
    "CompactFunction": {
        "dynamodb:DeleteItem": {INGEST_TABLE},
        "dynamodb:GetItem": {INGEST_TABLE},
        "dynamodb:PutItem": {INGEST_TABLE},
        "dynamodb:Query": {INGEST_TABLE, f"{INGEST_TABLE}/index/by_greatest_timestamp"},
        "dynamodb:UpdateItem": {INGEST_TABLE},
        "s3:AbortMultipartUpload": {f"{DATA}/polls/*"},
        "s3:DeleteObject": {f"{DATA}/polls/*"},
        "s3:GetObject": {f"{DATA}/polls/*"},
        "s3:ListBucket": {DATA},
        "s3:PutObject": {f"{DATA}/polls/*"},
    },
    "PlanFunction": {
        "dynamodb:GetItem": {INGEST_TABLE},
        "dynamodb:Query": {f"{INGEST_TABLE}/index/by_greatest_timestamp"},
        "s3:GetObject": {REQUEST, PLAN},
        "s3:ListBucket": {DATA},
        "s3:PutObject": {PLAN, SHARDS},
    },
    "ComputeShardFunction": {
        "s3:AbortMultipartUpload": {PARTS},
        "s3:GetObject": {PLAN, PARTS, f"{DATA}/polls/*", f"{DATA}/stores/*"},
        "s3:ListBucket": {DATA},
        "s3:PutObject": {PARTS},
    },
    "MergeFunction": {
        "s3:AbortMultipartUpload": {REPORTS},
        "s3:GetObject": {PLAN, PARTS},
        "s3:ListBucket": {DATA},
        "s3:PutObject": {REPORTS},
    },
    "EndReportFunction": {
        "dynamodb:GetItem": {REPORT_TABLE},
        "dynamodb:UpdateItem": {REPORT_TABLE},
        "events:PutEvents": {BUS},
    },
    "StartScheduledReportFunction": {
        "dynamodb:DeleteItem": {REPORT_TABLE},
        "dynamodb:PutItem": {REPORT_TABLE},
        "dynamodb:UpdateItem": {REPORT_TABLE},
        "s3:PutObject": {REQUEST},
        "states:StartExecution": {MACHINE},
    },
    "TellStoreChangesFunction": {
        "dynamodb:GetItem": {REPORT_TABLE},
        "dynamodb:PutItem": {REPORT_TABLE},
        "events:PutEvents": {BUS},
        "s3:AbortMultipartUpload": {STATES},
        "s3:GetObject": {PLAN, PARTS, STATES},
        "s3:ListBucket": {DATA},
        "s3:PutObject": {STATES},
    },
    "ReportTimer": {
        "lambda:InvokeFunction": {
            f"arn:aws:lambda:{ACCOUNT}:function:here-StartScheduledReportFunction:live"
        },
    },
    "ReportStateMachine": {
        "dynamodb:UpdateItem": {REPORT_TABLE},
        "lambda:InvokeFunction": {
            f"arn:aws:lambda:{ACCOUNT}:function:here-{name}Function:live"
            for name in ("Plan", "ComputeShard", "Merge")
        },
        "s3:AbortMultipartUpload": {f"{DATA}/receipts/*"},
        "s3:GetObject": {SHARDS, f"{DATA}/receipts/*"},
        "s3:ListMultipartUploadParts": {f"{DATA}/receipts/*"},
        "s3:PutObject": {f"{DATA}/receipts/*"},
        "states:DescribeExecution": {EXECUTIONS, CHILDREN},
        "states:StartExecution": {MACHINE},
        "states:StopExecution": {EXECUTIONS, CHILDREN},
    },
}

# AWS lets these be allowed on "*" only: nothing that they work on can be named.
TRACING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
SAMPLING = {"xray:GetSamplingRules", "xray:GetSamplingTargets"}
LOG_DELIVERY = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
}

FUNCTIONS = [name for name in CALLS if name.endswith("Function")]


@pytest.fixture(scope="module")
def roles(template: Template) -> dict[str, Resource]:
    """The role of each function, of the state machine, and of the schedule."""
    return _roles(template)


def _roles(template: Template) -> dict[str, Resource]:
    role_of_arn = {
        f"arn:aws:iam::123456789012:role/{role.name}": role
        for role in template.resources("AWS::IAM::Role")
    }
    machine = by_id(template, "AWS::StepFunctions::StateMachine")["ReportStateMachine"]
    functions = by_id(template, "AWS::Lambda::Function")
    arns = {name: function.properties["Role"] for name, function in functions.items()}
    arns[machine.logical_id] = machine.properties["RoleArn"]
    for timer in template.resources("AWS::Scheduler::Schedule"):
        arns[timer.logical_id] = timer.properties["Target"]["RoleArn"]
    return {name: role_of_arn[arn] for name, arn in arns.items()}


@pytest.mark.parametrize("name", CALLS)
def test_a_role_allows_what_is_called_and_no_more(name: str, roles: dict[str, Resource]) -> None:
    allowed = _allowed(roles[name])
    assert _without_logs_and_traces(allowed) == CALLS[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_writes_its_own_log_only(
    name: str, roles: dict[str, Resource], template: Template
) -> None:
    function = by_id(template, "AWS::Lambda::Function")[name]
    group = function.properties["LoggingConfig"]["LogGroup"]
    allowed = _allowed(roles[name])
    log = {f"arn:aws:logs:{ACCOUNT}:log-group:{group}:*"}
    assert {action: allowed[action] for action in allowed if action.startswith("logs:")} == {
        "logs:CreateLogStream": log,
        "logs:PutLogEvents": log,
    }


@pytest.mark.parametrize("name", CALLS)
def test_everything_is_allowed_only_where_nothing_can_be_named(
    name: str, roles: dict[str, Resource]
) -> None:
    unnamed = {action for action, resources in _allowed(roles[name]).items() if "*" in resources}
    others = {"ReportStateMachine": TRACING | SAMPLING | LOG_DELIVERY, "ReportTimer": set()}
    assert unnamed == others.get(name, TRACING)


@pytest.mark.parametrize("name", CALLS)
def test_actions_are_named_one_by_one_and_resources_are_the_stack_s_own(
    name: str, roles: dict[str, Resource]
) -> None:
    for action, resources in _allowed(roles[name]).items():
        assert "*" not in action
        for resource in resources - {"*", BUS}:
            assert "here" in resource.split("*")[0]


def test_each_has_a_role_of_its_own_and_no_one_else_s_policies(
    roles: dict[str, Resource], template: Template
) -> None:
    assert set(roles) == set(CALLS)
    assert len({role.logical_id for role in roles.values()}) == len(roles)
    assert {role.logical_id for role in roles.values()} == set(by_id(template, "AWS::IAM::Role"))
    for name, role in roles.items():
        assert set(role.properties) == {"AssumeRolePolicyDocument", "Policies"}
        (trust,) = role.properties["AssumeRolePolicyDocument"]["Statement"]
        others = {"ReportStateMachine": "states", "ReportTimer": "scheduler"}
        service = others.get(name, "lambda")
        assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}


@pytest.mark.parametrize("name", ["EndReportFunction", "TellStoreChangesFunction"])
def test_events_are_published_as_ours_only(name: str, roles: dict[str, Resource]) -> None:
    (publishing,) = [
        statement
        for statement in _statements(roles[name])
        if statement["Action"] == "events:PutEvents"
    ]
    # The key has several values: without the second condition, a call without any would pass.
    assert publishing["Condition"] == {
        "ForAllValues:StringEquals": {"events:source": SOURCE},
        "Null": {"events:source": "false"},
    }


def test_a_notice_goes_to_the_topic_that_was_named() -> None:
    allowed = _allowed(_roles(translated(NoticeTopicArn=TOPIC))["EndReportFunction"])
    assert _without_logs_and_traces(allowed) == CALLS["EndReportFunction"] | {
        "sns:Publish": {TOPIC}
    }


def test_whoever_counts_parts_cannot_list_anything_else(roles: dict[str, Resource]) -> None:
    (listing,) = [
        statement
        for statement in _statements(roles["GetReportFunction"])
        if statement["Action"] == "s3:ListBucket"
    ]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "reports/*/parts/"}}


def _allowed(role: Resource) -> dict[str, set[str]]:
    """Return the resources that a role allows each action on."""
    allowed: dict[str, set[str]] = defaultdict(set)
    for statement in _statements(role):
        assert statement["Effect"] == "Allow"
        for action in _listed(statement["Action"]):
            allowed[action] |= set(_listed(statement["Resource"]))
    return dict(allowed)


def _statements(role: Resource) -> list[Mapping[str, Any]]:
    return [
        statement
        for policy in role.properties["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def _without_logs_and_traces(allowed: Mapping[str, set[str]]) -> dict[str, set[str]]:
    return {
        action: resources
        for action, resources in allowed.items()
        if not action.startswith(("logs:", "xray:"))
    }


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value

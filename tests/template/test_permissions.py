"""Roles allow single actions on the stack's own resources.

The end-to-end tests prove that this is exactly what the code calls: `tests/permissions.py`.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from local.emulator.template import Resource, Template
from store_monitoring.aws.events import SOURCE
from tests.template.translation import by_id, translated

ACCOUNT = "us-east-1:123456789012"
DATA = "arn:aws:s3:::here-databucket"
BUS = f"arn:aws:events:{ACCOUNT}:event-bus/default"

# These actions support no resource-level permissions, so their resource is "*".
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

DEFAULT = translated()
FUNCTIONS = sorted(by_id(DEFAULT, "AWS::Lambda::Function"))
OTHERS = {"ReportStateMachine": "states", "ReportTimer": "scheduler"}
"""Resources other than functions that have a role, and the service that assumes it."""
CATALOG = f"arn:aws:glue:{ACCOUNT}:catalog"
"""Every call of Glue needs it, besides the database and the table."""
ALL = [*FUNCTIONS, *OTHERS]


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


@pytest.mark.parametrize("name", ALL)
def test_wildcards_are_used_only_where_resources_cannot_be_named(
    name: str, roles: dict[str, Resource]
) -> None:
    unnamed = {action for action, resources in _allowed(roles[name]).items() if "*" in resources}
    others = {"ReportStateMachine": TRACING | SAMPLING | LOG_DELIVERY, "ReportTimer": set()}
    assert unnamed == others.get(name, TRACING)


@pytest.mark.parametrize("name", ALL)
def test_actions_have_no_wildcards_and_resources_belong_to_the_stack(
    name: str, roles: dict[str, Resource]
) -> None:
    for action, resources in _allowed(roles[name]).items():
        assert "*" not in action
        for resource in resources - {"*", BUS, CATALOG}:
            assert "here" in resource.split("*")[0]


@pytest.mark.parametrize("name", ALL)
def test_objects_of_the_data_bucket_are_named_by_their_prefix(
    name: str, roles: dict[str, Resource]
) -> None:
    # The run proves that each pattern is used, not that it is no wider than its use.
    for resources in _allowed(roles[name]).values():
        for resource in resources:
            _, is_object, key = resource.partition(f"{DATA}/")
            prefix, is_prefix, _ = key.partition("/")
            assert not is_object or (is_prefix and "*" not in prefix)


def test_each_has_its_own_role_without_managed_policies(
    roles: dict[str, Resource], template: Template
) -> None:
    assert set(roles) == set(ALL)
    assert len({role.logical_id for role in roles.values()}) == len(roles)
    assert {role.logical_id for role in roles.values()} == set(by_id(template, "AWS::IAM::Role"))
    for name, role in roles.items():
        assert set(role.properties) == {"AssumeRolePolicyDocument", "Policies"}
        (trust,) = role.properties["AssumeRolePolicyDocument"]["Statement"]
        service = OTHERS.get(name, "lambda")
        assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}


@pytest.mark.parametrize("name", ["EndReportFunction", "PublishStoreChangesFunction"])
def test_events_are_published_with_our_source_only(name: str, roles: dict[str, Resource]) -> None:
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


def test_notifications_are_sent_to_the_given_topic_only(roles: dict[str, Resource]) -> None:
    name, topic = "EndReportFunction", f"arn:aws:sns:{ACCOUNT}:here-readers"
    with_notices = _allowed(_roles(translated(NotificationTopicArn=topic))[name])
    assert with_notices == _allowed(roles[name]) | {"sns:Publish": {topic}}


def test_an_upload_is_read_with_and_without_a_version(roles: dict[str, Resource]) -> None:
    """S3 may store objects of a new bucket without a version at first."""
    allowed = _allowed(roles["IngestFunction"])
    (inbox,) = allowed["s3:GetObjectVersion"]
    assert inbox in allowed["s3:GetObject"]


def test_the_function_that_counts_parts_can_list_little_else(roles: dict[str, Resource]) -> None:
    (listing,) = [
        statement
        for statement in _statements(roles["GetReportFunction"])
        if statement["Action"] == "s3:ListBucket"
    ]
    prefixes = ["reports/*/parts/v2-", "reports/*/summary.json"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": prefixes}}


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


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value

"""What a role's policies allow."""

from typing import Any

import pytest

from local.emulator.intrinsics import TemplateError
from local.emulator.policies import Access, Permission, Role

BUCKET = "arn:aws:s3:::bucket"
READ = Access("s3:GetObject", f"{BUCKET}/a/b")


def role(*statements: dict[str, Any], **properties: Any) -> Role:
    policy = {"PolicyName": "of-the-test", "PolicyDocument": {"Statement": list(statements)}}
    return Role("role", {"Policies": [policy], **properties})


def allow(action: Any = "s3:GetObject", resource: Any = "*", **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **elements}


def allowed(access: Access, *statements: dict[str, Any]) -> bool:
    return bool(role(*statements).permissions_for(access))


@pytest.mark.parametrize(
    ("action", "is_allowed"),
    [
        ("s3:GetObject", True),
        ("S3:getobject", True),
        ("s3:Get*", True),
        ("s3:GetObjec?", True),
        ("s3:*", True),
        ("*", True),
        ("s3:GetObject?", False),
        ("s3:GetObjectVersion", False),
        ("s3:Get", False),
        ("dynamodb:*", False),
        (["s3:PutObject", "s3:GetObject"], True),
    ],
)
def test_actions(action: Any, is_allowed: bool) -> None:
    assert allowed(READ, allow(action)) == is_allowed


@pytest.mark.parametrize(
    ("resource", "is_allowed"),
    [
        ("*", True),
        (f"{BUCKET}/a/b", True),
        (f"{BUCKET}/*", True),
        (f"{BUCKET}/?/b", True),
        (f"{BUCKET}*", True),
        ("arn:aws:s3:*:*:bucket/a/b", True),
        (f"{BUCKET}/A/b", False),
        (f"{BUCKET}/a", False),
        (f"{BUCKET}/a.b", False),
        (BUCKET, False),
        ("arn:aws:s3:::*et/b", False),
        ([BUCKET, f"{BUCKET}/*"], True),
    ],
)
def test_resources(resource: Any, is_allowed: bool) -> None:
    assert allowed(READ, allow(resource=resource)) == is_allowed


def test_the_last_segment_of_an_arn_may_contain_colons_and_no_other() -> None:
    execution = "arn:aws:states:us-east-1:1:execution:machine:name"
    access = Access("states:DescribeExecution", execution)
    assert allowed(access, allow("states:*", "arn:aws:states:us-east-1:1:execution:machine:*"))
    assert not allowed(access, allow("states:*", "arn:aws:states:us-east-1:1:execution:machine"))
    assert not allowed(access, allow("states:*", "arn:aws:states:*:execution:machine:name:"))


def test_without_a_statement_nothing_is_allowed() -> None:
    assert not Role("role", {}).permissions_for(READ)


def test_a_denial_wins() -> None:
    denial = {"Effect": "Deny", "Action": "s3:*", "Resource": f"{BUCKET}/a/*"}
    statements = [allow(), denial, allow("*")]
    assert not allowed(READ, *statements)
    assert allowed(Access("s3:GetObject", f"{BUCKET}/b"), *statements)


def test_a_denial_applies_only_under_its_condition() -> None:
    denial = {
        "Effect": "Deny",
        "Action": "s3:ListBucket",
        "Resource": "*",
        "Condition": {"StringNotLike": {"s3:prefix": "mine/*"}},
    }
    mine, theirs, all_ = (
        Access("s3:ListBucket", BUCKET, context)
        for context in ({"s3:prefix": ("mine/a",)}, {"s3:prefix": ("theirs/",)}, {})
    )
    assert allowed(mine, allow("s3:*"), denial)
    assert not allowed(theirs, allow("s3:*"), denial)
    assert not allowed(all_, allow("s3:*"), denial)


@pytest.mark.parametrize(
    ("condition", "given", "holds"),
    [
        ({"StringEquals": {"s3:prefix": "a"}}, ["a"], True),
        ({"StringEquals": {"s3:prefix": ["b", "a"]}}, ["a"], True),
        ({"StringEquals": {"s3:prefix": "a*"}}, ["ab"], False),
        ({"StringEquals": {"s3:prefix": "a"}}, [], False),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, [], True),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, ["b"], False),
        ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, ["a"], False),
        ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, ["c"], True),
        ({"StringNotEquals": {"s3:prefix": "a"}}, [], True),
        ({"StringLike": {"s3:prefix": "reports/*/parts/"}}, ["reports/1/parts/"], True),
        ({"StringLike": {"s3:prefix": "reports/*/parts/"}}, ["reports/1/"], False),
        ({"StringLike": {"s3:prefix": "reports/*/parts/"}}, [], False),
        ({"StringLike": {"s3:prefix": "a*"}, "StringEquals": {"s3:prefix": "ab"}}, ["ac"], False),
        ({"Bool": {"s3:prefix": True}}, ["true"], True),
        ({"Null": {"s3:prefix": "true"}}, [], True),
        ({"Null": {"s3:prefix": True}}, ["a"], False),
        ({"Null": {"s3:prefix": False}}, ["a"], True),
        ({"Null": {"s3:prefix": "false"}}, [], False),
    ],
)
def test_conditions_on_one_value(condition: dict[str, Any], given: list[str], holds: bool) -> None:
    context = {"s3:prefix": tuple(given)} if given else {}
    access = Access("s3:ListBucket", BUCKET, context)
    assert allowed(access, allow("s3:ListBucket", Condition=condition)) == holds


OURS = {"ForAllValues:StringEquals": {"events:source": "ours"}}
OURS_AND_SOME = {**OURS, "Null": {"events:source": "false"}}
SOME_OURS = {"ForAnyValue:StringEquals": {"events:source": "ours"}}


@pytest.mark.parametrize(
    ("condition", "given", "holds"),
    [
        (OURS, ["ours"], True),
        (OURS, ["ours", "theirs"], False),
        (OURS, [], True),  # which is why Null belongs to it
        (OURS_AND_SOME, ["ours"], True),
        (OURS_AND_SOME, ["ours", "theirs"], False),
        (OURS_AND_SOME, [], False),
        (SOME_OURS, ["theirs", "ours"], True),
        (SOME_OURS, ["theirs"], False),
        (SOME_OURS, [], False),
    ],
)
def test_conditions_on_several_values(
    condition: dict[str, Any], given: list[str], holds: bool
) -> None:
    access = Access("events:PutEvents", "*", {"events:source": tuple(given)})
    assert allowed(access, allow("events:PutEvents", Condition=condition)) == holds


@pytest.mark.parametrize(
    ("element", "complaint"),
    [
        ({"Condition": {"IpAddress": {"aws:SourceIp": "::1"}}}, "operator IpAddress"),
        ({"Condition": {"ForSomeValues:StringLike": {"s3:prefix": ""}}}, "ForSomeValues"),
        ({"Condition": {"ForAllValues:Null": {"s3:prefix": "true"}}}, "ForAllValues:Null"),
        ({"Condition": {"StringEquals": {"aws:PrincipalTag/x": "y"}}}, "key aws:PrincipalTag/x"),
        # It never holds on AWS, or always: a request has several sources.
        ({"Condition": {"StringEquals": {"events:source": "ours"}}}, "several values"),
        ({"NotAction": "s3:*"}, "NotAction"),
        ({"Principal": "*"}, "Principal"),
        ({"Effect": "Maybe"}, "effect"),
        ({"Resource": "bucket/*"}, "bucket/. is not an ARN"),
        ({"Resource": "arn:aws:s3:::bucket/${aws:userid}/*"}, "variables"),
    ],
)
def test_an_unsupported_element_is_an_error(element: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        role({**allow(), **element})


def test_only_managed_policies_for_logs_and_traces_are_supported() -> None:
    logs = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    role(ManagedPolicyArns=[logs])
    with pytest.raises(TemplateError, match="AdministratorAccess"):
        role(ManagedPolicyArns=[logs, "arn:aws:iam::aws:policy/AdministratorAccess"])


def test_the_permissions_that_allow_an_access_are_returned() -> None:
    reader = role(
        allow(["s3:GetObject", "s3:PutObject"], [f"{BUCKET}/a/*", f"{BUCKET}/b/*"]),
        allow("s3:Get*", f"{BUCKET}/*"),
    )
    assert reader.permissions_for(READ) == {
        Permission("role", "s3:GetObject", f"{BUCKET}/a/*"),
        Permission("role", "s3:Get*", f"{BUCKET}/*"),
    }
    assert len(reader.permissions()) == 5

"""Evaluates the policies of roles by IAM's rules, for the elements that templates use.

moto's own evaluator supports neither conditions on requests nor the wildcard ``?``, and treats a
statement whose condition does not hold as a denial. An element, operator or condition key that is
not supported here is an error of the template; none is ignored.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.emulator.intrinsics import TemplateError

_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition"}
_ARN_SEGMENTS = 6

# The supported condition keys, and whether a request can have several values of the key.
_IS_MULTIVALUED = {"s3:prefix": False, "s3:delimiter": False, "events:source": True}

# These allow a function to write logs and traces, which takes no calls here.
_LOGS_AND_TRACES = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
    "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess",
}


@dataclass(frozen=True, slots=True)
class Access:
    """An action on a resource that a request needs.

    Attributes
    ----------
    action
        Such as ``s3:GetObject``.
    resource
        Its ARN, or ``*``.
    context
        The values of condition keys.
    """

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """An action and a resource that a role's policy allows, as written in the policy."""

    role: str
    action: str
    resource: str


class Role:
    """A role and its inline policies.

    Parameters
    ----------
    name
        Its name.
    properties
        Its properties in the template, with references resolved.

    Raises
    ------
    TemplateError
        If a policy has an element that is not supported.

    Examples
    --------
    >>> statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::bucket/a/*"}
    >>> policy = {"PolicyName": "read", "PolicyDocument": {"Statement": [statement]}}
    >>> reader = Role("reader", {"Policies": [policy]})
    >>> bool(reader.permissions_for(Access("s3:GetObject", "arn:aws:s3:::bucket/a/b")))
    True
    >>> bool(reader.permissions_for(Access("s3:GetObject", "arn:aws:s3:::bucket/b")))
    False
    """

    def __init__(self, name: str, properties: Mapping[str, Any]) -> None:
        self.name = name
        if unknown := set(properties.get("ManagedPolicyArns", ())) - _LOGS_AND_TRACES:
            raise TemplateError(f"{name}: managed policies are not supported: {unknown}")
        self._allowing: list[_Statement] = []
        self._denying: list[_Statement] = []
        for policy in properties.get("Policies", ()):
            for document in _as_list(policy["PolicyDocument"]["Statement"]):
                try:
                    statement = _statement(document)
                except _NotSupportedError as error:
                    raise TemplateError(f"{name}: {error} in {document}") from error
                allows = document["Effect"] == "Allow"
                (self._allowing if allows else self._denying).append(statement)

    def permissions(self) -> set[Permission]:
        """Return everything that the statements allow."""
        return {
            Permission(self.name, action, resource)
            for statement in self._allowing
            for action in statement.actions
            for resource in statement.resources
        }

    def permissions_for(self, access: Access) -> set[Permission]:
        """Return the permissions that allow an access; none if it is denied."""
        if any(statement.matching(access) for statement in self._denying):
            return set()
        return {
            Permission(self.name, action, resource)
            for statement in self._allowing
            for action, resource in statement.matching(access)
        }


class _NotSupportedError(Exception):
    """A statement has an element that is not supported here."""


@dataclass(frozen=True, slots=True)
class _Condition:
    operator: str
    quantifier: str | None
    if_exists: bool
    key: str
    values: tuple[str, ...]

    def holds(self, context: Mapping[str, tuple[str, ...]]) -> bool:
        given = context.get(self.key, ())
        if self.operator == "Null":
            return (self.values == ("true",)) == (not given)
        test, is_negated = _OPERATORS[self.operator]
        if not given:
            if self.quantifier == "ForAnyValue":
                return False
            return self.if_exists or self.quantifier == "ForAllValues" or is_negated
        results = (any(test(value, each) for value in self.values) != is_negated for each in given)
        return any(results) if self.quantifier == "ForAnyValue" else all(results)


@dataclass(frozen=True, slots=True)
class _Statement:
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[_Condition, ...]

    def matching(self, access: Access) -> list[tuple[str, str]]:
        """Return the actions and resources of this statement that an access matches."""
        if not all(condition.holds(access.context) for condition in self.conditions):
            return []
        return [
            (action, resource)
            for action in self.actions
            if _is_like(action.lower(), access.action.lower())
            for resource in self.resources
            if _is_arn_like(resource, access.resource)
        ]


def _statement(document: Mapping[str, Any]) -> _Statement:
    if unknown := document.keys() - _ELEMENTS:
        raise _NotSupportedError(f"{', '.join(sorted(unknown))} is not supported")
    if document["Effect"] not in ("Allow", "Deny"):
        raise _NotSupportedError("the effect is neither Allow nor Deny")
    resources = _texts(document["Resource"])
    for resource in resources:
        if resource != "*" and len(_segments(resource)) != _ARN_SEGMENTS:
            raise _NotSupportedError(f"the resource {resource} is not an ARN")
    conditions = tuple(
        _condition(operator, key, _texts(values))
        for operator, tests in document.get("Condition", {}).items()
        for key, values in tests.items()
    )
    return _Statement(_texts(document["Action"]), resources, conditions)


def _condition(operator: str, key: str, values: tuple[str, ...]) -> _Condition:
    quantifier, _, name = operator.rpartition(":")
    base = name.removesuffix("IfExists")
    if base not in _OPERATORS and operator != "Null":
        raise _NotSupportedError(f"the condition operator {operator} is not supported")
    if quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise _NotSupportedError(f"the condition operator {operator} is not supported")
    if key not in _IS_MULTIVALUED:
        raise _NotSupportedError(f"the condition key {key} is not supported")
    if base != "Null" and _IS_MULTIVALUED[key] and not quantifier:
        raise _NotSupportedError(f"the condition key {key} has several values: use ForAllValues")
    return _Condition(base, quantifier or None, base != name, key, values)


def _texts(value: Any) -> tuple[str, ...]:
    """Return a value or a list of values as texts; policies may also have booleans and numbers."""
    texts = tuple(
        str(each).lower() if isinstance(each, bool) else str(each) for each in _as_list(value)
    )
    if variables := [text for text in texts if "${" in text]:
        raise _NotSupportedError(f"policy variables are not supported: {variables}")
    return texts


def _as_list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]


def _is_like(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


def _is_arn_like(pattern: str, arn: str) -> bool:
    """Return whether an ARN matches, segment by segment; the last one may contain colons."""
    if pattern == "*":
        return True
    return all(
        _is_like(*pair) for pair in zip(_segments(pattern), _segments(arn), strict=False)
    ) and len(_segments(arn)) == len(_segments(pattern))


def _segments(arn: str) -> list[str]:
    return arn.split(":", _ARN_SEGMENTS - 1)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern: ``*`` matches any text, ``?`` any character."""
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(each) or re.escape(each) for each in pattern), re.S)


def _equal(expected: str, given: str) -> bool:
    return expected == given


# For each operator its test, and whether the test is negated.
_OPERATORS: Mapping[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringLike": (_is_like, False),
    "StringNotLike": (_is_like, True),
    "ArnEquals": (_is_arn_like, False),
    "ArnLike": (_is_arn_like, False),
    "Bool": (_equal, False),
}

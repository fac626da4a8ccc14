"""Reads a SAM template: its resources, their names and properties, with references resolved."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml
from samcli.lib.cfn_language_extensions.exceptions import InvalidTemplateException
from samcli.lib.cfn_language_extensions.models import TemplateProcessingContext
from samcli.lib.cfn_language_extensions.processors import ForEachProcessor
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import intrinsics_multi_constructor

from local.emulator.intrinsics import Intrinsics, TemplateError

# The properties in which a SAM template names a local file or folder.
_LOCAL_PATHS = ("CodeUri", "ContentUri", "DefinitionUri")
# The translator accepts such a path only as an S3 object; the bucket is a placeholder.
_PATH_PREFIX = "s3://local/"


@dataclass(frozen=True, slots=True)
class Stack:
    """Where a template is deployed: the values of its pseudo parameters."""

    name: str
    region: str
    account: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource to create, with the references in its properties resolved."""

    type: str
    logical_id: str
    name: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How resources of a type are named and referred to."""

    name_property: str
    arn: str
    ref: str = "{name}"


_KINDS = {
    "AWS::S3::Bucket": _Kind("BucketName", "arn:aws:s3:::{name}"),
    "AWS::DynamoDB::Table": _Kind("TableName", "arn:aws:dynamodb:{region}:{account}:table/{name}"),
    "AWS::Lambda::Function": _Kind(
        "FunctionName", "arn:aws:lambda:{region}:{account}:function:{name}"
    ),
    "AWS::StepFunctions::StateMachine": _Kind(
        "StateMachineName",
        "arn:aws:states:{region}:{account}:stateMachine:{name}",
        ref="{arn}",
    ),
    "AWS::Events::Rule": _Kind("Name", "arn:aws:events:{region}:{account}:rule/{name}"),
    "AWS::IAM::Role": _Kind("RoleName", "arn:aws:iam::{account}:role/{name}"),
    "AWS::Logs::LogGroup": _Kind(
        "LogGroupName", "arn:aws:logs:{region}:{account}:log-group:{name}:*"
    ),
    "AWS::CloudWatch::Alarm": _Kind(
        "AlarmName", "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"
    ),
    "AWS::SQS::Queue": _Kind(
        "QueueName",
        "arn:aws:sqs:{region}:{account}:{name}",
        ref="https://sqs.{region}.amazonaws.com/{account}/{name}",
    ),
}


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Reads YAML with CloudFormation's tags, several times as fast as SAM's loader in Python."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


class Template:
    """A SAM template, translated to CloudFormation and resolved for one stack.

    Parameters
    ----------
    path
        The template. The paths in it are relative to its folder.
    stack
        Where the template is deployed.
    parameters
        Values that override the template's defaults.

    Raises
    ------
    TemplateError
        If the template is not valid, or a parameter is unknown or has no value.
    """

    def __init__(self, path: Path, stack: Stack, parameters: Mapping[str, str]) -> None:
        source = _without_loops(yaml.load(path.read_text(encoding="utf-8"), _Loader))  # noqa: S506  # a safe loader
        values = _parameter_values(source, parameters)
        self._path = path.resolve()
        self._stack = stack
        # Otherwise it logs each feature that is not enabled.
        logging.getLogger("samtranslator.feature_toggle").setLevel(logging.ERROR)
        translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=stack.region))
        try:
            self._document: Mapping[str, Any] = translator.translate(
                _without_local_paths(source), values
            )
        except InvalidDocumentException as error:
            raise TemplateError("; ".join(each.message for each in error.causes)) from error
        self._symbols: dict[str, Any] = {
            **values,
            "AWS::StackName": stack.name,
            "AWS::Region": stack.region,
            "AWS::AccountId": stack.account,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._intrinsics = Intrinsics(self._document, self._symbols)
        self._names = self._name_resources()

    @property
    def path(self) -> Path:
        """The template's file."""
        return self._path

    @property
    def document(self) -> Mapping[str, Any]:
        """The template as CloudFormation receives it, with references not resolved."""
        return self._document

    def resources(self, resource_type: str) -> Iterator[Resource]:
        """Yield the resources of a type that the template creates."""
        for logical_id, resource in self._document["Resources"].items():
            if resource["Type"] == resource_type and self._is_wanted(resource):
                properties = self._intrinsics.resolve(resource.get("Properties", {}))
                name = self._names.get(logical_id, logical_id)
                yield Resource(resource_type, logical_id, name, properties)

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack."""
        return {
            name: str(self._intrinsics.resolve(output["Value"]))
            for name, output in self._document.get("Outputs", {}).items()
            if self._is_wanted(output)
        }

    def local_path(self, location: Mapping[str, Any]) -> Path:
        """Return the file or folder that a property of a resource names."""
        key = location.get("S3Key") or location.get("Key")
        if key is None:
            raise TemplateError("code within the template is not supported; name a folder")
        return self._path.parent / str(key)

    def _name_resources(self) -> dict[str, str]:
        names = {}
        for logical_id, resource in self._document["Resources"].items():
            kind = _KINDS.get(resource["Type"])
            if kind is None:
                self._symbols[logical_id] = logical_id
                continue
            name = resource.get("Properties", {}).get(kind.name_property)
            if name is None:
                name = f"{self._stack.name}-{logical_id}"
            name = str(self._intrinsics.resolve(name))
            if resource["Type"] == "AWS::S3::Bucket":
                name = name.lower()
            where = {"region": self._stack.region, "account": self._stack.account}
            arn = kind.arn.format(name=name, **where)
            self._symbols[logical_id] = kind.ref.format(name=name, arn=arn, **where)
            self._symbols[f"{logical_id}.Arn"] = arn
            self._symbols[f"{logical_id}.{kind.name_property}"] = name
            if "StreamSpecification" in resource.get("Properties", {}):
                self._symbols[f"{logical_id}.StreamArn"] = f"{arn}/stream/local"
            names[logical_id] = name
        for logical_id, resource in self._document["Resources"].items():
            if resource["Type"] == "AWS::Lambda::Alias":
                # By now its function has a name, wherever it is in the template.
                alias = resource["Properties"]
                function_arn = self._symbols[f"{alias['FunctionName']['Ref']}.Arn"]
                self._symbols[logical_id] = f"{function_arn}:{alias['Name']}"
        return names

    def _is_wanted(self, item: Mapping[str, Any]) -> bool:
        return "Condition" not in item or self._intrinsics.holds(item["Condition"])


def _without_loops(source: dict[str, Any]) -> dict[str, Any]:
    """Expand each ``Fn::ForEach``, as the transform ``AWS::LanguageExtensions`` does.

    Nothing else of that transform: SAM CLI's version also turns ``Fn::Sub`` into plain text, even
    if it names a resource's attribute.
    """
    context = TemplateProcessingContext(fragment=source)
    try:
        ForEachProcessor().process_template(context)
    except InvalidTemplateException as error:
        raise TemplateError(str(error)) from error
    expanded: dict[str, Any] = context.fragment
    return expanded


def _parameter_values(source: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, str]:
    declared = source.get("Parameters", {})
    if unknown := overrides.keys() - declared.keys():
        raise TemplateError(f"the template has no parameter {', '.join(sorted(unknown))}")
    defaults = {
        name: str(parameter["Default"])
        for name, parameter in declared.items()
        if "Default" in parameter
    }
    values = {**defaults, **overrides}
    if missing := declared.keys() - values.keys():
        raise TemplateError(f"no value for the parameter {', '.join(sorted(missing))}")
    return values


def _without_local_paths(source: dict[str, Any]) -> dict[str, Any]:
    sections = [resource.get("Properties", {}) for resource in source["Resources"].values()]
    for properties in (*source.get("Globals", {}).values(), *sections):
        for name in _LOCAL_PATHS:
            if isinstance(properties.get(name), str):
                properties[name] = _PATH_PREFIX + properties[name]
    return source

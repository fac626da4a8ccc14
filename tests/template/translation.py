"""The template as SAM translates it for CloudFormation."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from local.emulator.template import Resource, Stack, Template

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
STACK = Stack("here", "us-east-1", "123456789012")

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


@cache
def translated(**parameters: str) -> Template:
    """Translate the template for a stack called "here", once for the same parameters."""
    return Template(TEMPLATE, STACK, parameters)


def by_id(template: Template, resource_type: str) -> dict[str, Resource]:
    """Find the resources of a type by their logical ids."""
    return {resource.logical_id: resource for resource in template.resources(resource_type)}


def only(template: Template, resource_type: str) -> Resource:
    """Find the one resource of a type."""
    (resource,) = template.resources(resource_type)
    return resource


def definition(template: Template) -> dict[str, Any]:
    """Read the state machine, with its substitutions."""
    properties = only(template, "AWS::StepFunctions::StateMachine").properties
    text = template.local_path(properties["DefinitionS3Location"]).read_text(encoding="utf-8")
    values = properties["DefinitionSubstitutions"]
    assert set(_PLACEHOLDER.findall(text)) == set(values)
    parsed: dict[str, Any] = json.loads(_PLACEHOLDER.sub(lambda match: values[match[1]], text))
    return parsed


def machines(machine: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """List a state machine and those within its maps."""
    yield machine
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"])

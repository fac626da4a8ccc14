"""As much of the AWS CLI as the commands in the docs need, to run them unchanged.

Usage: ``python -m tests.aws_command SERVICE OPERATION [--option [value...]]...``, against
``AWS_ENDPOINT_URL``. The CLI itself is no dependency of ours.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]  # it has no types
from botocore import xform_name
from botocore.model import ListShape, Shape, StructureShape


def main(service: str, operation: str, *words: str) -> None:
    """Run a command and print what it returns."""
    options = dict(_options(words))
    query, output = options.pop("query", [None])[0], options.pop("output", ["json"])[0]
    client: Any = boto3.client(service)  # type: ignore[call-overload]  # of any service
    method = operation.replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    members = {xform_name(name): name for name in model.input_shape.members}
    arguments = {
        members[option.replace("-", "_")]: _value(
            model.input_shape.members[members[option.replace("-", "_")]], values
        )
        for option, values in options.items()
    }
    response = getattr(client, method)(**arguments)
    response.pop("ResponseMetadata", None)
    found = response if query is None else jmespath.search(query, response)
    print("\n".join(_lines(found)) if output == "text" else json.dumps(found, default=str))


def _options(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    name = ""
    values: list[str] = []
    for word in [*words, "--"]:
        if word.startswith("--"):
            if name:
                yield name, values
            name, values = word.removeprefix("--"), []
        else:
            values.append(word)


def _value(shape: Shape, values: list[str]) -> Any:
    """Return an option's value as boto3 takes it."""
    match shape.type_name:
        case "boolean":
            return True
        case "list":
            assert isinstance(shape, ListShape)
            return [_value(shape.member, [value]) for value in values]
        case "structure":
            assert isinstance(shape, StructureShape)
            return dict(pair.split("=", 1) for pair in values[0].split(","))
        case "integer" | "long":
            return int(values[0])
        case _:
            return values[0]


def _lines(found: Any) -> Iterator[str]:
    """Yield lines of text: a list of lists has a line for each, tabs between its items."""
    rows = found if isinstance(found, list) else [found]
    if any(isinstance(row, list) for row in rows):
        yield from ("\t".join(map(str, row)) for row in rows)
    else:
        yield "\t".join(map(str, rows))


if __name__ == "__main__":
    main(*sys.argv[1:])

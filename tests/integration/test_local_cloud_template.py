"""Templates are read with all their intrinsic functions resolved."""

from pathlib import Path
from typing import Any

import pytest

from local.emulator.intrinsics import Intrinsics, TemplateError
from local.emulator.template import Stack, Template

FIXTURE = Path(__file__).parent / "fixtures" / "local_cloud" / "template.yaml"
STACK = Stack("here", "us-east-1", "123456789012")

DOCUMENT = {
    "Mappings": {"Sizes": {"small": {"mb": 128}}},
    "Conditions": {
        "Yes": {"Fn::Equals": [{"Ref": "Size"}, "small"]},
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
        "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]},
    },
}
SYMBOLS = {"Size": "small", "Bucket": "here-bucket", "Bucket.Arn": "arn:bucket", "Count": 3}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ({"Ref": "Bucket"}, "here-bucket"),
        ({"Ref": "Count"}, 3),
        ({"Ref": {"Fn::Sub": "Bucket"}}, "here-bucket"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:bucket"),
        ({"Fn::GetAtt": "Bucket.Arn"}, "arn:bucket"),
        ({"Fn::Sub": "${Bucket.Arn}/${Count}/${!Bucket}"}, "arn:bucket/3/${Bucket}"),
        ({"Fn::Sub": ["${Own}-${Size}", {"Own": {"Ref": "Bucket"}}]}, "here-bucket-small"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Count"}]]}, "a-3"),
        ({"Fn::Split": ["-", {"Ref": "Bucket"}]}, ["here", "bucket"]),
        ({"Fn::Select": ["1", {"Fn::Split": ["-", "a-b"]}]}, "b"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Size"}, "mb"]}, 128),
        ({"Fn::If": ["Yes", "then", {"Ref": "Unknown"}]}, "then"),
        ({"Fn::If": ["No", {"Ref": "Unknown"}, "otherwise"]}, "otherwise"),
        ({"Fn::If": ["Both", 1, 0]}, 0),
        ({"Fn::If": ["Either", 1, 0]}, 1),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        (
            {"Condition": {"StringEquals": {"Ref": "Size"}}},
            {"Condition": {"StringEquals": "small"}},
        ),
    ],
)
def test_functions(value: Any, expected: Any) -> None:
    assert Intrinsics(DOCUMENT, SYMBOLS).resolve(value) == expected


@pytest.mark.parametrize(
    "value",
    [{"Ref": "Unknown"}, {"Fn::Sub": "${Unknown}"}, {"Fn::ImportValue": "x"}],
)
def test_errors_name_unknown_symbols_and_functions(value: Any) -> None:
    with pytest.raises(TemplateError, match=r"Unknown|Fn::ImportValue"):
        Intrinsics(DOCUMENT, SYMBOLS).resolve(value)


def test_resources_are_named_after_the_stack() -> None:
    template = Template(FIXTURE, STACK, {})

    functions = {each.logical_id: each for each in template.resources("AWS::Lambda::Function")}

    assert functions["DescribeFunction"].name == "here-DescribeFunction"
    properties = functions["DescribeFunction"].properties
    assert template.local_path(properties["Code"]) == FIXTURE.parent / "functions"
    assert properties["Environment"]["Variables"]["GREETING"] == "hello"
    assert template.outputs()["Machine"].endswith(":stateMachine:here-Machine")


def test_a_condition_can_remove_a_value() -> None:
    template = Template(FIXTURE, STACK, {"Greeting": ""})

    functions = {each.logical_id: each for each in template.resources("AWS::Lambda::Function")}

    assert "GREETING" not in functions["DescribeFunction"].properties["Environment"]["Variables"]


def test_a_loop_makes_a_resource_of_each_value(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("""
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Queues:
    - Name
    - [Red, Blue]
    - ${Name}Queue:
        Type: AWS::SQS::Queue
        Properties: {QueueName: !Sub "${AWS::StackName}-${Name}"}
Outputs:
  Blue: {Value: !GetAtt BlueQueue.Arn}
""")

    template = Template(path, STACK, {})

    queues = {each.logical_id: each.name for each in template.resources("AWS::SQS::Queue")}
    assert queues == {"RedQueue": "here-Red", "BlueQueue": "here-Blue"}
    assert template.outputs() == {"Blue": "arn:aws:sqs:us-east-1:123456789012:here-Blue"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Parameters: {P: {Type: String}}\nResources: {}", "no value for the parameter P"),
        (
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13}}}",
            r"Resource with id \[F\] is invalid",
        ),
        ("Resources: {'Fn::ForEach::Queues': [Name]}", "Fn::ForEach"),
    ],
)
def test_an_invalid_template(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text)

    with pytest.raises(TemplateError, match=error):
        Template(path, STACK, {})

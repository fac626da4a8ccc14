"""The environments and outputs of `sam deploy`."""

import tomllib
from typing import Any

import pytest

from local.emulator.template import Template
from tests.template.translation import ROOT, only, translated

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
ENVIRONMENTS = ("default", "staging", "prod")


def test_every_environment_is_a_separate_stack() -> None:
    names = [CONFIG[name]["global"]["parameters"]["stack_name"] for name in ENVIRONMENTS]
    assert len(set(names)) == len(ENVIRONMENTS)
    for name in names:
        assert name == name.lower()  # it becomes part of a bucket's name
        # The longest name of a Region has 14 letters, the longest of a bucket 63.
        assert len(f"{name}-inbox-123456789012-ap-southeast-1") <= 63


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_needs_no_further_settings(name: str) -> None:
    deploy = CONFIG[name]["deploy"]["parameters"]
    assert deploy["resolve_s3"]
    assert deploy["capabilities"] == "CAPABILITY_IAM"
    overrides = dict(text.split("=") for text in deploy.get("parameter_overrides", []))
    parameters = translated(**overrides).document["Parameters"]  # refuses what it does not know
    for parameter, value in overrides.items():
        allowed = parameters[parameter].get("AllowedValues")
        assert allowed is None or value in map(str, allowed)


def test_roles_have_no_fixed_names(template: Template) -> None:
    # Named roles would need CAPABILITY_NAMED_IAM.
    for role in template.resources("AWS::IAM::Role"):
        assert "RoleName" not in role.properties


def test_outputs_used_in_the_docs_exist(template: Template) -> None:
    outputs = template.outputs()
    guide = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    for name in outputs:
        assert name in guide
    assert set(outputs) == {
        "ApiUrl",
        "ApiKeyId",
        "ApiUsagePlanId",
        "TablesDatabaseName",
        "InboxBucketName",
        "UploadQueueArn",
        "IngestFailuresArn",
        "IngestFailuresUrl",
        "DataBucketName",
        "ReportTableName",
        "IngestTableName",
        "StateMachineArn",
        "DeleteStoreFunctionName",
        "TakeBackIngestFunctionName",
    }


def test_the_api_has_one_stage(template: Template) -> None:
    assert only(template, "AWS::ApiGateway::Stage").properties["StageName"] == "v1"
    deployment = only(template, "AWS::ApiGateway::Deployment").properties
    assert "StageName" not in deployment

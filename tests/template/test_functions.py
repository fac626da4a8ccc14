"""Functions: their settings, logs, versions, snapshots and callers."""

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

import store_monitoring.settings
from local.emulator.template import Resource, Template
from store_monitoring.aws.events import SOURCE
from store_monitoring.notifications.events import EventType
from tests.template.test_permissions import FUNCTIONS
from tests.template.translation import (
    ROOT,
    STACK,
    TEMPLATE,
    by_id,
    definition,
    only,
    translated,
)

# Another value than the default for every parameter.
CHANGED = {
    "Architecture": "x86_64",
    "BucketCount": "65",
    "PollMemoryDays": "15",
    "CoverageMinutes": "121",
    "TargetPercent": "99.5",
    "ShardPolls": "50000001",
    "ShardMemory": "1770",
    "MapConcurrency": "101",
    "ShardExecutionType": "STANDARD",
    "IngestConcurrency": "2",
    "SnapStart": "PublishedVersions",
    "DownloadLinkSeconds": "60",
    "ReportRetentionDays": "91",
    "ApiAuth": "AWS_IAM",
    "CorsOrigin": "https://example.com",
    "ApiRateLimit": "51",
    "ApiBurstLimit": "101",
    "ApiRouteRateLimit": "101",
    "ApiRouteBurstLimit": "201",
    "ApiDailyQuota": "100001",
    "LogRetentionDays": "7",
    "ReportSchedule": "rate(1 hour)",
    "ScheduledRequest": "last_month",
    "ScheduleZone": "America/Chicago",
    "NotificationTopicArn": "arn:aws:sns:us-east-1:123456789012:readers",
    "StoreEventLimit": "1000",
    "FuturePollToleranceMinutes": "61",
    "PublishTables": "false",
    "TablesDeletionPolicy": "Retain",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:operators",
    "ReportSecondsLimit": "601",
    "RejectedPercentLimit": "2",
    "PollAgeSecondsLimit": "10801",
}


@pytest.fixture(scope="module")
def functions(template: Template) -> dict[str, Resource]:
    return by_id(template, "AWS::Lambda::Function")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_gets_the_settings_that_it_reads_and_no_others(
    name: str, functions: dict[str, Resource], template: Template
) -> None:
    function = functions[name].properties
    handler = ast.parse((template.local_path(function["Code"]) / "app.py").read_text())
    [settings] = [node for node in ast.walk(handler) if isinstance(node, ast.ClassDef)]
    declared = {
        ast.unparse(each.target) for each in settings.body if isinstance(each, ast.AnnAssign)
    }
    read = {
        node.attr
        for node in ast.walk(handler)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "settings"
    }
    given = {
        variable
        for variable in function["Environment"]["Variables"]
        if not variable.startswith(("AWS_", "POWERTOOLS_"))  # of libraries
    }
    assert declared == read
    assert given == {setting.upper() for setting in declared}


def test_the_ranges_of_settings_are_those_of_the_parameters(template: Template) -> None:
    parameters = template.document["Parameters"]
    ranges = {
        name: get_args(kind)[1]
        for name, kind in vars(store_monitoring.settings).items()
        if get_args(kind)[:1] == (int,)
    }
    assert len(ranges) >= 8
    for name, allowed in ranges.items():
        assert (allowed.minimum, allowed.maximum) == (
            int(parameters[name]["MinValue"]),
            int(parameters[name]["MaxValue"]),
        )


def test_each_function_logs_json_to_its_own_group(functions: dict[str, Resource]) -> None:
    groups = by_id(translated(LogRetentionDays="7"), "AWS::Logs::LogGroup")
    retention = {group.name: group.properties["RetentionInDays"] for group in groups.values()}
    own = {function.properties["LoggingConfig"]["LogGroup"] for function in functions.values()}
    others = {groups[name].name for name in ("ReportStateMachineLogs", "ApiAccessLogs")}
    assert len(own) == len(functions)
    assert own | others == set(retention)
    assert set(retention.values()) == {"7"}
    for function in functions.values():
        assert function.properties["LoggingConfig"]["LogFormat"] == "JSON"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_log_group_is_named_after_its_function(
    name: str, functions: dict[str, Resource], template: Template
) -> None:
    # A new logical id for an existing name would make the update of a stack fail.
    group = by_id(template, "AWS::Logs::LogGroup")[f"{name.removesuffix('Function')}Logs"].name
    folder = template.local_path(functions[name].properties["Code"]).name
    assert group == f"/aws/lambda/here/{folder}"
    assert functions[name].properties["LoggingConfig"]["LogGroup"] == group


def test_the_state_machine_logs_its_errors(template: Template) -> None:
    logging = only(template, "AWS::StepFunctions::StateMachine").properties["LoggingConfiguration"]
    group = by_id(template, "AWS::Logs::LogGroup")["ReportStateMachineLogs"].name
    # A longer name elsewhere makes AWS's resource policy for logs overflow.
    assert group.startswith("/aws/vendedlogs/states/")
    assert logging["Level"] == "ERROR"
    (destination,) = logging["Destinations"]
    assert destination["CloudWatchLogsLogGroup"]["LogGroupArn"] == (
        f"arn:aws:logs:us-east-1:123456789012:log-group:{group}:*"
    )


def test_all_callers_use_the_alias(template: Template, functions: dict[str, Resource]) -> None:
    called = {permission["FunctionName"] for permission in _permissions(template)}
    called |= {
        mapping.properties["FunctionName"]
        for mapping in template.resources("AWS::Lambda::EventSourceMapping")
    }
    called |= {
        target["Arn"]
        for rule in template.resources("AWS::Events::Rule")
        for target in rule.properties["Targets"]
    }
    called |= {
        schedule.properties["Target"]["Arn"]
        for schedule in template.resources("AWS::Scheduler::Schedule")
    }
    api = json.dumps(only(template, "AWS::ApiGateway::RestApi").properties["Body"])
    machine = only(template, "AWS::StepFunctions::StateMachine").properties
    called |= {
        arn
        for arn in machine["DefinitionSubstitutions"].values()
        if arn.startswith("arn:aws:lambda:")
    }
    called |= {value for value in template.outputs().values() if ":function:" in value}
    for function in functions.values():
        alias = f"arn:aws:lambda:us-east-1:123456789012:function:{function.name}:live"
        assert alias in called
        called.remove(alias)
        assert function.name not in api.replace(alias, "")
    assert called == set()


def _permissions(template: Template) -> list[Mapping[str, Any]]:
    return [each.properties for each in template.resources("AWS::Lambda::Permission")]


def test_only_this_account_s_services_may_call(template: Template) -> None:
    for permission in _permissions(template):
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission.keys() & {"SourceArn", "SourceAccount"}


def test_the_values_here_differ_from_the_defaults(template: Template) -> None:
    defaults = {
        name: str(parameter["Default"])
        for name, parameter in template.document["Parameters"].items()
    }
    assert CHANGED.keys() == defaults.keys()
    assert not CHANGED.items() & defaults.items()


@pytest.mark.parametrize("parameter", CHANGED)
def test_a_changed_parameter_creates_new_versions_of_its_functions(
    parameter: str, template: Template
) -> None:
    # Too few, and the alias keeps the old settings; too many, and Lambda refuses the deployment:
    # there is no second version of what has not changed.
    before, after = _versions(template), _versions(translated(**{parameter: CHANGED[parameter]}))
    changed = {name for name in before if before[name].settings != after[name].settings}
    published = {name for name in before if before[name].identity != after[name].identity}
    assert published == changed


def _longest(parameter: Mapping[str, Any]) -> str:
    """Return one of the longest permitted values of a parameter."""
    if "AllowedValues" in parameter:
        return max(map(str, parameter["AllowedValues"]), key=len)
    if parameter["Type"] == "Number":
        return str(parameter["MaxValue"])
    arn = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:a"
    for beginning in ("https://a", arn, "99.9", "America/Chicago"):
        value = beginning.ljust(parameter["MaxLength"], beginning[-1])
        if re.fullmatch(parameter["AllowedPattern"], value):
            return value
    raise AssertionError("no long value is known of this pattern")


def test_a_version_s_description_is_always_short_enough(
    template: Template,
) -> None:
    parameters = template.document["Parameters"]
    reached = [
        name
        for name in parameters
        if _descriptions(template) != _descriptions(translated(**{name: CHANGED[name]}))
    ]
    longest = translated(**{name: _longest(parameters[name]) for name in reached})
    lengths = [len(description) for description in _descriptions(longest)]
    assert len(reached) > 5
    assert 150 < max(lengths) <= 256


def _descriptions(template: Template) -> list[str]:
    return [
        version.properties["Description"] for version in template.resources("AWS::Lambda::Version")
    ]


def test_api_functions_know_the_cors_origin() -> None:
    template = translated(CorsOrigin="https://example.com")
    body = json.dumps(only(template, "AWS::ApiGateway::RestApi").properties["Body"])
    for function in template.resources("AWS::Lambda::Function"):
        responds = f":{function.name}:live" in body
        origin = function.properties["Environment"]["Variables"].get("CORS_ORIGIN")
        assert origin == ("https://example.com" if responds else None)


def test_layers_are_deleted_with_the_stack(template: Template) -> None:
    layers = list(template.resources("AWS::Lambda::LayerVersion"))
    assert layers
    for layer in layers:
        assert template.document["Resources"][layer.logical_id]["DeletionPolicy"] == "Delete"


@dataclass(frozen=True, slots=True)
class _Version:
    """The inputs of a version, and the values that make CloudFormation create another."""

    settings: Mapping[str, Any]
    identity: tuple[str, str]


def _versions(template: Template) -> dict[str, _Version]:
    functions = {each.name: each for each in template.resources("AWS::Lambda::Function")}
    versions = {}
    for version in template.resources("AWS::Lambda::Version"):
        function = functions[version.properties["FunctionName"]]
        settings = dict(function.properties)
        settings.pop("ReservedConcurrentExecutions", None)  # of all versions together
        identity = (version.logical_id, version.properties["Description"])
        versions[function.logical_id] = _Version(settings, identity)
    assert len(versions) == len(functions)
    return versions


@pytest.mark.parametrize(
    ("layer", "users"),
    [
        ("core", set(FUNCTIONS)),
        (
            "data",
            {
                "CompactFunction",
                "IngestFunction",
                "ComputeShardFunction",
                "GetTimelineFunction",
                "ListStoresFunction",
                "DeleteStoreFunction",
                "PlanAndMergeFunction",
                "TakeBackIngestFunction",
                "PublishStoreChangesFunction",
                "PublishTablesFunction",
                "StartScheduledReportFunction",
            },
        ),
        ("tables", {"PublishTablesFunction"}),
        ("html", {"PlanAndMergeFunction"}),
    ],
)
def test_a_new_layer_creates_new_versions(
    layer: str, users: set[str], template: Template, tmp_path: Path
) -> None:
    changed = tmp_path / "template.yaml"
    before = f"ContentUri: layers/{layer}\n"
    text = TEMPLATE.read_text(encoding="utf-8")
    assert before in text
    changed.write_text(text.replace(before, "ContentUri: layers/changed\n"))
    after = _versions(Template(changed, STACK, {}))
    published = {
        name
        for name, version in _versions(template).items()
        if version.identity != after[name].identity
    }
    assert published == users


def test_snap_start_is_on_if_requested_and_supported() -> None:
    for wanted in ("None", "PublishedVersions"):
        for function in translated(SnapStart=wanted).resources("AWS::Lambda::Function"):
            roomy = "EphemeralStorage" in function.properties
            assert function.properties["SnapStart"]["ApplyOn"] == ("None" if roomy else wanted)


def test_only_the_last_version_stays(template: Template) -> None:
    for version in template.resources("AWS::Lambda::Version"):
        assert template.document["Resources"][version.logical_id]["DeletionPolicy"] == "Delete"


def test_the_concurrency_of_shards_is_a_parameter() -> None:
    functions = by_id(translated(MapConcurrency="7"), "AWS::Lambda::Function")
    variables = functions["PlanAndMergeFunction"].properties["Environment"]["Variables"]
    assert variables["MAP_CONCURRENCY"] == "7"
    states = definition(translated())["States"]
    for name in ("ComputeShardsInline", "ComputeShardsDistributed"):
        assert states[name]["MaxConcurrencyPath"] == "$.plan.max_concurrency"


def test_an_execution_that_ends_ends_its_report(template: Template) -> None:
    rule = by_id(template, "AWS::Events::Rule")["EndReportFunctionExecutionEnded"].properties
    machine = only(template, "AWS::StepFunctions::StateMachine")
    assert rule["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [
                f"arn:aws:states:us-east-1:123456789012:stateMachine:{machine.name}"
            ],
            "status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"],
        },
    }
    (target,) = rule["Targets"]
    assert target["Arn"].endswith(":here-EndReportFunction:live")


@pytest.mark.parametrize(("limit", "state"), [("0", "DISABLED"), ("7", "ENABLED")])
def test_store_changes_are_published_if_requested(limit: str, state: str) -> None:
    template = translated(StoreEventLimit=limit)
    rule = by_id(template, "AWS::Events::Rule")["PublishStoreChangesFunctionReportCompleted"]
    machine = only(template, "AWS::StepFunctions::StateMachine")
    assert rule.properties["State"] == state
    assert rule.properties["EventPattern"] == {
        "source": [SOURCE],
        "detail-type": [EventType.REPORT_COMPLETED.value],
        "resources": [f"arn:aws:states:us-east-1:123456789012:stateMachine:{machine.name}"],
    }


@pytest.mark.parametrize(("wanted", "state"), [("false", "DISABLED"), ("true", "ENABLED")])
def test_tables_are_published_if_requested(wanted: str, state: str) -> None:
    template = translated(PublishTables=wanted)
    mapping = by_id(template, "AWS::Lambda::EventSourceMapping")["PublishTablesFunctionCommitted"]
    assert mapping.properties["Enabled"] == (wanted == "true")
    assert mapping.properties["EventSourceArn"].endswith(":table/here-IngestTable/stream/local")
    rule = by_id(template, "AWS::Events::Rule")["PublishTablesFunctionReportCompleted"]
    assert rule.properties["State"] == state
    assert len(list(template.resources("AWS::Glue::Database"))) == (wanted == "true")


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("", ("DISABLED", "rate(1 day)")), ("cron(0 6 * * ? *)", ("ENABLED", "cron(0 6 * * ? *)"))],
)
def test_reports_are_started_on_the_schedule(schedule: str, expected: tuple[str, str]) -> None:
    template = translated(ReportSchedule=schedule, ScheduleZone="America/Chicago")
    timer = only(template, "AWS::Scheduler::Schedule").properties
    assert (timer["State"], timer["ScheduleExpression"]) == expected
    assert timer["ScheduleExpressionTimezone"] == "America/Chicago"
    sample = json.loads((ROOT / "events" / "start_scheduled_report.json").read_text())
    assert json.loads(timer["Target"]["Input"]).keys() == sample.keys()
    assert timer["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_polls_are_compacted_every_few_hours(template: Template) -> None:
    rule = by_id(template, "AWS::Events::Rule")["CompactFunctionSchedule"].properties
    assert rule["ScheduleExpression"] == "rate(6 hours)"
    assert "EventPattern" not in rule
    (target,) = rule["Targets"]
    assert target["Arn"].endswith(":here-CompactFunction:live")

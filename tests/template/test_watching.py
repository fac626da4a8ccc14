"""Alarms and the dashboard: they use the emitted metrics with the right dimensions and units."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from local.emulator.template import Resource, Template
from store_monitoring.metrics import Metric
from tests.template.translation import ROOT, STACK, by_id, only, translated

UNITS = dict(metric.value for metric in Metric)
ALARMS = sorted(by_id(translated(), "AWS::CloudWatch::Alarm"))
TOPIC = "arn:aws:sns:us-east-1:123456789012:operators"


@dataclass(frozen=True, slots=True)
class Watched:
    """A metric that the template names."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str | None = None


@pytest.fixture(scope="module")
def alarms(template: Template) -> dict[str, Resource]:
    return by_id(template, "AWS::CloudWatch::Alarm")


@pytest.fixture(scope="module")
def widgets(template: Template) -> list[dict[str, Any]]:
    dashboard: dict[str, Any] = json.loads(
        only(template, "AWS::CloudWatch::Dashboard").properties["DashboardBody"]
    )
    widgets: list[dict[str, Any]] = dashboard["widgets"]
    return widgets


def _of_alarm(alarm: Mapping[str, Any]) -> Iterator[Watched]:
    if "MetricName" in alarm:
        yield _watched(alarm, alarm.get("Unit"))
    for query in alarm.get("Metrics", ()):
        if "MetricStat" in query:
            yield _watched(query["MetricStat"]["Metric"], query["MetricStat"].get("Unit"))


def _watched(metric: Mapping[str, Any], unit: str | None) -> Watched:
    dimensions = tuple((each["Name"], each["Value"]) for each in metric["Dimensions"])
    return Watched(metric["Namespace"], metric["MetricName"], dimensions, unit)


def _of_widgets(widgets: list[dict[str, Any]]) -> Iterator[Watched]:
    for widget in widgets:
        for namespace, name, *rest in widget["properties"].get("metrics", ()):
            dimensions = [each for each in rest if isinstance(each, str)]
            yield Watched(
                namespace, name, tuple(zip(dimensions[::2], dimensions[1::2], strict=True))
            )


def _ours(template: Template) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the namespace and the dimensions that the functions emit with."""
    [settings] = {
        (variables["POWERTOOLS_METRICS_NAMESPACE"], variables["POWERTOOLS_SERVICE_NAME"])
        for function in template.resources("AWS::Lambda::Function")
        for variables in [function.properties["Environment"]["Variables"]]
    }
    namespace, service = settings
    return namespace, (("service", service),)


def test_the_dashboard_has_exactly_the_emitted_metrics(
    template: Template, widgets: list[dict[str, Any]]
) -> None:
    namespace, dimensions = _ours(template)
    shown = {each for each in _of_widgets(widgets) if not each.namespace.startswith("AWS/")}
    assert shown == {Watched(namespace, name, dimensions) for name in UNITS}


def test_alarms_use_emitted_metrics_in_their_units(
    template: Template, alarms: dict[str, Resource]
) -> None:
    namespace, dimensions = _ours(template)
    watched = {each for alarm in alarms.values() for each in _of_alarm(alarm.properties)}
    ours = {each for each in watched if not each.namespace.startswith("AWS/")}
    assert {each.name for each in ours} == {
        *("ReportsFailed", "ReportSeconds", "UploadsFailed", "NewestPollAgeSeconds"),
        *("RowsIngested", "RowsRejected"),
    }
    assert ours == {
        Watched(namespace, each.name, dimensions, UNITS[each.name].value) for each in ours
    }


def test_the_dimension_identifies_the_stack(template: Template) -> None:
    assert _ours(template)[1] == (("service", STACK.name),)


def test_other_metrics_are_about_resources_of_the_stack(
    template: Template, alarms: dict[str, Resource], widgets: list[dict[str, Any]]
) -> None:
    functions = {each.name for each in template.resources("AWS::Lambda::Function")}
    api = only(template, "AWS::ApiGateway::RestApi").properties
    stage = only(template, "AWS::ApiGateway::Stage").properties["StageName"]
    of_api = (("ApiName", api["Body"]["info"]["title"]), ("Stage", stage))
    queue = by_id(template, "AWS::SQS::Queue")["IngestFailures"].name
    of_alarms = [each for alarm in alarms.values() for each in _of_alarm(alarm.properties)]
    for each in [*of_alarms, *_of_widgets(widgets)]:
        match each.namespace:
            case "AWS/Lambda":
                [(dimension, function)] = each.dimensions
                assert dimension == "FunctionName"
                assert function in functions
            case "AWS/ApiGateway":
                assert each.dimensions == of_api
            case "AWS/SQS":
                assert each.dimensions == (("QueueName", queue),)
            case _:
                assert each.name in UNITS


@pytest.mark.parametrize("topic", ["", TOPIC])
def test_alarms_notify_the_topic_if_there_is_one(topic: str) -> None:
    for alarm in translated(AlarmTopicArn=topic).resources("AWS::CloudWatch::Alarm"):
        actions = [topic] if topic else None
        assert alarm.properties.get("AlarmActions") == actions
        assert alarm.properties.get("OKActions") == actions


def test_limits_are_parameters() -> None:
    limits = {
        "ReportSecondsLimit": "ReportDurationAlarm",
        "RejectedPercentLimit": "RejectedRowsAlarm",
        "PollAgeSecondsLimit": "NewestPollAgeAlarm",
    }
    alarms = by_id(translated(**dict.fromkeys(limits, "17")), "AWS::CloudWatch::Alarm")
    assert {name for name in alarms if alarms[name].properties["Threshold"] == "17"} == set(
        limits.values()
    )


def test_a_formula_has_few_enough_metrics(alarms: dict[str, Resource]) -> None:
    assert all(len(alarm.properties.get("Metrics", ())) <= 11 for alarm in alarms.values())


def test_the_dashboard_shows_all_alarms(
    alarms: dict[str, Resource], widgets: list[dict[str, Any]]
) -> None:
    [shown] = [each["properties"]["alarms"] for each in widgets if each["type"] == "alarm"]
    assert sorted(shown) == sorted(
        f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{alarm.name}" for alarm in alarms.values()
    )


def _called_by_events(template: Template) -> set[str]:
    """Return the names of the functions that are called by an event, a queue or a schedule."""
    targets = [
        *(target["Arn"] for rule in _all(template, "Events::Rule") for target in rule["Targets"]),
        *(schedule["Target"]["Arn"] for schedule in _all(template, "Scheduler::Schedule")),
        *(mapping["FunctionName"] for mapping in _all(template, "Lambda::EventSourceMapping")),
        *(
            configuration["Function"]
            for bucket in _all(template, "S3::Bucket")
            for configuration in bucket.get("NotificationConfiguration", {}).get(
                "LambdaConfigurations", ()
            )
        ),
    ]
    return {_function_of(target) for target in targets}


def _called_by_the_machine(template: Template) -> set[str]:
    [machine] = _all(template, "StepFunctions::StateMachine")
    values = machine["DefinitionSubstitutions"].values()
    return {_function_of(value) for value in values if value.startswith("arn:aws:lambda:")}


def _function_of(alias_arn: str) -> str:
    return alias_arn.rpartition(":function:")[2].removesuffix(":live")


def _all(template: Template, kind: str) -> list[Mapping[str, Any]]:
    return [resource.properties for resource in template.resources(f"AWS::{kind}")]


def _functions_by_alarm(alarms: Mapping[str, Resource]) -> dict[str, str]:
    """Return the name of the function that an alarm is about, if it is about one."""
    return {
        name: function
        for name, alarm in alarms.items()
        for each in _of_alarm(alarm.properties)
        for dimension, function in each.dimensions
        if dimension == "FunctionName"
    }


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_each_function_behind_the_api_has_an_alarm_that_names_it(
    metric: str, template: Template, alarms: dict[str, Resource]
) -> None:
    behind = _called_by_events(template) | _called_by_the_machine(template)
    assert len(behind) >= 8
    expected = {
        f"{logical_id.removesuffix('Function')}{metric}Alarm": function.name
        for logical_id, function in by_id(template, "AWS::Lambda::Function").items()
        if function.name in behind
    }
    found = {
        name: function
        for name, function in _functions_by_alarm(alarms).items()
        if {each.name for each in _of_alarm(alarms[name].properties)} == {metric}
    }
    assert found == expected


def test_the_docs_list_the_metric_of_each_alarm(
    template: Template, alarms: dict[str, Resource]
) -> None:
    guide = (ROOT / "docs" / "alarms.md").read_text(encoding="utf-8")
    section = guide.partition("\n## ")[0]
    folder = {
        function.name: template.local_path(function.properties["Code"]).name
        for function in template.resources("AWS::Lambda::Function")
    }
    functions = _functions_by_alarm(alarms)
    expected: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for name, alarm in alarms.items():
        metrics, folders = expected[_heading(name, functions)]
        metrics |= {each.name for each in _of_alarm(alarm.properties)}
        folders |= {folder[functions[name]]} if name in functions else set()
    rows = re.findall(r"^\| \[(\w+Alarm)\]\(#\w+\) \| (.*) \| (.*) \|$", section, re.MULTILINE)
    listed = {
        name: (set(re.findall(r"`(\w+)`", metrics)), set(re.findall(r"`(\w+)`", functions)))
        for name, metrics, functions in rows
    }
    assert listed == expected


def test_the_docs_say_what_alarms_cost(alarms: dict[str, Resource]) -> None:
    watched = sum(len(list(_of_alarm(alarm.properties))) for alarm in alarms.values())
    guide = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    assert f"{watched} metrics, at $0.10 " in guide
    assert f": ${0.10 * watched + 0.30 * len(UNITS):.2f}." in guide


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_has_its_paragraph_in_the_docs(alarm: str, alarms: dict[str, Resource]) -> None:
    guide = (ROOT / "docs" / "alarms.md").read_text(encoding="utf-8")
    assert f"## {_heading(alarm, _functions_by_alarm(alarms))}\n" in guide


def _heading(alarm: str, functions: Mapping[str, str]) -> str:
    """Return the heading under which the docs describe an alarm: one for those of all functions."""
    if alarm in functions:
        return "ErrorsAlarm" if alarm.endswith("ErrorsAlarm") else "ThrottlesAlarm"
    return alarm


def test_the_docs_list_the_metrics(template: Template) -> None:
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", guide, re.MULTILINE)
    assert dict(rows) == {name: unit.value for name, unit in UNITS.items()}


def test_the_query_reads_all_logs_about_a_report(template: Template) -> None:
    query = by_id(template, "AWS::Logs::QueryDefinition")["OneReportQuery"].properties
    groups = by_id(template, "AWS::Logs::LogGroup")
    # These functions work on no particular report.
    others = {
        *("PagesLogs", "HealthzLogs", "CreateUploadLogs", "GetUploadLogs"),
        *("ApiAccessLogs", "CompactLogs", "FailUploadLogs", "IngestLogs", "TakeBackIngestLogs"),
        "DeleteStoreLogs",
    }
    assert set(query["LogGroupNames"]) == {
        group.name for name, group in groups.items() if name not in others
    }

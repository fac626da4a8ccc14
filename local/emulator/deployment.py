"""Deploys a template into the local cloud, through the services' own APIs.

Code is not packaged: functions run from the folders that the template names, so an edit applies
from the next cold start. Bucket policies, permissions to call functions, log groups and alarms are
not deployed; nothing here enforces them.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from moto.iam.models import iam_backends

from local.emulator.aws import FunctionCode, Functions
from local.emulator.event_sources import EventSource, start_polling, start_streaming
from local.emulator.faults import Injector
from local.emulator.intrinsics import TemplateError
from local.emulator.permissions import AccessDeniedError, Permissions
from local.emulator.policies import Access
from local.emulator.settings import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY
from local.emulator.template import Resource, Template

_TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)
_QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_STREAM_ACTIONS = (
    *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
    "dynamodb:ListStreams",
)
_QUEUE_ATTRIBUTES = ("VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy")
_DEFAULT_CONCURRENCY = 1000  # Lambda's, for a mapping without a limit


def deploy(
    template: Template,
    functions: Functions,
    permissions: Permissions,
    injector: Injector,
    endpoint_url: str,
) -> None:
    """Create a template's resources and connect their events to its functions."""
    # The default session: boto3 has already loaded there the service models that tasks need.
    client = partial(
        boto3.client,
        endpoint_url=endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
    )
    deployment = _Deployment(template, functions, client)
    for role in template.resources("AWS::IAM::Role"):
        _make_role(role)
    deployment.make_queues(list(template.resources("AWS::SQS::Queue")))
    for bucket in template.resources("AWS::S3::Bucket"):
        deployment.make_bucket(bucket)
        # At once: an upload in between would not be ingested.
        deployment.make_notifications(bucket)
    for table in template.resources("AWS::DynamoDB::Table"):
        deployment.make_table(table)
    for database in template.resources("AWS::Glue::Database"):
        deployment.make_database(database)
    for function in template.resources("AWS::Lambda::Function"):
        deployment.make_function(function)
    for state_machine in template.resources("AWS::StepFunctions::StateMachine"):
        deployment.make_state_machine(state_machine)
    for rule in template.resources("AWS::Events::Rule"):
        deployment.make_rule(rule)
    for mapping in template.resources("AWS::Lambda::EventSourceMapping"):
        _start_polling(mapping, functions, permissions, injector)


def api_definition(template: Template) -> Mapping[str, Any] | None:
    """Return the definition of the template's REST API, None if it has none."""
    apis = list(template.resources("AWS::ApiGateway::RestApi"))
    if len(apis) > 1:
        raise TemplateError("only one REST API can be served")
    return apis[0].properties["Body"] if apis else None


def minimum_compression_bytes(template: Template) -> int | None:
    """Return from which size on the REST API compresses responses; None: it compresses none."""
    for api in template.resources("AWS::ApiGateway::RestApi"):
        size: int | None = api.properties.get("MinimumCompressionSize")
        return size
    return None


def access_log(template: Template) -> tuple[str, str] | None:
    """Return the format of the API's access log and the logical id of its log group."""
    for stage in template.resources("AWS::ApiGateway::Stage"):
        if (setting := stage.properties.get("AccessLogSetting")) is not None:
            for group in template.resources("AWS::Logs::LogGroup"):
                if setting["DestinationArn"].endswith(f":{group.name}"):
                    return setting["Format"], group.logical_id
    return None


class _Deployment:
    def __init__(
        self, template: Template, functions: Functions, client: Callable[[Any], Any]
    ) -> None:
        self._template = template
        self._functions = functions
        self._s3 = client("s3")
        self._dynamodb = client("dynamodb")
        self._lambda = client("lambda")
        self._stepfunctions = client("stepfunctions")
        self._events = client("events")
        self._sqs = client("sqs")
        self._glue = client("glue")

    def make_bucket(self, bucket: Resource) -> None:
        self._s3.create_bucket(Bucket=bucket.name)
        if versioning := bucket.properties.get("VersioningConfiguration"):
            self._s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration=versioning)
        if cors := bucket.properties.get("CorsConfiguration"):
            self._s3.put_bucket_cors(
                Bucket=bucket.name,
                CORSConfiguration={"CORSRules": [_cors_rule(rule) for rule in cors["CorsRules"]]},
            )

    def make_notifications(self, bucket: Resource) -> None:
        definition = bucket.properties.get("NotificationConfiguration")
        if definition:
            self._s3.put_bucket_notification_configuration(
                Bucket=bucket.name,
                NotificationConfiguration={
                    "LambdaFunctionConfigurations": [
                        _notification(configuration, "LambdaFunctionArn", "Function")
                        for configuration in definition.get("LambdaConfigurations", [])
                    ],
                    "QueueConfigurations": [
                        _notification(configuration, "QueueArn", "Queue")
                        for configuration in definition.get("QueueConfigurations", [])
                    ],
                },
            )

    def make_queues(self, queues: list[Resource]) -> None:
        """Create queues, each after its dead-letter queue."""
        made: set[str] = set()
        while waiting := [queue for queue in queues if queue.name not in made]:
            for queue in waiting:
                policy = queue.properties.get("RedrivePolicy")
                if policy is None or policy["deadLetterTargetArn"].rpartition(":")[2] in made:
                    self._sqs.create_queue(
                        QueueName=queue.name,
                        Attributes={
                            name: value if isinstance(value, str) else json.dumps(value)
                            for name, value in queue.properties.items()
                            if name in _QUEUE_ATTRIBUTES
                        },
                    )
                    made.add(queue.name)

    def make_table(self, table: Resource) -> None:
        definition = {
            name: table.properties[name] for name in _TABLE_PROPERTIES if name in table.properties
        }
        if stream := table.properties.get("StreamSpecification"):
            definition["StreamSpecification"] = {**stream, "StreamEnabled": True}
        self._dynamodb.create_table(TableName=table.name, **definition)
        if time_to_live := table.properties.get("TimeToLiveSpecification"):
            self._dynamodb.update_time_to_live(
                TableName=table.name, TimeToLiveSpecification=time_to_live
            )

    def make_database(self, database: Resource) -> None:
        self._glue.create_database(DatabaseInput=database.properties["DatabaseInput"])

    def make_function(self, function: Resource) -> None:
        properties = function.properties
        variables = properties.get("Environment", {}).get("Variables", {})
        self._lambda.create_function(
            FunctionName=function.name,
            Runtime=properties["Runtime"],
            Handler=properties["Handler"],
            Role=properties["Role"],
            Code={"ZipFile": _empty_zip()},
            Timeout=int(properties.get("Timeout", 3)),
            MemorySize=int(properties.get("MemorySize", 128)),
            Environment={"Variables": {name: str(value) for name, value in variables.items()}},
        )
        contents = {
            layer.logical_id: self._template.local_path(layer.properties["Content"])
            for layer in self._template.resources("AWS::Lambda::LayerVersion")
        }
        code = FunctionCode(
            task_root=self._template.local_path(properties["Code"]),
            layers=tuple(_importable(contents[layer]) for layer in properties.get("Layers", [])),
        )
        self._functions.add(function.name, code)

    def make_state_machine(self, state_machine: Resource) -> None:
        properties = state_machine.properties
        definition = properties.get("DefinitionString")
        if definition is None:
            location = properties["DefinitionS3Location"]
            definition = self._template.local_path(location).read_text(encoding="utf-8")
        self._stepfunctions.create_state_machine(
            name=state_machine.name,
            type=properties.get("StateMachineType", "STANDARD"),
            definition=_interpretable(definition, properties.get("DefinitionSubstitutions", {})),
            roleArn=properties["RoleArn"],
        )

    def make_rule(self, rule: Resource) -> None:
        if "EventPattern" not in rule.properties:
            return  # Schedules do not run here.
        self._events.put_rule(
            Name=rule.name,
            EventPattern=json.dumps(rule.properties["EventPattern"]),
            State=rule.properties.get("State", "ENABLED"),
        )
        self._events.put_targets(Rule=rule.name, Targets=rule.properties["Targets"])


def _make_role(role: Resource) -> None:
    """Create a role without its policies: `local.emulator.permissions` enforces those.

    Directly in moto, since an API call for each role would be slow.
    """
    iam_backends[ACCOUNT]["aws"].create_role(
        role.name,
        json.dumps(role.properties["AssumeRolePolicyDocument"]),
        path="/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration=None,
    )


def _cors_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a bucket's CORS rule from CloudFormation's form to the API's."""
    definition = dict(rule)
    if "MaxAge" in definition:
        definition["MaxAgeSeconds"] = int(definition.pop("MaxAge"))
    return definition


def _start_polling(
    mapping: Resource, functions: Functions, permissions: Permissions, injector: Injector
) -> None:
    properties = mapping.properties
    source, function = properties["EventSourceArn"], properties["FunctionName"]
    if not properties.get("Enabled", True):
        return
    if source.split(":")[2] == "dynamodb":
        _check_poller(source, function, _STREAM_ACTIONS, functions, permissions)
        filters = properties.get("FilterCriteria", {}).get("Filters", [])
        start_streaming(source, function, [each["Pattern"] for each in filters], functions)
        return
    if int(properties.get("BatchSize", 10)) != 1:
        raise TemplateError(f"{mapping.logical_id}: only batches of one message are supported")
    scaling = properties.get("ScalingConfig", {})
    concurrency = int(scaling.get("MaximumConcurrency", _DEFAULT_CONCURRENCY))
    _check_poller(source, function, _QUEUE_ACTIONS, functions, permissions)
    start_polling(EventSource(source, function, concurrency), functions, injector)


def _check_poller(
    source: str,
    function: str,
    actions: Sequence[str],
    functions: Functions,
    permissions: Permissions,
) -> None:
    """Check that the function's role allows Lambda to poll an event source."""
    needed = [Access(action, source) for action in actions]
    try:
        permissions.check(functions.role(function), "EventSourceMapping", needed)
    except AccessDeniedError as error:
        raise TemplateError(str(error)) from error


def _notification(
    configuration: Mapping[str, Any], target: str, target_in_template: str
) -> dict[str, Any]:
    """Convert a bucket's notification from CloudFormation's form to the API's."""
    notification = {
        target: configuration[target_in_template],
        "Events": [configuration["Event"]],
    }
    if "Filter" in configuration:
        rules = configuration["Filter"]["S3Key"]["Rules"]
        notification["Filter"] = {"Key": {"FilterRules": rules}}
    return notification


def _importable(layer: Path) -> Path:
    """Return the folder of a layer that Python imports from: ``python/`` in a built layer."""
    built = layer / "python"
    return built if built.is_dir() else layer


def _interpretable(definition: str, substitutions: Mapping[str, Any]) -> str:
    """Fill in a definition's substitutions, and replace what moto refuses."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in substitutions:
            raise TemplateError(f"the state machine's definition has no value for {match[0]}")
        return str(substitutions[match[1]])

    # moto supports only standard executions as children of a Distributed Map.
    return json.dumps(
        json.loads(
            re.sub(r"\$\{([A-Za-z0-9_]+)\}", value, definition),
            object_hook=lambda node: {
                name: "STANDARD" if (name, item) == ("ExecutionType", "EXPRESS") else item
                for name, item in node.items()
            },
        )
    )


def _empty_zip() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w"):
        pass
    return archive.getvalue()

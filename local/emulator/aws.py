"""S3, DynamoDB, Step Functions and more: moto's server, with real Lambda functions behind it.

moto needs Docker for Lambda. Here invocations and S3's notifications go to `LambdaService` instead.
moto keeps each function's configuration, so an update through boto3 applies to the next call.
"""

import dataclasses
import functools
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from flask import Flask
from moto import backends
from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.awslambda.responses import LambdaResponse
from moto.core import responses
from moto.core.config import default_user_config
from moto.moto_server import werkzeug_app
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3 import notifications

from local.emulator.browsers import CrossOriginGuard
from local.emulator.dynamodb import isolate_transactions, serialize_values_by_type
from local.emulator.execution_environment import (
    EnvironmentStartError,
    FunctionConfiguration,
    InvocationResult,
)
from local.emulator.fault_points import FaultyServices
from local.emulator.faults import Injector
from local.emulator.faults import Kind as FaultKind
from local.emulator.glue import check_versions
from local.emulator.http_server import serve
from local.emulator.lambda_service import LambdaService, RequestTooLargeError
from local.emulator.patching import patch, replace
from local.emulator.permissions import GuardedServices, Permissions
from local.emulator.s3_versions import add_versions_to_events, serialize_puts
from local.emulator.settings import ACCOUNT, HOST, REGION
from local.emulator.state_folder import Kind, StateFolder
from local.emulator.upload_forms import enforce_form_policies

_ARN_PARTS = 7  # of a function; one more names an alias


@dataclass(frozen=True, slots=True)
class FunctionCode:
    """The folders of a function's code and of its layers."""

    task_root: Path
    layers: tuple[Path, ...]


class Functions:
    """The deployed functions: moto holds their configuration, this class their code."""

    def __init__(self, service: LambdaService, injector: Injector) -> None:
        self._service = service
        self._injector = injector
        self._code: dict[str, FunctionCode] = {}

    def add(self, name: str, code: FunctionCode) -> None:
        """Add the code of a function."""
        self._code[name] = code

    def role(self, name_or_arn: str) -> str:
        """Return the name of a function's role."""
        return self._configuration(name_or_arn).role

    def invoke(self, name_or_arn: str, payload: bytes) -> InvocationResult:
        """Run a function and wait for its result."""
        return self._service.invoke(self._configuration(name_or_arn), payload)

    def invoke_event(self, name_or_arn: str, payload: bytes) -> None:
        """Queue an event for a function; it can be delivered twice, as on AWS."""
        function = self._configuration(name_or_arn)
        self._service.invoke_event(function, payload)
        if self._injector.fault_for(f"Lambda lambda:Deliver {function.name}", {FaultKind.TWICE}):
            self._service.invoke_event(function, payload)

    def resume_events(self, kept: StateFolder) -> None:
        """Queue the events again that an earlier cloud accepted and did not finish."""
        for record in kept.records(Kind.EVENT, ""):
            if record.value["function"] in self._code:
                self.invoke_event(record.value["function"], record.value["payload"].encode())
            kept.write(dataclasses.replace(record, value=None))

    def _configuration(self, name_or_arn: str) -> FunctionConfiguration:
        # An alias means the function itself: there are no versions here.
        unqualified = ":".join(name_or_arn.split(":")[:_ARN_PARTS])
        function: LambdaFunction = lambda_backends[ACCOUNT][REGION].get_function(unqualified)
        code = self._code[function.function_name]
        return FunctionConfiguration(
            name=function.function_name,
            role=function.role.rpartition("/")[2],
            handler=str(function.handler),
            task_root=code.task_root,
            layers=code.layers,
            variables=dict(function.environment_vars),
            timeout_seconds=int(function.timeout),
            memory_mb=int(function.memory_size),
        )


def start_server(port: int, injector: Injector, permissions: Permissions, secret_key: str) -> str:
    """Start moto's server in its own thread.

    Parameters
    ----------
    port
        Port to listen on, or 0 for a free one.
    injector
        Decides which calls get a fault.
    permissions
        What the callers' roles allow.
    secret_key
        The secret key of the functions.

    Returns
    -------
    str
        Its address: the endpoint URL of every service.
    """
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    enforce_form_policies(permissions, secret_key)
    serialize_puts()
    add_versions_to_events()
    isolate_transactions()
    serialize_values_by_type()
    check_versions()
    _inspect_modules_once()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # A bucket's own CORS rules decide what pages of other origins may call.
    replace(werkzeug_app, "DISABLE_GLOBAL_CORS", True)
    services = GuardedServices(DomainDispatcherApplication(_service), permissions)
    port = serve(CrossOriginGuard(FaultyServices(services, injector), secret_key), port)
    # moto's services call each other at this port.
    os.environ["MOTO_PORT"] = str(port)
    return f"http://{HOST}:{port}"


def _inspect_modules_once() -> None:
    """Make moto keep the names of its services and of their methods.

    moto lists the folders of its 190 services, and the methods of one of them, at every request.
    """
    modules = frozenset(backends.list_of_moto_modules())
    replace(backends, "list_of_moto_modules", lambda: modules)

    @patch(responses, "method_names_from_class")
    @functools.cache
    def method_names(original: Callable[[Any], list[str]], service: Any) -> list[str]:
        return original(service)


def _service(name: backends.SERVICE_NAMES) -> Flask:
    """Make the application of one service, without Flask's debug mode, which is slow."""
    if name == "moto_api":
        return Flask(name)  # no routes: one of them deletes all data
    app = create_backend_app(name)
    app.debug = False
    return app


def route_invocations(functions: Functions) -> None:
    """Make moto's Lambda API and its S3 notifications run these functions."""

    def invoke(request: LambdaResponse) -> tuple[int, dict[str, str], bytes]:
        name = unquote(request.path.rsplit("/", 2)[-2])
        payload = request.body.encode() if isinstance(request.body, str) else request.body
        try:
            if request.headers.get("X-Amz-Invocation-Type") == "Event":
                functions.invoke_event(name, payload)
                return HTTPStatus.ACCEPTED, {"status": "202"}, b""
            result = functions.invoke(name, payload)
        except RequestTooLargeError as error:
            raise _RequestTooLargeError(str(error)) from error
        except EnvironmentStartError as error:
            raise _ServiceError(str(error)) from error
        headers = {"X-Amz-Executed-Version": "$LATEST", "content-type": "application/json"}
        if result.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        return HTTPStatus.OK, headers, result.payload

    def notify(_account: str, event: Any, function_arn: str, _region: str) -> None:
        functions.invoke_event(function_arn, json.dumps(event).encode())

    replace(LambdaResponse, "invoke", invoke)
    replace(notifications, "_invoke_awslambda", notify)


class _RequestTooLargeError(LambdaClientError):
    code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, message: str) -> None:
        super().__init__("RequestEntityTooLargeException", message)


class _ServiceError(LambdaClientError):
    code = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str) -> None:
        super().__init__("ServiceException", message)

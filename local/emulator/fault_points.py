"""Injects faults into calls of services and into executions as they enter a state."""

import io
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from werkzeug.test import run_wsgi_app
from werkzeug.wsgi import get_input_stream

from local.emulator.faults import Faults, Injector, Kind
from local.emulator.patching import patch
from local.emulator.service_errors import error_response
from local.emulator.settings import ACCOUNT, FAULTS_PATH, REGION

_CALL_KINDS = frozenset(set(Kind) - {Kind.ABORTED, Kind.TIMED_OUT})
_STATE_KINDS = frozenset({Kind.ABORTED, Kind.TIMED_OUT})

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/")
_INVOCATION = re.compile(r"/2015-03-31/functions/(?:arn:.*:function:)?([^:]+).*/invocations")
_STEP = re.compile(rb'"step": ?"(\w+)"')
_S3_OPERATIONS = {
    ("GET", False): "ListObjectsV2",
    ("GET", True): "GetObject",
    ("HEAD", True): "HeadObject",
    ("PUT", True): "PutObject",
}
# Each service's errors for too many calls and for an internal failure.
_REFUSALS = {
    ("s3", Kind.THROTTLED): (HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown"),
    ("s3", Kind.BROKEN): (HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError"),
    ("dynamodb", Kind.THROTTLED): (HTTPStatus.BAD_REQUEST, "ThrottlingException"),
    ("dynamodb", Kind.BROKEN): (HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerError"),
    ("sqs", Kind.THROTTLED): (HTTPStatus.FORBIDDEN, "RequestThrottled"),
    ("sqs", Kind.BROKEN): (HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError"),
    ("states", Kind.THROTTLED): (HTTPStatus.BAD_REQUEST, "ThrottlingException"),
    ("states", Kind.BROKEN): (HTTPStatus.INTERNAL_SERVER_ERROR, "InternalFailure"),
    ("lambda", Kind.THROTTLED): (HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequestsException"),
    ("lambda", Kind.BROKEN): (HTTPStatus.INTERNAL_SERVER_ERROR, "ServiceException"),
}


class FaultyServices:
    """Injects faults into calls of moto's services.

    Parameters
    ----------
    services
        moto's application.
    injector
        Decides which calls get a fault.
    """

    def __init__(self, services: WSGIApplication, injector: Injector) -> None:
        self._services = services
        self._injector = injector

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a call on to its service, with or without a fault."""
        if environ["PATH_INFO"] == FAULTS_PATH:
            return self._control(environ, start_response)
        caller, service, operation = _call(environ)
        fault = self._injector.fault_for(f"{caller} {service}:{operation}", _CALL_KINDS)
        if fault is None:
            return self._services(environ, start_response)
        body = get_input_stream(environ).read()
        match fault.kind:
            case Kind.THROTTLED | Kind.BROKEN:
                return _refuse(service, fault.kind, start_response)
            case Kind.SLOW:
                self._injector.pause(fault)
                return self._pass_on(environ, body, start_response)
            case Kind.TWICE:
                self._do(environ, body)
                return self._pass_on(environ, body, start_response)
            case Kind.LOST:
                self._do(environ, body)
            case Kind.SILENT:
                self._injector.pause(fault)
            case Kind.KILLED:
                _kill_environment(caller)
        raise _end_of_connection(environ)

    def _pass_on(
        self, environ: WSGIEnvironment, body: bytes, start_response: StartResponse
    ) -> Iterable[bytes]:
        return self._services({**environ, "wsgi.input": io.BytesIO(body)}, start_response)

    def _do(self, environ: WSGIEnvironment, body: bytes) -> None:
        """Let the service run a call, and discard its response."""
        run_wsgi_app(self._services, {**environ, "wsgi.input": io.BytesIO(body)}, buffered=True)

    def _control(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "PUT":
            self._injector.set(Faults.from_json(json.load(get_input_stream(environ))))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(self._injector.injected()).encode()]


def inject_into_executions(injector: Injector) -> None:
    """Inject faults into the executions of state machines as they enter a state."""

    @patch(CommonStateField, "_eval_body")
    def enter(original: Callable[..., None], state: CommonStateField, env: Environment) -> None:
        fault = injector.fault_for(f"StepFunctions states:EnterState {state.name}", _STATE_KINDS)
        if fault is not None:
            arn = env.states.context_object.context_object_data["Execution"]["Id"]
            execution = stepfunctions_parser_backends[ACCOUNT][REGION].describe_execution(arn)
            assert isinstance(execution, Execution)  # the parser's, which can be stopped
            worker = execution.exec_worker
            assert worker is not None
            assert worker.env is not None
            if fault.kind is Kind.ABORTED:
                execution.stop(datetime.now(UTC), error=None, cause=None)
            else:
                worker.env.set_timed_out()
        original(state, env)


def _call(environ: WSGIEnvironment) -> tuple[str, str, str]:
    """Return the caller of a request, the service and the operation."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    caller, service = signed.groups() if signed else ("anonymous", "s3")
    path: str = environ["PATH_INFO"]
    if service == "s3":
        method, (bucket, _, key) = environ["REQUEST_METHOD"], path.lstrip("/").partition("/")
        operation = _S3_OPERATIONS.get((method, bool(key)), method)
        return caller, service, f"{operation} {bucket}/{key}"
    if invocation := _INVOCATION.fullmatch(unquote(path)):
        return caller, service, f"Invoke {invocation[1]}{_step(environ)}"
    return caller, service, environ.get("HTTP_X_AMZ_TARGET", path).rpartition(".")[2]


def _step(environ: WSGIEnvironment) -> str:
    """Return the step that the event of an invocation names, if it does, after a space."""
    body = get_input_stream(environ).read()
    environ["wsgi.input"] = io.BytesIO(body)
    step = _STEP.search(body)
    return f" {step[1].decode()}" if step else ""


def _refuse(service: str, kind: Kind, start_response: StartResponse) -> Iterable[bytes]:
    status, code = _REFUSALS[service, kind]
    return error_response(service, status, code, "as injected", start_response)


def _end_of_connection(environ: WSGIEnvironment) -> ConnectionResetError:
    """End a connection; return the error of a client that has disconnected."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    return ConnectionResetError()


def _kill_environment(name: str) -> None:
    """Kill all processes of an execution environment, whose name is their access key id."""
    mark = f"AWS_ACCESS_KEY_ID={name}\0".encode()
    for variables in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is not ours
            if mark in variables.read_bytes():
                pid = int(variables.parent.name)
                # A handler's process is forked: only its group says where it belongs.
                if (group := os.getpgid(pid)) != os.getpgrp():
                    os.killpg(group, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)

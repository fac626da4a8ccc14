"""The local cloud's server process: one template, deployed and running.

It is forked by the launcher (`local.emulator.launcher`), under a supervisor that cleans up. When
everything is ready it sends one line of JSON; then it serves until it is killed.
"""

import gc
import json
import os
import secrets
import signal
import socket
from functools import partial

from moto.moto_api._internal import mock_random
from moto.stepfunctions.parser.backend.execution import Execution

from local.emulator.api_gateway import start_api
from local.emulator.api_keys import ApiKeys
from local.emulator.aws import Functions, route_invocations, start_server
from local.emulator.deployment import access_log, api_definition, deploy, minimum_compression_bytes
from local.emulator.event_bus import publish_execution_ended, route_events
from local.emulator.event_sources import patch_queues
from local.emulator.fault_points import inject_into_executions
from local.emulator.faults import Injector
from local.emulator.intrinsics import TemplateError
from local.emulator.kept_services import (
    delete_execution_record,
    end_interrupted_executions,
    keep_services,
    names_of_data,
)
from local.emulator.lambda_service import LambdaService
from local.emulator.launcher import CloudOptions
from local.emulator.permissions import Permissions, record_path
from local.emulator.settings import ACCOUNT, REGION, STACK_NAME
from local.emulator.state_folder import StateError, StateFolder
from local.emulator.step_functions import patch_interpreter
from local.emulator.template import Stack, Template


def serve(options: CloudOptions, program: socket.socket) -> None:
    """Start the cloud, send its addresses to the program, and serve."""
    mock_random.seed()  # otherwise, clouds of one launcher would have the same ids
    try:
        ready = _start(options)
    except TemplateError as error:
        raise SystemExit(f"{options.template}: {error}") from error
    except StateError as error:
        raise SystemExit(str(error)) from error
    program.sendall(f"{json.dumps(ready)}\n".encode())
    gc.freeze()  # what is loaded stays
    gc.enable()
    signal.pause()


def _start(options: CloudOptions) -> dict[str, object]:
    stack = Stack(STACK_NAME, REGION, ACCOUNT)
    template = Template(options.template, stack, options.parameters)
    injector = Injector(options.faults)
    permissions = Permissions(template, record_path())
    secret_key = secrets.token_urlsafe()
    kept = None
    if options.keep is not None:
        names = {**names_of_data(template), "parameters": options.parameters}
        kept = StateFolder.open(options.keep, names)
        # Presigned URLs and forms of the earlier cloud stay valid.
        secret_key = kept.setting("secret_key", secret_key)
        keep_services(kept)
    endpoint_url = start_server(options.aws_port, injector, permissions, secret_key)
    variables = {
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
    }
    functions = Functions(
        LambdaService(options.state, variables, options.runtime, options.environments, kept),
        injector,
    )
    route_invocations(functions)
    route_events(functions)
    patch_queues()
    on_end = publish_execution_ended if kept is None else partial(_end_execution, kept)
    patch_interpreter(endpoint_url, on_end)
    inject_into_executions(injector)
    deploy(template, functions, permissions, injector, endpoint_url)
    if kept is not None:
        functions.resume_events(kept)
        end_interrupted_executions(kept, on_end)
    definition = api_definition(template)
    requires_key = any(template.resources("AWS::ApiGateway::ApiKey"))
    key = options.api_key if requires_key else None
    log = access_log(template)
    return {
        "pid": os.getpid(),
        "endpoint_url": endpoint_url,
        "api_url": (
            None
            if definition is None
            else start_api(
                definition,
                functions.invoke,
                options.api_port,
                None if key is None else ApiKeys(template, key),
                None if log is None else (log[0], options.state / f"{log[1]}.log"),
                minimum_compression_bytes(template),
                options.sample,
            )
        ),
        "outputs": template.outputs(),
    }


def _end_execution(kept: StateFolder, execution: Execution) -> None:
    publish_execution_ended(execution)
    delete_execution_record(kept, execution)

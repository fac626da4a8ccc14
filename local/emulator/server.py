"""The local cloud's server process: one template, deployed and running.

``local.emulator.cloud.LocalCloud`` starts it under a supervisor that cleans up. When everything
is ready it prints one line of JSON; then it serves until it is killed.
"""

import argparse
import contextlib
import gc
import json
import os
import secrets
import signal
import sys
from functools import partial
from pathlib import Path

from moto.stepfunctions.parser.backend.execution import Execution

from local.emulator.api_gateway import start_api
from local.emulator.api_keys import ApiKeys
from local.emulator.aws import Functions, route_invocations, start_server
from local.emulator.deployment import access_log, api_definition, deploy, minimum_compression_bytes
from local.emulator.event_bus import publish_execution_ended, route_events
from local.emulator.event_sources import patch_queues
from local.emulator.fault_points import inject_into_executions
from local.emulator.faults import Faults, Injector
from local.emulator.intrinsics import TemplateError
from local.emulator.kept_services import (
    delete_execution_record,
    end_interrupted_executions,
    keep_services,
    names_of_data,
)
from local.emulator.lambda_service import LambdaService
from local.emulator.permissions import Permissions, record_path
from local.emulator.runtime import Runtime
from local.emulator.settings import ACCOUNT, API_KEY_VARIABLE, REGION, STACK_NAME
from local.emulator.state_folder import StateError, StateFolder
from local.emulator.step_functions import patch_interpreter
from local.emulator.template import Stack, Template


def main() -> None:
    """Start the cloud, print its addresses, and serve."""
    arguments = _parse_arguments()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            ready = _start(arguments)
    except TemplateError as error:
        raise SystemExit(f"{arguments.template}: {error}") from error
    except StateError as error:
        raise SystemExit(str(error)) from error
    print(json.dumps(ready), flush=True)
    gc.freeze()  # what is loaded stays
    gc.enable()
    signal.pause()


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument(
        "--state", type=Path, required=True, help="folder for logs and temporary files"
    )
    parser.add_argument("--keep", type=Path, help="folder that keeps the data; default: memory")
    parser.add_argument("--python", type=Path, required=True, help="interpreter of the handlers")
    parser.add_argument("--python-version", required=True)
    parser.add_argument("--packages", type=Path, help="folder of the runtime's own packages")
    parser.add_argument("--api-port", type=int, default=0)
    parser.add_argument("--aws-port", type=int, default=0)
    parser.add_argument("--environments", type=int, help="maximum for each function")
    parser.add_argument("--parameters", type=json.loads, default={}, help="a JSON object")
    parser.add_argument("--sample", type=json.loads, default={}, help="keys and files, in JSON")
    parser.add_argument("--faults", type=json.loads, required=True, help="a JSON object")
    return parser.parse_args()


def _start(arguments: argparse.Namespace) -> dict[str, object]:
    stack = Stack(STACK_NAME, REGION, ACCOUNT)
    template = Template(arguments.template, stack, arguments.parameters)
    injector = Injector(Faults.from_json(arguments.faults))
    permissions = Permissions(template, record_path())
    secret_key = secrets.token_urlsafe()
    kept = None
    if arguments.keep is not None:
        names = {**names_of_data(template), "parameters": arguments.parameters}
        kept = StateFolder.open(arguments.keep, names)
        # Presigned URLs and forms of the earlier cloud stay valid.
        secret_key = kept.setting("secret_key", secret_key)
        keep_services(kept)
    endpoint_url = start_server(arguments.aws_port, injector, permissions, secret_key)
    variables = {
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
    }
    runtime = Runtime(arguments.python, arguments.python_version, arguments.packages)
    functions = Functions(
        LambdaService(arguments.state, variables, runtime, arguments.environments, kept), injector
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
    api_key = os.environ.get(API_KEY_VARIABLE)
    requires_key = any(template.resources("AWS::ApiGateway::ApiKey"))
    log = access_log(template)
    return {
        "endpoint_url": endpoint_url,
        "api_url": (
            None
            if definition is None
            else start_api(
                definition,
                functions.invoke,
                arguments.api_port,
                ApiKeys(template, api_key) if requires_key and api_key is not None else None,
                None if log is None else (log[0], arguments.state / f"{log[1]}.log"),
                minimum_compression_bytes(template),
                {key: Path(file) for key, file in arguments.sample.items()},
            )
        ),
        "outputs": template.outputs(),
    }


def _end_execution(kept: StateFolder, execution: Execution) -> None:
    publish_execution_ended(execution)
    delete_execution_record(kept, execution)

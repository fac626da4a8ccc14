"""One execution environment of a Lambda function, without a container.

AWS's Runtime Interface Emulator, which aws-sam-cli ships as a binary, starts the runtime interface
client (awslambdaric, the one that runs in Lambda) with the function's handler and passes it one
request at a time. This module starts these two processes and classifies their outcomes.
"""

import http.client
import json
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from local.emulator.ports import free_ports, random_loopback_host
from local.emulator.runtime import Runtime

REPLACED_MODULES = Path(__file__).parent / "as_in_lambda"
"""Folder of modules that handlers from source import instead of the interpreter's."""

_INVOKE_PATH = "/2015-03-31/functions/function/invocations"
_START_SECONDS = 60  # it takes some milliseconds, unless the machine is very busy
_START_ATTEMPTS = 3
_GRACE_SECONDS = 30  # the emulator itself ends a function that runs longer than its time-out
# The fields of the error report that the runtime client sends for a handler that raised.
_ERROR_REPORT_FIELDS = {"errorMessage", "errorType", "requestId", "stackTrace"}


class EnvironmentStartError(Exception):
    """An execution environment could not be started."""


@dataclass(frozen=True, slots=True)
class FunctionConfiguration:
    """A function's configuration in the template, and the folders of its code."""

    name: str
    role: str
    handler: str
    task_root: Path
    layers: tuple[Path, ...]
    variables: Mapping[str, str]
    timeout_seconds: int
    memory_mb: int


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """The result of an invocation: the handler's, or a report of the function's error."""

    payload: bytes
    failed: bool


class ExecutionEnvironment:
    """A running emulator and runtime client for one function; runs one request at a time.

    Parameters
    ----------
    function
        The function to run. The first invocation imports its code: that is the cold start.
    command
        Returns the command that starts the runtime client with a handler.
    runtime
        The Python that runs it.
    variables
        Environment variables that override the function's own.
    state
        Folder for this environment's log and its temporary folder. Environments share no log:
        handlers write a line and its end separately, so lines of two handlers could mix.

    Raises
    ------
    EnvironmentStartError
        If the emulator did not start.
    """

    def __init__(
        self,
        function: FunctionConfiguration,
        command: Callable[[str], list[str]],
        runtime: Runtime,
        variables: Mapping[str, str],
        state: Path,
    ) -> None:
        self._scratch = Path(tempfile.mkdtemp(dir=state, prefix=f"{function.name}-"))
        self._process, self._connection = _start(
            function,
            command(function.handler),
            _process_environment(function, runtime, variables, self._scratch),
            state / f"{self._scratch.name}.log",
        )
        self.usable = True
        """False when the environment cannot be used again: its process ended or hung."""

    def invoke(self, payload: bytes) -> InvocationResult:
        """Run the handler on an event.

        Parameters
        ----------
        payload
            The event, as JSON.
        """
        try:
            self._connection.request("POST", _INVOKE_PATH, payload)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self.usable = False
            return _failure("Runtime.ExitError", "Runtime exited without providing a reason")
        if response.status != http.HTTPStatus.OK:
            # The handler's process ended or could not import it, or the result is too large.
            self.usable = False
            return InvocationResult(body, failed=True)
        try:
            document = json.loads(body)
        except json.JSONDecodeError:
            # A handler's result is always JSON; only the time-out message is not.
            self.usable = False
            return _failure("Sandbox.Timedout", body.decode())
        failed = isinstance(document, dict) and document.keys() == _ERROR_REPORT_FIELDS
        return InvocationResult(body, failed)

    def stop(self) -> None:
        """End the environment's processes and delete its files."""
        self.usable = False
        self._connection.close()
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)


def _failure(error_type: str, message: str) -> InvocationResult:
    report = {"errorType": error_type, "errorMessage": message}
    return InvocationResult(json.dumps(report).encode(), failed=True)


def _start(
    function: FunctionConfiguration, command: list[str], variables: Mapping[str, str], log: Path
) -> tuple[subprocess.Popen[bytes], http.client.HTTPConnection]:
    for _ in range(_START_ATTEMPTS):
        # Another program can take a free port before the emulator does; then the emulator ends.
        # The emulator runs any request, also one of a web page that finds its address.
        host = random_loopback_host()
        runtime_port, emulator_port = free_ports(2, host)
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  # AWS's emulator
                [
                    str(_emulator()),
                    "--log-level=error",
                    f"--runtime-api-address={host}:{runtime_port}",
                    f"--runtime-interface-emulator-address={host}:{emulator_port}",
                    *command,
                ],
                cwd=function.task_root,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        connection = http.client.HTTPConnection(
            host, emulator_port, timeout=function.timeout_seconds + _GRACE_SECONDS
        )
        if _connected(connection, process):
            return process, connection
        process.kill()
        process.wait()
    raise EnvironmentStartError(f"no execution environment for {function.name} could be started")


def _connected(connection: http.client.HTTPConnection, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.002)
        else:
            return True
    return False


def _emulator() -> Path:
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    return Path(str(resources.files("samcli") / f"local/rapid/aws-lambda-rie-{architecture}"))


def _process_environment(
    function: FunctionConfiguration,
    runtime: Runtime,
    variables: Mapping[str, str],
    scratch: Path,
) -> dict[str, str]:
    """Return the environment variables that Lambda documents for a function."""
    imported = (*function.layers, runtime.packages or REPLACED_MODULES)
    return {
        "PATH": f"{runtime.python.parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": ":".join(str(folder) for folder in imported),
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        **function.variables,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        # These identify the caller of a service: the role and its session.
        "AWS_SESSION_TOKEN": function.role,
        "AWS_ACCESS_KEY_ID": scratch.name,
        "LAMBDA_TASK_ROOT": str(function.task_root),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{runtime.version}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_seconds),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        **variables,
    }

"""The local cloud, for programs and tests."""

import contextlib
import json
import os
import select
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import requests
from botocore.config import Config

from local import LocalError
from local.emulator.faults import Fault, Faults
from local.emulator.launcher import CloudOptions, Launcher
from local.emulator.runtime import Runtime, this_python
from local.emulator.settings import (
    ACCESS_KEY,
    FAULTS_PATH,
    REGION,
    SECRET_KEY,
    STACK_NAME,
)

_TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_LAUNCHER = Launcher()
# Long enough for a busy machine.
_START_SECONDS = 180
_STOP_SECONDS = 120
_ABANDON_SECONDS = 0.5
_CONTROL_SECONDS = 120
_LONGEST_CALL_SECONDS = 960


class LocalCloudError(LocalError):
    """The local cloud did not start; the message says why."""


class LocalCloud:
    """A SAM template, deployed on this machine. Use it as a context manager.

    Its processes end when it is closed, and when the program that started it is killed.

    Parameters
    ----------
    template
        The template; by default this project's.
    parameter_overrides
        Values that override the template's defaults. This project's template publishes no
        Iceberg tables unless they say so.
    api_port
        Port of the API, or 0 for a free one.
    aws_port
        Port of AWS's services, or 0 for a free one.
    runtime
        The Python that runs the functions; by default this one, with its packages.
    api_key
        The key for the API's routes that require one; None opens them to every caller.
    faults
        Faults to inject from the start.
    environments
        The maximum number of execution environments of a function; None: the number of cores, but
        at least two.
    sample
        Files that the console offers to upload while there is no report, by key.
    keep
        Folder that keeps buckets, tables and queues for the next cloud; None: they are lost.

    Attributes
    ----------
    endpoint_url
        Address of S3, DynamoDB, Step Functions, Lambda and the other services.
    api_url
        Address of the REST API.
    outputs
        The stack's outputs.
    pid
        The id of the server's process.
    state
        Folder with the functions' logs, one file for each execution environment.

    Raises
    ------
    LocalCloudError
        If it does not start or the template cannot be deployed.

    Examples
    --------
    >>> with LocalCloud() as cloud:  # doctest: +SKIP
    ...     cloud.client("s3").upload_file("polls.csv", cloud.outputs["InboxBucketName"], "p.csv")
    """

    def __init__(
        self,
        template: Path = _TEMPLATE,
        parameter_overrides: Mapping[str, str] | None = None,
        api_port: int = 0,
        aws_port: int = 0,
        runtime: Runtime | None = None,
        api_key: str | None = None,
        faults: Faults = Faults(),  # noqa: B008  # frozen
        environments: int | None = None,
        sample: Mapping[str, Path] | None = None,
        keep: Path | None = None,
    ) -> None:
        self._kept = keep
        parameters = dict(parameter_overrides or {})
        if template == _TEMPLATE:
            # It would take a processor after each commit, and few need it here.
            parameters.setdefault("PublishTables", "false")
        self.state = Path(tempfile.mkdtemp(prefix="local-cloud-"))
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # until closed
        options = CloudOptions(
            environment=_server_environment(),
            state=self.state,
            template=template.resolve(),
            parameters=parameters,
            api_port=api_port,
            aws_port=aws_port,
            runtime=runtime or this_python(),
            api_key=api_key,
            faults=faults,
            environments=environments,
            sample=sample or {},
            keep=None if keep is None else keep.resolve(),
        )
        self._supervisor = _LAUNCHER.start(options, self._errors)
        try:
            ready = self._wait_until_ready()
        except KeyboardInterrupt:
            self.abandon()
            raise
        self.pid: int = ready["pid"]
        self.endpoint_url: str = ready["endpoint_url"]
        self.api_url: str = ready["api_url"]
        self.outputs: dict[str, str] = ready["outputs"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.abandon()
        else:
            self.close()

    def client(self, service: str) -> Any:
        """Return a boto3 client for a service of this cloud, such as ``"s3"``."""
        return boto3.client(  # type: ignore[call-overload]  # typed for literal names only
            service,
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(
                # A checksum within the body makes uploads to this cloud slower.
                request_checksum_calculation="when_required",
                # A call waits until the handler ends; the client must not repeat it.
                read_timeout=_LONGEST_CALL_SECONDS,
                retries={"total_max_attempts": 1},
            ),
        )

    def logs(self, function: str) -> str:
        """Return what a function has logged so far: one execution environment after the other.

        Parameters
        ----------
        function
            The function's logical id in the template, or its name.
        """
        return "".join(
            log.read_text(errors="replace")
            for name in (function, f"{STACK_NAME}-{function}")
            for log in (*self.state.glob(f"{name}.log"), *self.state.glob(f"{name}-*.log"))
        )

    def inject(self, *faults: Fault, seed: int = 0) -> None:
        """Inject these faults from now on, and no others; without arguments: none."""
        self._control("PUT", Faults(faults, seed).to_json())

    def injected_faults(self) -> list[str]:
        """Return the faults that occurred since the last call of `inject`, each with its call."""
        return self._control("GET")

    def _control(self, method: str, faults: dict[str, Any] | None = None) -> list[str]:
        url = f"{self.endpoint_url}{FAULTS_PATH}"
        response = requests.request(method, url, json=faults, timeout=_CONTROL_SECONDS)
        response.raise_for_status()
        injected: list[str] = response.json()
        return injected

    def check(self) -> None:
        """Check that the cloud is still running.

        Raises
        ------
        LocalCloudError
            If it has ended without being closed.
        """
        if select.select([self._supervisor], [], [], 0)[0]:  # only its end can be read
            data = "its data are lost" if self._kept is None else f"its data are in {self._kept}"
            raise LocalCloudError(f"the local cloud has stopped unexpectedly, and {data}")

    def close(self) -> None:
        """End all processes and delete their files. Closing again does nothing."""
        if not self._errors.closed:
            self._end(_STOP_SECONDS)
            shutil.rmtree(self.state, ignore_errors=True)  # if no supervisor was started

    def abandon(self) -> None:
        """Close without waiting: the supervisor may finish after this returns."""
        with contextlib.suppress(TimeoutError):
            self._end(_ABANDON_SECONDS)
        shutil.rmtree(self.state, ignore_errors=True)  # likewise

    def _end(self, seconds: float) -> None:
        """Let the supervisor end everything, and wait so long until it has."""
        with self._errors, self._supervisor, contextlib.suppress(ConnectionError):
            self._supervisor.settimeout(seconds)
            self._supervisor.shutdown(socket.SHUT_WR)
            while self._supervisor.recv(4096):
                pass

    def _wait_until_ready(self) -> dict[str, Any]:
        self._supervisor.settimeout(_START_SECONDS)
        with (
            contextlib.suppress(TimeoutError, ConnectionError),
            self._supervisor.makefile() as lines,
        ):
            if line := lines.readline():
                ready: dict[str, Any] = json.loads(line)
                return ready
        self._errors.seek(0)
        errors = self._errors.read()
        self.close()
        raise LocalCloudError(f"the local cloud did not start:\n{errors}")


def _server_environment() -> dict[str, str]:
    """Return the server's environment, without the user's AWS account and proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and name != "API_KEY"
    }
    return {
        **kept,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "localhost,127.0.0.1",
    }

"""The Lambda service: pools of execution environments, and asynchronous invocation."""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from uuid import uuid4

from local.emulator.execution_environment import (
    REPLACED_MODULES,
    EnvironmentStartError,
    ExecutionEnvironment,
    FunctionConfiguration,
    InvocationResult,
)
from local.emulator.fork_server import ForkServer
from local.emulator.runtime import Runtime
from local.emulator.state_folder import Kind, Record, StateFolder

SYNCHRONOUS_PAYLOAD_BYTES = 6_291_456
ASYNCHRONOUS_PAYLOAD_BYTES = 1_048_576

# Lambda waits for one minute, then for two.
_RETRY_DELAYS_SECONDS = (0.5, 1.0)


class RequestTooLargeError(Exception):
    """An event is larger than Lambda accepts."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"Request must be smaller than {limit_bytes} bytes for the InvokeFunction operation"
        )


class LambdaService:
    """Runs functions, each in a pool of execution environments that grows on demand.

    Parameters
    ----------
    state
        Folder for the functions' logs and their temporary files.
    variables
        Environment variables for every function: addresses and credentials.
    runtime
        The Python that runs the functions.
    environments
        The maximum number of execution environments of a function; None: the number of cores, but
        at least two.
    kept
        Where events are kept until they are processed; None: in memory.
    """

    def __init__(
        self,
        state: Path,
        variables: Mapping[str, str],
        runtime: Runtime,
        environments: int | None = None,
        kept: StateFolder | None = None,
    ) -> None:
        self._kept = kept
        self._environments = environments or max(2, os.cpu_count() or 1)
        self._state = state
        if runtime.packages is None:
            command = ForkServer(runtime.python, REPLACED_MODULES, state).command
        else:
            command = runtime.command
        self._start = partial(
            ExecutionEnvironment,
            command=command,
            runtime=runtime,
            variables=variables,
            state=state,
        )
        self._pools: dict[str, _Pool] = {}
        self._lock = threading.Lock()

    def invoke(self, function: FunctionConfiguration, payload: bytes) -> InvocationResult:
        """Run a function and wait for its result.

        Raises
        ------
        RequestTooLargeError
            If the payload is larger than Lambda accepts.
        EnvironmentStartError
            If no execution environment could be started.
        """
        _check_size(payload, SYNCHRONOUS_PAYLOAD_BYTES)
        return self._submit(function, payload).result()

    def invoke_event(self, function: FunctionConfiguration, payload: bytes) -> None:
        """Queue an event and return; run the function later, and again if it fails.

        Raises
        ------
        RequestTooLargeError
            If the payload is larger than Lambda accepts.
        """
        _check_size(payload, ASYNCHRONOUS_PAYLOAD_BYTES)
        event_id = uuid4().hex
        self._keep(event_id, {"function": function.name, "payload": payload.decode()})
        first = self._submit(function, payload)
        threading.Thread(
            target=self._retry_failures, args=(function, payload, first, event_id), daemon=True
        ).start()

    def _keep(self, event_id: str, event: Mapping[str, str] | None) -> None:
        if self._kept is not None:
            self._kept.write(Record(Kind.EVENT, "", event_id, event))

    def _retry_failures(
        self,
        function: FunctionConfiguration,
        payload: bytes,
        first: "Future[InvocationResult]",
        event_id: str,
    ) -> None:
        result = _outcome(first)
        for delay_seconds in _RETRY_DELAYS_SECONDS:
            if not result.failed:
                break
            time.sleep(delay_seconds)
            result = _outcome(self._submit(function, payload))
        if result.failed:
            with (self._state / f"{function.name}.log").open("a", encoding="utf-8") as log:
                log.write(f"Event dropped after the last attempt: {result.payload.decode()}\n")
        self._keep(event_id, None)

    def _submit(
        self, function: FunctionConfiguration, payload: bytes
    ) -> "Future[InvocationResult]":
        with self._lock:
            pool = self._pools.get(function.name)
            if pool is None or pool.function != function:
                if pool is not None:
                    pool.retire()
                pool = self._pools[function.name] = _Pool(function, self._start, self._environments)
            return pool.submit(payload)


def _check_size(payload: bytes, limit_bytes: int) -> None:
    if len(payload) > limit_bytes:
        raise RequestTooLargeError(limit_bytes)


def _outcome(future: "Future[InvocationResult]") -> InvocationResult:
    """Wait for an attempt; if no environment started, the attempt has failed."""
    try:
        return future.result()
    except EnvironmentStartError as error:
        return InvocationResult(str(error).encode(), failed=True)


class _Pool:
    """The execution environments of one function.

    Each request takes a worker thread, so there are never more environments than threads. The
    executor's queue keeps requests in their order of arrival.
    """

    def __init__(
        self,
        function: FunctionConfiguration,
        start: Callable[[FunctionConfiguration], ExecutionEnvironment],
        environments: int,
    ) -> None:
        self.function = function
        self._start = start
        self._executor = ThreadPoolExecutor(environments)
        self._idle: deque[ExecutionEnvironment] = deque()
        self._retired = False

    def submit(self, payload: bytes) -> "Future[InvocationResult]":
        return self._executor.submit(self._run, payload)

    def retire(self) -> None:
        """Finish the accepted requests, and end the environments."""
        self._retired = True
        self._executor.shutdown(wait=False)
        self._stop_idle()

    def _run(self, payload: bytes) -> InvocationResult:
        try:
            environment = self._idle.pop()
        except IndexError:
            environment = self._start(self.function)
        result = environment.invoke(payload)
        if environment.usable:
            self._idle.append(environment)
        else:
            environment.stop()
        if self._retired:  # possibly while this request ran
            self._stop_idle()
        return result

    def _stop_idle(self) -> None:
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread was faster
                self._idle.pop().stop()

"""Patches of moto's interpreter of state machines where it differs from Step Functions.

Each patch replaces one method of moto 5.2.5; check them when moto is upgraded. What moto does, and
what happens here instead:

- A Distributed Map continues when a child fails or times out, with ``null`` for its result. Here,
  as on AWS, the map fails with ``States.ExceedToleratedFailureThreshold``.
- A stopped execution has the status RUNNING until its current state ends. Here, as on AWS, it is
  ABORTED at once.
- An execution that is started without a name gets the name ``None``, so only one can exist. Here
  it gets a unique name.
- The end of an execution publishes no event. Here EventBridge receives one.
- A task's broken connection is ``States.Runtime``. Here it is the service's ``SdkClientException``.
- A Distributed Map that cannot read its items, or write its results, fails with
  ``States.Runtime``. Here it fails with ``States.ItemReaderFailed`` or
  ``States.ResultWriterFailed``.
- A retry waits as long as the definition says. Here it waits a twentieth of that, and at most a
  tenth of a second: services on this machine are not throttled for long.
- Each worker of a Distributed Map calls itself for its next child, so a thousand children exceed
  the recursion limit. Here it loops.
- Every task makes a new boto3 client, which is slow and unsafe in parallel children, and does not
  sign its calls with the state machine's role. Here clients are shared by role and do.
- Each JSONPath is parsed at each use, and the definition at each execution. Here the results, which
  nothing changes, are cached.
"""

import functools
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError
from moto.stepfunctions.parser.api import (
    ExecutionStatus,
    HistoryEventType,
    MapRunFailedEventDetails,
    TaskFailedEventDetails,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import (  # noqa: E501  # its name
    ItemReader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.distributed_item_processor_worker import (  # noqa: E501  # its name
    DistributedItemProcessorWorker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.map_run_record import (  # noqa: E501  # its name
    MapRunRecord,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import Job
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.result_writer_decl import (  # noqa: E501  # its name
    ResultWriter,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import (
    StateCredentials,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_dynamodb import (  # noqa: E501  # its name
    StateTaskServiceDynamoDB,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (  # noqa: E501  # its name
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramEnded,
    ProgramStopped,
    ProgramTimedOut,
)
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.backend.execution import (
    BaseExecutionWorkerCommunication,
    Execution,
)
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from local.emulator.patching import replace
from local.emulator.settings import SECRET_KEY

_WAIT_SCALE = 1 / 20
_MAX_WAIT_SECONDS = 0.1


def patch_interpreter(endpoint_url: str, on_end: Callable[[Execution], None]) -> None:
    """Patch the interpreter.

    Parameters
    ----------
    endpoint_url
        Address of the services that tasks call.
    on_end
        Called with each execution after it has ended, successfully or not.
    """
    clients = _SharedClients(endpoint_url)
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.") and hasattr(module, "boto_client_for"):
            replace(module, "boto_client_for", clients.of_role)
    replace(json_path, "parse", functools.cache)
    replace(AmazonStateLanguageParser, "parse", functools.cache)
    _name_executions()
    _fail_maps_whose_children_fail()
    _loop_over_children()
    _name_broken_connections()
    _name_map_errors()
    _shorten_waits()
    _report_ends(on_end)


class _SharedClients:
    """Makes one client for each service and role."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def of_role(self, _original: Callable[..., Any]) -> Callable[..., Any]:
        def client_for(region: str, service: str, state_credentials: StateCredentials) -> Any:
            role_name = state_credentials.role_arn.rpartition("/")[2]
            with self._lock:
                if (service, role_name) not in self._clients:
                    self._clients[service, role_name] = self._make(service, region, role_name)
                return self._clients[service, role_name]

        return client_for

    def _make(self, service: Any, region: str, role_name: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self._endpoint_url,
            region_name=region,
            aws_access_key_id="StepFunctions",
            aws_secret_access_key=SECRET_KEY,
            aws_session_token=role_name,
            config=Config(
                parameter_validation=False,
                retries={"total_max_attempts": 1},
                connect_timeout=TimeoutSeconds.DEFAULT_TIMEOUT_SECONDS,
                read_timeout=TimeoutSeconds.DEFAULT_TIMEOUT_SECONDS,
            ),
        )


def _name_executions() -> None:
    def named(original: Callable[..., Execution]) -> Callable[..., Execution]:
        def start_execution(
            backend: Any, state_machine_arn: str, name: str | None, execution_input: str
        ) -> Execution:
            return original(backend, state_machine_arn, name or str(uuid.uuid4()), execution_input)

        return start_execution

    replace(StepFunctionsParserBackend, "start_execution", named)


def _fail_maps_whose_children_fail() -> None:
    def failing(original: Callable[..., None]) -> Callable[..., None]:
        def eval_job(worker: Any, env: Environment, job: Job) -> None:
            original(worker, env, job)
            end = env.program_state()
            if isinstance(end, ProgramEnded | ProgramStopped):
                return
            record = worker._map_run_record
            if isinstance(end, ProgramTimedOut):
                # moto has counted the time-out as a success.
                for counter in (record.item_counter, record.execution_counter):
                    counter.succeeded.offset(-1)
                    counter.timed_out.count()
            if not _tolerates(record, items=worker._job_pool._jobs_number):
                job.job_output = FailureEventException(_threshold_exceeded(env))

        return eval_job

    replace(DistributedItemProcessorWorker, "_eval_job", failing)


def _loop_over_children() -> None:
    def looping(original: Callable[..., None]) -> Callable[..., None]:
        next_jobs: dict[Any, list[Job | None]] = {}

        def eval_pool(worker: Any, job: Job | None, worker_frame: Environment) -> None:
            if worker in next_jobs:  # the recursive call, which is a tail call
                next_jobs[worker].append(job)
                return
            jobs = next_jobs[worker] = [job]
            try:
                while jobs:
                    original(worker, jobs.pop(), worker_frame)
            finally:
                del next_jobs[worker]

        return eval_pool

    replace(DistributedItemProcessorWorker, "_eval_pool", looping)


def _tolerates(record: MapRunRecord, items: int) -> bool:
    failures = record.item_counter.failed.get() + record.item_counter.timed_out.get()
    allowed = record.tolerated_failure_count
    allowed_percentage = record.tolerated_failure_percentage
    if not allowed and not allowed_percentage:
        return failures == 0
    percentage = 100 * failures / items
    return (not allowed or failures <= allowed) and (
        not allowed_percentage or percentage <= allowed_percentage
    )


def _threshold_exceeded(env: Environment) -> FailureEvent:
    name = StatesErrorName(StatesErrorNameType.StatesExceedToleratedFailureThreshold)
    details = MapRunFailedEventDetails(
        error=name.error_name, cause="The specified tolerated failure threshold was exceeded"
    )
    return FailureEvent(
        env=env,
        error_name=name,
        event_type=HistoryEventType.MapRunFailed,
        event_details=cast(EventDetails, {"mapRunFailedEventDetails": details}),
    )


def _name_broken_connections() -> None:
    def named(original: Callable[..., FailureEvent]) -> Callable[..., FailureEvent]:
        def from_error(task: Any, env: Environment, ex: Exception) -> FailureEvent:
            return original(task, env, _sdk_client_error(ex) if _is_broken(ex) else ex)

        return from_error

    for task in (StateTaskServiceLambda, StateTaskServiceDynamoDB):
        replace(task, "_from_error", named)


def _is_broken(error: Exception) -> bool:
    return isinstance(error, BotoConnectionError | HTTPClientError)


def _sdk_client_error(error: Exception) -> ClientError:
    response = {
        "Error": {"Code": "SdkClientException", "Message": str(error)},
        "ResponseMetadata": {"HTTPStatusCode": 0, "RequestId": ""},
    }
    return ClientError(response, "")  # type: ignore[arg-type]  # the stubs require more fields


def _name_map_errors() -> None:
    def naming(name: StatesErrorNameType) -> Callable[..., Callable[..., None]]:
        def named(original: Callable[..., None]) -> Callable[..., None]:
            def evaluate(component: Any, env: Environment) -> None:
                try:
                    original(component, env)
                except (ClientError, BotoConnectionError, HTTPClientError) as error:
                    raise FailureEventException(_map_failed(env, name, error)) from error

            return evaluate

        return named

    replace(ItemReader, "_eval_body", naming(StatesErrorNameType.StatesItemReaderFailed))
    replace(ResultWriter, "_eval_body", naming(StatesErrorNameType.StatesResultWriterFailed))


def _map_failed(env: Environment, name: StatesErrorNameType, error: Exception) -> FailureEvent:
    error_name = StatesErrorName(name)
    details = TaskFailedEventDetails(error=error_name.error_name, cause=str(error))
    return FailureEvent(
        env=env,
        error_name=error_name,
        event_type=HistoryEventType.TaskFailed,
        event_details=cast(EventDetails, {"taskFailedEventDetails": details}),
    )


def _shorten_waits() -> None:
    def sleep(seconds: float) -> None:
        time.sleep(min(seconds * _WAIT_SCALE, _MAX_WAIT_SECONDS))

    replace(retrier_decl, "time", lambda _original: SimpleNamespace(sleep=sleep))


def _report_ends(on_end: Callable[[Execution], None]) -> None:
    lock = threading.Lock()

    def reporting(original: Callable[..., None]) -> Callable[..., None]:
        def terminated(communication: BaseExecutionWorkerCommunication) -> None:
            execution = communication.execution
            with lock:
                if execution.exec_status is not ExecutionStatus.RUNNING:
                    return  # It has been stopped.
                original(communication)
            on_end(execution)

        return terminated

    def stopping(original: Callable[..., None]) -> Callable[..., None]:
        def stop(
            execution: Execution, stop_date: datetime, error: str | None, cause: str | None
        ) -> None:
            _wait_for_start(execution)
            with lock:
                if execution.exec_status is not ExecutionStatus.RUNNING:
                    return
                original(execution, stop_date, error, cause)
                execution.exec_status = ExecutionStatus.ABORTED
                execution.stop_date, execution.error, execution.cause = stop_date, error, cause
            on_end(execution)

        return stop

    replace(BaseExecutionWorkerCommunication, "terminated", reporting)
    replace(Execution, "stop", stopping)


def _wait_for_start(execution: Execution) -> None:
    """Wait until an execution can be stopped: moto ignores an earlier stop."""
    while execution.exec_status is ExecutionStatus.RUNNING:
        worker = execution.exec_worker
        if worker is not None and worker.env is not None and worker.env.is_running():
            return
        time.sleep(0.005)

"""Patches of moto's interpreter of state machines where it differs from Step Functions.

They are for moto 5.2.5; check them when moto is upgraded. Each is a function that says what moto
does and what happens here instead. `patch_interpreter` lists them.
"""

import functools
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

from local.emulator.patching import patch, replace
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
    # Executions
    _give_names_to_executions()
    _report_ends(on_end)
    # Distributed Maps
    _fail_maps_with_failed_children()
    _loop_over_children()
    # Errors and retries
    _name_errors_of_connections()
    _name_errors_of_maps()
    _shorten_retry_intervals()
    # Clients and parsers
    _share_clients(endpoint_url)
    _cache_parsers()


def _give_names_to_executions() -> None:
    """Give an execution that is started without a name a unique one.

    moto names it ``None``, so only one can exist.
    """

    @patch(StepFunctionsParserBackend, "start_execution")
    def start_execution(
        original: Callable[..., Execution],
        backend: StepFunctionsParserBackend,
        state_machine_arn: str,
        name: str | None,
        execution_input: str,
    ) -> Execution:
        return original(backend, state_machine_arn, name or str(uuid.uuid4()), execution_input)


def _report_ends(on_end: Callable[[Execution], None]) -> None:
    """Report the end of an execution, and abort a stopped one at once.

    moto publishes no event when an execution ends, and a stopped one has the status RUNNING until
    its current state ends. In Step Functions it is ABORTED at once, and its end is reported once:
    what the interpreter does later with a stopped execution is ignored.
    """
    lock = threading.Lock()

    @patch(BaseExecutionWorkerCommunication, "terminated")
    def terminated(
        original: Callable[..., None], communication: BaseExecutionWorkerCommunication
    ) -> None:
        execution = communication.execution
        with lock:
            if execution.exec_status is not ExecutionStatus.RUNNING:
                return
            original(communication)
        on_end(execution)

    @patch(Execution, "stop")
    def stop(
        original: Callable[..., None],
        execution: Execution,
        stop_date: datetime,
        error: str | None,
        cause: str | None,
    ) -> None:
        _wait_until_stoppable(execution)
        with lock:
            if execution.exec_status is not ExecutionStatus.RUNNING:
                return
            original(execution, stop_date, error, cause)
            execution.exec_status = ExecutionStatus.ABORTED
            execution.stop_date, execution.error, execution.cause = stop_date, error, cause
        on_end(execution)


def _wait_until_stoppable(execution: Execution) -> None:
    """Wait until the interpreter has started an execution: moto ignores an earlier stop."""
    while execution.exec_status is ExecutionStatus.RUNNING:
        worker = execution.exec_worker
        if worker is not None and worker.env is not None and worker.env.is_running():
            return
        time.sleep(0.005)


def _fail_maps_with_failed_children() -> None:
    """Fail a Distributed Map if more of its children fail or time out than it tolerates.

    In moto such a child has the result ``null``, and the map succeeds. In Step Functions the map
    fails with ``States.ExceedToleratedFailureThreshold``.
    """

    @patch(DistributedItemProcessorWorker, "_eval_job")
    def eval_job(original: Callable[..., None], worker: Any, env: Environment, job: Job) -> None:
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


def _tolerates(record: MapRunRecord, items: int) -> bool:
    """Return whether a map continues in spite of the children that have failed or timed out."""
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


def _loop_over_children() -> None:
    """Make each worker of a Distributed Map loop over its children.

    In moto it calls itself for its next child, so a thousand children exceed the recursion limit.
    That call is a tail call. Here it only sets the next child, which the loop then runs.
    """
    next_jobs: dict[Any, list[Job | None]] = {}

    @patch(DistributedItemProcessorWorker, "_eval_pool")
    def eval_pool(
        original: Callable[..., None], worker: Any, job: Job | None, worker_frame: Environment
    ) -> None:
        if worker in next_jobs:
            next_jobs[worker].append(job)
            return
        jobs = next_jobs[worker] = [job]
        try:
            while jobs:
                original(worker, jobs.pop(), worker_frame)
        finally:
            del next_jobs[worker]


def _name_errors_of_connections() -> None:
    """Name the error of a task that loses its connection to a service.

    In moto it is ``States.Runtime``. In Step Functions it is the ``SdkClientException`` of the
    service, such as ``Lambda.SdkClientException``.
    """
    for service in (StateTaskServiceLambda, StateTaskServiceDynamoDB):

        @patch(service, "_from_error")
        def from_error(
            original: Callable[..., FailureEvent], task: Any, env: Environment, ex: Exception
        ) -> FailureEvent:
            is_broken = isinstance(ex, BotoConnectionError | HTTPClientError)
            return original(task, env, _sdk_client_error(ex) if is_broken else ex)


def _sdk_client_error(error: Exception) -> ClientError:
    response = {
        "Error": {"Code": "SdkClientException", "Message": str(error)},
        "ResponseMetadata": {"HTTPStatusCode": 0, "RequestId": ""},
    }
    return ClientError(response, "")  # type: ignore[arg-type]  # the stubs require more fields


def _name_errors_of_maps() -> None:
    """Name the error of a Distributed Map that cannot read its items, or write its results.

    In moto it is ``States.Runtime``. In Step Functions it is ``States.ItemReaderFailed`` or
    ``States.ResultWriterFailed``.
    """

    @patch(ItemReader, "_eval_body")
    def read(original: Callable[..., None], reader: ItemReader, env: Environment) -> None:
        with _failing_as(StatesErrorNameType.StatesItemReaderFailed, env):
            original(reader, env)

    @patch(ResultWriter, "_eval_body")
    def write(original: Callable[..., None], writer: ResultWriter, env: Environment) -> None:
        with _failing_as(StatesErrorNameType.StatesResultWriterFailed, env):
            original(writer, env)


@contextmanager
def _failing_as(error_type: StatesErrorNameType, env: Environment) -> Iterator[None]:
    """Turn the errors of AWS's clients into a failure of the state with this name."""
    try:
        yield
    except (ClientError, BotoConnectionError, HTTPClientError) as error:
        name = StatesErrorName(error_type)
        details = TaskFailedEventDetails(error=name.error_name, cause=str(error))
        failure = FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.TaskFailed,
            event_details=cast(EventDetails, {"taskFailedEventDetails": details}),
        )
        raise FailureEventException(failure) from error


def _shorten_retry_intervals() -> None:
    """Wait a twentieth of the interval before a retry, and at most a tenth of a second.

    moto and Step Functions wait as long as the definition says. The services on this machine are
    not throttled for long.
    """

    def sleep(seconds: float) -> None:
        time.sleep(min(seconds * _WAIT_SCALE, _MAX_WAIT_SECONDS))

    replace(retrier_decl, "time", SimpleNamespace(sleep=sleep))


def _share_clients(endpoint_url: str) -> None:
    """Share boto3's clients between tasks, one for each service and role of a state machine.

    moto makes a new client for each task, without a role. That is slow, and unsafe in parallel
    children. Here the session token of a client names its role: see `local.emulator.permissions`.
    """
    clients: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()

    def client_for(region: str, service: Any, state_credentials: StateCredentials) -> Any:
        role_name = state_credentials.role_arn.rpartition("/")[2]
        with lock:
            if (service, role_name) not in clients:
                clients[service, role_name] = boto3.client(
                    service,
                    endpoint_url=endpoint_url,
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
            return clients[service, role_name]

    # The modules of services import the function.
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.") and hasattr(module, "boto_client_for"):
            replace(module, "boto_client_for", client_for)


def _cache_parsers() -> None:
    """Cache the results of parsing, which nothing changes.

    moto parses each JSONPath at each use, and the definition at each execution.
    """

    @patch(json_path, "parse")
    @functools.cache
    def parse_path(original: Callable[[str], Any], path: str) -> Any:
        return original(path)

    @patch(AmazonStateLanguageParser, "parse")
    @functools.cache
    def parse_definition(original: Callable[[str], Any], definition: str) -> Any:
        return original(definition)

"""Lambda, SQS, EventBridge and Step Functions in memory, with what their documentation allows.

Lambda throttles beyond a limit, ends functions at their time-outs, and tries asynchronous events
three times. SQS delivers at least once, and again when a message becomes visible. EventBridge and
S3 deliver late, twice and in any order. An execution of a state machine has a unique name.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.dynamodb import DynamoDb
from tests.simulation.scheduler import Scheduler, ServiceError, Task
from tests.simulation.state_machine import DATA_LIMIT_EXCEEDED, StateError, StateMachine

_ASYNC_RETRY_SECONDS = (60, 120)
_MAX_PAYLOAD_BYTES = 256 * 1024  # of a task's result
_THROTTLED = "Lambda.TooManyRequestsException"


@dataclass(frozen=True)
class Function:
    """A function: its handler, and the time-out in seconds."""

    handler: Callable[[Any], Any]
    seconds: float


class FunctionError(Exception):
    """What the caller of a function sees: an error name and a cause."""

    def __init__(self, name: str, cause: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.cause = cause


@dataclass
class Lambda:
    """Runs functions.

    Attributes
    ----------
    limit
        How many may run at once.
    on_error
        Called with the name of a function and the exception that its handler raised.
    given_up
        The functions of asynchronous events that failed three times.
    """

    scheduler: Scheduler
    limit: int
    on_error: Callable[[str, Exception], None] = lambda function, error: None
    functions: dict[str, Function] = field(default_factory=dict)
    running: int = 0
    invocations: int = 0
    given_up: list[str] = field(default_factory=list)

    def invoke(self, name: str, event: Any) -> Any:
        """Invoke a function, wait for its end, and return its result.

        Raises
        ------
        FunctionError
        """
        try:
            task = self.scheduler.request(("Invoke", name), lambda: self._start(name, event))
        except ServiceError:
            raise FunctionError("Lambda.SdkClientException") from None
        self.scheduler.wait(task.ended)
        if task.error is not None:
            message = {"errorType": type(task.error).__name__, "errorMessage": str(task.error)}
            raise FunctionError(message["errorType"], json.dumps(message))
        if task.is_killed:
            raise FunctionError("Runtime.ExitError")
        return task.result

    def invoke_later(self, name: str, event: Any, seconds: float = 0) -> None:
        """Invoke a function asynchronously: up to three times if it fails."""

        def attempts() -> None:
            for wait_seconds in (*_ASYNC_RETRY_SECONDS, None):
                try:
                    self.invoke(name, event)
                    return
                except FunctionError as error:
                    if error.name == _THROTTLED:
                        self.scheduler.sleep(300)
                    if wait_seconds is not None:
                        self.scheduler.sleep(wait_seconds)
            self.scheduler.say(f"{name} is given up")
            self.given_up.append(name)

        self.invocations += 1
        self.scheduler.start(f"event {self.invocations}", attempts, seconds)

    def _start(self, name: str, event: Any) -> Task:
        if self.running >= self.limit:
            raise FunctionError(_THROTTLED)
        function = self.functions[name]
        self.running += 1
        self.invocations += 1
        number = self.invocations

        def run() -> Any:
            try:
                return function.handler(event)
            except Exception as error:
                self.scheduler.say(f"fails: {error!r}")
                self.on_error(name, error)
                raise
            finally:
                self.running -= 1

        task = self.scheduler.start(f"{name} {number}", run, can_be_killed=True)
        self.scheduler.after(function.seconds, partial(self.scheduler.kill, task))
        return task


@dataclass(eq=False)
class Message:
    """A message in a queue."""

    body: Any
    sent_at: float
    receives: int = 0
    throttles: int = 0  # how many of its deliveries were throttled
    visible_at: float = 0
    is_deleted: bool = False


@dataclass(eq=False)
class Queue:
    """A standard queue, and the event source mapping that consumes it.

    Attributes
    ----------
    function
        What consumes the messages, one at a time; it gets the queue's message.
    visibility_seconds, max_receives, concurrency
    failures
        Where a message goes after `max_receives` deliveries.
    duplicates
        The probability of a delivery too many.
    failed
        The messages that went there.
    """

    functions: Lambda
    function: str
    visibility_seconds: float
    max_receives: int
    concurrency: int
    failures: "Queue | list[Message]"
    duplicates: float = 0.0
    messages: list[Message] = field(default_factory=list)
    failed: list[Message] = field(default_factory=list)
    _running: int = 0

    @property
    def scheduler(self) -> Scheduler:
        return self.functions.scheduler

    def send(self, body: Any) -> None:
        message = Message(body, self.scheduler.now, visible_at=self.scheduler.now)
        self.messages.append(message)
        self.poll()

    def hide(self, message: Message, seconds: float) -> None:
        """Change the visibility of a message, as its receiver."""
        message.visible_at = self.scheduler.now + seconds
        self.scheduler.after(seconds, self.poll)

    def poll(self) -> None:
        """Deliver what is visible, as far as concurrency allows."""
        for message in list(self.messages):
            if self._running >= self.concurrency:
                return
            if message.visible_at > self.scheduler.now:
                continue
            if message.receives >= self.max_receives:
                self.messages.remove(message)
                self._fail(message)
                continue
            self._deliver(message)

    def _fail(self, message: Message) -> None:
        self.failed.append(message)
        if isinstance(self.failures, Queue):
            self.failures.send(message.body)
        else:
            self.failures.append(message)

    def _deliver(self, message: Message) -> None:
        message.receives += 1
        self.hide(message, self.visibility_seconds)
        self._running += 1
        name = f"{self.function} of {message.body.key} {message.body.version} {message.receives}"
        self.scheduler.start(name, partial(self._consume, message))

    def _consume(self, message: Message) -> None:
        task = self.scheduler.task
        if task.rng.random() < self.duplicates:
            self.scheduler.after(
                task.rng.expovariate(1 / 60), partial(self._deliver_again, message)
            )
        try:
            self.functions.invoke(self.function, message)
            self.scheduler.request(("DeleteMessage",), lambda: None)
            if message in self.messages:
                self.messages.remove(message)
        except FunctionError as error:
            if error.name == _THROTTLED:
                message.throttles += 1
                self.hide(message, 30)
        except ServiceError:
            pass
        finally:
            self._running -= 1
            self.scheduler.after(0, self.poll)

    def _deliver_again(self, message: Message) -> None:
        self.scheduler.say(f"{message.body} is delivered again")
        self._deliver(message)


@dataclass
class Execution:
    """An execution, as Step Functions describes it."""

    name: str
    task: Task | None = None
    status: str = "RUNNING"
    error: str | None = None
    cause: str | None = None


@dataclass
class StepFunctions:
    """A client of boto3 for one state machine.

    Attributes
    ----------
    on_end
        Called with the description of an execution that has ended.
    """

    scheduler: Scheduler
    machine: StateMachine
    on_end: Callable[[dict[str, Any]], None]
    executions: dict[str, Execution] = field(default_factory=dict)

    class exceptions:  # noqa: N801  # as boto3 calls it
        class ExecutionAlreadyExists(ClientError):  # noqa: N818  # as boto3 calls it
            """The name was used before."""

        class ExecutionDoesNotExist(ClientError):  # noqa: N818  # as boto3 calls it
            """There is no such execution."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:  # noqa: A002, N803  # boto3's names
        def start() -> None:
            if name in self.executions:
                raise _error(self.exceptions.ExecutionAlreadyExists)
            execution = self.executions[name] = Execution(name)
            execution.task = self.scheduler.start(
                f"execution {name[-4:]}", partial(self._execute, execution, json.loads(input))
            )

        self._request(("StartExecution", name), start)

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803  # boto3's names
        return self._request(("DescribeExecution",), lambda: self._described(executionArn))

    def stop(self, execution: Execution) -> None:
        """End an execution from outside."""
        if execution.status == "RUNNING":
            self._end(execution, "ABORTED")
            if execution.task is not None:
                self.scheduler.kill(execution.task)

    def _execute(self, execution: Execution, given: Any) -> None:
        try:
            self.machine.execute(f"machine {execution.name[-4:]}", given)
            self._end(execution, "SUCCEEDED")
        except StateError as error:
            timed_out = error.name == "TIMED_OUT"
            self._end(execution, error.name if timed_out else "FAILED", error)
        except (LookupError, TypeError) as error:  # a path that does not exist
            self._end(execution, "FAILED", StateError("States.Runtime", repr(error)))

    def _end(self, execution: Execution, status: str, error: StateError | None = None) -> None:
        execution.status = status
        if error is not None and status == "FAILED":
            execution.error, execution.cause = error.name, error.cause
        self.scheduler.say(f"execution {status} {execution.error or ''}")
        self.on_end(self._described(execution.name))

    def _described(self, arn: str) -> dict[str, Any]:
        execution = self.executions.get(arn.rpartition(":")[2])
        if execution is None:
            raise _error(self.exceptions.ExecutionDoesNotExist)
        described = {"name": execution.name, "status": execution.status}
        if execution.error is not None:
            described |= {"error": execution.error, "cause": execution.cause or ""}
        return described

    def _request(self, what: tuple[object, ...], action: Callable[[], Any]) -> Any:
        try:
            return self.scheduler.request(what, action)
        except ServiceError:
            error = _error(ClientError)
            error.response["Error"]["Code"] = "ThrottlingException"
            raise error from None


def _error(kind: type[ClientError]) -> ClientError:
    return kind(
        {
            "Error": {"Code": kind.__name__, "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": 400},  # type: ignore[typeddict-item]  # the rest is not used
        },
        "request",
    )


@dataclass
class Integrations:
    """What tasks of the state machine request: functions, DynamoDB and S3."""

    functions: Lambda
    dynamodb: DynamoDb
    read_items: Callable[[str], Any]

    def __call__(self, resource: str, parameters: Any) -> Any:
        match resource.rpartition(":::")[2]:
            case "lambda:invoke":
                try:
                    result = self.functions.invoke(
                        parameters["FunctionName"], parameters["Payload"]
                    )
                except FunctionError as error:
                    raise StateError(error.name, error.cause) from error
                if len(json.dumps(result)) > _MAX_PAYLOAD_BYTES:
                    raise StateError(DATA_LIMIT_EXCEEDED)
                return {"Payload": result}
            case "dynamodb:updateItem":
                try:
                    return self.dynamodb.update_item(**_plain(parameters))
                except ClientError as error:
                    raise StateError(f"DynamoDB.{error.response['Error']['Code']}") from error
            case "s3:getObject":
                return self.read_items(parameters["Key"])
            case "s3:putObject":
                return None
        raise AssertionError(resource)


def _plain(parameters: Any) -> Any:
    """Return parameters with the types of DynamoDB's values removed."""
    if not isinstance(parameters, dict):
        return parameters
    match list(parameters.items()):
        case [("S", str(text))]:
            return text
        case [("N", str(number))]:
            return int(number)
    return {name: _plain(each) for name, each in parameters.items()}

"""AWS Step Functions: runs a definition in the Amazon States Language, as much as ours uses.

Tasks, choices, maps, retriers, catchers, timeouts and paths are those of the definition. A Map
fails with its first failing child and stops the others; a function that was called continues
although its child was stopped. A child of a Distributed Map has five minutes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.simulation.scheduler import Scheduler, Signal, Task

EXPRESS_SECONDS = 300
DATA_LIMIT_EXCEEDED = "States.DataLimitExceeded"  # States.ALL does not match it

Json = Any
Service = Callable[[str, Json], Json]


class StateError(Exception):
    """An error of a state, with a name and a cause."""

    def __init__(self, name: str, cause: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.cause = cause

    @property
    def output(self) -> Json:
        return {"Error": self.name, "Cause": self.cause}


@dataclass(frozen=True)
class StateMachine:
    """Runs executions.

    Attributes
    ----------
    definition
    scheduler
    service
        Does a task's request, given its resource and parameters; raises StateError.
    """

    definition: Mapping[str, Any]
    scheduler: Scheduler
    service: Service

    def execute(self, name: str, given: Json) -> Json:
        """Run an execution to its end, within the time of the machine, and return its output.

        Raises
        ------
        StateError
            Its name is TIMED_OUT if the time of the machine was too short.
        """
        run = partial(self._run, self.definition, given, {})
        return self._within(self.definition["TimeoutSeconds"], name, run, "TIMED_OUT")

    def _within(
        self, seconds: float, name: str, action: Callable[[], Json], error: str = "States.Timeout"
    ) -> Json:
        """Run an action as a task of its own, for at most some seconds; kill it with this one."""
        task = self.scheduler.start(name, action)
        try:
            self.scheduler.wait(task.ended, seconds)
        finally:
            self.scheduler.kill(task)
        if not task.ended.is_set:
            raise StateError(error)
        return _result(task)

    def _run(self, machine: Mapping[str, Any], data: Json, context: Json) -> Json:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            self.scheduler.say(f"enters {name}")
            entered = context | {"State": {"EnteredTime": self.scheduler.instant.isoformat()}}
            if state["Type"] == "Fail":
                cause = state.get("Cause") or _value(state["CausePath"], data, entered)
                raise StateError(
                    state["Error"]
                    if "Error" in state
                    else _value(state["ErrorPath"], data, entered),
                    cause,
                )
            if state["Type"] == "Choice":
                name = _chosen(state, data)
                continue
            try:
                data = self._retried(name, state, data, entered)
            except StateError as error:
                catcher = _matching(state.get("Catch", ()), error)
                if catcher is None:
                    raise
                data = _put(catcher, data, error.output)
                name = catcher["Next"]
                continue
            if state.get("End"):
                return data
            name = state["Next"]

    def _retried(self, name: str, state: Mapping[str, Any], data: Json, context: Json) -> Json:
        attempts = [0 for _ in state.get("Retry", ())]
        while True:
            try:
                return self._once(name, state, data, context)
            except StateError as error:
                retrier = _matching(state.get("Retry", ()), error)
                if retrier is None:
                    raise
                number = state["Retry"].index(retrier)
                if attempts[number] >= retrier["MaxAttempts"]:
                    raise
                rng = self.scheduler.task.rng
                self.scheduler.sleep(rng.uniform(0, delay_seconds(retrier, attempts[number])))
                attempts[number] += 1

    def _once(self, name: str, state: Mapping[str, Any], data: Json, context: Json) -> Json:
        if state["Type"] == "Pass":
            return _put(state, data, state["Result"])
        if state["Type"] == "Map":
            return _put(state, data, self._map(name, state, data, context))
        parameters = _filled(state["Parameters"], data, context)
        request = partial(self.service, state["Resource"], parameters)
        result = self._within(state["TimeoutSeconds"], f"{self._own_name}/{name}", request)
        if "ResultSelector" in state:
            result = _filled(state["ResultSelector"], result, context)
        return _put(state, data, result)

    def _map(self, name: str, state: Mapping[str, Any], data: Json, context: Json) -> Json:
        """Run a child for each item, some at a time; fail with the first child that fails."""
        processor = state["ItemProcessor"]
        is_distributed = processor["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
        if "ItemReader" in state:
            reader = state["ItemReader"]
            parameters = _filled(reader["Parameters"], data, context)
            try:
                items = self.service(reader["Resource"], parameters)
            except StateError as error:
                raise StateError("States.ItemReaderFailed", error.name) from error
        else:
            items = _value(state["ItemsPath"], data, context)
        limit = _value(state["MaxConcurrencyPath"], data, context) or len(items)
        waiting = list(enumerate(items))[::-1]
        results: list[Json] = [None] * len(items)
        running: list[Task] = []
        changed = Signal()

        def child(index: int, item: Json) -> None:
            nonlocal changed
            own = context | {"Map": {"Item": {"Value": item, "Index": index}}}
            run = partial(self._run, processor, _filled(state["ItemSelector"], data, own), own)
            if is_distributed:
                run = partial(self._within, EXPRESS_SECONDS, f"{self._own_name}/child", run)
            try:
                results[index] = run()
            finally:
                changed.set()

        try:
            while waiting or running:
                while waiting and len(running) < limit:
                    index, item = waiting.pop()
                    start = partial(child, index, item)
                    running.append(self.scheduler.start(f"{self._own_name}/{name}[{index}]", start))
                self.scheduler.wait(changed)
                changed = Signal()
                self.scheduler.sleep(0)  # the child ends
                for task in [each for each in running if each.ended.is_set]:
                    running.remove(task)
                    if task.error is not None:
                        if is_distributed and isinstance(task.error, StateError):
                            raise StateError(
                                "States.ExceedToleratedFailureThreshold", task.error.name
                            )
                        raise task.error
        finally:
            for task in running:
                self.scheduler.kill(task)
        if "ResultWriter" in state:
            writer = state["ResultWriter"]
            parameters = _filled(writer["Parameters"], data, context) | {"Results": results}
            try:
                self.service(writer["Resource"], parameters)
            except StateError as error:
                raise StateError("States.ResultWriterFailed", error.name) from error
        return results

    @property
    def _own_name(self) -> str:
        return self.scheduler.task.name


def delay_seconds(retrier: Mapping[str, Any], attempt: int) -> float:
    """Return the longest time that a retrier waits before an attempt, the first being 0."""
    delay: float = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt
    return min(delay, retrier["MaxDelaySeconds"])


def _result(task: Task) -> Json:
    if task.error is not None:
        raise task.error
    if task.is_killed:
        raise StateError("States.Runtime")
    return task.result


def _matching(handlers: Any, error: StateError) -> Mapping[str, Any] | None:
    for handler in handlers:
        names = handler["ErrorEquals"]
        if error.name in names or ("States.ALL" in names and error.name != DATA_LIMIT_EXCEEDED):
            found: Mapping[str, Any] = handler
            return found
    return None


def _chosen(state: Mapping[str, Any], data: Json) -> str:
    for choice in state["Choices"]:
        if _value(choice["Variable"], data, {}) <= choice["NumericLessThanEquals"]:
            return str(choice["Next"])
    return str(state["Default"])


def _put(state: Mapping[str, Any], data: Json, result: Json) -> Json:
    """Apply ResultPath and OutputPath."""
    path = state.get("ResultPath", "$")
    if path is None:
        result = data
    elif path != "$":
        result = data | {path.removeprefix("$."): result}
    return _value(state.get("OutputPath", "$"), result, {})


def _filled(template: Json, data: Json, context: Json) -> Json:
    """Return a payload template with its paths and intrinsic functions replaced."""
    if isinstance(template, dict):
        return {
            name.removesuffix(".$"): _value(each, data, context)
            if name.endswith(".$")
            else _filled(each, data, context)
            for name, each in template.items()
        }
    return template


def _value(path: str, data: Json, context: Json) -> Json:
    """Return the value of a path or an intrinsic function."""
    if path.startswith("States.JsonToString("):
        return json.dumps(_value(path[len("States.JsonToString(") : -1], data, context))
    if path.startswith("States.Format("):
        template, *arguments = path[len("States.Format(") : -1].split(", ")
        values = [_value(each, data, context) for each in arguments]
        return template.strip("'").format(*values)
    root, _, names = path.partition(".")
    value = context if root == "$$" else data
    for name in names.split(".") if names else ():
        value = value[name]
    return value

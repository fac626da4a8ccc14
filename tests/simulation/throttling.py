"""A smaller simulation: many reports in an account that limits concurrent functions.

It runs the state machine in virtual time and models only what matters for throttling. Tasks take a
given time, and are throttled. Retriers, catchers and timeouts are those of the definition. A Map
fails with its first failing child and stops the others; a function that was called continues
although its child was stopped. DynamoDB keeps a report's status and its count of map runs.
"""

import heapq
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.simulation.state_machine import EXPRESS_SECONDS, delay_seconds

LAMBDA = "arn:aws:states:::lambda:invoke"

# A process yields the seconds that it waits, or the Waiting whose end it waits for.
Process = Generator["float | Waiting", None, Any]


class StateError(Exception):
    """An error of a state; its text is the error name."""


@dataclass(eq=False)
class Waiting:
    """Something that a process waits for."""

    clock: "Clock"
    resume: Callable[[], None] | None = None
    is_done: bool = False

    def done(self) -> None:
        self.is_done = True
        if self.resume is not None:
            self.clock.after(0, self.resume)


@dataclass
class Clock:
    """Runs processes in virtual time; actions of one instant run as they were scheduled."""

    now: float = 0.0
    _scheduled: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._scheduled, (self.now + seconds, next(self._numbers), action))

    def start(self, process: Process, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Run a process from now until it ends or is stopped."""

        def proceed() -> None:
            if is_stopped():
                process.close()
                return
            try:
                waits_for = next(process)
            except StopIteration:
                return
            if isinstance(waits_for, Waiting):
                waits_for.resume = proceed
                if waits_for.is_done:
                    self.after(0, proceed)
            else:
                self.after(waits_for, proceed)

        self.after(0, proceed)

    def run(self) -> None:
        while self._scheduled:
            self.now, _, action = heapq.heappop(self._scheduled)
            action()


@dataclass
class Account:
    """An account with a limit on concurrent functions."""

    clock: Clock
    limit: int
    running: int = 0
    throttled: int = 0

    def invoke(self, seconds: float) -> None:
        """Start a function; it runs to its end even if its caller is stopped."""
        if self.running >= self.limit:
            self.throttled += 1
            raise StateError("Lambda.TooManyRequestsException")
        self.running += 1
        self.clock.after(seconds, self._end)

    def _end(self) -> None:
        self.running -= 1


@dataclass
class Report:
    """One execution of the machine, and its report's item in DynamoDB.

    Attributes
    ----------
    shards
        The number of shards.
    seconds
        How long a function runs, by the start of the name of its task.
    """

    definition: Mapping[str, Any]
    clock: Clock
    account: Account
    chance: random.Random
    shards: int
    seconds: Mapping[str, float]
    status: str = "Running"
    error: str | None = None
    map_runs: int = 0
    ended_at: float | None = None
    parts: set[int] = field(default_factory=set)

    def execute(self) -> Process:
        started_at = self.clock.now
        self.error = yield from self._run(self.definition, shard=None)
        self.ended_at = self.clock.now
        if self.ended_at - started_at > self.definition["TimeoutSeconds"]:
            self.status = "Failed"

    def _run(self, machine: Mapping[str, Any], shard: int | None) -> Process:
        """Run the states in turn; return the name of the error that ended the run, if any."""
        name: str | None = machine["StartAt"]
        error: str | None = None
        while name is not None:
            state = machine["States"][name]
            if state["Type"] == "Fail":
                return state.get("Error", error)
            if state["Type"] == "Choice":
                name = self._choice(state)
                continue
            try:
                yield from self._retried(name, state, shard)
                name = state.get("Next")
            except StateError as caught:
                catcher = _matching(state.get("Catch", ()), str(caught))
                if catcher is None:
                    return str(caught)
                error, name = str(caught), catcher["Next"]
        return None

    def _choice(self, state: Mapping[str, Any]) -> str:
        for choice in state["Choices"]:
            assert choice["Variable"] == "$.plan.shards"
            if self.shards <= choice["NumericLessThanEquals"]:
                return str(choice["Next"])
        return str(state["Default"])

    def _retried(self, name: str, state: Mapping[str, Any], shard: int | None) -> Process:
        attempts = [0 for _ in state.get("Retry", ())]
        while True:
            try:
                return (yield from self._once(name, state, shard))
            except StateError as error:
                retrier = _matching(state.get("Retry", ()), str(error))
                if retrier is None:
                    raise
                number = state["Retry"].index(retrier)
                if attempts[number] >= retrier["MaxAttempts"]:
                    raise
                yield self.chance.uniform(0, delay_seconds(retrier, attempts[number]))
                attempts[number] += 1

    def _once(self, name: str, state: Mapping[str, Any], shard: int | None) -> Process:
        if state["Type"] == "Map":
            yield from self._map(state)
        elif state["Type"] == "Task" and state["Resource"] == LAMBDA:
            [seconds] = [each for task, each in self.seconds.items() if name.startswith(task)]
            if shard in self.parts:
                seconds = 0.2  # it finds that its part exists
            self.account.invoke(seconds)
            if seconds > state["TimeoutSeconds"]:
                yield state["TimeoutSeconds"]
                raise StateError("States.Timeout")
            if shard is not None:
                self.clock.after(seconds, lambda: self.parts.add(shard))
            yield seconds
        elif state["Type"] == "Task":
            self._update(state["Parameters"])

    def _update(self, parameters: Mapping[str, Any]) -> None:
        if self.status != "Running":
            raise StateError("DynamoDB.ConditionalCheckFailedException")
        values = parameters["ExpressionAttributeValues"]
        if ":failed" in values:
            self.status = "Failed"
        elif ":complete" in values:
            self.status = "Complete"
        elif parameters["UpdateExpression"] == "ADD map_runs :one":
            if self.map_runs >= int(values[":limit"]["N"]):
                raise StateError("DynamoDB.ConditionalCheckFailedException")
            self.map_runs += 1

    def _map(self, state: Mapping[str, Any]) -> Process:
        """Run a child for each shard, all at once; fail with the first failing child."""
        processor = state["ItemProcessor"]
        is_distributed = processor["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
        end = Waiting(self.clock)
        ends: list[str | None] = []

        def child(shard: int) -> Process:
            ends.append((yield from self._run(processor, shard)))
            if ends[-1] is not None or len(ends) == self.shards:
                end.done()

        def time_out() -> None:
            if not end.is_done:
                ends.append("States.Timeout")
                end.done()

        for shard in range(self.shards):
            self.clock.start(child(shard), lambda: end.is_done)
        if is_distributed:
            self.clock.after(EXPRESS_SECONDS, time_out)
        yield end
        for error in ends:
            if error is not None:
                raise StateError(
                    "States.ExceedToleratedFailureThreshold" if is_distributed else error
                )


def _matching(handlers: Any, error: str) -> Mapping[str, Any] | None:
    for handler in handlers:
        if error in handler["ErrorEquals"] or "States.ALL" in handler["ErrorEquals"]:
            found: Mapping[str, Any] = handler
            return found
    return None

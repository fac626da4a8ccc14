"""Runs tasks one at a time, in virtual time; a seed decides which continues, fails or waits.

A task is ordinary code in a greenlet. Each request to a service goes through `Scheduler.request`.
There the task waits for as long as the seed says, other tasks run, and the request may fail, be
done although its response is lost, or be the last thing that the task does. Between two requests
no other task runs, so the order of requests determines everything else.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from math import log
from random import Random
from typing import Any, TypeVar
from zlib import crc32

from greenlet import getcurrent, greenlet

START = datetime(2024, 10, 15, tzinfo=UTC)

_MAX_REQUESTS = 5_000  # of a schedule; most have about a hundred
_MAX_STATE = (1 << 64) - 1
_Result = TypeVar("_Result")


class Fault(StrEnum):
    """What can go wrong with a request."""

    REFUSED = "refused"
    """The service is busy or broken; nothing is done."""
    LOST = "lost"
    """The request is done; its response is lost."""
    REPEATED = "repeated"
    """The request is done, its response is lost, and the SDK's retry is done, too."""
    KILLED = "killed"
    """The task ends before the request or right after it."""
    SLOW = "slow"
    """The request takes seconds or minutes."""


class Violation(BaseException):
    """An invariant does not hold; nothing handles this, and the schedule ends."""


class ServiceError(Exception):
    """A request failed; the service translates this to its own error."""


class Killed(BaseException):
    """Ends a task at once; its handlers of exceptions can make no more requests."""


class Chance(Random):
    """A linear congruential generator: random enough, and much faster to create than `Random`."""

    def __init__(self, seed: int) -> None:
        self._state = seed * 0x9E3779B97F4A7C15 & _MAX_STATE

    def random(self) -> float:
        self._state = self._state * 0x5851F42D4C957F2D + 0x14057B7EF767814F & _MAX_STATE
        return (self._state >> 11) / (1 << 53)

    def expovariate(self, lambd: float = 1.0) -> float:
        return -log(1 - self.random()) / lambd


@dataclass(eq=False)
class Signal:
    """Something that happens once and that tasks wait for."""

    is_set: bool = False
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def set(self) -> None:
        self.is_set = True
        for resume in self.waiting:
            resume()
        self.waiting.clear()


@dataclass(eq=False)
class Task:
    """A running call: of a function, of a client, of an execution.

    Attributes
    ----------
    rng
        The task's own random numbers, which other tasks do not change.
    can_be_killed
        False for tasks of services, which do not crash.
    error, result
        Set when it has ended; neither if it was killed.
    """

    name: str
    rng: Random
    can_be_killed: bool = False
    ended: Signal = field(default_factory=Signal)
    result: Any = None
    error: Exception | None = None
    is_killed: bool = False
    greenlet: Any = None
    resumptions: int = 0  # a task that waits for one of two things resumes once


@dataclass
class Scheduler:
    """The order of everything that happens in one schedule.

    Attributes
    ----------
    seed
        Repeats the schedule.
    faults
        The probability of each kind of fault, at each request of a task that may fail.
    slowness
        The mean seconds that a request takes.
    now
        Virtual seconds since the start.
    trace
        A line per event, if lines are wanted.
    """

    seed: int
    faults: dict[Fault, float] = field(default_factory=dict)
    slowness: float = 0.05
    now: float = 0.0
    trace: list[str] | None = None

    def __post_init__(self) -> None:
        self._requests = 0
        self._scheduled: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._hub = getcurrent()
        self._tasks: dict[Any, Task] = {}

    @property
    def instant(self) -> datetime:
        """The time of day."""
        return START + timedelta(seconds=self.now)

    @property
    def task(self) -> Task:
        """The task that is running."""
        return self._tasks[getcurrent()]

    def say(self, *words: object) -> None:
        """Add a line to the trace."""
        if self.trace is not None:
            task = self._tasks.get(getcurrent())
            text = " ".join(map(str, words))
            self.trace.append(f"{self.now:10.3f}  {task.name if task else '':28s}  {text}")

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Call an action later; actions of one instant are called as they were scheduled."""
        heapq.heappush(self._scheduled, (self.now + seconds, next(self._numbers), action))

    def start(
        self,
        name: str,
        function: Callable[[], Any],
        after: float = 0,
        *,
        can_be_killed: bool = False,
    ) -> Task:
        """Start a task: now, or later."""
        task = Task(name, Chance(self.seed << 32 | crc32(name.encode())), can_be_killed)

        def run() -> None:
            try:
                self._end_if_killed(task)
                task.result = function()
            except Exception as error:  # noqa: BLE001  # raised in the task that waits for this one
                task.error = error
            except Killed:
                self.say("ended")
            del self._tasks[task.greenlet]
            task.greenlet = None
            task.ended.set()

        task.greenlet = greenlet(run, self._hub)
        self._tasks[task.greenlet] = task
        self.after(after, self._resumption(task))
        return task

    def run(self) -> None:
        """Run until nothing is left to do."""
        while self._scheduled:
            self.now, _, action = heapq.heappop(self._scheduled)
            action()

    def close(self) -> None:
        """End all tasks that are left, after an error."""
        for task in list(self._tasks.values()):
            task.is_killed = True
            if task.greenlet:  # it has begun, and not ended
                task.greenlet.throw(Killed)

    def sleep(self, seconds: float) -> None:
        """Let others run for a time."""
        until = self.now + seconds
        if not self._scheduled or self._scheduled[0][0] > until:
            self.now = until  # nothing else is scheduled before
            return
        task = self.task
        self.after(seconds, self._resumption(task))
        self._pause()

    def delay(self) -> None:
        """Let others run for as long as a request takes."""
        self.sleep(self.task.rng.expovariate(1 / self.slowness))

    def wait(self, signal: Signal, seconds: float | None = None) -> bool:
        """Wait for a signal; return False if it was not set in time."""
        if not signal.is_set:
            resume = self._resumption(self.task)
            signal.waiting.append(lambda: self.after(0, resume))
            if seconds is not None:
                self.after(seconds, resume)
            self._pause()
        return signal.is_set

    def kill(self, task: Task) -> None:
        """End a task where it is."""
        if not task.ended.is_set:
            task.is_killed = True
            self.after(0, self._resumption(task))

    def request(
        self,
        what: tuple[object, ...],
        action: Callable[[], _Result],
        *,
        is_repeatable: bool = True,
    ) -> _Result:
        """Make a request of the running task: here the seed decides what happens.

        Parameters
        ----------
        what
            For the trace.
        action
            Does the request, at one instant.
        is_repeatable
            Whether the SDK's retry does the request again; False if the service recognises it.

        Raises
        ------
        ServiceError
        """
        self._requests += 1
        if self._requests > _MAX_REQUESTS:
            raise Violation(f"it does not end within {_MAX_REQUESTS} requests")
        task = self.task
        self._end_if_killed(task)
        rng = task.rng
        seconds = rng.expovariate(1 / self.slowness)
        fault = self._fault(task)
        if fault is Fault.SLOW:
            seconds = rng.choice((2, 20, 100, 300)) * rng.random()
        self.sleep(seconds)
        if fault is Fault.REFUSED:
            self.say(*what, "is refused")
            raise ServiceError
        if fault is Fault.KILLED and rng.random() < 0.5:
            self.say("killed before", *what)
            self._end(task)
        self.say(*what)
        result = action()
        if fault is Fault.KILLED:
            self.say("killed after it")
            self._end(task)
        if fault is Fault.LOST:
            self.say("its response is lost")
            raise ServiceError
        if fault is Fault.REPEATED and is_repeatable:
            self.say("its response is lost, and it is repeated")
            self.delay()
            result = action()
        return result

    def _fault(self, task: Task) -> Fault | None:
        if not self.faults:
            return None
        chance = task.rng.random()
        for fault, probability in self.faults.items():
            chance -= probability
            if chance < 0:
                return None if fault is Fault.KILLED and not task.can_be_killed else fault
        return None

    def _pause(self) -> None:
        task = self.task
        self._hub.switch()
        self._end_if_killed(task)

    def _end_if_killed(self, task: Task) -> None:
        if task.is_killed:
            raise Killed

    def _end(self, task: Task) -> None:
        task.is_killed = True
        raise Killed

    def _resumption(self, task: Task) -> Callable[[], None]:
        """Return an action that continues a task, unless another one has continued it."""
        task.resumptions += 1
        number = task.resumptions

        def resume() -> None:
            if task.resumptions == number and not task.ended.is_set:
                task.resumptions += 1
                task.greenlet.switch()

        return resume

"""A thousand files uploaded at once, simulated: the commit loop and the queue's redelivery.

Time is virtual, and chance is seeded. What is simulated is the loop that ingest runs: its waits,
its deadline, and the delays of the queue; not what it writes.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from store_monitoring.errors import TransientError
from store_monitoring.ingest.deadline import Deadline, commit_waits
from store_monitoring.ingest.delivery import redelivery_seconds

FUNCTION_SECONDS = 900
MOST_RECEIVES = 5
READ_SECONDS = (0.5, 5.0)
ATTEMPT_SECONDS = (0.15, 0.35)  # from reading the log to the response of its transaction

Waits = Callable[[Deadline, random.Random], Iterator[float]]


@dataclass
class Simulation:
    """Files in a queue, and concurrent ingests that commit to one log."""

    files: int
    concurrency: int
    waits: Waits
    seed: int
    deliveries: int = MOST_RECEIVES
    now: float = 0.0
    version: int = 0
    committed: int = 0
    lost: int = 0
    attempts: Counter[int] = field(default_factory=Counter)
    most_receives: int = 1

    def run(self) -> "Simulation":
        """Ingest every file, or lose it."""
        self._chance = random.Random(self.seed)
        self._visible = [(0.0, file, 1) for file in range(self.files)]
        self._events: list[tuple[float, int, Iterator[float]]] = []
        self._count = self._running = 0
        self._start_waiting()
        while self._events or self._visible:
            if not self._events:
                self.now = max(self.now, self._visible[0][0])
                self._start_waiting()
                continue
            self.now, _, ingest = heapq.heappop(self._events)
            self._continue(ingest)
            self._start_waiting()
        return self

    def _start_waiting(self) -> None:
        while self._running < self.concurrency and self._visible:
            if self._visible[0][0] > self.now:
                if not self._events or self._events[0][0] > self._visible[0][0]:
                    self.now = self._visible[0][0]
                else:
                    return
            _, file, receives = heapq.heappop(self._visible)
            self.most_receives = max(self.most_receives, receives)
            self._running += 1
            self._continue(self._ingest(file, receives))

    def _continue(self, ingest: Iterator[float]) -> None:
        try:
            seconds = next(ingest)
        except StopIteration:
            self._running -= 1
            return
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, ingest))

    def _ingest(self, file: int, receives: int) -> Iterator[float]:
        """Ingest one file; yield the duration of each step."""
        ends_at = self.now + FUNCTION_SECONDS
        deadline = Deadline(lambda: ends_at - self.now)
        yield self._chance.uniform(*READ_SECONDS)
        try:
            for wait in self.waits(deadline, self._chance):
                yield wait
                self.attempts[file] += 1
                version = self.version
                yield self._chance.uniform(*ATTEMPT_SECONDS)
                if version == self.version:
                    self.version += 1
                    self.committed += 1
                    return
        except TransientError:
            if receives == self.deliveries:
                self.lost += 1
            else:
                delay = redelivery_seconds(receives, self._chance)
                heapq.heappush(self._visible, (self.now + delay, file, receives + 1))


def twenty_attempts(_: Deadline, rng: random.Random) -> Iterator[float]:
    """Yield the waits from before the queue; a file is lost after twenty conflicts."""
    yield 0.0
    for _attempt in range(19):
        yield rng.uniform(0, 0.5)
    raise TransientError("20 other ingests were committed first")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("concurrency", [8, 50, 200])
def test_a_thousand_files_at_once_all_commit(concurrency: int, seed: int) -> None:
    done = Simulation(1000, concurrency, commit_waits, seed).run()
    print(
        f"{concurrency} at once: {done.now:.0f} s, {done.attempts.total() / 1000:.1f} attempts a"
        f" file, {max(done.attempts.values())} at most, {done.most_receives} deliveries at most"
    )
    assert (done.committed, done.lost) == (1000, 0)
    assert done.most_receives < MOST_RECEIVES  # the rest is for other failures


@pytest.mark.parametrize(("files", "least_lost"), [(200, 20), (336, 100)])
def test_the_loop_from_before_the_queue_loses_files(files: int, least_lost: int) -> None:
    """Shows that the simulation can fail: each file was delivered once, immediately."""
    done = Simulation(files, files, twenty_attempts, seed=0, deliveries=1).run()
    print(f"{files} at once: {done.lost} lost")
    assert done.committed + done.lost == files
    assert done.lost > least_lost

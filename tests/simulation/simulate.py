"""Simulate schedules and print those that are wrong; or one, as small as possible."""

import argparse
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from tests.simulation import caching
from tests.simulation.checks import Checks, clear_serial_results
from tests.simulation.library import collect_garbage, library_in_memory
from tests.simulation.schedule import CLIENTS, Schedule
from tests.simulation.scheduler import Scheduler, Violation
from tests.simulation.world import World

_CLEAR_CACHES_EVERY = 5_000  # schedules; otherwise memory grows with each


def violation(schedule: Schedule, trace: list[str] | None = None) -> Violation | None:
    """Run a schedule to its end; return what is wrong, if anything is."""
    try:
        _run(schedule, trace)
    except Violation as found:
        return found
    return None


def _run(schedule: Schedule, trace: list[str] | None) -> None:
    collect_garbage()
    scheduler = Scheduler(schedule.seed, dict(schedule.faults), schedule.slowness, trace=trace)
    world = World(scheduler, schedule.settings)
    try:
        _play(schedule, world)
    finally:
        scheduler.close()


def _play(schedule: Schedule, world: World) -> None:
    scheduler = world.scheduler
    checks = Checks(world)
    for number, step in enumerate(schedule.steps):
        action = partial(CLIENTS[step.name], world, step)
        scheduler.start(f"{step.name} {number}", action, step.after)
    scheduler.run()
    scheduler.faults.clear()
    checks.redrive()
    checks.check_keys()
    checks.retry_failed()
    checks.delete_again()
    world.run(checks.check_final_state)
    checks.check_expired()


def shrunk(schedule: Schedule) -> Schedule:
    """Return the smallest schedule that is still wrong: no part of it can be removed."""
    for smaller in schedule.smaller():
        if violation(smaller) is not None:
            return shrunk(smaller)
    return schedule


def trace_of(schedule: Schedule) -> list[str]:
    """Return a line for each event of a schedule."""
    trace: list[str] = []
    violation(schedule, trace)
    return trace


def explained(schedule: Schedule) -> str:
    """Return a schedule with its events, and what is wrong with it, if anything is."""
    lines = [str(schedule), *trace_of(schedule), str(violation(schedule) or "nothing is wrong")]
    return "\n".join(lines)


def first_wrong(seeds: Iterable[int], focus: Sequence[str] = ()) -> Schedule | None:
    """Return the first schedule that is wrong, after it is shrunk."""
    for seed in seeds:
        schedule = Schedule.of(seed, focus)
        if violation(schedule) is not None:
            return shrunk(schedule)
    return None


@contextmanager
def _stop_on_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM, so that a long run can end after its schedule."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda it, _: received.append(it)) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _wrong_of(seed: int) -> str | None:
    """Return what is wrong in the schedule of a seed: an invariant, or the simulator."""
    try:
        found = violation(Schedule.of(seed))
    except Exception as error:  # noqa: BLE001  # a long run continues
        return f"the simulator raised {error!r}"
    return None if found is None else str(found)


def simulate(seeds: Sequence[int]) -> int:
    """Run all seeds, print those that are wrong and a summary; return how many are wrong."""
    wrong, done = 0, 0
    started_at = time.process_time()

    def progress() -> str:
        rate = done / (time.process_time() - started_at)
        return f"{done} of {len(seeds)} schedules, {rate:.0f} in a CPU second: {wrong} are wrong"

    with _stop_on_signals() as received:
        for seed in seeds:
            reason = _wrong_of(seed)
            done += 1
            if reason is not None:
                wrong += 1
                print(f"seed {seed}: {reason}", flush=True)
            if received:
                break
            if done % _CLEAR_CACHES_EVERY == 0:
                print(progress(), flush=True)
                clear_serial_results()
                caching.clear()
    print(progress(), flush=True)
    return wrong


def main() -> None:
    """Simulate the seeds that the command line names; explain one, if it names one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", help="a number of seeds, or the first and last one: 20-29")
    first, dash, last = parser.parse_args().seeds.rpartition("-")
    seeds = range(int(first), int(last) + 1) if dash else range(int(last))
    with library_in_memory():
        if len(seeds) == 1:
            wrong = first_wrong(seeds)
            print(explained(wrong or Schedule.of(seeds[0])))
            sys.exit(wrong is not None)
        sys.exit(simulate(seeds) > 0)


if __name__ == "__main__":
    main()

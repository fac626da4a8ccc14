"""Simulate schedules; print the first one that is wrong, as small as possible."""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial

from tests.simulation.checks import Checks, Violation
from tests.simulation.library import library_in_memory
from tests.simulation.schedule import CLIENTS, Schedule
from tests.simulation.scheduler import Scheduler
from tests.simulation.world import World


def violation(schedule: Schedule, trace: list[str] | None = None) -> Violation | None:
    """Run a schedule until all is quiet; return what is wrong, if anything is."""
    try:
        _run(schedule, trace)
    except Violation as found:
        return found
    return None


def _run(schedule: Schedule, trace: list[str] | None) -> None:
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
    world.run(world.redrive)
    checks.retry_failed()
    checks.delete_again()
    world.run(checks.check_quiet)


def shrunk(schedule: Schedule) -> Schedule:
    """Return a smaller schedule that is wrong, too; none of its parts can be left out."""
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


def main() -> None:
    """Simulate the seeds that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", help="a number of seeds, or the first and last one: 20-29")
    first, dash, last = parser.parse_args().seeds.rpartition("-")
    seeds = range(int(first), int(last) + 1) if dash else range(int(last))
    started_at = time.process_time()
    with library_in_memory():
        wrong = first_wrong(seeds)
        if wrong is not None:
            sys.exit(explained(wrong))
        if len(seeds) == 1:
            print(explained(Schedule.of(seeds[0])))
    rate = len(seeds) / (time.process_time() - started_at)
    print(f"{len(seeds)} schedules, {rate:.0f} in a second: nothing is wrong")


if __name__ == "__main__":
    main()

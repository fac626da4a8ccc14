"""Many schedules are simulated: nothing may be wrong. And the simulator must be able to fail."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation import checks, simulate
from tests.simulation.bugs import BUGS, Bug
from tests.simulation.library import library_in_memory
from tests.simulation.schedule import Schedule
from tests.simulation.scheduler import Violation
from tests.simulation.simulate import explained, first_wrong, shrunk, trace_of, violation

ROOT = Path(__file__).parents[2]
SEEDS = range(1_000)
MANY_SEEDS = range(1_000, 10_500)  # and more in test_more_schedules.py


@pytest.fixture(autouse=True, scope="module")
def _in_memory() -> Iterator[None]:
    with library_in_memory():
        yield


def assert_nothing_is_wrong(seeds: range) -> None:
    wrong = first_wrong(seeds)
    assert wrong is None, explained(wrong)


def test_nothing_is_wrong_in_many_schedules() -> None:
    assert_nothing_is_wrong(SEEDS)


@pytest.mark.exhaustive
def test_nothing_is_wrong_in_very_many_schedules() -> None:
    assert_nothing_is_wrong(MANY_SEEDS)


def test_a_long_run_continues_after_wrong_schedules(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def violation(schedule: Schedule) -> Violation | None:
        if schedule.seed == 2:
            raise KeyError("a bug of the simulator")
        return Violation("lost") if schedule.seed == 1 else None

    monkeypatch.setattr(simulate, "violation", violation)
    assert simulate.simulate(range(4)) == 2
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["seed 1", "seed 2"]
    assert last.startswith("4 of 4 schedules")


def test_a_long_run_that_is_stopped_says_what_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def violation(schedule: Schedule) -> None:
        if schedule.seed == 2:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(simulate, "violation", violation)
    assert simulate.simulate(range(100)) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 of 100 schedules")


@pytest.fixture
def put_back(request: pytest.FixtureRequest) -> Iterator[Bug]:
    """Put a bug back into the library for a test."""
    bug: Bug = request.param
    with pytest.MonkeyPatch.context() as patch:
        bug.put_back(patch)
        checks.clear_serial_results()
        yield bug
    checks.clear_serial_results()


@pytest.mark.parametrize("put_back", BUGS, ids=str, indirect=True)
def test_a_bug_that_is_put_back_is_found(put_back: Bug) -> None:
    assert violation(Schedule.of(put_back.seed, put_back.focus)) is not None


@pytest.mark.parametrize("put_back", [BUGS[0]], ids=str, indirect=True)
def test_a_wrong_schedule_is_shrunk_and_explained(put_back: Bug) -> None:
    schedule = Schedule.of(put_back.seed, put_back.focus)
    small = shrunk(schedule)
    assert len(small.steps) == 2  # two uploads that conflict
    assert small.faults == ()
    lines = explained(small).splitlines()
    assert lines[0].startswith(f"seed {put_back.seed}")
    assert lines[-1] == str(violation(small))


def test_a_seed_repeats_a_schedule_in_another_process() -> None:
    program = (
        "from tests.simulation.library import library_in_memory\n"
        "from tests.simulation.schedule import Schedule\n"
        "from tests.simulation.simulate import trace_of\n"
        "with library_in_memory():\n"
        "    for seed in range(10):\n"
        "        print(*trace_of(Schedule.of(seed)), sep='\\n')"
    )
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    other = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    ours = [line for seed in range(10) for line in trace_of(Schedule.of(seed))]
    assert other.stdout.splitlines() == ours

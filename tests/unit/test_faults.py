"""Which calls get a fault."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from local.emulator.faults import Fault, Faults, Injector, Kind

CALL = "local-PlanAndMergeFunction-x s3:PutObject bucket/reports/r/report.csv"
ALL = frozenset(Kind)


def injected_numbers(injector: Injector, calls: int, call: str = CALL) -> list[int]:
    """Make calls; return the numbers of those into which a fault was injected."""
    return [number for number in range(1, calls + 1) if injector.fault_for(call, ALL)]


def test_without_faults_nothing_is_injected() -> None:
    assert injected_numbers(Injector(Faults()), 3) == []


@pytest.mark.parametrize(("nth", "numbers"), [(None, [1, 2, 3]), (1, [1]), (3, [3]), (4, [])])
def test_a_fault_is_injected_into_its_nth_call_or_all(nth: int | None, numbers: list[int]) -> None:
    injector = Injector(Faults((Fault(Kind.RESET, "* s3:PutObject *", nth),)))
    assert injected_numbers(injector, 3) == numbers


@pytest.mark.parametrize(
    "pattern", ["* s3:GetObject *", "local-ComputeShardFunction-* *", "s3:PutObject"]
)
def test_other_calls_get_no_fault_and_are_not_counted(pattern: str) -> None:
    injector = Injector(Faults((Fault(Kind.RESET, pattern, nth=2),)))
    assert injected_numbers(injector, 3) == []


def test_a_call_gets_only_possible_kinds() -> None:
    injector = Injector(Faults((Fault(Kind.ABORTED, "*"), Fault(Kind.LOST, "*"))))
    fault = injector.fault_for(CALL, ALL - {Kind.ABORTED})
    assert fault is not None
    assert fault.kind is Kind.LOST


def test_the_seed_determines_the_faults() -> None:
    fault = Fault(Kind.RESET, "*", probability=0.5)
    first, same, other = (Injector(Faults((fault,), seed)) for seed in (1, 1, 2))
    numbers = injected_numbers(first, 200)
    assert injected_numbers(same, 200) == numbers
    assert injected_numbers(other, 200) != numbers
    assert 60 < len(numbers) < 140


def test_new_faults_replace_the_old_ones_and_counts_restart() -> None:
    once = Faults((Fault(Kind.RESET, "*", nth=1),))
    injector = Injector(once)
    assert injected_numbers(injector, 2) == [1]
    assert injector.injected() == [f"reset: {CALL}"]
    injector.set(once)
    assert injector.injected() == []
    assert injected_numbers(injector, 2) == [1]


def test_a_pause_ends_once_its_fault_is_replaced() -> None:
    slow = Fault(Kind.SLOW, "*", seconds=3600)
    injector = Injector(Faults((slow,)))
    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(injector.pause, slow)
        injector.set(Faults())
        assert paused.result(timeout=600) is None


def test_faults_survive_json() -> None:
    faults = Faults((Fault(Kind.SLOW, "*", 2, 0.5, 0.1), Fault(Kind.TIMED_OUT, "x")), seed=7)
    assert Faults.from_json(faults.to_json()) == faults

"""Which calls get a fault."""

import pytest

from local.emulator.faults import Fault, Faults, Injector, Kind

CALL = "local-MergeFunction-x s3:PutObject bucket/reports/r/report.csv"
ALL = frozenset(Kind)


def injected_numbers(injector: Injector, calls: int, call: str = CALL) -> list[int]:
    """Make calls; return the numbers of those into which a fault was injected."""
    return [number for number in range(1, calls + 1) if injector.fault_for(call, ALL)]


def test_without_faults_nothing_is_struck() -> None:
    assert injected_numbers(Injector(Faults()), 3) == []


@pytest.mark.parametrize(("nth", "numbers"), [(None, [1, 2, 3]), (1, [1]), (3, [3]), (4, [])])
def test_a_fault_strikes_the_nth_of_its_calls_or_all(nth: int | None, numbers: list[int]) -> None:
    injector = Injector(Faults((Fault(Kind.RESET, "* s3:PutObject *", nth),)))
    assert injected_numbers(injector, 3) == numbers


@pytest.mark.parametrize("pattern", ["* s3:GetObject *", "local-PlanFunction-* *", "s3:PutObject"])
def test_other_calls_are_neither_struck_nor_counted(pattern: str) -> None:
    injector = Injector(Faults((Fault(Kind.RESET, pattern, nth=2),)))
    assert injected_numbers(injector, 3) == []


def test_what_cannot_happen_to_a_call_does_not() -> None:
    injector = Injector(Faults((Fault(Kind.ABORTED, "*"), Fault(Kind.LOST, "*"))))
    fault = injector.fault_for(CALL, ALL - {Kind.ABORTED})
    assert fault is not None
    assert fault.kind is Kind.LOST


def test_chances_are_the_seed_s() -> None:
    fault = Fault(Kind.RESET, "*", probability=0.5)
    first, same, other = (Injector(Faults((fault,), seed)) for seed in (1, 1, 2))
    numbers = injected_numbers(first, 200)
    assert injected_numbers(same, 200) == numbers
    assert injected_numbers(other, 200) != numbers
    assert 60 < len(numbers) < 140


def test_new_faults_take_the_place_of_those_before_and_count_anew() -> None:
    once = Faults((Fault(Kind.RESET, "*", nth=1),))
    injector = Injector(once)
    assert injected_numbers(injector, 2) == [1]
    assert injector.injected() == [f"reset: {CALL}"]
    injector.set(once)
    assert injector.injected() == []
    assert injected_numbers(injector, 2) == [1]


def test_faults_are_the_same_after_a_way_through_json() -> None:
    faults = Faults((Fault(Kind.SLOW, "*", 2, 0.5, 0.1), Fault(Kind.TIMED_OUT, "x")), seed=7)
    assert Faults.from_json(faults.to_json()) == faults

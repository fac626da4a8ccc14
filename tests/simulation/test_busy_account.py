"""Reports in an account that runs as few functions at once as a new one does.

Each run is a seed: to repeat one, give it to `reports_in_account`.
"""

import copy
import random
from collections.abc import Mapping
from typing import Any

import pytest

from tests.simulation.machine import Account, Clock, Report
from tests.template.translation import definition, machines, translated

SHARDS = 40
SECONDS = {"PlanFunction": 2.0, "ComputeShardFunction": 5.0, "MergeFunction": 5.0}
NEW_ACCOUNT = 10  # functions at once
SEEDS = range(10)


@pytest.fixture(scope="module")
def machine() -> dict[str, Any]:
    return definition(translated())


def reports_in_account(
    machine: Mapping[str, Any], seed: int, reports: int, busy_seconds: float = 0
) -> list[Report]:
    """Make reports at once; return them when all have ended.

    Parameters
    ----------
    machine
        The definition.
    seed
    reports
        How many.
    busy_seconds
        For how long others run as many functions as the account can.
    """
    chance, clock = random.Random(seed), Clock()
    account = Account(clock, NEW_ACCOUNT)
    for _ in range(NEW_ACCOUNT if busy_seconds else 0):
        account.invoke(busy_seconds)
    made = [Report(machine, clock, account, chance, SHARDS, SECONDS) for _ in range(reports)]
    for report in made:
        clock.start(report.execute())
    clock.run()
    return made


@pytest.mark.parametrize("reports", [1, 2, 4, 10])
def test_all_reports_complete(machine: dict[str, Any], reports: int) -> None:
    for seed in SEEDS:
        made = reports_in_account(machine, seed, reports)
        assert {report.status for report in made} == {"Complete"}, f"seed {seed}"
        assert all(len(report.parts) == SHARDS for report in made)


@pytest.mark.parametrize("minutes", [1, 2, 5])
def test_others_may_take_the_whole_account_for_minutes(
    machine: dict[str, Any], minutes: int
) -> None:
    for seed in SEEDS:
        made = reports_in_account(machine, seed, reports=2, busy_seconds=60 * minutes)
        assert {report.status for report in made} == {"Complete"}, f"seed {seed}"


def test_the_simulation_tells_a_retrier_that_gives_up_too_soon(machine: dict[str, Any]) -> None:
    impatient = copy.deepcopy(machine)
    for each in machines(impatient):
        for state in each["States"].values():
            for retrier in state.get("Retry", ()):
                retrier["MaxAttempts"] = 5
    impatient["States"]["ComputeShards"]["Catch"] = [
        {"ErrorEquals": ["States.ALL"], "Next": "ComputeShardsFailed"}
    ]
    statuses = [
        report.status for seed in SEEDS for report in reports_in_account(impatient, seed, reports=4)
    ]
    assert statuses.count("Failed") > len(statuses) / 2

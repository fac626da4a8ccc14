"""Reports in an account with the low concurrency limit of a new account.

Each run has a seed: to repeat a run, pass its seed to `reports_in_account`.
"""

import copy
import random
from collections.abc import Mapping
from typing import Any

import pytest

from tests.simulation.throttling import Account, Clock, Report
from tests.template.translation import definition, machines, translated

INLINE, DISTRIBUTED = 40, 41  # shards of a report
SECONDS = {"Plan": 2.0, "ComputeShard": 5.0, "Merge": 5.0}
NEW_ACCOUNT_LIMIT = 10  # concurrent functions
SEEDS = range(10)


@pytest.fixture(scope="module")
def machine() -> dict[str, Any]:
    return definition(translated())


def reports_in_account(
    machine: Mapping[str, Any], seed: int, shards: int, reports: int, busy_seconds: float = 0
) -> list[Report]:
    """Start reports at once; return them when all have ended.

    Parameters
    ----------
    machine
        The definition.
    seed
    shards
        The number of shards of each report.
    reports
        The number of reports.
    busy_seconds
        How long other callers use the account's whole concurrency.
    """
    chance, clock = random.Random(seed), Clock()
    account = Account(clock, NEW_ACCOUNT_LIMIT)
    for _ in range(NEW_ACCOUNT_LIMIT if busy_seconds else 0):
        account.invoke(busy_seconds)
    made = [Report(machine, clock, account, chance, shards, SECONDS) for _ in range(reports)]
    for report in made:
        clock.start(report.execute())
    clock.run()
    return made


@pytest.mark.parametrize("shards", [INLINE, DISTRIBUTED])
@pytest.mark.parametrize("reports", [1, 2, 4, 10])
def test_all_reports_complete(machine: dict[str, Any], shards: int, reports: int) -> None:
    for seed in SEEDS:
        made = reports_in_account(machine, seed, shards, reports)
        assert {report.status for report in made} == {"Complete"}, f"seed {seed}"
        assert all(len(report.parts) == shards for report in made)


@pytest.mark.parametrize("shards", [INLINE, DISTRIBUTED])
@pytest.mark.parametrize("minutes", [1, 2, 5])
def test_others_may_use_the_whole_account_for_minutes(
    machine: dict[str, Any], shards: int, minutes: int
) -> None:
    for seed in SEEDS:
        made = reports_in_account(machine, seed, shards, reports=2, busy_seconds=60 * minutes)
        assert {report.status for report in made} == {"Complete"}, f"seed {seed}"


@pytest.mark.parametrize("shards", [INLINE, DISTRIBUTED])
def test_the_simulation_detects_retriers_that_give_up_too_soon(
    machine: dict[str, Any], shards: int
) -> None:
    impatient = copy.deepcopy(machine)
    for each in machines(impatient):
        for state in each["States"].values():
            for retrier in state.get("Retry", ()):
                retrier["MaxAttempts"] = 5
    impatient["States"]["ComputeShardsDistributed"]["Catch"] = [
        {"ErrorEquals": ["States.ALL"], "Next": "ComputeShardsFailed"}
    ]
    statuses = [
        report.status
        for seed in SEEDS
        for report in reports_in_account(impatient, seed, shards, reports=4)
    ]
    assert statuses.count("Failed") > len(statuses) / 2

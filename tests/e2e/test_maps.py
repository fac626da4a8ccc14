"""A report is the same through both Maps: its bytes, its failures, its retries."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from local.emulator.faults import Fault, Kind
from store_monitoring.reports.failures import public_message
from store_monitoring.reports.planner import FILE_COST_POLLS, STORE_COST_POLLS
from tests.e2e.conftest import PATIENCE_SECONDS, User, until
from tests.e2e.faulty import MANY_SHARDS, Trials, trials_with_many_shards
from tests.e2e.inputs import NOW

AS_OF = {"as_of": f"{NOW:%FT%TZ}"}
FEW_SHARDS = 2
INVOKE = "StepFunctions lambda:Invoke local-ComputeShardFunction"
FIRST_PART = "local-ComputeShardFunction-* s3:PutObject */parts/*00000.parquet"


@pytest.fixture(scope="module")
def trials() -> Iterator[Trials]:
    with trials_with_many_shards() as trials:
        yield trials


@pytest.fixture
def user(trials: Trials) -> User:
    return trials.user


@contextmanager
def few_shards(user: User) -> Iterator[None]:
    """Let plans have so few shards that an inline Map computes them."""
    client = user.cloud.client("lambda")
    name = "local-PlanAndMergeFunction"
    before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    bucket_polls = 2 * FILE_COST_POLLS + 2 * STORE_COST_POLLS  # a little more than it costs
    few = {"SHARD_POLLS": str(bucket_polls * math.ceil(MANY_SHARDS / FEW_SHARDS))}
    update = client.update_function_configuration
    update(FunctionName=name, Environment={"Variables": before | few})
    try:
        yield
    finally:
        update(FunctionName=name, Environment={"Variables": before})


def failed(trials: Trials, fault: Fault) -> tuple[str, dict[str, Any]]:
    """Make a report that fails; return its id, and its error without the id."""
    with trials.faults(fault):
        report_id = trials.user.trigger(**AS_OF)
        response = trials.user.ended(report_id)
        trials.wait_for_execution(report_id)
    assert response["status"] == "Failed", response
    error = response["error"]
    return report_id, error | {"message": error["message"].replace(report_id, "<report id>")}


def check_complete(trials: Trials, report_id: str, shards: int) -> None:
    response = trials.user.ended(report_id)
    assert response["status"] == "Complete", response
    assert requests.get(response["url"], timeout=PATIENCE_SECONDS).content == trials.inputs.report()
    assert trials.row(report_id)["shards_total"]["N"] == str(shards)


def test_both_maps_make_the_same_report(trials: Trials, user: User) -> None:
    check_complete(trials, user.trigger(**AS_OF), MANY_SHARDS)
    with few_shards(user):
        check_complete(trials, user.trigger(**AS_OF), FEW_SHARDS)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Kind.KILLED, "Runtime.ExitError"),
        pytest.param(Kind.THROTTLED, "TransientError", marks=pytest.mark.exhaustive),
    ],
)
def test_a_failed_shard_has_the_same_text_and_can_be_retried_through_both_maps(
    trials: Trials, user: User, kind: Kind, code: str
) -> None:
    fault = Fault(kind, FIRST_PART)
    through_distributed, error = failed(trials, fault)
    assert error["code"] == code
    assert error["step"] == "shard 0"
    with few_shards(user):
        through_inline, same_error = failed(trials, fault)
        assert same_error == error
        # The plan of the first attempt holds, whatever another plan would be.
        for report_id in (through_inline, through_distributed):
            assert user.post(f"/reports/{report_id}/retry").status_code == 202
        check_complete(trials, through_inline, FEW_SHARDS)
        check_complete(trials, through_distributed, MANY_SHARDS)


@pytest.mark.soak
def test_throttling_without_end_has_the_same_text_through_both_maps(
    trials: Trials, user: User
) -> None:
    throttled = Fault(Kind.THROTTLED, INVOKE)
    _, error = failed(trials, throttled)
    assert error["step"] == "compute the shards"
    with few_shards(user):
        assert failed(trials, throttled)[1] == error


def test_an_inline_map_waits_for_a_busy_account(trials: Trials, user: User) -> None:
    with few_shards(user):
        with trials.faults(Fault(Kind.THROTTLED, INVOKE)):
            report_id = user.trigger(**AS_OF)
            until(lambda: len(user.cloud.injected_faults()) >= 20 or None)
        check_complete(trials, report_id, FEW_SHARDS)


def test_a_distributed_map_runs_again_for_shards_that_could_not_start(
    trials: Trials, user: User
) -> None:
    with trials.faults(Fault(Kind.THROTTLED, INVOKE)):
        report_id = user.trigger(**AS_OF)
        # By then, a whole run of the map has failed.
        until(lambda: trials.row(report_id).get("map_runs"))
    check_complete(trials, report_id, MANY_SHARDS)


def test_a_distributed_map_reads_the_list_of_shards_again(trials: Trials, user: User) -> None:
    read = "StepFunctions s3:GetObject */shards.json"
    with trials.faults(Fault(Kind.RESET, read, nth=1)):
        report_id = user.trigger(**AS_OF)
        user.ended(report_id)
    check_complete(trials, report_id, MANY_SHARDS)
    _, error = failed(trials, Fault(Kind.BROKEN, read))
    assert error == {
        "code": "States.ItemReaderFailed",
        "message": public_message("States.ItemReaderFailed"),
        "step": "compute the shards",
    }

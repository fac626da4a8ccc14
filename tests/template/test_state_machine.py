"""The state machine: every state can be reached, and the failure of every task is handled."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from local.emulator.template import Template
from tests.simulation.state_machine import delay_seconds
from tests.template.translation import by_id, definition, machines, translated

LAMBDA = "arn:aws:states:::lambda:invoke"
DYNAMODB = "arn:aws:states:::dynamodb:updateItem"
# Errors that a retry can overcome, unlike a bug.
TRANSIENT = {
    LAMBDA: {
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.SdkClientException",
        "Lambda.AWSLambdaException",
        "TransientError",
    },
    DYNAMODB: {
        "DynamoDB.InternalServerError",
        "DynamoDB.InternalServerErrorException",
        "DynamoDB.ProvisionedThroughputExceededException",
        "DynamoDB.RequestLimitExceededException",
        "DynamoDB.ThrottlingException",
        "DynamoDB.SdkClientException",
    },
}
THROTTLED = "Lambda.TooManyRequestsException"
EXPRESS_SECONDS = 300  # the longest that an Express execution may take

MACHINES = list(machines(definition(translated())))
REPORT, INLINE, DISTRIBUTED = MACHINES
STATES = [state for machine in MACHINES for state in machine["States"].items()]
TASKS = [pytest.param(state, id=name) for name, state in STATES if state["Type"] == "Task"]


def _next(state: Mapping[str, Any]) -> Iterator[str]:
    for transition in (state, *state.get("Catch", ()), *state.get("Choices", ())):
        if "Next" in transition:
            yield transition["Next"]
    if "Default" in state:
        yield state["Default"]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine["StartAt"])
def test_every_state_can_be_reached_and_leads_somewhere(machine: Mapping[str, Any]) -> None:
    states = machine["States"]
    reached, ahead = set(), {machine["StartAt"]}
    while ahead:
        reached |= ahead
        ahead = {name for each in ahead for name in _next(states[each])} - reached
    assert reached == set(states)
    for state in states.values():
        assert state["Type"] in {"Task", "Map", "Choice", "Pass", "Fail"}
        ends = [
            state["Type"] == "Fail",
            state.get("End", False),
            "Next" in state,
            "Default" in state,
        ]
        assert sum(ends) == 1


def test_no_two_states_have_the_same_name() -> None:
    names = [name for name, _ in STATES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_retried_on_transient_errors(task: Mapping[str, Any]) -> None:
    *throttled, transient = task["Retry"]
    assert set(transient["ErrorEquals"]) == TRANSIENT[task["Resource"]]
    # Throttling in a busy account can last longer than other transient errors.
    expected = [[THROTTLED]] if task["Resource"] == LAMBDA else []
    assert [retry["ErrorEquals"] for retry in throttled] == expected
    for retry in task["Retry"]:
        assert retry["BackoffRate"] > 1
        assert retry["MaxAttempts"] > 1
        assert retry["JitterStrategy"] == "FULL"


@pytest.mark.parametrize("task", TASKS)
def test_every_error_of_a_task_is_caught(task: Mapping[str, Any]) -> None:
    *throttled, catch = task["Catch"]
    assert catch["ErrorEquals"] == ["States.ALL"]
    assert [each["ErrorEquals"] for each in throttled] in ([], [[THROTTLED]])


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_time_limit_beyond_its_function_s(
    task: Mapping[str, Any], template: Template
) -> None:
    limits = {
        f":{function.name}:live": function.properties["Timeout"]
        for function in template.resources("AWS::Lambda::Function")
    }
    own = [
        limit
        for suffix, limit in limits.items()
        if task["Parameters"].get("FunctionName", "").endswith(suffix)
    ]
    # A plan takes seconds: its function's limit is Merge's.
    assert task["TimeoutSeconds"] > sum(own) or task is REPORT["States"]["Plan"]
    assert len(own) == (task["Resource"] == LAMBDA)


def _waits_seconds(state: Mapping[str, Any]) -> float:
    """Return the maximum total wait of a state's retriers."""
    return sum(
        delay_seconds(retry, attempt)
        for retry in state["Retry"]
        for attempt in range(retry["MaxAttempts"])
    )


def test_a_shard_s_second_attempt_fits_into_an_express_workflow() -> None:
    child = DISTRIBUTED["States"]
    compute, mark = child["ComputeShardInChild"], child["MarkFailedByChild"]
    seconds = 2 * compute["TimeoutSeconds"] + _waits_seconds(compute) + mark["TimeoutSeconds"]
    assert seconds <= EXPRESS_SECONDS


def test_all_retries_fit_into_the_timeout_of_the_state_machine() -> None:
    states = REPORT["States"]
    compute = INLINE["States"]["ComputeShard"]
    throttled = DISTRIBUTED["States"]["ComputeShardInChild"]["Retry"][0]
    values = states["CountMapRun"]["Parameters"]["ExpressionAttributeValues"]
    runs = int(values[":limit"]["N"])
    steps = [states["Plan"], states["Merge"]]
    seconds = sum(step["TimeoutSeconds"] + _waits_seconds(step) for step in steps)
    inline_seconds = compute["TimeoutSeconds"] + _waits_seconds(compute)
    distributed_seconds = runs * _waits_seconds({"Retry": [throttled]})
    assert seconds + max(inline_seconds, distributed_seconds) < REPORT["TimeoutSeconds"] == 7200


def test_shards_that_could_not_start_are_computed_by_another_run_of_the_map() -> None:
    states, child = REPORT["States"], DISTRIBUTED["States"]
    # It does not mark the report Failed, which distinguishes it from a failed shard.
    assert child["ComputeShardInChild"]["Catch"][0] == {
        "ErrorEquals": [THROTTLED],
        "ResultPath": "$.error",
        "Next": "ChildFailed",
    }
    exceeded = states["ComputeShardsDistributed"]["Catch"][0]
    assert exceeded["ErrorEquals"] == ["States.ExceedToleratedFailureThreshold"]
    assert exceeded["Next"] == "CountMapRun"
    assert states["CountMapRun"]["Next"] == "ComputeShardsDistributed"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine["StartAt"])
def test_no_state_needs_a_cause(machine: Mapping[str, Any]) -> None:
    # An error output may have no cause, and a path that does not exist ends the execution.
    assert "$.error.Cause" not in json.dumps(machine)


def test_an_attempt_changes_the_status_once() -> None:
    for name, state in STATES:
        if state.get("Resource") == DYNAMODB:
            condition = state["Parameters"]["ConditionExpression"]
            # A retry after a lost response finds the report Complete already.
            before = "IN (:running, :complete)" if name == "MarkComplete" else "= :running"
            assert condition.startswith(f"#status {before} AND execution = :execution")
            changes = "#status = " in state["Parameters"]["UpdateExpression"]
            assert changes == name.startswith("Mark")


@pytest.mark.parametrize(
    ("machine", "marker", "end"),
    [
        (REPORT, "MarkFailed", "Failed"),
        (INLINE, "MarkFailedByShard", "ShardFailed"),
        (DISTRIBUTED, "MarkFailedByChild", "ChildFailed"),
    ],
    ids=["report", "inline", "distributed"],
)
def test_after_any_failure_the_report_is_marked_failed(
    machine: Mapping[str, Any], marker: str, end: str
) -> None:
    named = {name for name, state in machine["States"].items() if _names_step(state)}
    for name, state in machine["States"].items():
        if state["Type"] == "Choice":
            continue
        handlers = {catch["Next"] for catch in state.get("Catch", ())}
        if name == "ComputeShardsDistributed":
            assert handlers == {"CountMapRun", "ComputeShardsFailed"}
        elif name == "ComputeShardsInline":
            assert handlers == {"SomeShardFailed", "ComputeShardsFailed"}
        elif name == "CountMapRun":
            assert handlers == {"ComputeShardsFailed"}
        elif name == machine["StartAt"] and end != "Failed":
            assert handlers == {end, marker}
        elif name == marker:
            assert handlers == {end} == {state["Next"]}
        elif name in named:
            assert state["Next"] == marker
        elif name == "SomeShardFailed":
            assert state["Next"] == "ComputeShardsFailed"
        elif name != end:
            assert handlers == ({f"{name}Failed"} if named else {marker})


def test_each_failing_step_has_its_own_name() -> None:
    named = [state["Result"] for _, state in STATES if _names_step(state)]
    assert len(set(named)) == len(named) == 5


def _names_step(state: Mapping[str, Any]) -> bool:
    return state["Type"] == "Pass" and state["ResultPath"] == "$.failed_step"


def test_the_plan_s_number_of_shards_chooses_the_map() -> None:
    choice = REPORT["States"]["ChooseMap"]
    shards = {"Variable": "$.plan.shards"}
    # Step Functions runs at most 40 iterations of an inline Map at once.
    assert choice["Choices"] == [
        shards | {"NumericLessThanEquals": 1, "Next": "Merge"},
        shards | {"NumericLessThanEquals": 40, "Next": "ComputeShardsInline"},
    ]
    assert choice["Default"] == "ComputeShardsDistributed"
    assert REPORT["States"]["Plan"]["Parameters"]["Payload"]["inline_shards"] == 40


def test_one_function_plans_and_merges() -> None:
    plan, merge = (REPORT["States"][name]["Parameters"] for name in ("Plan", "Merge"))
    assert plan["FunctionName"] == merge["FunctionName"]
    assert (plan["Payload"]["step"], merge["Payload"]["step"]) == ("plan", "merge")


def test_both_maps_do_the_same_for_each_shard() -> None:
    # Only throttling differs: an Express child must end within five minutes.
    children = json.dumps(DISTRIBUTED).replace("InChild", "").replace("Child", "Shard")
    inline, distributed = (
        machine["States"] for machine in (json.loads(json.dumps(INLINE)), json.loads(children))
    )
    for states in (inline, distributed):
        del states["ComputeShard"]["Retry"][0]
    assert inline == distributed


def test_an_inline_map_s_retries_fit_into_the_history_of_an_execution() -> None:
    compute = INLINE["States"]["ComputeShard"]
    attempts = 1 + sum(retry["MaxAttempts"] for retry in compute["Retry"])
    # An attempt is scheduled, started and ended; a shard has at most 20 other events.
    assert 40 * (3 * attempts + 20) < 25_000


def test_the_inline_map_takes_the_shards_from_the_plan() -> None:
    shards = REPORT["States"]["ComputeShardsInline"]
    assert shards["ItemsPath"] == "$.plan.shard_numbers"
    assert shards["ItemSelector"]["shard.$"] == "$$.Map.Item.Value"
    assert shards["MaxConcurrencyPath"] == "$.plan.max_concurrency"
    assert shards["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}


def test_the_distributed_map_reads_the_plan_s_shards_and_leaves_receipts() -> None:
    shards = REPORT["States"]["ComputeShardsDistributed"]
    assert shards["ItemReader"] == {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "here-databucket", "Key.$": "$.plan.shards_key"},
    }
    assert shards["ResultWriter"] == {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "here-databucket", "Prefix": "receipts"},
    }
    assert shards["Retry"][0]["ErrorEquals"] == [
        "States.ItemReaderFailed",
        "States.ResultWriterFailed",
    ]
    # One shard that is lost is one too many.
    assert not any(name.startswith("ToleratedFailure") for name in shards)


def test_the_type_of_child_workflows_is_a_parameter() -> None:
    for kind in ("EXPRESS", "STANDARD"):
        machine = definition(translated(ShardExecutionType=kind))
        config = machine["States"]["ComputeShardsDistributed"]["ItemProcessor"]["ProcessorConfig"]
        assert config == {"Mode": "DISTRIBUTED", "ExecutionType": kind}


def test_the_tasks_call_functions_of_the_template(template: Template) -> None:
    called = {
        state["Parameters"]["FunctionName"]
        for _, state in STATES
        if state.get("Resource") == LAMBDA
    }
    functions = by_id(template, "AWS::Lambda::Function")
    assert called == {
        f"arn:aws:lambda:us-east-1:123456789012:function:{functions[name].name}:live"
        for name in ("PlanAndMergeFunction", "ComputeShardFunction")
    }

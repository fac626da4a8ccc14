"""Reports and uploads end as `docs/faults.md` says, whatever fails.

Every run tries a few faults; tests marked `soak` try each kind at each step, and many at once.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from local.emulator.faults import Fault, Kind
from tests.cases import EVERY_DAY, opens
from tests.e2e.faulty import Trials, trials_with_few_shards, trials_with_many_shards
from tests.e2e.inputs import Inputs, hourly_polls, hours_csv, polls_csv

DOCUMENT = Path(__file__).parents[3] / "docs" / "faults.md"
SHORT_SECONDS = 0.1


@pytest.fixture(scope="module")
def trials_of(request: pytest.FixtureRequest) -> Callable[[str], Trials]:
    """Return the trials in which a call is made, or a state entered."""

    def find(where: str) -> Trials:
        name = "trials_with_distributed_map" if where in DISTRIBUTED else "trials"
        found: Trials = request.getfixturevalue(name)
        return found

    return find


@pytest.fixture(scope="module")
def trials_with_distributed_map() -> Iterator[Trials]:
    with trials_with_many_shards() as trials:
        yield trials


# --- one fault at one step ------------------------------------------------------------------

# The calls that make a report, in order; if a pattern matches several calls, with the number.
REPORT_CALLS: dict[str, str | tuple[str, int]] = {
    "`trigger_report` claims the idempotency key": "local-TriggerReportFunction-* dynamodb:PutItem",
    "`trigger_report` records the report": ("local-TriggerReportFunction-* dynamodb:PutItem", 2),
    "`trigger_report` writes the request": "local-TriggerReportFunction-* s3:PutObject *",
    "`trigger_report` starts the execution": "local-TriggerReportFunction-* states:StartExecution",
    "the machine calls `plan`": "StepFunctions lambda:Invoke local-PlanAndMergeFunction plan",
    "`plan` reads the request": "local-PlanAndMergeFunction-* s3:GetObject */request.json",
    "`plan` reads the head of the ingest log": "local-PlanAndMergeFunction-* dynamodb:GetItem",
    "`plan` looks for polls": "local-PlanAndMergeFunction-* dynamodb:Query",
    "`plan` writes the plan": "local-PlanAndMergeFunction-* s3:PutObject */plan.json",
    "`plan` writes the list of shards": "local-PlanAndMergeFunction-* s3:PutObject */shards.json",
    "the machine records the plan": "StepFunctions dynamodb:UpdateItem",
    "the machine reads the list of shards": "StepFunctions s3:GetObject */shards.json",
    "the machine calls `compute_shard`": "StepFunctions lambda:Invoke local-ComputeShardFunction",
    "`compute_shard` reads the plan": "local-ComputeShardFunction-* s3:GetObject */plan.json",
    "`compute_shard` looks for its part": "local-ComputeShardFunction-* s3:HeadObject */parts/*",
    "`compute_shard` reads stores": "local-ComputeShardFunction-* s3:GetObject */stores/*",
    "`compute_shard` reads polls": "local-ComputeShardFunction-* s3:GetObject */polls/*",
    "`compute_shard` writes its part": "local-ComputeShardFunction-* s3:PutObject */parts/*",
    "the machine writes receipts": "StepFunctions s3:PutObject */receipts/*",
    "the machine calls `merge`": "StepFunctions lambda:Invoke local-PlanAndMergeFunction merge",
    "`merge` reads the plan": "local-PlanAndMergeFunction-* s3:GetObject */plan.json",
    "`merge` reads a part": "local-PlanAndMergeFunction-* s3:GetObject */parts/*",
    "`merge` writes the report": "local-PlanAndMergeFunction-* s3:PutObject */report.csv",
    "the machine marks the report Complete": ("StepFunctions dynamodb:UpdateItem", 2),
    "`get_report` reads the report": "local-GetReportFunction-* dynamodb:GetItem",
}
UPLOAD_CALLS: dict[str, str | tuple[str, int]] = {
    "`ingest` hides its message": "local-IngestFunction-* sqs:ChangeMessageVisibility",
    "`ingest` reads the upload": "local-IngestFunction-* s3:GetObject local-inbox-*",
    "`ingest` looks for the upload's outcome": "local-IngestFunction-* dynamodb:GetItem",
    "`ingest` reads the ingest log": ("local-IngestFunction-* dynamodb:GetItem", 2),
    "`ingest` writes polls": "local-IngestFunction-* s3:PutObject */polls/*",
    "`ingest` reads stores": "local-IngestFunction-* s3:GetObject */stores/*",
    "`ingest` writes stores": "local-IngestFunction-* s3:PutObject */stores/*",
    "`ingest` commits, and records the outcome": (
        "local-IngestFunction-* dynamodb:TransactWriteItems"
    ),
}
# These calls are made only for a Distributed Map.
DISTRIBUTED = {
    "`plan` writes the list of shards",
    "the machine reads the list of shards",
    "the machine writes receipts",
    "the execution enters ComputeShardsDistributed",
}
STATES = {
    f"the execution enters {name}": f"StepFunctions states:EnterState {name}"
    for name in (
        *("Plan", "RecordPlan", "ComputeShardsInline", "ComputeShardsDistributed"),
        *("Merge", "MarkComplete"),
    )
}
STATE_KINDS = (Kind.ABORTED, Kind.TIMED_OUT)
CALLS = REPORT_CALLS | UPLOAD_CALLS
CALL_KINDS = frozenset(Kind) - {Kind.ABORTED, Kind.TIMED_OUT}


def documented(heading: str) -> dict[tuple[str, Kind], str]:
    """Return the outcomes of each call, or state, and kind, as documented."""
    section = DOCUMENT.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    [_, *kinds], _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    )
    return {
        (call, Kind(kind)): outcome
        for call, *outcomes in rows
        for kind, outcome in zip(kinds, outcomes, strict=True)
        if outcome
    }


ONCE, EVERY_TIME, ENDED = (
    documented("Once"),
    documented("Every time"),
    documented("Ended from outside"),
)
A_FEW_ONCE = [
    ("`trigger_report` starts the execution", Kind.LOST),
    ("`plan` writes the plan", Kind.KILLED),
    ("the machine records the plan", Kind.BROKEN),
    ("the machine calls `compute_shard`", Kind.TWICE),
    ("`merge` writes the report", Kind.SILENT),
    ("the machine marks the report Complete", Kind.LOST),
    ("`get_report` reads the report", Kind.THROTTLED),
    ("`ingest` commits, and records the outcome", Kind.LOST),
    ("`ingest` writes stores", Kind.KILLED),
]
A_FEW_EVERY_TIME = [
    ("the machine calls `plan`", Kind.THROTTLED),
    ("`compute_shard` writes its part", Kind.KILLED),
    ("the machine records the plan", Kind.THROTTLED),
]


def test_all_calls_and_kinds_are_documented() -> None:
    assert {call for call, _ in ONCE} == set(CALLS)
    assert {call for call, _ in EVERY_TIME} <= set(CALLS)
    assert set(ENDED) == {(state, kind) for state in STATES for kind in STATE_KINDS}
    for call in CALLS:
        # Only a function can be killed, not the machine.
        possible = CALL_KINDS - ({Kind.KILLED} if call.startswith("the machine") else set())
        assert {kind for each, kind in ONCE if each == call} == possible


@pytest.mark.parametrize(("call", "kind"), A_FEW_ONCE)
def test_a_few_faults_injected_once(trials: Trials, call: str, kind: Kind) -> None:
    assert outcome(trials, call, kind, once=True) == ONCE[call, kind]


@pytest.mark.parametrize(("call", "kind"), A_FEW_EVERY_TIME)
def test_a_few_faults_injected_every_time(trials: Trials, call: str, kind: Kind) -> None:
    assert outcome(trials, call, kind, once=False) == EVERY_TIME[call, kind]


@pytest.mark.parametrize("kind", STATE_KINDS)
def test_an_execution_that_is_ended_from_outside(trials: Trials, kind: Kind) -> None:
    state = "the execution enters Merge"
    assert trials.report(Fault(kind, STATES[state])) == ENDED[state, kind]


@pytest.mark.soak
@pytest.mark.parametrize(("call", "kind"), ONCE)
def test_each_fault_injected_once(
    trials_of: Callable[[str], Trials], call: str, kind: Kind
) -> None:
    assert outcome(trials_of(call), call, kind, once=True) == ONCE[call, kind]


@pytest.mark.soak
@pytest.mark.parametrize(("call", "kind"), EVERY_TIME)
def test_each_fault_injected_every_time(
    trials_of: Callable[[str], Trials], call: str, kind: Kind
) -> None:
    assert outcome(trials_of(call), call, kind, once=False) == EVERY_TIME[call, kind]


@pytest.mark.soak
@pytest.mark.parametrize(("state", "kind"), ENDED)
def test_an_execution_that_is_ended_from_outside_at_each_state(
    trials_of: Callable[[str], Trials], state: str, kind: Kind
) -> None:
    assert trials_of(state).report(Fault(kind, STATES[state])) == ENDED[state, kind]


def outcome(trials: Trials, call: str, kind: Kind, *, once: bool) -> str:
    """Return the outcome of a report, or an upload, while a fault is injected into a call."""
    where = CALLS[call]
    pattern, nth = (where, 1) if isinstance(where, str) else where
    fault = Fault(kind, pattern, nth=nth if once else None, seconds=SHORT_SECONDS)
    if call in REPORT_CALLS:
        return trials.report(fault)
    return trials.upload(*more_polls(trials), fault)


def more_polls(trials: Trials) -> tuple[str, bytes, Inputs]:
    """Return a file of polls of a new store, and the inputs once it is ingested."""
    store_id = f"new-{uuid4()}"
    polls = hourly_polls(store_id, hours=3)
    return f"polls/{store_id}.csv", polls_csv(polls), trials.inputs.with_polls(polls)


# --- many faults at once --------------------------------------------------------------------

MIXTURES = 200
MIXTURES_A_CLOUD = 25
CALL_PATTERNS = (
    *("local-* s3:*", "local-* dynamodb:*", "local-* states:*", "local-ComputeShardFunction-*"),
    *("local-IngestFunction-*", "StepFunctions lambda:*", "StepFunctions *", "Lambda *"),
)


def test_a_few_mixtures(trials: Trials) -> None:
    for seed in range(3):
        try_mixture(trials, seed)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(0, MIXTURES, MIXTURES_A_CLOUD))
def test_many_mixtures(first: int) -> None:
    with trials_with_few_shards() as trials:
        for seed in range(first, first + MIXTURES_A_CLOUD):
            try_mixture(trials, seed)


def try_mixture(trials: Trials, seed: int) -> None:
    """Upload a file and make a report while faults are injected at random."""
    chance = random.Random(seed)
    faults = [
        Fault(
            kind,
            chance.choice(CALL_PATTERNS),
            probability=chance.uniform(0, 0.2),
            seconds=SHORT_SECONDS,
        )
        for kind in chance.sample(sorted(CALL_KINDS), 4)
    ]
    if chance.random() < 0.2:
        state = chance.choice(list(STATES.values()))
        faults.append(Fault(chance.choice(STATE_KINDS), state, probability=0.3))
    upload = more_polls(trials) if seed % 5 == 0 else other_hours(trials, chance)
    outcomes = trials.both(*upload, *faults, seed=seed)
    print(f"mixture {seed}: {outcomes}")


def other_hours(trials: Trials, chance: random.Random) -> tuple[str, bytes, Inputs]:
    """Return a file with other hours for a random store, and the inputs once it is ingested."""
    store_id, opening = f"store-{chance.randrange(8)}", chance.randrange(24 * 60)
    hours = opens(f"{opening // 60:02d}:{opening % 60:02d}", "23:59", *EVERY_DAY, store_id=store_id)
    key = f"business_hours/{uuid4()}.csv"
    return key, hours_csv(hours), trials.inputs.with_hours(hours)

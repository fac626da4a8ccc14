"""One function makes the first and the last step of a report."""

import json

from tests.e2e.conftest import User


def test_one_environment_plans_the_first_report_and_merges_it(user: User) -> None:
    logged = user.cloud.logs("PlanAndMergeFunction").splitlines()
    lines = [json.loads(line) for line in logged if '"message"' in line]
    first = sorted(lines, key=lambda line: line["timestamp"])[:2]
    assert [(line["message"], line["cold_start"]) for line in first] == [
        ("report planned", True),
        ("report merged", False),
    ]
    assert len({line["report_id"] for line in first}) == 1


def test_an_unknown_step_is_an_error(user: User) -> None:
    response = user.cloud.client("lambda").invoke(
        FunctionName="local-PlanAndMergeFunction",
        Payload=json.dumps({"report_id": "r", "step": "publish"}),
    )
    assert response["FunctionError"]
    assert json.load(response["Payload"])["errorType"] == "ValueError"

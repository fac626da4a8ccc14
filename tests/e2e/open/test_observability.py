"""The logs and metrics of reports and uploads."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from store_monitoring.metrics import Metric
from tests.e2e.conftest import User, until

Lines = list[dict[str, Any]]

UNITS = {name: unit.value for name, unit in (metric.value for metric in Metric)}
# The functions that handle a report, in order of their first calls.
REPORT_FUNCTIONS = [
    *("TriggerReportFunction", "PlanAndMergeFunction", "ComputeShardFunction"),
    *("EndReportFunction", "GetReportFunction"),
]


def lines(user: User, function: str) -> Lines:
    """Return the lines that a function has logged so far."""
    logged = user.cloud.logs(function).splitlines(keepends=True)
    return [json.loads(line) for line in logged if line.startswith("{") and line.endswith("\n")]


def of_report(user: User, report_id: str) -> dict[str, Lines]:
    """Wait for a report's end; return each function's log lines that contain its id."""

    def find() -> dict[str, Lines] | None:
        found = {
            function: [line for line in lines(user, function) if report_id in json.dumps(line)]
            for function in REPORT_FUNCTIONS
        }
        # This line comes last: before it, an aborted report is marked Failed, which is logged too.
        ended = any(line.get("message") == "report ended" for line in found["EndReportFunction"])
        return found if ended else None

    user.ended(report_id)
    return until(find)


def measured(lines: Lines) -> Iterator[tuple[str, str, float]]:
    """Yield the metrics of lines, as CloudWatch reads them: name, unit, value."""
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert directive["Namespace"] == "StoreMonitoring"
            assert directive["Dimensions"] == [["service"]]
            assert line["service"] == "local"
            for metric in directive["Metrics"]:
                for value in line[metric["Name"]]:
                    yield metric["Name"], metric["Unit"], value


def values(lines: Lines) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, unit, value in measured(lines):
        assert UNITS[name] == unit
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture(scope="module")
def complete(user: User) -> dict[str, Lines]:
    """The log lines of a complete report."""
    return of_report(user, user.trigger())


@pytest.fixture(scope="module")
def failed(user: User) -> dict[str, Lines]:
    """The log lines of a failed report."""
    return of_report(user, user.trigger(store_ids=["no-such-store"]))


def test_one_search_follows_a_report_through_all_functions(complete: dict[str, Lines]) -> None:
    messages = {
        function: {line["message"] for line in found if "message" in line}
        for function, found in complete.items()
    }
    assert messages == {
        "TriggerReportFunction": {"report started"},
        "PlanAndMergeFunction": {"report planned", "report merged"},
        "ComputeShardFunction": {"shard computed"},
        "EndReportFunction": {"report ended"},
        "GetReportFunction": {"report read"},
    }


@pytest.mark.parametrize("function", REPORT_FUNCTIONS)
def test_every_line_of_a_call_has_the_report_and_the_request(
    function: str, user: User, complete: dict[str, Lines], failed: dict[str, Lines]
) -> None:
    requests = {
        line["function_request_id"] for each in (complete, failed) for line in each[function]
    }
    ours = [line for line in lines(user, function) if line.get("function_request_id") in requests]
    assert all("report_id" in line for line in ours)
    if function == "ComputeShardFunction":
        assert all("shard" in line for line in ours)
    if function in ("TriggerReportFunction", "GetReportFunction"):
        assert all(line["correlation_id"] for line in ours)


def test_the_error_of_a_step_is_logged_with_its_report(failed: dict[str, Lines]) -> None:
    errors = [line for found in failed.values() for line in found if line.get("level") == "ERROR"]
    assert {line["exception_name"] for line in errors} == {"UnknownStoreError"}


def test_metrics_of_a_complete_report(
    complete: dict[str, Lines],
) -> None:
    found = {function: values(found) for function, found in complete.items()}
    assert found["TriggerReportFunction"] == {"ReportsStarted": [1]}
    assert found["PlanAndMergeFunction"].keys() == {"NewestPollAgeSeconds"}
    assert found["PlanAndMergeFunction"]["NewestPollAgeSeconds"][0] > 365 * 24 * 3600
    assert found["ComputeShardFunction"].keys() == {"PollsRead"}
    assert sum(found["ComputeShardFunction"]["PollsRead"]) > 0
    ended = found["EndReportFunction"]
    assert ended.keys() == {
        *("ReportsCompleted", "ReportSeconds", "StoresReported", "StoresWithoutData")
    }
    assert (ended["ReportsCompleted"], len(ended["StoresReported"])) == ([1], 1)
    assert ended["StoresReported"][0] >= 91
    assert 0 < ended["StoresWithoutData"][0] < ended["StoresReported"][0]
    assert ended["ReportSeconds"][0] > 0
    assert found["GetReportFunction"] == {}


def test_metrics_of_a_failed_report(failed: dict[str, Lines]) -> None:
    assert values(failed["TriggerReportFunction"]) == {"ReportsStarted": [1]}
    assert values(failed["EndReportFunction"]) == {"ReportsFailed": [1]}


def test_a_repeated_request_counts_no_second_report(user: User) -> None:
    headers = {"Idempotency-Key": "observability"}
    for _ in range(2):
        report_id = user.post("/trigger_report", headers=headers).json()["report_id"]
    found = of_report(user, report_id)
    assert values(found["TriggerReportFunction"]) == {"ReportsStarted": [1, 0]}


def test_metrics_of_an_aborted_report(user: User) -> None:
    report_id = user.trigger()
    machine = user.cloud.outputs["StateMachineArn"]
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{report_id}"
    user.cloud.client("stepfunctions").stop_execution(executionArn=execution)
    assert values(of_report(user, report_id)["EndReportFunction"]) == {"ReportsFailed": [1]}


def test_metrics_of_an_upload(user: User, sample: dict[str, bytes]) -> None:
    # Of an existing store, and too old for any report.
    header, row, *_ = sample["polls/store_status.csv"].decode().splitlines()
    store_id = row.split(",")[0]
    rows = [
        f"{store_id},active,2024-08-02 10:00:00 UTC",
        f"{store_id},asleep,2024-08-02 11:00:00 UTC",
    ]
    content = "\n".join([header, *rows]).encode()
    assert _metrics_of_upload(user, content) == (1, 1, 0)
    assert _metrics_of_upload(user, content) == (0, 0, 0)  # committed rows are not counted twice
    assert _metrics_of_upload(user, b"no,such\n") == (0, 0, 1)


def _metrics_of_upload(user: User, content: bytes) -> tuple[float, ...]:
    """Upload a file; return the numbers of ingested and rejected rows, and of failed uploads."""
    version = user.put("polls/observed.csv", content)

    def of_call() -> Lines | None:
        """Return the lines of the call that ingested this upload, once it has logged its last."""
        logged = lines(user, "IngestFunction")
        calls = {
            line["function_request_id"]
            for line in logged
            if (line.get("version"), line.get("message")) == (version, "upload ingested")
        }
        return [line for line in logged if line.get("function_request_id") in calls] or None

    found = values(until(of_call))
    return tuple(sum(found[name]) for name in ("RowsIngested", "RowsRejected", "UploadsFailed"))

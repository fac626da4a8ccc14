"""The lines of logs and metrics."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Metrics

from store_monitoring import metrics
from store_monitoring.logs import log_context, logger
from store_monitoring.metrics import Metric, emit

CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="request"
)


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(metrics, "_metrics", Metrics(namespace="StoreMonitoring", service="stack"))
    yield
    logger.clear_state()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The lines that the logger writes."""
    written: list[dict[str, Any]] = []
    [handler] = logger.handlers
    monkeypatch.setattr(
        handler, "emit", lambda record: written.append(json.loads(handler.format(record)))
    )
    return written


def test_every_line_has_the_context_s_keys(lines: list[dict[str, Any]]) -> None:
    with log_context(report_id="r", shard=3):
        logger.info("one")
        logger.info("two")
    logger.info("three")
    assert [(line.get("report_id"), line.get("shard")) for line in lines] == [
        *(("r", 3), ("r", 3), (None, None)),
    ]


def test_an_error_is_logged_with_the_keys_and_raised(lines: list[dict[str, Any]]) -> None:
    with pytest.raises(ZeroDivisionError), log_context(report_id="r"):
        _ = 1 / 0
    [line] = lines
    assert (line["level"], line["report_id"]) == ("ERROR", "r")
    assert line["exception_name"] == "ZeroDivisionError"


def test_metrics_are_one_line_with_names_units_and_the_logger_s_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @logger.inject_lambda_context(clear_state=True)
    def handler(event: dict[str, Any], context: SimpleNamespace) -> None:
        with log_context(report_id="r", shard=3):
            emit({Metric.POLLS_READ: 7, Metric.REPORT_SECONDS: 1.5})

    handler({}, CONTEXT)
    line = json.loads(capsys.readouterr().out)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "StoreMonitoring",
        "Dimensions": [["service"]],
        "Metrics": [
            {"Name": "PollsRead", "Unit": "Count"},
            {"Name": "ReportSeconds", "Unit": "Seconds"},
        ],
    }
    del line["_aws"]
    assert line == {
        "service": "stack",
        "PollsRead": [7.0],
        "ReportSeconds": [1.5],
        "report_id": "r",
        "shard": 3,
        "function_request_id": "request",
    }


def test_metrics_are_not_repeated_in_the_next_line(capsys: pytest.CaptureFixture[str]) -> None:
    with log_context(report_id="r"):
        emit({Metric.REPORTS_FAILED: 1})
    emit({Metric.REPORTS_STARTED: 1})
    _, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert second.keys() == {"_aws", "service", "ReportsStarted"}

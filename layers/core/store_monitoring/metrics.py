"""Metrics in CloudWatch's embedded metric format: lines of the log.

The template sets the namespace and the only dimension, `service`, which is the stack's name.
"""

from collections.abc import Mapping
from enum import Enum

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from store_monitoring.logs import logger

_KEYS = ("report_id", "shard", "function_request_id", "correlation_id")  # keys of log lines
_metrics = Metrics()


class Metric(Enum):
    """Every metric: its name and its unit."""

    REPORTS_STARTED = ("ReportsStarted", MetricUnit.Count)
    REPORTS_COMPLETED = ("ReportsCompleted", MetricUnit.Count)
    REPORTS_FAILED = ("ReportsFailed", MetricUnit.Count)
    REPORT_SECONDS = ("ReportSeconds", MetricUnit.Seconds)
    STORES_REPORTED = ("StoresReported", MetricUnit.Count)
    STORES_WITHOUT_DATA = ("StoresWithoutData", MetricUnit.Count)
    POLLS_READ = ("PollsRead", MetricUnit.Count)
    NEWEST_POLL_AGE_SECONDS = ("NewestPollAgeSeconds", MetricUnit.Seconds)
    ROWS_INGESTED = ("RowsIngested", MetricUnit.Count)
    ROWS_REJECTED = ("RowsRejected", MetricUnit.Count)
    UPLOADS_FAILED = ("UploadsFailed", MetricUnit.Count)


def emit(values: Mapping[Metric, float]) -> None:
    """Write metrics as one line of the log, with the logger's current keys as metadata."""
    for metric, value in values.items():
        name, unit = metric.value
        _metrics.add_metric(name, unit, value)
    keys = logger.get_current_keys()
    for key in _KEYS:
        if key in keys:
            _metrics.add_metadata(key, keys[key])
    _metrics.flush_metrics()

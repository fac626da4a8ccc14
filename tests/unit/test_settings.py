"""Settings from environment variables."""

import re
from pathlib import Path

import pytest

from store_monitoring.settings import InvalidSettingsError, Settings

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
ENVIRONMENT = {
    "DATA_BUCKET": "data",
    "INBOX_BUCKET": "inbox",
    "UPLOAD_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/uploads",
    "REPORT_TABLE": "reports",
    "INGEST_TABLE": "ingests",
    "STATE_MACHINE_ARN": "arn:aws:states:eu-central-1:123456789012:stateMachine:report",
    "BUCKET_COUNT": "64",
    "POLL_MEMORY_DAYS": "14",
    "SHARD_POLLS": "50000",
    "MAP_CONCURRENCY": "100",
    "DOWNLOAD_LINK_SECONDS": "900",
    "REPORT_RETENTION_DAYS": "90",
    "CORS_ORIGIN": "https://example.com",
    "NOTIFICATION_TOPIC_ARN": "",
    "STORE_EVENT_LIMIT": "0",
    "FUTURE_POLL_TOLERANCE_MINUTES": "60",
}


def test_each_variable_becomes_a_setting() -> None:
    assert Settings.from_environment(ENVIRONMENT | {"PATH": "/bin"}) == Settings(
        data_bucket="data",
        inbox_bucket="inbox",
        upload_queue_url="https://sqs.eu-central-1.amazonaws.com/123456789012/uploads",
        report_table="reports",
        ingest_table="ingests",
        state_machine_arn="arn:aws:states:eu-central-1:123456789012:stateMachine:report",
        bucket_count=64,
        poll_memory_days=14,
        shard_polls=50_000,
        map_concurrency=100,
        download_link_seconds=900,
        report_retention_days=90,
        cors_origin="https://example.com",
        notification_topic_arn="",
        store_event_limit=0,
        future_poll_tolerance_minutes=60,
    )


@pytest.mark.parametrize("variable", ENVIRONMENT)
def test_a_missing_variable_is_named(variable: str) -> None:
    without = {name: value for name, value in ENVIRONMENT.items() if name != variable}
    with pytest.raises(InvalidSettingsError, match=f"^{variable} is not set$"):
        Settings.from_environment(without)


@pytest.mark.parametrize("value", ["", "many", "1.5"])
def test_a_value_that_is_not_a_number_is_named(value: str) -> None:
    with pytest.raises(InvalidSettingsError, match=r"^BUCKET_COUNT is not a whole number$"):
        Settings.from_environment(ENVIRONMENT | {"BUCKET_COUNT": value})


def test_the_template_sets_all_variables() -> None:
    variables = TEMPLATE.read_text().partition("      Variables:\n")[2].partition("Resources:")[0]
    given = re.findall(r"^        ([A-Z_]+): ", variables, re.MULTILINE)
    others = ("AWS_", "POWERTOOLS_")  # variables of libraries
    assert set(ENVIRONMENT) == {name for name in given if not name.startswith(others)}

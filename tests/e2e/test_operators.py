"""What operators call: to take back an ingest."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cloud import EmbeddedCloud
from tests.e2e.conftest import User

EVENTS = Path(__file__).parents[2] / "events"
POLLS = "store_id,status,timestamp_utc\n"
ZONES = "store_id,timezone_str\n"


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    """A user of a cloud of their own."""
    with EmbeddedCloud() as cloud:
        yield User(cloud)


def polls(user: User, hour: int, *stores: str) -> dict[str, Any]:
    rows = [f"{store},active,2024-10-14 {hour:02}:00:00\n" for store in stores]
    return user.upload(f"polls/{hour}.csv", (POLLS + "".join(rows)).encode())


def zones(user: User, **zone_of: str) -> dict[str, Any]:
    rows = [f"{store},{zone}\n" for store, zone in zone_of.items()]
    return user.upload("timezones/z.csv", (ZONES + "".join(rows)).encode())


def call(user: User, function: str, **event: Any) -> dict[str, Any]:
    """Call a function by its own name, as operators do."""
    answer = user.cloud.client("lambda").invoke(
        FunctionName=f"local-{function}Function", Payload=json.dumps(event).encode()
    )
    result: dict[str, Any] = json.load(answer["Payload"])
    return result


def test_ingests_are_taken_back(user: User) -> None:
    """Polls that count, polls that were compacted, and reference data."""
    zones(user, a="UTC", b="Asia/Tokyo")
    compacted = [polls(user, hour, "a", "b") for hour in range(8, 11)]
    report = user.report()
    wrong = [polls(user, 12, "a", "x"), zones(user, a="Asia/Tokyo", y="UTC")]
    assert user.report() != report
    for outcome in wrong:
        taken_back = call(user, "TakeBackIngest", ingest_id=outcome["ingest_id"])
        assert taken_back["ingest_id"] == outcome["ingest_id"], taken_back
    assert user.report() == report

    assert call(user, "Compact")["ingests_replaced"] == 3
    taken_back = call(user, "TakeBackIngest", ingest_id=compacted[2]["ingest_id"])
    assert taken_back["kind"] == "polls", taken_back
    assert user.ended(user.trigger())["as_of"] == "2024-10-14T09:00:00.000000Z"
    assert polls(user, 10, "a", "b")["status"] == "Committed"
    assert user.report() == report


def test_an_ingest_that_is_not_committed_is_an_error(user: User) -> None:
    event = json.loads((EVENTS / "take_back_ingest.json").read_bytes())
    error = call(user, "TakeBackIngest", **event)
    assert error["errorType"] == "UnknownIngest"
    assert error["errorMessage"].startswith(f"no ingest '{event['ingest_id']}' is committed")

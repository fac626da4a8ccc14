"""GET /stores/{store_id}/timeline."""

import csv
from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

import pytest
import requests

from local.cloud import EmbeddedCloud
from tests.e2e.conftest import User

AS_OF = "2024-10-14T12:00:00Z"


def ask(user: User, store_id: str, **query: str) -> requests.Response:
    return user.get(f"/stores/{quote(store_id, safe='')}/timeline", params=query)


def refused(user: User, store_id: str, **query: str) -> tuple[int, str]:
    answer = ask(user, store_id, **query)
    return answer.status_code, answer.json()["error"]["code"]


def test_the_rounded_totals_are_the_report_s(user: User) -> None:
    report_id = user.trigger(as_of=AS_OF, poll_filter="business_hours")
    assert user.ended(report_id)["status"] == "Complete"
    headers = {"Accept": "text/csv"}
    text = user.get(f"/get_report/{report_id}", headers=headers).text
    for row in list(csv.DictReader(text.splitlines()))[::15]:
        store_id = row.pop("store_id")
        answer = ask(user, store_id, report_id=report_id)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["store_id"], told["as_of"]) == (store_id, "2024-10-14T12:00:00.000000Z")
        assert told["report_row"] == {name: float(value) for name, value in row.items()}
        assert told["snapshot"]["report_id"] == report_id
        now = ask(user, store_id, as_of=AS_OF, poll_filter="business_hours").json()
        assert now | {"snapshot": told["snapshot"]} == told


def test_what_cannot_be_told_is_refused_with_the_reason(user: User) -> None:
    of_one = user.trigger(store_ids=["no-such-store"])
    user.ended(of_one)
    assert refused(user, "no-such-store") == (404, "unknown_store")
    assert refused(user, "x", report_id=of_one) == (409, "report_failed")
    assert refused(user, "x", report_id=str(uuid4())) == (404, "unknown_report")
    assert refused(user, "x", report_id="x") == (400, "malformed_report_id")
    assert refused(user, "x", report_id=of_one, as_of=AS_OF) == (400, "invalid_request")
    assert refused(user, "x", poll_filter="x") == (400, "invalid_request")


# --- ids of all kinds -----------------------------------------------------------------------

IDS = [
    "a/b",
    "/",
    "100%",
    "100%25",
    "%2F",
    "?x=1#y",
    "café 🍔",
    'Joe\'s "Diner" & <b>',
    "a+b c",
    "1",
]


@pytest.fixture(scope="module")
def diner() -> Iterator[User]:
    with EmbeddedCloud() as cloud:
        user = User(cloud)
        rows = ['"{}",active,2024-10-14 12:00:00'.format(id_.replace('"', '""')) for id_ in IDS]
        polls = "\n".join(["store_id,status,timestamp_utc", *rows])
        assert user.upload("polls/store_status.csv", polls.encode())["status"] == "Committed"
        yield user


@pytest.mark.parametrize("store_id", IDS)
def test_a_store_is_asked_for_by_whatever_id_it_has(diner: User, store_id: str) -> None:
    answer = ask(diner, store_id)
    assert answer.status_code == 200, answer.text
    assert answer.json()["store_id"] == store_id
    assert answer.json()["report_row"]["uptime_last_week(in hours)"] == 168.0


def test_a_slash_that_is_not_encoded_is_another_path(diner: User) -> None:
    assert diner.get("/stores/a/b/timeline").status_code == 403


def test_an_id_that_is_not_utf_8(diner: User) -> None:
    answer = diner.get("/stores/%FF/timeline")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")

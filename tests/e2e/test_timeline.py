"""GET /stores/{store_id}/timeline."""

import csv
import json
import subprocess
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode
from urllib.request import urlopen
from uuid import uuid4

import pytest
import requests

from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import User

AS_OF = "2024-10-14T12:00:00Z"


def ask(user: User, store_id: str, **query: str) -> requests.Response:
    return user.get("/timeline", params={"store_id": store_id, **query})


def ask_by_path(user: User, store_id: str) -> requests.Response:
    return user.get(f"/stores/{quote(store_id, safe='')}/timeline")


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
    "%2e",
    "%2E%2e",
    "...",
    "\N{NO-BREAK SPACE}",
    "\N{ZERO WIDTH SPACE}",
    "+",
    "&",
    "x=y&store_id=z",
    "#",
    "a" * 255,
]
STEPS = [".", ".."]  # of a path, as HTTP clients have it, encoded or not


@pytest.fixture(scope="module")
def diner() -> Iterator[User]:
    with LocalCloud() as cloud:
        user = User(cloud)
        rows = [
            '"{}",active,2024-10-14 12:00:00'.format(id_.replace('"', '""')) for id_ in IDS + STEPS
        ]
        polls = "\n".join(["store_id,status,timestamp_utc", *rows])
        assert user.upload("polls/store_status.csv", polls.encode())["status"] == "Committed"
        yield user


@pytest.mark.parametrize(
    ("how", "store_id"),
    [*((ask, store_id) for store_id in IDS + STEPS), *((ask_by_path, id_) for id_ in IDS)],
)
def test_a_store_is_asked_for_by_whatever_id_it_has(
    diner: User, how: Callable[[User, str], requests.Response], store_id: str
) -> None:
    answer = how(diner, store_id)
    assert answer.status_code == 200, answer.text
    assert answer.json()["store_id"] == store_id
    assert answer.json()["report_row"]["uptime_last_week(in hours)"] == 168.0


@pytest.mark.parametrize("store_id", STEPS)
def test_other_clients_ask_for_a_step_of_a_path_by_the_query(diner: User, store_id: str) -> None:
    url = f"{diner.cloud.api_url}/timeline"
    by_curl = subprocess.run(
        ["curl", "-sSG", url, "--data-urlencode", f"store_id={store_id}"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert json.loads(by_curl.stdout)["store_id"] == store_id
    with urlopen(f"{url}?{urlencode({'store_id': store_id})}", timeout=30) as answer:
        assert json.load(answer)["store_id"] == store_id


def test_a_client_that_takes_the_step_is_told_what_to_ask(diner: User) -> None:
    answer = ask_by_path(diner, "..")
    assert answer.url == f"{diner.cloud.api_url}/timeline"
    assert answer.status_code == 400
    assert "GET /timeline?store_id=" in answer.json()["error"]["message"]


@pytest.mark.parametrize("store_id", STEPS)
def test_a_report_can_be_of_a_store_with_such_an_id(diner: User, store_id: str) -> None:
    _, row = diner.report(store_ids=[store_id]).decode().splitlines()
    assert row.startswith(f"{store_id},")
    report_id = diner.trigger(store_ids=[store_id])
    assert diner.ended(report_id)["status"] == "Complete"
    assert ask(diner, store_id, report_id=report_id).json()["store_id"] == store_id


@pytest.mark.parametrize("store_id", ["", " ", "a" * 256, "a\nb"])
def test_what_no_store_can_be_called(diner: User, store_id: str) -> None:
    assert refused(diner, store_id) == (400, "invalid_request")


def test_whitespace_around_an_id_is_dropped_as_ingest_drops_it(diner: User) -> None:
    assert ask(diner, " 1\t").json()["store_id"] == "1"


def test_a_slash_that_is_not_encoded_is_another_path(diner: User) -> None:
    assert diner.get("/stores/a/b/timeline").status_code == 403


def test_an_id_that_is_not_utf_8(diner: User) -> None:
    answer = diner.get("/stores/%FF/timeline")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")

"""GET /timeline, GET /stores/{store_id}/timeline and GET /stores/{store_id}/history."""

import csv
import json
import subprocess
from collections.abc import Callable
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
import requests

from tests.e2e.conftest import PATIENCE_SECONDS, User
from tests.e2e.guarded.conftest import KEY

AS_OF = "2024-10-14T12:00:00Z"


def get_by_query(user: User, store_id: str, **query: str) -> requests.Response:
    return user.get("/timeline", params={"store_id": store_id, **query})


def get_by_path(user: User, store_id: str) -> requests.Response:
    return user.get(f"/stores/{quote(store_id, safe='')}/timeline")


def refused(user: User, store_id: str, **query: str) -> tuple[int, str]:
    response = get_by_query(user, store_id, **query)
    return response.status_code, response.json()["error"]["code"]


def test_the_rounded_totals_are_the_report_s(guarded: User) -> None:
    report_id = guarded.trigger(as_of=AS_OF, poll_filter="business_hours")
    assert guarded.ended(report_id)["status"] == "Complete"
    headers = {"Accept": "text/csv"}
    text = guarded.get(f"/get_report/{report_id}", headers=headers).text
    for row in list(csv.DictReader(text.splitlines()))[::15]:
        store_id = row.pop("store_id")
        response = get_by_query(guarded, store_id, report_id=report_id)
        assert response.status_code == 200, response.text
        timeline = response.json()
        assert (timeline["store_id"], timeline["as_of"]) == (
            store_id,
            "2024-10-14T12:00:00.000000Z",
        )
        assert timeline["report_row"] == {name: float(value) for name, value in row.items()}
        assert timeline["snapshot"]["report_id"] == report_id
        again = get_by_query(guarded, store_id, as_of=AS_OF, poll_filter="business_hours").json()
        assert again | {"snapshot": timeline["snapshot"]} == timeline


def test_an_impossible_request_is_refused_with_the_reason(guarded: User) -> None:
    of_one = guarded.trigger(store_ids=["no-such-store"])
    guarded.ended(of_one)
    assert refused(guarded, "no-such-store") == (404, "unknown_store")
    assert refused(guarded, "x", report_id=of_one) == (409, "report_failed")
    assert refused(guarded, "x", report_id=str(uuid4())) == (404, "unknown_report")
    assert refused(guarded, "x", report_id="x") == (400, "malformed_report_id")
    assert refused(guarded, "x", report_id=of_one, as_of=AS_OF) == (400, "invalid_request")
    assert refused(guarded, "x", poll_filter="x") == (400, "invalid_request")


# --- the history ----------------------------------------------------------------------------


def get_history(user: User, store_id: str, **query: str) -> requests.Response:
    return user.get(f"/stores/{quote(store_id, safe='')}/history", params=query)


def test_the_history_of_a_week_is_the_timeline_s(guarded: User) -> None:
    store_id = guarded.report().decode().splitlines()[1].split(",")[0]
    period = {"from": "2024-10-07T12:00:00Z", "to": AS_OF}
    response = get_history(guarded, store_id, **period, by="total")
    assert response.status_code == 200, response.text
    [week] = response.json()["windows"]
    totals = get_by_query(guarded, store_id, as_of=AS_OF).json()["totals"]
    for name in ("uptime", "downtime", "no_data", "covered", "excluded"):
        assert week[f"{name}_us"] == totals[f"{name}_last_week_us"]
    by_day = get_history(guarded, store_id, **period).json()["windows"]
    assert len(by_day) == 8  # from noon to noon
    assert sum(day["uptime_us"] for day in by_day) == week["uptime_us"]


def test_an_impossible_history_is_refused_with_the_reason(guarded: User) -> None:
    response = get_history(guarded, "no-such-store", to="2024-10-14", **{"from": "2024-10-07"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_store")
    response = get_history(guarded, "no-such-store", to="2024-10-07", **{"from": "2024-10-07"})
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "to: not after from"


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
PATH_STEPS = [".", ".."]  # HTTP clients resolve them in paths, encoded or not


@pytest.fixture(scope="module")
def diner(guarded: User) -> User:
    rows = [
        '"{}",active,2024-10-14 12:00:00'.format(id_.replace('"', '""')) for id_ in IDS + PATH_STEPS
    ]
    polls = "\n".join(["store_id,status,timestamp_utc", *rows])
    assert guarded.upload("polls/odd_ids.csv", polls.encode())["status"] == "Committed"
    return guarded


@pytest.mark.parametrize(
    ("get", "store_id"),
    [
        *((get_by_query, store_id) for store_id in IDS + PATH_STEPS),
        *((get_by_path, id_) for id_ in IDS),
    ],
)
def test_a_store_is_found_by_any_id(
    diner: User, get: Callable[[User, str], requests.Response], store_id: str
) -> None:
    response = get(diner, store_id)
    assert response.status_code == 200, response.text
    assert response.json()["store_id"] == store_id
    assert response.json()["report_row"]["uptime_last_week(in hours)"] == 168.0


@pytest.mark.parametrize("store_id", PATH_STEPS)
def test_other_clients_find_such_a_store_by_the_query(diner: User, store_id: str) -> None:
    url = f"{diner.cloud.api_url}/timeline"
    by_curl = subprocess.run(
        [
            *("curl", "-sSG", url, "-H", f"x-api-key: {KEY}"),
            *("--data-urlencode", f"store_id={store_id}"),
        ],
        capture_output=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert json.loads(by_curl.stdout)["store_id"] == store_id
    query = urlencode({"store_id": store_id})
    with urlopen(
        Request(f"{url}?{query}", headers=diner.headers), timeout=PATIENCE_SECONDS
    ) as response:
        assert json.load(response)["store_id"] == store_id


def test_a_client_that_resolves_the_step_gets_a_hint(diner: User) -> None:
    response = get_by_path(diner, "..")
    assert response.url == f"{diner.cloud.api_url}/timeline"
    assert response.status_code == 400
    assert "GET /timeline?store_id=" in response.json()["error"]["message"]


@pytest.mark.parametrize("store_id", PATH_STEPS)
def test_a_report_can_include_a_store_with_such_an_id(diner: User, store_id: str) -> None:
    _, row = diner.report(store_ids=[store_id]).decode().splitlines()
    assert row.startswith(f"{store_id},")
    report_id = diner.trigger(store_ids=[store_id])
    assert diner.ended(report_id)["status"] == "Complete"
    assert get_by_query(diner, store_id, report_id=report_id).json()["store_id"] == store_id


@pytest.mark.parametrize("store_id", ["", " ", "a" * 256, "a\nb"])
def test_an_invalid_store_id_is_refused(diner: User, store_id: str) -> None:
    assert refused(diner, store_id) == (400, "invalid_request")


def test_whitespace_around_an_id_is_dropped_as_ingest_drops_it(diner: User) -> None:
    assert get_by_query(diner, " 1\t").json()["store_id"] == "1"


def test_a_slash_that_is_not_encoded_is_another_path(diner: User) -> None:
    assert diner.get("/stores/a/b/timeline").status_code == 403


def test_an_id_that_is_not_utf_8(diner: User) -> None:
    response = diner.get("/stores/%FF/timeline")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")

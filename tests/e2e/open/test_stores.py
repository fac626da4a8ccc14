"""GET /stores and GET /reports/{report_id}/stores."""

import json
from typing import Any

import requests

from tests.e2e.conftest import PATIENCE_SECONDS, User


def page(user: User, path: str, **query: str) -> dict[str, Any]:
    response = user.get(path, params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def ids(stores: dict[str, Any]) -> list[str]:
    return [row["store_id"] for row in stores["stores"]]


def test_the_stores_of_a_report_are_its_rows(user: User) -> None:
    report_id = user.trigger(formats=["json"], poll_filter="business_hours")
    response = user.ended(report_id)
    rows = requests.get(response["urls"]["json"], timeout=PATIENCE_SECONDS).json()["stores"]
    path = f"/reports/{report_id}/stores"
    stores = page(user, path, limit="100")
    assert stores["stores"] == rows
    assert (stores["found"], stores["total"]) == (response["stores"], response["stores"])
    down = page(user, path, state="down", sort="-downtime_last_week", limit="100")["stores"]
    assert {row["store_id"] for row in down} == {
        row["store_id"] for row in rows if row["state"] == "down"
    }
    hours = [row["downtime_last_week(in hours)"] for row in down]
    assert hours == sorted(hours, reverse=True)


def test_stores_are_found_in_the_newest_report_page_by_page(user: User) -> None:
    report_id = user.trigger()
    total = user.ended(report_id)["stores"]
    user.ended(user.trigger(as_of="2024-10-14T12:00:00Z"))
    region = page(user, "/stores", limit="1")["stores"][0]["attributes"]["region"]
    where = json.dumps({"region": region})
    found = page(user, "/stores", where=where, limit="100")
    assert 0 < found["found"] < found["total"] == total
    assert {row["attributes"]["region"] for row in found["stores"]} == {region}
    listed: list[str] = []
    query = f"?where={where}&limit=7"
    while query:
        response = user.get(f"/stores{query}")
        assert response.status_code == 200, response.text
        listed += ids(response.json())
        query = response.links["next"]["url"] if response.links else ""
    assert listed == ids(found)


def test_a_mistyped_id_has_suggestions(user: User) -> None:
    user.ended(user.trigger())
    store_id = page(user, "/stores", limit="1", sort="-store_id")["stores"][0]["store_id"]
    assert ids(page(user, "/stores", q=store_id.upper())) == [store_id]
    mistyped = store_id[:-1] + "~"
    found = page(user, "/stores", q=mistyped)
    assert (found["found"], found["suggestions"][0]) == (0, store_id)


def test_an_invalid_query_is_refused(user: User) -> None:
    user.ended(user.trigger())
    for query in ("sort=colour", "where=[]", "state=open", "page_token=WzFd"):
        response = user.get(f"/stores?{query}")
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
        assert response.json()["error"]["message"].startswith(query.partition("=")[0])

"""GET /reports: order, pages and invalid parameters."""

from typing import Any

import pytest

from tests.e2e.conftest import User


def listed(user: User, **query: Any) -> dict[str, Any]:
    response = user.get("/reports", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_reports_are_listed_newest_first_with_their_status(user: User) -> None:
    request = {"as_of": "2024-10-14T12:00:00Z", "poll_filter": "business_hours"}
    complete = user.trigger(**request)
    stores = user.ended(complete)["stores"]
    failed = user.trigger(store_ids=["no-such-store"])
    user.ended(failed)
    newest, previous = listed(user, limit=2)["reports"]
    assert newest["report_id"] == failed
    assert newest["status"] == "Failed"
    assert newest["error"]["code"] == "UnknownStore"
    assert newest["can_retry"] is False
    assert newest["request"]["store_ids"] == ["no-such-store"]
    assert newest["started_at"] <= newest["ended_at"]
    assert previous["request"].items() >= (request | {"as_of": previous["as_of"]}).items()
    summary = user.get(f"/reports/{complete}/summary").json()
    headline = previous["headline"]
    assert headline["now"] == summary["now"]
    for window in ("last_hour", "last_day", "last_week"):
        assert headline["uptime_percent"][window] == summary[window]["uptime_percent"]
        assert headline["stores_missed"][window] == summary[window]["stores_missed"]
    assert headline["outages_last_week"] == summary["outages_last_week"]
    assert headline["lost_revenue_last_week"] == summary["last_week"]["lost_revenue"]
    assert (
        previous.items()
        >= {
            "report_id": complete,
            "status": "Complete",
            "as_of": "2024-10-14T12:00:00.000000Z",
            "stores": stores,
            "poll_filter": "business_hours",
            "formats": ["csv"],
        }.items()
    )


def test_pages_follow_each_other(user: User) -> None:
    for _ in range(5):
        user.ended(user.trigger(store_ids=["no-such-store"]))
    all_reports = listed(user, limit=100)["reports"]
    started = [report["started_at"] for report in all_reports]
    assert started == sorted(started, reverse=True)
    page = listed(user, limit=2)
    pages = [page["reports"]]
    while "next_page_token" in page:
        page = listed(user, limit=2, page_token=page["next_page_token"])
        pages.append(page["reports"])
    assert user.get("/reports?limit=100").links == {}
    linked = user.get("/reports?limit=2").links["next"]["url"]
    assert user.get(f"/reports{linked}").json()["reports"] == pages[1]
    assert [report for reports in pages for report in reports] == all_reports
    assert {len(reports) for reports in pages[:-1]} == {2}


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"page_token": "x"}]
)
def test_an_invalid_parameter_is_refused_with_the_reason(user: User, query: dict[str, str]) -> None:
    response = user.get("/reports", params=query)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    [parameter] = query
    assert parameter in response.json()["error"]["message"]

"""GET /reports."""

from typing import Any

import pytest

from tests.e2e.conftest import User


def listed(user: User, **query: Any) -> dict[str, Any]:
    answer = user.get("/reports", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_newest_come_first_with_how_they_stand(user: User) -> None:
    complete = user.trigger(as_of="2024-10-14T12:00:00Z", poll_filter="business_hours")
    stores = user.ended(complete)["stores"]
    failed = user.trigger(store_ids=["no-such-store"])
    user.ended(failed)
    newest, before = listed(user, limit=2)["reports"]
    assert newest["report_id"] == failed
    assert newest["status"] == "Failed"
    assert newest["error"]["code"] == "UnknownStore"
    assert newest["started_at"] <= newest["ended_at"]
    assert (
        before.items()
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
    whole = listed(user, limit=100)["reports"]
    started = [report["started_at"] for report in whole]
    assert started == sorted(started, reverse=True)
    page = listed(user, limit=2)
    pages = [page["reports"]]
    while "next_page_token" in page:
        page = listed(user, limit=2, page_token=page["next_page_token"])
        pages.append(page["reports"])
    assert [report for reports in pages for report in reports] == whole
    assert {len(reports) for reports in pages[:-1]} == {2}


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"page_token": "x"}]
)
def test_a_wrong_question_is_refused_with_the_reason(user: User, query: dict[str, str]) -> None:
    answer = user.get("/reports", params=query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    [parameter] = query
    assert parameter in answer.json()["error"]["message"]

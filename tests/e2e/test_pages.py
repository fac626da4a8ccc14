"""What a browser gets: the page of the API's document, and leave to call from elsewhere."""

from collections.abc import Iterator

import pytest

from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import User

ORIGIN = "https://example.com"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


@pytest.fixture(scope="module")
def shared() -> Iterator[User]:
    with LocalCloud(parameter_overrides={"CorsOrigin": ORIGIN}) as cloud:
        yield User(cloud)


def test_the_document_and_its_page_are_served(shared: User) -> None:
    assert shared.get("/openapi.json").json()["openapi"].startswith("3.1")
    answer = shared.get("/docs")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    for part in ("docs.css", "docs.js", "swagger-ui.css", "swagger-ui.js"):
        assert f"docs/{part}" in answer.text
        assert shared.get(f"/docs/{part}").status_code == 200


def test_browsers_get_the_console_and_others_the_index(shared: User) -> None:
    answer = shared.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Vary"] == "Accept"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert '<base href="/">' in answer.text
    for accept in ("*/*", "application/json"):
        index = shared.get("/", headers={"Accept": accept})
        assert index.headers["Vary"] == "Accept"
        assert index.json()["service"] == "store-monitoring"


@pytest.mark.parametrize("part", ["console.html", "app.py", "..%2Fapp.py", "nothing.js"])
def test_the_console_has_parts_and_no_more(shared: User, part: str) -> None:
    assert shared.get("/console/console.js").headers["Content-Type"].startswith("text/javascript")
    assert shared.get("/console/console.css").headers["Content-Type"].startswith("text/css")
    assert shared.get(f"/console/{part}").status_code in (403, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/trigger_report",
        "/get_report/1",
        "/get_report",
        "/reports",
        "/uploads",
        "/uploads/1",
        "/timeline",
    ],
)
def test_a_page_of_the_allowed_origin_may_ask(shared: User, path: str) -> None:
    answer = shared.ask("OPTIONS", path, headers=PREFLIGHT)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]


def test_it_may_read_the_answer_and_a_refusal(shared: User) -> None:
    for path in ("/reports", "/get_report/1", "/nowhere"):
        answer = shared.get(path, headers={"Origin": ORIGIN})
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_where_no_origin_is_named_none_may(user: User) -> None:
    assert user.ask("OPTIONS", "/reports", headers=PREFLIGHT).status_code == 405
    answer = user.get("/reports", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in answer.headers

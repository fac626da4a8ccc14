"""Responses to browsers: the API's documentation page, the console, and CORS."""

import re

import pytest

from tests.e2e.conftest import User
from tests.e2e.guarded.conftest import ORIGIN

PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


def test_the_openapi_document_and_its_page_are_served(guarded: User) -> None:
    document = guarded.get("/openapi.json")
    assert document.json()["openapi"].startswith("3.1")
    known = {"If-None-Match": document.headers["ETag"]}
    assert guarded.get("/openapi.json", headers=known).status_code == 304
    response = guarded.get("/docs")
    assert response.headers["Content-Type"].startswith("text/html")
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    for part in ("docs.css", "docs.js", "swagger-ui.css", "swagger-ui.js"):
        assert f"docs/{part}" in response.text
        assert guarded.get(f"/docs/{part}").status_code == 200


def test_browsers_get_the_console_and_others_the_index(guarded: User) -> None:
    response = guarded.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Vary"] == "Accept"
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert '<base href="/">' in response.text
    for accept in ("*/*", "application/json"):
        index = guarded.get("/", headers={"Accept": accept})
        assert index.headers["Vary"] == "Accept"
        assert index.json()["service"] == "store-monitoring"


def test_the_parts_of_the_console_that_it_needs_are_preloaded_and_compressed(guarded: User) -> None:
    page = guarded.get("/", headers={"Accept": "text/html"}).text
    parts = re.findall(r'(?:href|src)="(console/\w+\.\w+)"', page)
    assert "console/console.js" in parts
    for part in parts:
        response = guarded.get(f"/{part}", headers={"Accept-Encoding": "gzip"})
        assert response.status_code == 200
        is_compressed = response.headers.get("Content-Encoding") == "gzip"
        assert is_compressed == (len(response.content) >= 1024)
    plain = guarded.get("/console/console.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize("part", ["console.html", "app.py", "..%2Fapp.py", "nothing.js"])
def test_only_the_console_s_parts_are_served(guarded: User, part: str) -> None:
    assert guarded.get("/console/console.js").headers["Content-Type"].startswith("text/javascript")
    assert guarded.get("/console/console.css").headers["Content-Type"].startswith("text/css")
    assert guarded.get(f"/console/{part}").status_code in (403, 404)


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
def test_a_page_of_the_allowed_origin_may_call(guarded: User, path: str) -> None:
    response = guarded.request("OPTIONS", path, headers=PREFLIGHT)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Idempotency-Key" in response.headers["Access-Control-Allow-Headers"]


def test_a_page_of_the_allowed_origin_may_read_responses_and_errors(guarded: User) -> None:
    for path in ("/reports", "/get_report/1", "/nowhere"):
        response = guarded.get(path, headers={"Origin": ORIGIN})
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN

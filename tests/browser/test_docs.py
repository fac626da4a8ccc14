"""The page of the API, served by its handler, with responses of calls that are made up."""

import json
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from playwright.sync_api import Page, Route, ViewportSize, expect

from local import openapi

STAGE = "https://api.example/v1"
KEY = "open-sesame"
REPORT_ID = "6b0f3c1c-9d0e-4d52-8f0a-0d6c3f6f3c11"
FAILED_ID = "0e5a7f8e-0f60-4a52-a2c5-5a60f8f1d9f2"
RUNNING_ID = "f3b1b0a6-6c1d-4a0e-8a53-8f0f0e1c7c55"
LISTS: dict[str, Any] = {
    "/reports": {
        "reports": [
            {"report_id": RUNNING_ID, "status": "Running"},
            {"report_id": FAILED_ID, "status": "Failed", "can_retry": True},
            {"report_id": REPORT_ID, "status": "Complete"},
        ]
    },
    "/stores": {
        "report": {"report_id": REPORT_ID, "as_of": "2024-10-14T23:55:18Z"},
        "stores": [{"store_id": ".."}, {"store_id": "store 7"}],
    },
    "/uploads": {"uploads": []},
}
COMPLETE = {"report_id": REPORT_ID, "status": "Complete"}
EXAMPLES = {
    "retry_report": {"report_id": FAILED_ID},
    "get_summary": {"report_id": REPORT_ID},
    "get_history": {"store_id": "store 7", "from": "2024-10-07", "to": "2024-10-14"},
}
"""The values of parameters that the page fills in for each operation."""

pages = openapi.load_app("pages")


@pytest.fixture
def calls(page: Page) -> list[tuple[str, str | None]]:
    """The calls of the page: paths, and keys. Without the key, they are refused."""
    made: list[tuple[str, str | None]] = []

    def respond(route: Route) -> None:
        path = urlsplit(route.request.url).path.removeprefix("/v1")
        if path.startswith("/docs") or path == "/openapi.json":
            event = {"httpMethod": "GET", "path": path, "headers": {}}
            response = pages.resolve(event, LambdaContext())
            headers = {name: values[0] for name, values in response["multiValueHeaders"].items()}
            route.fulfill(status=response["statusCode"], headers=headers, body=response["body"])
            return
        key = route.request.headers.get("x-api-key")
        made.append((path, key))
        body = LISTS.get(path, COMPLETE) if key == KEY else {"error": {"code": "forbidden"}}
        route.fulfill(
            status=200 if key == KEY else 403,
            content_type="application/json",
            body=json.dumps(body),
        )

    page.route("**/*", respond)
    page.add_init_script(f"sessionStorage.setItem('api-key', '{KEY}')")
    return made


def test_a_call_is_tried_with_an_id_that_exists(
    page: Page, calls: list[tuple[str, str | None]]
) -> None:
    page.goto(f"{STAGE}/docs#/reports/get_report")
    call = page.locator("#operations-reports-get_report")
    expect(call.get_by_placeholder("report_id")).to_have_value(REPORT_ID)
    expect(page.locator(".servers")).to_contain_text(STAGE)
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table td.response-col_status").last).to_have_text("200")
    assert calls[-1] == (f"/get_report/{REPORT_ID}", KEY)
    assert {path for path, _ in calls[:-1]} == set(LISTS)


def test_examples_suit_their_call(page: Page, calls: list[tuple[str, str | None]]) -> None:
    page.goto(f"{STAGE}/docs")
    for operation, values in EXAMPLES.items():
        call = page.locator(f"#operations-reports-{operation}")
        call.locator(".opblock-summary-control").click()
        for name, value in values.items():
            expect(call.get_by_placeholder(name, exact=True)).to_have_value(value)


def test_the_page_has_guides_and_errors_and_fits_a_phone(
    page: Page, calls: list[tuple[str, str | None]]
) -> None:
    page.goto(f"{STAGE}/docs")
    expect(page.get_by_role("heading", name="Make a report")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="unknown_report")
    expect(row).to_contain_text("404")
    page.set_viewport_size(ViewportSize(width=360, height=740))
    page.wait_for_function("document.documentElement.scrollWidth === 360")


def test_the_page_follows_the_colour_scheme(
    page: Page, calls: list[tuple[str, str | None]]
) -> None:
    page.goto(f"{STAGE}/docs")
    expect(page.locator(".swagger-ui .info .title")).to_be_visible()
    schemes: tuple[Literal["dark", "light"], ...] = ("dark", "light")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            """isDark => {
              const title = document.querySelector(".swagger-ui .info .title");
              return Number(getComputedStyle(title).color.match(/\\d+/)[0]) > 127 === isDark;
            }""",
            arg=scheme == "dark",
        )

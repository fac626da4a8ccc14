"""What happens when the network is slow or away, and by keyboard and touch alone."""

import re
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.browser.accessibility import serious_problems
from tests.browser.conftest import DESKTOP, painted_ms
from tests.browser.console.conftest import ENTER_KEY, visit
from tests.e2e.conftest import User
from tests.timing import is_met

PHONE = ViewportSize(width=360, height=740)
WIDE = ViewportSize(width=2560, height=1300)
FIRST_PAINT_MS = 2000
LOADED = """files => files.every(file =>
  performance.getEntriesByType("resource").some(({ name }) => name.endsWith(`/${file}`)))"""


def test_the_api_is_away_and_comes_back(tolerant: Page, context: BrowserContext) -> None:
    page = tolerant
    visit(page, "Reports")
    expect(page.locator(".report").first).to_be_visible()
    page.wait_for_function(LOADED, arg=["uploads.js", "upload_queue.js", "upload_row.js"])
    page.wait_for_load_state("networkidle")
    context.set_offline(True)
    notice = page.locator("#connection")
    expect(notice).to_be_visible()
    form = page.locator("#request")
    form.get_by_role("textbox", name="Stores").fill("nobody-while-offline")
    form.get_by_role("button", name="Make the report").click()
    visit(page, "Uploads")  # other views are there
    expect(page.locator("#drop")).to_be_visible()
    visit(page, "Reports")
    context.set_offline(False)
    expect(notice).to_be_hidden()
    made = page.locator(".report").filter(has_text="nobody-while-offline")
    expect(made).to_have_count(1)  # it was sent once the API was back


def test_a_throttled_call_is_repeated(user: User, context: BrowserContext) -> None:
    page = context.new_page()
    page.add_init_script(ENTER_KEY)
    error = {"error": {"code": "too_many_requests", "message": "try again in a moment"}}
    page.route("**/stores?*", lambda route: route.fulfill(status=429, json=error), times=2)
    page.goto(user.cloud.api_url)
    expect(page.locator(".tiles")).to_be_visible()


def test_the_first_paint_on_a_slow_line(user: User, browser: Browser) -> None:
    bytes_per_second = 400_000 / 8
    conditions = {
        "offline": False,
        "latency": 400,
        "downloadThroughput": bytes_per_second,
        "uploadThroughput": bytes_per_second,
    }

    def attempt() -> float:
        context = browser.new_context()  # with nothing cached
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", conditions)
        milliseconds = painted_ms(page, user.cloud.api_url)
        context.close()
        return milliseconds

    assert is_met(FIRST_PAINT_MS, attempt)


def test_a_report_by_keyboard_alone(console: Page) -> None:
    console.keyboard.press("Tab")
    expect(console.get_by_role("link", name="To the content")).to_be_focused()
    for _ in range(3):
        console.keyboard.press("Tab")
    expect(console.get_by_role("link", name="Reports")).to_be_focused()
    console.keyboard.press("Enter")
    expect(console.locator("#request")).to_be_visible()
    button = console.get_by_role("button", name="Make the report")
    for _ in range(20):
        console.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    with console.expect_response("**/trigger_report"):
        console.keyboard.press("Enter")
    expect(button).to_be_focused()  # where it was before
    console.keyboard.press("Tab")
    newest = console.locator(".report").first
    expect(newest).to_have_attribute("data-status", "Complete")


def test_the_header_can_be_skipped(console: Page) -> None:
    visit(console, "Uploads")
    console.get_by_role("link", name="To the content").focus()
    console.keyboard.press("Enter")
    expect(console.locator("main")).to_be_focused()
    console.keyboard.press("Tab")
    expect(console.locator("#files")).to_be_focused()


def test_tips_by_touch_stay_until_the_next_touch(browser: Browser, user: User) -> None:
    store_id = user.get("/stores", params={"state": "up", "limit": 1}).json()["stores"][0]
    context = browser.new_context(viewport=PHONE, has_touch=True)
    context.add_init_script(ENTER_KEY)
    page = context.new_page()
    page.goto(f"{user.cloud.api_url}/#store/{store_id['store_id']}")
    days = page.locator(".strip svg[role=img]")
    tip = page.locator("#tip")
    days.nth(3).tap()
    expect(tip).to_have_text(re.compile("local; "))
    tip.tap()
    expect(tip).to_be_visible()
    first = tip.text_content() or ""
    days.nth(5).tap()
    expect(tip).to_be_visible()
    expect(tip).not_to_have_text(first)
    page.locator("h1:visible").tap()
    expect(tip).to_be_hidden()
    context.close()


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [(DESKTOP, "light"), (PHONE, "dark"), (WIDE, "light")],
    ids=["desk", "phone", "wide"],
)
def test_all_views_are_accessible_and_fit(
    console: Page, user: User, viewport: ViewportSize, scheme: Literal["light", "dark"]
) -> None:
    console.emulate_media(color_scheme=scheme)
    console.set_viewport_size(viewport)
    store_id = user.get("/stores", params={"limit": 1}).json()["stores"][0]["store_id"]
    pages = {
        "overview": ".tiles",
        "stores": "#stores tbody",
        f"store/{quote(store_id)}": ".strip",
        "reports": ".report",
        "uploads": ".upload",
    }
    for address, ready in pages.items():
        console.evaluate("address => (location.hash = address)", address)
        expect(console.locator(ready).first).to_be_visible()
        console.locator(".view details").evaluate_all(
            "all => all.forEach(one => (one.open = true))"
        )
        assert console.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        if viewport is not WIDE:  # there, the elements are the same as on a desk
            assert serious_problems(console) == [], address
    if viewport is WIDE:
        visit(console, "Overview")
        box = console.locator(".tiles").bounding_box()
        assert box is not None
        assert box["width"] > 0.9 * WIDE["width"]
    console.get_by_role("button", name="Settings").click()
    assert serious_problems(console) == []


def test_foreign_scripts_do_not_run(refused: Page) -> None:
    owned = refused.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.owned = true";
          document.head.append(script);
          return window.owned ?? false;
        }"""
    )
    assert owned is False

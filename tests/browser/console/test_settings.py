"""Settings: the key for this tab, the zone and the target for this browser."""

import json
import re

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.console.conftest import KEY, visit


def enter_key(page: Page, key: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("API key").fill(key)
    dialog.get_by_role("button", name="Save").click()


def test_a_wrong_key_then_the_right_one(refused: Page) -> None:
    enter_key(refused, "wrong")
    expect(refused.get_by_role("dialog")).to_contain_text("This key was not accepted.")
    enter_key(refused, KEY)
    expect(refused.get_by_role("dialog")).to_be_hidden()
    expect(refused.locator(".tiles")).to_be_visible()


def test_the_key_is_stored_for_its_tab_only(refused: Page, context: BrowserContext) -> None:
    enter_key(refused, KEY)
    expect(refused.locator(".tiles")).to_be_visible()
    refused.reload()
    expect(refused.locator(".tiles")).to_be_visible()
    assert refused.evaluate("Object.values(localStorage)").count(KEY) == 0
    assert context.cookies() == []
    other = context.new_page()
    other.goto(refused.url)
    expect(other.get_by_role("dialog")).to_be_visible()


def test_without_a_key_the_page_says_what_to_do(refused: Page) -> None:
    refused.get_by_role("button", name="Cancel").click()
    expect(refused.locator("#overview-problem")).to_contain_text("The API requires a key.")


def test_zone_and_target_are_checked_and_kept(console: Page) -> None:
    console.get_by_role("button", name="Settings").click()
    dialog = console.get_by_role("dialog")
    zone, target = dialog.get_by_label("Zone"), dialog.get_by_label("Target")
    zone.fill("America/Chicag")
    for wrong in ("101", "99.12345"):
        target.fill(wrong)
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.locator("#zone-problem")).to_be_visible()
        expect(dialog.locator("#target-problem")).to_be_visible()
    zone.fill("America/Chicago")
    target.fill("97.25")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(console.locator("#overview .facts").first).to_contain_text(
        "14 October 2024, 18:55 GMT-5"
    )
    visit(console, "Reports")
    form = console.locator("#request")
    form.get_by_label("Week up to, America/Chicago").fill("2024-10-14T07:00")
    with console.expect_request("**/trigger_report") as request:
        form.get_by_role("button", name="Make the report").click()
    body = json.loads(request.value.post_data or "")
    assert body["as_of"] == "2024-10-14T12:00:00Z"
    assert body["target_percent"] == 97.25
    expect(console.locator(".report").first).to_have_attribute("data-status", "Complete")
    expect(console.locator(".report h3").first).to_contain_text(
        re.compile("14 October 2024, 07:00 GMT-5")
    )


def test_a_cancelled_question_for_a_key_is_not_repeated(refused: Page) -> None:
    enter_key(refused, "wrong")
    dialog = refused.get_by_role("dialog")
    expect(dialog).to_contain_text("This key was not accepted.")
    expect(dialog.get_by_label("API key")).to_have_value("wrong")
    dialog.get_by_role("button", name="Cancel").click()
    for view in ("Reports", "Stores"):
        with refused.expect_response("**/*?limit=*") as response:
            visit(refused, view)
        assert response.value.status == 403
        expect(refused.locator(f"#{view.lower()}-problem")).to_be_visible()
        expect(dialog).to_be_hidden()

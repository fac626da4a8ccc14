"""The list of stores: searched, filtered, sorted and paged."""

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.console.conftest import HOSTILE, visit
from tests.e2e.conftest import User


def shown(console: Page) -> list[str]:
    """Return the ids on the page, once it is loaded."""
    expect(console.locator("#stores:not([aria-busy]) tbody")).to_be_visible()
    return [text.strip() for text in console.locator("#stores tbody th").all_text_contents()]


def expect_shown(console: Page, ids: list[str]) -> None:
    """Wait until these ids are on the page."""
    expect(console.locator("#stores tbody th")).to_have_text(ids)


def listed(user: User, **parameters: Any) -> list[str]:
    response = user.get("/stores", params={"limit": 50, **parameters}).json()
    return [row["store_id"] for row in response["stores"]]


def search(console: Page) -> Locator:
    return console.get_by_label("Search", exact=True)


def test_search_filter_and_sort_are_the_api_s(console: Page, user: User) -> None:
    visit(console, "Stores")
    assert shown(console) == listed(user)
    search(console).press_sequentially("nori")
    expect(console).to_have_url(re.compile("q=nori"))
    assert shown(console) == listed(user, q="nori")
    expect(search(console)).to_be_focused()
    console.get_by_label("State now").select_option("up")
    expect(console).to_have_url(re.compile("state=up"))
    expect(console.locator("#stores .state:not([data-state=up])")).to_have_count(0)
    assert shown(console) == listed(user, q="nori", state="up")
    button = console.get_by_role("button", name="Down, week")
    button.click()
    header = console.get_by_role("columnheader", name="Down, week")
    expect(header).to_have_attribute("aria-sort", "ascending")
    button.press("Enter")
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(button).to_be_focused()
    ordered = listed(user, q="nori", state="up", sort="-downtime_last_week")
    assert shown(console) == ordered
    console.reload()  # the URL has it all
    expect_shown(console, ordered)
    expect(search(console)).to_have_value("nori")


def test_pages(console: Page, user: User) -> None:
    visit(console, "Stores")
    first = shown(console)
    console.get_by_role("button", name="Next").click()
    expect(console.locator("#stores [role=status]")).to_contain_text(re.compile("^51–"))
    assert not set(first) & set(shown(console))
    console.get_by_role("button", name="Previous").click()
    expect(console.locator("#stores [role=status]")).to_contain_text(re.compile("^1–50"))
    assert shown(console) == first


def test_nothing_found_suggests_ids_close_to_it(console: Page, user: User) -> None:
    store_id = listed(user)[20]
    visit(console, "Stores")
    assert shown(console)
    search(console).fill(f"{store_id[:-1]}~")
    expect(console.locator("#stores tbody")).to_have_count(0)
    console.locator("#stores").get_by_role("link", name=store_id).click()
    expect(console).to_have_title(f"{store_id} · Store monitoring")
    expect(console.locator(".strip")).to_be_visible()


def test_a_click_while_typing_goes_to_its_store(console: Page, user: User) -> None:
    store_id = listed(user)[20]
    visit(console, "Stores")
    link = console.locator("#stores").get_by_role("link", name=store_id)
    expect(link).to_be_visible()
    search(console).fill("something else")
    link.click()
    expect(console.locator(".strip")).to_be_visible()
    expect(console).to_have_title(f"{store_id} · Store monitoring")


def test_markup_is_text(console: Page, user: User) -> None:
    user.report()
    visit(console, "Stores")
    assert shown(console)
    search(console).fill("<img")
    expect(console.locator("#stores tbody th")).to_have_text([HOSTILE])
    expect(console.locator("img")).to_have_count(0)


def test_the_address_names_the_page(console: Page, user: User) -> None:
    visit(console, "Stores")
    first = shown(console)
    next_page = console.get_by_role("button", name="Next")
    next_page.press("Enter")
    expect(console.locator("#stores tbody th").first).not_to_have_text(first[0])
    expect(console).to_have_url(re.compile("page=2"))
    second = shown(console)
    expect(next_page).to_be_focused()
    console.locator("#stores tbody a").first.click()
    expect(console.locator(".strip")).to_be_visible()
    console.go_back()
    expect_shown(console, second)
    console.reload()
    expect_shown(console, second)
    console.locator("#stores tbody a").first.click()
    console.get_by_role("link", name="List of stores").click()
    expect_shown(console, second)
    console.get_by_role("button", name="Previous").click()
    expect(console).not_to_have_url(re.compile("page="))
    expect_shown(console, first)


def test_the_focus_stays_on_the_buttons_of_the_last_page(console: Page) -> None:
    console.goto(f"{console.url}#stores?q=a")
    assert shown(console)
    next_page = console.get_by_role("button", name="Next")
    while next_page.get_attribute("aria-disabled") == "false":
        before = shown(console)
        next_page.press("Enter")
        expect(console.locator("#stores tbody th").first).not_to_have_text(before[0])
    expect(next_page).to_be_focused()


def test_a_condition_on_an_attribute_keeps_the_report(console: Page, user: User) -> None:
    report_id = user.get("/stores?limit=1").json()["report"]["report_id"]
    console.goto(f"{console.url}#stores?report={report_id}")
    assert shown(console)
    field = console.get_by_label("Attribute and value")
    field.fill("brand")
    expect(console.locator("#conditions option[value='brand: ']")).to_have_count(1)
    field.press("Enter")
    expect(console.locator("#condition-problem")).to_be_visible()
    field.fill("brand:")
    offered = console.locator("#conditions option").first
    expect(offered).to_have_attribute("value", re.compile("^brand: .+"))
    condition = offered.get_attribute("value") or ""
    field.fill(condition)
    field.press("Enter")
    chips = console.get_by_role("list", name="Further conditions")
    expect(chips.get_by_role("listitem")).to_have_count(2)  # and the report
    brand = condition.removeprefix("brand: ")
    assert shown(console) == listed(user, where=json.dumps({"brand": brand}))
    chips.get_by_role("link", name=f"Without: {condition}").click()
    expect(chips.get_by_role("listitem")).to_have_count(1)
    expect(console).to_have_url(re.compile(f"report={report_id}"))


def test_a_row_opens_its_store_unless_text_is_selected(console: Page) -> None:
    visit(console, "Stores")
    store_id = shown(console)[3]
    cell = console.locator("#stores tbody tr").nth(3).locator("td:has(.state)")
    box = cell.bounding_box()
    assert box
    console.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    console.mouse.down()
    console.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2)
    console.mouse.up()
    assert console.evaluate("getSelection().toString()")
    expect(console.locator("#stores")).to_be_visible()
    assert console.url.split("#")[1].startswith("stores")
    console.evaluate("getSelection().removeAllRanges()")
    cell.click()
    expect(console).to_have_title(f"{store_id} · Store monitoring")

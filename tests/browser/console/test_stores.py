"""The list of stores: searched, filtered, sorted and paged."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.console.conftest import HOSTILE, visit
from tests.e2e.conftest import User


def shown(console: Page) -> list[str]:
    """Return the ids on the page, once it is loaded."""
    expect(console.locator("#stores:not([aria-busy]) tbody")).to_be_visible()
    return [text.strip() for text in console.locator("#stores tbody th").all_text_contents()]


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
    assert shown(console) == ordered
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

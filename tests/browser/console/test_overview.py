"""The overview: the newest report's figures, each with the stores behind it."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.conftest import User


def check_found(console: Page, stores: int) -> None:
    """Check how many stores the list of stores has."""
    text = f"of {stores} store" if stores else "No store"
    expect(console.locator("#stores [role=status]")).to_contain_text(text)


def test_each_number_of_stores_leads_to_these_stores(console: Page, user: User) -> None:
    report_id = user.get("/stores").json()["report"]["report_id"]
    summary = user.get(f"/reports/{report_id}/summary").json()
    figures = {
        "Up now": summary["now"]["up"],
        "Down now": summary["now"]["down"],
        "Closed now": summary["now"]["closed"],
        "No data": summary["now"]["no_data"],
        "Below target, week": summary["last_week"]["stores_missed"],
    }
    for name, value in figures.items():
        console.get_by_role("link", name=f"{name}: {value}").click()
        check_found(console, value)
        expect(console.get_by_role("main")).to_be_focused()
        console.go_back()
    uptime = f"Uptime, last week: {summary['last_week']['uptime_percent']:.1f}%"
    console.get_by_role("link", name=uptime).click()
    expect(console.locator("#stores th[aria-sort=ascending]")).to_have_text("Up, week")


def test_an_hour_of_the_heat_map_leads_to_its_stores(console: Page, user: User) -> None:
    report_id = user.get("/stores").json()["report"]["report_id"]
    counts = user.get(f"/reports/{report_id}/summary").json()["outages_by_hour"]
    hour = max(range(7 * 24), key=lambda hour: counts[hour // 24][hour % 24])
    grid = console.get_by_role("grid")
    expect(grid.get_by_role("gridcell")).to_have_count(7 * 24)
    cell = grid.get_by_role("gridcell").nth(hour).get_by_role("link")
    expect(cell).to_have_text(str(counts[hour // 24][hour % 24]))
    cell.click()
    expected = user.get("/stores", params={"outage_hour": str(hour)}).json()["found"]
    assert expected > 0
    check_found(console, expected)
    console.get_by_role("link", name="Without: an outage").click()
    expect(console.locator("#stores")).not_to_contain_text("in all")


def test_the_change_against_the_week_before(console: Page, user: User) -> None:
    """It is the trend of the newest report; one without a trend can be made again with one."""
    report_id = user.get("/stores").json()["report"]["report_id"]
    trend = user.get(f"/reports/{report_id}/summary").json()["trend"]
    compare = console.get_by_role("button", name="Compare with the week before")
    days = console.get_by_role("img", name="Uptime, day by day").locator("span")
    expect(days).to_have_count(7)
    expect(compare).to_have_count(0)
    note = console.locator(".tile .note", has_text="against the week before")
    expect(note).to_contain_text(f"{abs(trend['change_percent_points']):.1f} points")
    bare = user.trigger(formats=["csv"], group_by=["brand"], target_percent=99)
    user.ended(bare)
    console.goto(f"{user.cloud.api_url}/#overview/{bare}")
    expect(note).to_have_count(0)
    compare.click()
    expect(note).to_have_count(1)
    expect(compare).to_have_count(0)
    made, asked = (
        user.get(f"/reports/{made_id}/summary").json()["report"]["request"]
        for made_id in (console.url.rpartition("/")[2], bare)
    )
    assert made == asked | {"as_of": made["as_of"], "formats": ["csv", "html"]}


def test_the_heat_map_by_keyboard(console: Page) -> None:
    links = console.get_by_role("grid").get_by_role("link")
    links.first.focus()
    console.keyboard.press("ArrowRight")
    expect(links.nth(1)).to_be_focused()
    console.keyboard.press("ArrowDown")
    expect(links.nth(25)).to_be_focused()
    expect(links.nth(25)).to_have_attribute("aria-label", re.compile("^Tuesday, 01:00"))
    console.keyboard.press("Enter")
    expect(console).to_have_url(re.compile("outage_hour=25"))


def test_the_worst_stores_sort_both_ways(console: Page) -> None:
    table = console.get_by_role("table", name="Worst stores")
    cells = table.locator("tbody td:nth-child(4)")
    button = table.get_by_role("button", name="Down, h")
    button.click()
    down = [float(text) for text in cells.all_text_contents()]
    assert down == sorted(down)
    button.press("Enter")
    expect(table.get_by_role("columnheader", name="Down, h")).to_have_attribute(
        "aria-sort", "descending"
    )
    assert [float(text) for text in cells.all_text_contents()] == down[::-1]
    expect(button).to_be_focused()

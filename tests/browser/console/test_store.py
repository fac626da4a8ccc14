"""One store: its week as the API has it, its target, its hours, and ids that nobody has."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, ViewportSize, expect

from tests.browser.console.conftest import HOSTILE, ODD_IDS
from tests.e2e.conftest import User

MINUTE_US = 60_000_000
LAPTOP = ViewportSize(width=1280, height=800)


@pytest.fixture
def store_id(user: User) -> str:
    """A store with a name, with much uptime and much downtime."""
    rows = user.get("/stores", params={"limit": 100}).json()["stores"]

    def less(row: dict[str, Any]) -> float:
        return min(row[f"{name}_last_week(in hours)"] for name in ("uptime", "downtime"))

    found: str = max((row for row in rows if row["name"]), key=less)["store_id"]
    return found


def timeline(user: User, store_id: str, **query: str) -> dict[str, Any]:
    response = user.get("/timeline", params={"store_id": store_id, **query})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def open_store(console: Page, store_id: str, **query: str) -> None:
    """Go to a store by its address."""
    console.evaluate(
        """async ([id, query]) => {
          const { storeAddress } = await import("./console/addresses.js");
          location.hash = storeAddress(id, query);
        }""",
        [store_id, query],
    )
    expect(console.locator(".strip")).to_be_visible()
    expect(console).to_have_title(f"{store_id} · Store monitoring")


def drawn_us(console: Page, *states: str) -> float:
    """Return how long the strip shows a store in the given states, from the widths of its bands."""
    selector = ", ".join(f".strip rect.{state}" for state in states)
    minutes = console.locator(selector).evaluate_all(
        "bands => bands.map(band => Number(band.getAttribute('width')))"
    )
    return float(sum(minutes)) * MINUTE_US


WINDOWS = {
    "last_hour": "last_hour(in minutes)",
    "last_day": "last_day(in hours)",
    "last_week": "last_week(in hours)",
}


def numbers(console: Page) -> dict[str, list[str]]:
    """Return the rows of the table of numbers: name, and one value per window."""
    rows: list[list[str]] = console.locator(".numbers tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return {name: values for name, *values in rows}


def check_week(console: Page, expected: dict[str, Any]) -> None:
    """Check that the page shows the API's response."""
    totals = expected["totals"]
    has_data = totals["no_data_last_week_us"] == 0
    shown = numbers(console)
    for number, (window, column) in enumerate(WINDOWS.items()):
        known_us = totals[f"uptime_{window}_us"] + totals[f"downtime_{window}_us"]
        if has_data:
            for name, kind in (("Up", "uptime"), ("Down", "downtime")):
                value = f"{expected['report_row'][f'{kind}_{column}']:.2f}"
                assert shown[name][number].split()[0] == value
            assert "No data" not in shown
        if known_us:
            percent = float(shown["Uptime"][number].removesuffix("%"))
            assert percent == pytest.approx(100 * totals[f"uptime_{window}_us"] / known_us, abs=0.1)
        else:
            assert "%" not in shown["Uptime"][number]
        open_us = known_us + totals[f"no_data_{window}_us"]
        if open_us:
            coverage = float(shown["Covered by polls"][number].removesuffix("%"))
            expected_percent = 100 * totals[f"covered_{window}_us"] / open_us
            assert coverage == pytest.approx(expected_percent, abs=0.1)
    tolerance_us = MINUTE_US / 1000  # ends are drawn in thousandths of a minute
    assert drawn_us(console, "up") == pytest.approx(totals["uptime_last_week_us"], abs=tolerance_us)
    assert drawn_us(console, "down") == pytest.approx(
        totals["downtime_last_week_us"], abs=tolerance_us
    )
    assert drawn_us(console, "no-data") == pytest.approx(
        totals["no_data_last_week_us"], abs=tolerance_us
    )
    start = expected["week"]["start"]
    assert console.locator(".strip .poll").count() == sum(
        poll["at"] >= start for poll in expected["polls"]
    )
    console.get_by_text("The polls as a table").click()
    table = console.locator("details").filter(has_text="The polls as a table")
    polls = table.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert polls == [
        [
            poll["at_local"][:19].replace("T", " "),
            poll["at"][:19].replace("T", " "),
            poll["status"],
            "yes" if poll["is_evidence"] else "no",
        ]
        for poll in expected["polls"]
    ]


@pytest.mark.parametrize("poll_filter", ["all", "business_hours"])
def test_a_store_s_week_is_the_api_s(
    console: Page, user: User, store_id: str, poll_filter: str
) -> None:
    open_store(console, store_id, poll_filter=poll_filter)
    check_week(console, timeline(user, store_id, poll_filter=poll_filter))


def test_target_and_attributes_are_those_of_the_report(
    console: Page, user: User, store_id: str
) -> None:
    [row] = user.get("/stores", params={"q": store_id}).json()["stores"]
    open_store(console, store_id)
    expect(console.locator("h1:visible")).to_have_text(row["name"])
    expect(console.locator("#store .facts").first).to_contain_text(row["attributes"]["brand"])
    shown = numbers(console)
    windows = ("last_hour", "last_day", "last_week")
    assert shown[f"Target {row['target_percent']:g}%"] == [row[f"target_{of}"] for of in windows]


def test_the_strip_is_above_the_fold(console: Page, store_id: str) -> None:
    console.set_viewport_size(LAPTOP)
    open_store(console, store_id)
    box = console.locator(".strip").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < LAPTOP["height"]


def test_hours_special_dates_and_exclusions(console: Page, user: User) -> None:
    hours = (
        "store_id,day_of_week,start_time_local,end_time_local\n"
        "calendar,0,09:00,17:30\ncalendar,0,18:00,23:00\n"
    )
    special = (
        "store_id,date,start_time_local,end_time_local,reason\n"
        "calendar,2024-10-11,,,stocktaking\ncalendar,2024-10-12,10:00,12:00,\n"
    )
    exclusions = (
        "store_id,start_utc,end_utc,reason\n"
        "calendar,2024-10-14 15:00:00 UTC,2024-10-14 16:30:00 UTC,new wiring\n"
    )
    user.upload("business_hours/calendar.csv", hours.encode())
    user.upload("special_hours/calendar.csv", special.encode())
    user.upload("exclusions/calendar.csv", exclusions.encode())
    open_store(console, "calendar", as_of="2024-10-14T23:00:00Z")
    section = console.locator("section").filter(
        has=console.get_by_role("heading", name="Hours", exact=True)
    )
    expect(section.get_by_role("row", name="Monday 09:00–17:30, 18:00–23:00")).to_be_visible()
    expect(section.get_by_role("row", name="Tuesday closed")).to_be_visible()
    expect(section.get_by_role("row", name="2024-10-11 closed stocktaking")).to_be_visible()
    expect(section.get_by_role("row", name="2024-10-12 10:00–12:00")).to_be_visible()
    expect(section.get_by_role("row", name="10:00–11:30 new wiring")).to_be_visible()
    assert "Excluded" in numbers(console)


def test_the_history_is_the_api_s(console: Page, user: User, store_id: str) -> None:
    open_store(console, store_id)
    section = console.locator(".history")
    section.get_by_text("The history as a table").click()
    expect(section.locator("tbody tr")).to_have_count(28)
    section.get_by_label("History by").select_option("week")
    expect(section.locator(".series span")).to_have_count(14)
    section.get_by_text("The history as a table").click()
    period = {"from": "2024-07-16", "to": "2024-10-15", "by": "week"}
    windows = user.get(f"/stores/{store_id}/history", params=period).json()["windows"]
    shown = section.locator("tbody tr td:nth-child(2)").all_text_contents()
    assert shown == [
        "no data" if window["uptime_percent"] is None else f"{window['uptime_percent']:.1f}%"
        for window in reversed(windows)
    ]


def test_numbers_are_rounded_as_in_the_report(console: Page) -> None:
    rounded = console.evaluate(
        """async () => {
          const { inUnits } = await import("./console/texts.js");
          return [54_000_000, 90_000_000, 90_000_001].map((us) => inUnits(us, 3_600_000_000));
        }"""
    )
    assert rounded == ["0.02", "0.02", "0.03"]  # docs/uptime-rules.md, rule 14


def test_a_week_without_polls_with_the_end_of_dst(console: Page, user: User, store_id: str) -> None:
    open_store(console, store_id)
    console.get_by_text("Another week").click()
    form = console.locator("#another-week")
    form.get_by_label("Week up to").fill("2024-11-05T12:00")
    form.get_by_role("button", name="Show").click()
    expect(console.locator("#store .facts").first).to_contain_text("5 November 2024, 12:00 UTC")
    expected = timeline(user, store_id, as_of="2024-11-05T12:00:00Z")
    assert expected["polls"] == []
    check_week(console, expected)
    assert drawn_us(console, "up", "down") == 0
    shown = numbers(console)
    assert shown["No data"][2] == f"{expected['report_row']['downtime_last_week(in hours)']:.2f} h"
    assert set(shown["Uptime"]) <= {"no data", "closed"}
    day = console.locator(".strip svg[role=img]").first
    expect(day).to_have_attribute("aria-label", re.compile("no data|closed"))
    days = console.locator(".strip .day").all_text_contents()
    assert days[0] == "Tue 29 Oct"
    assert days[-1] == "Tue 5 Nov"
    assert len(set(days)) == len(days) == 8


def test_tips_by_pointer_and_by_keys(console: Page, store_id: str) -> None:
    open_store(console, store_id)
    tip, day = console.locator("#tip"), console.locator(".strip svg[role=img]").nth(3)
    expect(tip).to_be_hidden()
    console.locator(".strip rect.up").first.hover()
    expect(tip).to_have_text(re.compile(r"^(Open, up|Poll).* local; .* UTC$"))
    console.mouse.move(0, 0)
    expect(tip).to_be_hidden()
    day.focus()
    seen = set()
    for key in ("Home", *["ArrowRight"] * 3, "End", "ArrowLeft"):
        console.keyboard.press(key)
        expect(tip).to_have_text(re.compile(r" local; .* UTC$"))
        seen.add(tip.text_content())
    assert len(seen) > 1
    console.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    expect(day).to_have_attribute("aria-label", re.compile(r": open .*: up .*, down .*, \d+ polls"))


def test_a_store_has_any_id(console: Page) -> None:
    for odd_id in (*ODD_IDS, HOSTILE):
        open_store(console, odd_id)
        expect(console.locator("#store")).to_contain_text("open around the clock")
        expect(console.locator("img")).to_have_count(0)


def test_an_unknown_id_suggests_ids_close_to_it(tolerant: Page, user: User, store_id: str) -> None:
    page = tolerant
    page.goto(f"{user.cloud.api_url}/#store/{store_id[:-1]}~")
    expect(page.locator("#store-problem")).to_contain_text(f"{store_id[:-1]}~")
    page.locator("#store").get_by_role("link", name=store_id).click()
    expect(page.locator(".strip")).to_be_visible()
    expect(page.locator("#store-problem")).to_be_hidden()


def test_a_week_that_is_refused_keeps_its_form(tolerant: Page, store_id: str) -> None:
    open_store(tolerant, store_id)
    tolerant.get_by_text("Another week").click()
    field = tolerant.locator("#another-week").get_by_label("Week up to")
    field.fill("1800-01-02T03:04:05")
    for _ in range(2):
        tolerant.get_by_role("button", name="Show").click()
        expect(tolerant.locator("#another-week .problem")).to_be_visible()
        expect(field).to_have_value("1800-01-02T03:04:05")
        expect(field).to_be_focused()
    field.fill("2024-10-10T01:02:03")
    tolerant.reload()
    expect(field).to_have_value("2024-10-10T01:02:03")  # not shown yet, but kept
    tolerant.get_by_role("button", name="Show").click()
    expect(tolerant.locator("#store .facts").first).to_contain_text("10 October 2024")


def test_the_history_that_was_chosen_last_is_shown(console: Page, store_id: str) -> None:
    open_store(console, store_id)
    bars = console.locator(".history .series span")
    expect(bars).to_have_count(28)
    held: list[Route] = []
    console.route("**/history?*by=week*", lambda route: held.append(route))
    choice = console.get_by_label("History by")
    with console.expect_request("**/history?*by=week*"):
        choice.select_option("week")
    with console.expect_response("**/history?*by=month*"):
        choice.select_option("month")
    expect(bars).to_have_count(13)  # a year, and both ends of it
    assert held
    held[0].continue_()
    console.wait_for_load_state("networkidle")
    expect(bars).to_have_count(13)

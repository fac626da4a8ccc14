"""Reports: the form, the list that keeps itself up to date, and the files."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.console.conftest import HOSTILE, visit
from tests.e2e.conftest import PATIENCE_SECONDS, User, until


@pytest.fixture
def reports(console: Page) -> Page:
    """The console with the view of reports, all fields shown."""
    return with_all_fields(console)


def with_all_fields(console: Page) -> Page:
    visit(console, "Reports")
    expect(newest(console)).to_be_visible()
    console.get_by_text("Groups, target, polls").click()
    return console


def wait_for_another_second(user: User) -> None:
    """Wait until a report that is started now has another title than the newest one."""
    newest_second = user.get("/reports?limit=1").json()["reports"][0]["started_at"][:19]
    until(lambda: f"{datetime.now(UTC):%FT%T}" > newest_second or None)


def newest(console: Page) -> Locator:
    return console.locator(".report").first


def make_report(console: Page) -> str:
    """Make the report that the form requests; return its id once it has ended."""
    button = console.get_by_role("button", name="Make the report")
    with console.expect_response("**/trigger_report") as response:
        button.click()
    report_id: str = response.value.json()["report_id"]
    expect(button).to_be_enabled()  # by then, the report is in the list
    expect(newest(console)).to_have_attribute("data-status", re.compile("Complete|Failed"))
    return report_id


def downloaded(console: Page, button: Locator) -> bytes:
    with console.expect_download() as download:
        button.click()
    return Path(download.value.path()).read_bytes()


def test_a_report_follows_the_form(reports: Page, user: User) -> None:
    rows = user.get("/stores", params={"limit": 2}).json()["stores"]
    store_ids = [row["store_id"] for row in rows]
    form = reports.locator("#request")
    form.get_by_label("Week up to").fill("2024-10-14T12:00")
    pasted = f" {store_ids[0]},\t{store_ids[1]}\n\n{store_ids[0]}\n"
    form.get_by_role("textbox", name="Stores").fill(pasted)
    form.get_by_label("Groups").fill("Region, brand")
    form.get_by_label("Target").fill("97.5")
    form.get_by_label("Polls that count").select_option("business_hours")
    form.get_by_label("A table of all outages").check()
    form.get_by_label("XLSX").check()
    report_id = make_report(reports)
    title = newest(reports).get_by_role("heading")
    expect(title).to_contain_text("2 stores, week to 14 October 2024, 12:00 UTC")
    for words in ("polls taken while open", "by region, brand", "target 97.5%", "with outages"):
        expect(newest(reports)).to_contain_text(words)
    urls = user.get(f"/get_report/{report_id}").json()["urls"]
    assert urls.keys() == {"csv", "html", "xlsx", "groups.csv", "outages.csv"}
    for file, url in urls.items():
        name = file if "." in file else file.upper()
        button = newest(reports).get_by_role("button", name=f"Download {name}", exact=True)
        assert downloaded(reports, button) == requests.get(url, timeout=PATIENCE_SECONDS).content
    with reports.expect_popup() as popup:
        newest(reports).get_by_role("button", name="Open").click()
    expect(popup.value).to_have_title(re.compile("^Store report"))
    popup.value.close()


def test_a_report_on_a_period(reports: Page, user: User) -> None:
    form = reports.locator("#request")
    form.get_by_label("Time").select_option("period")
    form.get_by_label("First day").fill("2024-10-14")
    form.get_by_label("Last day").fill("2024-10-01")
    button = reports.get_by_role("button", name="Make the report")
    button.click()
    expect(reports.locator("#last-problem")).to_be_visible()
    form.get_by_label("First day").fill("2024-10-01")
    form.get_by_label("Last day").fill("2024-10-14")
    form.get_by_label("Rows").select_option("week")
    form.get_by_label("Groups").fill("region, ")
    offered = reports.locator("#attributes option[value='region, brand']")  # known from the stores
    form.get_by_label("Groups").fill(offered.get_attribute("value") or "")
    form.get_by_label("Conditions").fill("brand: Nori, none such\n\nregion:West")
    report_id = make_report(reports)
    title = newest(reports).get_by_role("heading")
    expect(title).to_contain_text("brand Nori or none such, region West")
    expect(title).to_contain_text("1 October 2024 to 14 October 2024, by week")
    summary = user.get(f"/reports/{report_id}/summary").json()
    request = summary["report"]["request"]
    assert request["period"]["to"] == "2024-10-15"
    assert request["where"] == {"brand": ["Nori", "none such"], "region": ["West"]}
    assert request["group_by"] == ["region", "brand"]
    uptime = f"{summary['total']['uptime_percent']:.1f}%"
    expect(newest(reports).locator(".headline")).to_contain_text(f"{uptime} up")
    newest(reports).get_by_role("link", name="Figures").click()
    expect(reports.locator(".tile").first).to_contain_text(uptime)
    expect(reports.locator(".series span")).to_have_count(len(summary["windows"]))
    tile = reports.locator(".tile", has_text="Below target")
    expect(tile).to_contain_text(str(summary["total"]["stores_missed"]))
    groups = reports.get_by_role("table", name=re.compile("groups?$"))
    for group in summary["groups"]:
        row = groups.get_by_role("row", name=", ".join(group["group"].values()))
        expect(row.get_by_role("cell").last).to_have_text(f"{group['outages']:,}")


def test_the_figures_of_a_report_are_in_the_list(reports: Page, user: User) -> None:
    report_id = make_report(reports)
    summary = user.get(f"/reports/{report_id}/summary").json()
    headline = newest(reports).locator(".headline")
    expect(headline).to_contain_text(f"{summary['last_week']['uptime_percent']:.1f}% up")
    expect(headline).to_contain_text(f"{summary['now']['down']} down now")
    expect(headline).to_contain_text(f"{summary['now']['no_data']} without data")
    newest(reports).get_by_role("link", name="Figures").click()
    expect(reports).to_have_url(re.compile(f"#overview/{report_id}"))


def test_titles_differ(reports: Page, user: User) -> None:
    title = newest(reports).locator("h3")
    titles = [title.text_content() or ""]
    for _ in range(2):
        wait_for_another_second(user)
        user.trigger()
        expect(title).not_to_have_text(titles[-1])
        titles.append(title.text_content() or "")
    assert len(set(titles)) == 3


def test_the_list_refreshes_itself_and_the_focus_stays(reports: Page, user: User) -> None:
    reports.locator(".report[data-status=Complete]").first.get_by_role("button").first.focus()
    focused = """() => {
      const { activeElement } = document;
      const title = activeElement.closest(".report")?.querySelector("h3").textContent;
      return `${title} ${activeElement.textContent}`;
    }"""
    before = reports.evaluate(focused)
    report_id = user.trigger(store_ids=["nobody-knows"])
    failed = reports.locator(".report[data-status=Failed]").filter(has_text="nobody-knows")
    expect(failed.first).to_be_visible()
    assert reports.evaluate(focused) == before
    assert user.get(f"/get_report/{report_id}").json()["status"] == "Failed"


def test_a_report_without_known_polls_has_a_warning(reports: Page) -> None:
    reports.get_by_label("Week up to").fill("2025-01-01T12:00")
    make_report(reports)
    expect(newest(reports).locator(".warning")).to_contain_text("no store has data")
    reports.reload()  # the list has the warning, too
    expect(newest(reports).locator(".warning")).to_contain_text("no store has data")


def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_lost(tolerant: Page) -> None:
    reports = with_all_fields(tolerant)
    form = reports.locator("#request")
    as_of, groups = form.get_by_label("Week up to"), form.get_by_label("Groups")
    as_of.press_sequentially("10142024")  # a date without a time
    groups.fill("franchise")
    where = form.get_by_label("Conditions")
    where.fill("brand Nori")
    target = form.get_by_label("Target")
    target.fill("0")
    button = reports.get_by_role("button", name="Make the report")
    button.click()
    expect(reports.locator("#as-of-problem")).to_be_visible()
    expect(reports.locator("#target-percent-problem")).to_be_visible()
    expect(reports.locator("#where-problem")).to_contain_text("brand Nori")
    expect(as_of).to_be_focused()
    as_of.fill("2024-10-14T12:00")
    target.fill("")
    where.fill("brnd: Nori")
    with reports.expect_response("**/trigger_report"):
        button.click()
    expect(reports.locator("#where-problem")).to_contain_text("brand")  # the API names those
    expect(where).to_be_focused()
    where.fill("brand: Nori")
    with reports.expect_response("**/trigger_report"):
        button.click()
    expect(reports.locator("#where-problem")).to_be_hidden()
    expect(reports.locator("#group-by-problem")).to_contain_text("brand")
    expect(reports.locator("#as-of-problem")).to_be_hidden()
    expect(groups).to_be_focused()
    reports.reload()
    expect(as_of).to_have_value("2024-10-14T12:00")
    expect(groups).to_have_value("franchise")
    expect(groups).to_be_visible()  # hidden conditions would filter the next report


def test_progress_is_live(reports: Page) -> None:
    progress = {"shards_done": 3, "shards_total": 8}
    held = True

    def respond(route: Route) -> None:
        if held:
            route.fulfill(json={"status": "Running", "progress": progress})
        else:
            route.continue_()

    reports.route("**/get_report/*", respond)
    reports.get_by_role("button", name="Make the report").click()
    bar = newest(reports).get_by_role("progressbar")
    expect(bar).to_have_js_property("value", 3)
    progress["shards_done"] = 7
    expect(bar).to_have_js_property("value", 7)
    held = False
    expect(newest(reports)).to_have_attribute("data-status", "Complete")


def test_a_failure_that_will_not_pass_has_no_retry(reports: Page, user: User) -> None:
    reports.get_by_role("textbox", name="Stores").fill(f"nobody {HOSTILE}")
    report_id = make_report(reports)
    error = user.get(f"/get_report/{report_id}").json()["error"]
    for _ in range(2):
        expect(newest(reports)).to_contain_text(error["message"][1:])
        expect(newest(reports).get_by_role("button", name="Try again")).to_have_count(0)
        expect(reports.locator("img")).to_have_count(0)
        reports.reload()  # the API's list has the same error


def test_a_failure_that_may_pass_can_be_retried(reports: Page, user: User) -> None:
    def respond(route: Route) -> None:
        body = route.fetch().json()
        for entry in body["reports"]:
            if entry["report_id"] == report_id:
                entry["can_retry"] = True
        route.fulfill(json=body)

    report_id = user.trigger(store_ids=["nobody"])
    user.ended(report_id)
    reports.route("**/reports?*", respond)
    reports.reload()
    with reports.expect_response(f"**/reports/{report_id}/retry") as response:
        newest(reports).get_by_role("button", name="Try again").press("Enter")
    assert response.value.status == 202
    expect(newest(reports).locator(":focus")).to_have_count(1)
    expect(newest(reports)).to_have_attribute("data-status", "Failed")  # the store is still unknown
    reports.unroute_all(behavior="ignoreErrors")  # a refresh may be under way


def test_a_report_that_was_retried_elsewhere_is_followed(reports: Page, user: User) -> None:
    running = {"report_id": "", "status": "Running"}

    def respond(route: Route) -> None:
        body = route.fetch().json()
        for entry in body["reports"]:
            if entry["report_id"] == report_id:
                entry |= running
        route.fulfill(json=body)

    report_id = user.trigger(store_ids=["nobody"])
    running["report_id"] = report_id
    user.ended(report_id)
    reports.reload()
    expect(newest(reports)).to_have_attribute("data-status", "Failed")
    reports.route(f"**/get_report/{report_id}", lambda route: route.fulfill(json=running))
    reports.route("**/reports?*", respond)
    expect(newest(reports)).to_have_attribute("data-status", "Running")
    reports.unroute_all(behavior="ignoreErrors")
    expect(newest(reports)).to_have_attribute("data-status", "Failed")


def test_older_reports_are_loaded_on_request(reports: Page, user: User) -> None:
    for _ in range(11):
        user.trigger(store_ids=["nobody"])
    reports.reload()
    expect(reports.locator(".report")).to_have_count(10)
    reports.get_by_role("button", name="Older reports").click()
    expect(reports.locator(".report").nth(10)).to_be_visible()

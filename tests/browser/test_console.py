"""The console, used like a person would, with a local cloud of the real template."""

import csv
import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import requests
from playwright.sync_api import (
    BrowserContext,
    FilePayload,
    Locator,
    Page,
    Route,
    ViewportSize,
    expect,
)

from local.cli.inputs import find_inputs
from local.cli.sample_data import SMALL, write_sample
from local.emulator.cloud import LocalCloud
from tests.browser.accessibility import serious_problems
from tests.browser.conftest import DESKTOP
from tests.e2e.conftest import User

KEY = "open-sesame"
HOSTILE = "<img src=x onerror=document.title='owned'>"
ODD_IDS = ["..", ".", "%2e%2e", "a/b", "\N{NO-BREAK SPACE}", "x=y&store_id=z", "?", "#"]
PHONE = ViewportSize(width=360, height=740)
PATIENCE_MS = 30_000
MINUTE_US = 60_000_000
POLLS = (
    b"store_id,status,timestamp_utc\n"
    b"uploaded,active,2024-10-14 12:00:00 UTC\n"
    b"uploaded,maybe,2024-10-14 13:00:00 UTC\n"
)

Stores = list[dict[str, str]]

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user of a cloud with the small sample, and a store with an id that is markup."""
    folder = tmp_path_factory.mktemp("sample") / "small"
    write_sample(folder, shape=SMALL)
    with LocalCloud(parameter_overrides={"ShardPolls": "1000000"}, api_key=KEY) as cloud:
        user = User(cloud, {"x-api-key": KEY})
        for file in find_inputs(folder):
            user.upload(file.key, file.path.read_bytes())
        zones = "".join(f"{store_id},UTC\n" for store_id in (HOSTILE, *ODD_IDS))
        user.upload("timezones/hostile.csv", f"store_id,timezone_str\n{zones}".encode())
        yield user


@pytest.fixture(scope="module")
def stores(user: User) -> Stores:
    """The rows of a report of all stores."""
    return list(csv.DictReader(io.StringIO(user.report().decode())))


@pytest.fixture
def console(context: BrowserContext, page: Page, user: User) -> Page:
    """The console of a user who has entered the key."""
    context.add_init_script(f"sessionStorage.setItem('api-key', '{KEY}')")
    page.goto(user.cloud.api_url)
    return page


@pytest.fixture
def refused(context: BrowserContext, user: User) -> Page:
    """The console without a key: requests are refused, and the browser's console logs each."""
    page = context.new_page()
    page.goto(user.cloud.api_url)
    return page


def newest(console: Page) -> Locator:
    return console.locator(".report").first


def make_report(console: Page) -> str:
    """Make the report that the form requests; return its id once it has ended."""
    with console.expect_response("**/trigger_report") as response:
        console.get_by_role("button", name="Make the report").click()
    report_id: str = response.value.json()["report_id"]
    expect(newest(console)).to_have_attribute("data-status", re.compile("Complete|Failed"))
    return report_id


def downloaded(console: Page, button: Locator) -> bytes:
    with console.expect_download() as download:
        button.click()
    return Path(download.value.path()).read_bytes()


# --- reports --------------------------------------------------------------------------------


def test_a_report_from_the_button_to_its_files(console: Page, user: User) -> None:
    console.get_by_label("XLSX").check()
    console.get_by_role("button", name="Make the report").click()
    expect(newest(console).get_by_role("progressbar")).to_be_visible()
    expect(newest(console)).to_have_attribute("data-status", "Complete")
    report_id = requests.get(
        f"{user.cloud.api_url}/reports?limit=1", headers=user.headers, timeout=30
    ).json()["reports"][0]["report_id"]
    urls = user.get(f"/get_report/{report_id}").json()["urls"]
    assert set(urls) == {"csv", "html", "xlsx"}
    for format_, url in urls.items():
        button = newest(console).get_by_role("button", name=f"Download {format_.upper()}")
        assert downloaded(console, button) == requests.get(url, timeout=30).content
    assert console.url == f"{user.cloud.api_url}/"


def test_the_report_follows_the_form(console: Page, user: User, stores: Stores) -> None:
    store_ids = [row["store_id"] for row in stores[:2]]
    console.get_by_text("Time, stores, polls").click()
    form = console.locator("#request")
    form.get_by_label("As of, UTC").fill("2024-10-14T12:00")
    form.get_by_label("Stores").fill("\n".join(store_ids) + "\n\n")
    form.get_by_label("Polls that count").select_option("business_hours")
    form.get_by_label("HTML").uncheck()
    report_id = make_report(console)
    expect(newest(console).get_by_role("heading")).to_have_text("14 October 2024, 12:00 UTC")
    expect(newest(console)).to_contain_text("2 stores · polls taken while open")
    button = newest(console).get_by_role("button", name="Download CSV")
    same = user.report(
        as_of="2024-10-14T12:00:00Z", store_ids=store_ids, poll_filter="business_hours"
    )
    assert downloaded(console, button) == same
    assert user.get(f"/get_report/{report_id}").json()["urls"].keys() == {"csv"}


def test_a_report_has_its_summary(console: Page, user: User) -> None:
    report_id = make_report(console)
    newest(console).get_by_text("Summary", exact=True).click()
    summary = user.get(f"/reports/{report_id}/summary").json()
    week, now = summary["last_week"], summary["now"]
    figures = newest(console).locator(".figures")
    expect(figures).to_contain_text(f"Uptime, last week{week['uptime_percent']:.1f}%")
    expect(figures).to_contain_text(f"{now['down']} down")
    expect(figures).to_contain_text(f"{now['no_data']} without data")


def test_a_report_without_known_polls_has_a_warning(console: Page) -> None:
    console.get_by_text("Time, stores, polls").click()
    console.locator("#request").get_by_label("As of, UTC").fill("2025-01-01T12:00")
    make_report(console)
    expect(newest(console).locator(".warning")).to_contain_text("no store has data")
    newest(console).get_by_text("Summary", exact=True).click()
    expect(newest(console).locator(".figures")).to_contain_text("Uptime, last weekno data")
    console.reload()  # the list has the warning, too
    expect(newest(console).locator(".warning")).to_contain_text("no store has data")


def test_progress_is_live(console: Page) -> None:
    progress = {"shards_done": 3, "shards_total": 8}
    held = True

    def respond(route: Route) -> None:
        if held:
            route.fulfill(json={"status": "Running", "progress": progress})
        else:
            route.continue_()

    console.route("**/get_report/*", respond)
    console.get_by_role("button", name="Make the report").click()
    expect(newest(console)).to_contain_text("3 of 8 shards")
    progress["shards_done"] = 7
    expect(newest(console)).to_contain_text("7 of 8 shards")
    expect(newest(console).get_by_role("progressbar")).to_have_js_property("value", 7)
    held = False
    expect(newest(console)).to_have_attribute("data-status", "Complete")


def test_a_link_is_requested_when_it_is_clicked(console: Page) -> None:
    make_report(console)
    button = newest(console).get_by_role("button", name="Download CSV")
    for _ in range(2):
        with console.expect_request("**/get_report/*"), console.expect_download():
            button.click()


def test_a_failed_report_shows_its_reason(console: Page, user: User) -> None:
    console.get_by_text("Time, stores, polls").click()
    console.locator("#request").get_by_label("Stores").fill(f"nobody {HOSTILE}")
    report_id = make_report(console)
    error = user.get(f"/get_report/{report_id}").json()["error"]
    for _ in range(2):
        expect(newest(console)).to_contain_text(error["message"])
        expect(newest(console)).to_contain_text("UnknownStore")
        expect(console.locator("img")).to_have_count(0)
        console.reload()  # the API's list has the same error


def test_a_failed_report_can_be_retried(console: Page) -> None:
    console.get_by_text("Time, stores, polls").click()
    console.locator("#request").get_by_label("Stores").fill("nobody")
    report_id = make_report(console)
    with console.expect_response(f"**/reports/{report_id}/retry") as response:
        newest(console).get_by_role("button", name="Try again").click()
    assert response.value.status == 202
    expect(newest(console)).to_have_attribute("data-status", "Running")
    expect(newest(console)).to_have_attribute("data-status", "Failed")  # the store is still unknown


def test_older_reports_are_loaded_on_request(console: Page, user: User) -> None:
    for _ in range(11):
        user.ended(user.trigger(store_ids=["nobody"]))
    console.get_by_role("button", name="Refresh").click()
    expect(console.locator(".report").nth(10)).to_be_visible()
    console.reload()
    expect(console.locator(".report")).to_have_count(10)
    console.get_by_role("button", name="Older reports").click()
    expect(console.locator(".report").nth(10)).to_be_visible()


# --- uploads --------------------------------------------------------------------------------


def choose(console: Page, name: str, content: bytes) -> Locator:
    """Choose a file; return its place in the list."""
    console.get_by_role("link", name="Upload").click()
    file = FilePayload(name=name, mimeType="text/csv", buffer=content)
    console.locator("#files").set_input_files([file])
    return console.locator("#upload-list li").first


def test_an_upload_and_its_outcome(console: Page) -> None:
    item = choose(console, "polls.csv", POLLS)
    expect(item.get_by_role("combobox")).to_have_value("polls")
    item.get_by_role("button", name="Upload").click()
    expect(item).to_contain_text("Ingested: 1 row, 1 row rejected.")
    rejects = downloaded(console, item.get_by_role("button", name="Rejected rows"))
    assert rejects.splitlines()[1].startswith(b"3,")
    assert b"maybe" in rejects

    again = choose(console, "again.csv.gz", gzip.compress(POLLS))
    expect(again.get_by_role("combobox")).to_have_value("polls")
    again.get_by_role("button", name="Upload").click()
    expect(again).to_contain_text("Already ingested: 1 row, 1 row rejected.")


def test_stores_with_rejected_rows_are_shown_in_amber(console: Page) -> None:
    item = choose(console, "zones.csv", b"store_id,timezone_str\na,UTC\na,Nowhere\n<b>,Nowhere\n")
    item.get_by_role("button", name="Upload").click()
    expect(item).to_contain_text(
        "2 stores with rejected rows, which keep their previous data: <b>, a"
    )
    expect(item.locator(".warning")).to_have_count(2)
    expect(item.locator(".good")).to_have_count(0)


def test_files_can_be_dropped(console: Page) -> None:
    console.get_by_role("link", name="Upload").click()
    dropped = console.evaluate_handle(
        """() => {
          const dropped = new DataTransfer();
          dropped.items.add(new File(["store_id,timezone_str\\ndropped,UTC\\n"], "zones.csv"));
          return dropped;
        }"""
    )
    console.locator("#drop").dispatch_event("drop", {"dataTransfer": dropped})
    item = console.locator("#upload-list li")
    expect(item.get_by_role("combobox")).to_have_value("timezones")
    item.get_by_role("button", name="Upload").click()
    expect(item).to_contain_text("Ingested: 1 row.")


@pytest.mark.parametrize(
    ("name", "header", "kind"),
    [
        ("stores.csv", "store_id,brand,status", "attributes"),
        ("ours.csv", "Store_ID,Brand,Target_Percent", "attributes"),
        ("hours.csv", "store_id,day,start_time_local,end_time_local", "business_hours"),
        ("unknown.csv", "store_id,brand", ""),
    ],
)
def test_the_kind_of_a_file_is_guessed(console: Page, name: str, header: str, kind: str) -> None:
    item = choose(console, name, f"{header}\n".encode())
    expect(item.get_by_role("combobox")).to_have_value(kind)


def test_an_unreadable_file_shows_a_reason(console: Page) -> None:
    item = choose(console, f"{HOSTILE}.csv", b"a,b\n1,2\n")
    expect(item.get_by_role("heading")).to_have_text(f"{HOSTILE}.csv")
    item.get_by_role("button", name="Upload").click()
    expect(item).to_contain_text("Select what the file contains.")
    item.get_by_role("combobox").select_option("business_hours")
    item.get_by_role("button", name="Upload").click()
    expect(item).to_contain_text("Nothing was ingested: missing column store_id, day_of_week")
    expect(console.locator("img")).to_have_count(0)


def test_a_file_that_is_too_large_is_not_sent(console: Page) -> None:
    def respond(route: Route) -> None:
        form = route.fetch().json()
        route.fulfill(json=form | {"limit_bytes": len(POLLS) - 1})

    console.route("**/uploads", respond)
    item = choose(console, "large.csv", POLLS)
    item.get_by_role("button", name="Upload").click()
    expect(item).to_contain_text(f"the limit is {len(POLLS) - 1} bytes.")
    empty = choose(console, "empty.csv", b"")
    empty.get_by_role("combobox").select_option("polls")
    empty.get_by_role("button", name="Upload").click()
    expect(empty).to_contain_text("The file is empty.")


# --- a store's week -------------------------------------------------------------------------


def timeline(user: User, store_id: str, **query: str) -> dict[str, Any]:
    response = user.get("/timeline", params={"store_id": store_id, **query})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def look_up(console: Page, store_id: str, as_of: str = "", poll_filter: str = "all") -> None:
    console.get_by_role("link", name="Store", exact=True).click()
    form = console.locator("#look-up")
    form.get_by_label("Store id").fill(store_id)
    form.get_by_label("As of, UTC").fill(as_of)
    form.get_by_label("Polls that count").select_option(poll_filter)
    form.get_by_role("button", name="Look up").click()
    expect(console.locator("#store-week h2")).to_have_text(store_id)


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
    polls = console.locator("details[open] tbody tr").evaluate_all(
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
    console: Page, user: User, stores: Stores, poll_filter: str
) -> None:
    for row in stores[::30]:
        look_up(console, row["store_id"], poll_filter=poll_filter)
        check_week(console, timeline(user, row["store_id"], poll_filter=poll_filter))


def test_numbers_are_rounded_as_in_the_report(console: Page) -> None:
    rounded = console.evaluate(
        """async () => {
          const { inUnits } = await import("./console/texts.js");
          return [54_000_000, 90_000_000, 90_000_001].map((us) => inUnits(us, 3_600_000_000));
        }"""
    )
    assert rounded == ["0.02", "0.02", "0.03"]  # docs/uptime-rules.md, rule 14


def test_a_week_without_polls_with_the_end_of_dst(
    console: Page, user: User, stores: Stores
) -> None:
    store_id = stores[0]["store_id"]
    look_up(console, store_id, as_of="2024-11-05T12:00")
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


def test_a_url_selects_a_store(console: Page, user: User, stores: Stores) -> None:
    store_id = stores[0]["store_id"]
    console.goto(f"{user.cloud.api_url}/#store/{store_id}?as_of=2024-10-14T12:00:00Z")
    expect(console.locator("#store-week .facts")).to_contain_text("14 October 2024, 12:00 UTC")
    expect(console.get_by_label("Store id")).to_have_value(store_id)


def with_ups_and_downs(stores: Stores) -> str:
    """Return the id of a store with much uptime and much downtime."""

    def less(row: dict[str, str]) -> float:
        return min(float(row[f"{name}_last_week(in hours)"]) for name in ("uptime", "downtime"))

    return max(stores, key=less)["store_id"]


def test_tooltips_by_pointer_and_by_keys(console: Page, stores: Stores) -> None:
    look_up(console, with_ups_and_downs(stores))
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


def test_markup_in_an_id_is_text(console: Page) -> None:
    look_up(console, HOSTILE)
    expect(console.locator("img")).to_have_count(0)
    assert console.title() == "Store monitoring"


# --- refusals -------------------------------------------------------------------------------


def test_a_wrong_key_then_the_right_one(refused: Page) -> None:
    dialog = refused.get_by_role("dialog")
    dialog.get_by_label("Key").fill("wrong")
    dialog.get_by_role("button", name="Use this key").click()
    expect(dialog).to_contain_text("This key was not accepted.")
    dialog.get_by_label("Key").fill(KEY)
    dialog.get_by_label("Key").press("Enter")
    expect(dialog).to_be_hidden()
    expect(newest(refused)).to_be_visible()


def test_the_key_is_stored_for_its_tab_only(refused: Page, context: BrowserContext) -> None:
    refused.get_by_label("Key", exact=True).last.fill(KEY)
    refused.get_by_role("button", name="Use this key").click()
    expect(newest(refused)).to_be_visible()
    refused.reload()
    expect(newest(refused)).to_be_visible()
    assert refused.evaluate("localStorage.length") == 0
    assert context.cookies() == []
    other = context.new_page()
    other.goto(refused.url)
    expect(other.get_by_role("dialog")).to_be_visible()


def test_without_a_key_the_page_says_what_to_do(refused: Page) -> None:
    refused.get_by_role("button", name="Cancel").click()
    expect(refused.locator("#list-problem")).to_contain_text("The API requires a key.")
    expect(refused.locator(".report")).to_have_count(0)


@pytest.mark.parametrize("store_id", ODD_IDS)
def test_a_store_is_found_by_any_id(console: Page, store_id: str) -> None:
    look_up(console, store_id)
    console.reload()  # the URL contains the id
    expect(console.get_by_label("Store id")).to_have_value(store_id)
    expect(console.locator("#store-week .facts")).to_contain_text("no hours known")


@pytest.mark.parametrize("store_id", ["nobody", "100%", "a//b"])
def test_an_unknown_store(refused: Page, store_id: str) -> None:
    refused.evaluate(f"sessionStorage.setItem('api-key', '{KEY}')")
    refused.reload()
    refused.get_by_role("link", name="Store", exact=True).click()
    refused.get_by_label("Store id").fill(store_id)
    refused.get_by_role("button", name="Look up").click()
    problem = refused.locator("#store-problem")
    expect(problem).to_contain_text(f"no input contains the store {store_id!r}")


def test_an_api_that_cannot_be_reached(refused: Page, context: BrowserContext) -> None:
    context.set_offline(True)
    refused.get_by_role("button", name="Cancel").click()
    refused.get_by_role("button", name="Refresh").click()
    expect(refused.locator("#list-problem")).to_contain_text("The API cannot be reached.")


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


# --- accessibility --------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_accessibility(
    console: Page, stores: Stores, scheme: Literal["light", "dark"], viewport: ViewportSize
) -> None:
    console.emulate_media(color_scheme=scheme)
    console.set_viewport_size(viewport)
    store_id = stores[0]["store_id"]
    console.get_by_text("Time, stores, polls").click()
    expect(newest(console)).to_be_visible()
    check_page(console, viewport)
    console.get_by_role("button", name="Key", exact=True).click()
    check_page(console, viewport)
    console.get_by_role("button", name="Cancel").click()
    choose(console, "polls.csv", POLLS)
    check_page(console, viewport)
    look_up(console, store_id)
    for summary in console.get_by_text("as a table").all():
        summary.click()
    console.locator(".strip svg[role=img]").first.focus()
    console.keyboard.press("End")
    check_page(console, viewport)


def test_the_header_can_be_skipped_by_keyboard(console: Page, user: User) -> None:
    console.goto(f"{user.cloud.api_url}/#upload")
    console.keyboard.press("Tab")
    expect(console.get_by_role("link", name="To the content")).to_be_focused()
    console.keyboard.press("Enter")
    expect(console.locator("main")).to_be_focused()
    console.keyboard.press("Tab")
    expect(console.locator("#files")).to_be_focused()


def check_page(console: Page, viewport: ViewportSize) -> None:
    assert serious_problems(console) == []
    assert console.evaluate("document.documentElement.scrollWidth") <= viewport["width"]

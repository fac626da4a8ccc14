"""The HTML report, opened from disk with the network off."""

import csv
import io
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from local.cli.inputs import find_inputs
from local.cli.sample_data import SMALL, write_sample
from store_monitoring.domain.parameters import Period, PeriodUnit
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import report_key
from testing.pipeline import Pipeline
from tests.browser.accessibility import serious_problems
from tests.browser.conftest import DESKTOP, painted_ms
from tests.timing import is_met
from tests.unit.test_html_report import many, page_of_part

HOSTILE = "<img src=x onerror=document.title='owned'>"
PHONE = ViewportSize(width=360, height=740)
WEEK_BY_DAY = Period(date(2024, 10, 7), date(2024, 10, 14), PeriodUnit.DAY)

Rows = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The small sample, and a store with an id that is markup."""
    sample = tmp_path_factory.mktemp("sample") / "small"
    write_sample(sample, shape=SMALL)
    pipeline = Pipeline(tmp_path_factory.mktemp("objects"))
    for file in find_inputs(sample):
        pipeline.ingest(file.key, file.path.read_bytes())
    pipeline.ingest("timezones/hostile.csv", f"store_id,timezone_str\n{HOSTILE},UTC\n")
    formats = (Format.CSV, Format.HTML)
    request = ReportRequest(formats=formats, group_by=("brand",), include_outages=True)
    pipeline.report(request)
    pipeline.report(replace(request, period=WEEK_BY_DAY), report_id="week")
    return pipeline


@pytest.fixture(scope="module")
def address(pipeline: Pipeline) -> str:
    return (pipeline.folder / report_key("r", "html")).as_uri()


@pytest.fixture
def week(pipeline: Pipeline, context: BrowserContext, page: Page) -> Page:
    """The opened report on a week, by day."""
    context.set_offline(True)
    page.goto((pipeline.folder / report_key("week", "html")).as_uri())
    return page


@pytest.fixture(scope="module")
def rows(pipeline: Pipeline) -> Rows:
    """The rows of the CSV, by id."""
    text = (pipeline.folder / report_key("r", "csv")).read_text("utf-8")
    return {row["store_id"]: row for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture
def report(context: BrowserContext, page: Page, address: str) -> Page:
    """The opened report."""
    context.set_offline(True)
    page.goto(address)
    return page


def shown(report: Page, column: str) -> list[str]:
    """Return the texts of a column of the table's shown rows."""
    names = report.locator("#stores-table thead th").evaluate_all(
        "heads => heads.map(head => head.dataset.name)"
    )
    position = names.index(column) + 1
    return report.locator(f"#stores-table tbody tr > :nth-child({position})").all_text_contents()


def test_the_page_requests_nothing_else(context: BrowserContext, page: Page, address: str) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    context.set_offline(True)
    page.goto(address)
    page.locator("svg.chart").first.hover()
    assert requested == [address]


def test_all_stores_page_by_page(report: Page, rows: Rows) -> None:
    expect(report.locator("#place")).to_have_text(f"1–50 of {len(rows)} stores")
    ids = shown(report, "store_id")
    expect(report.get_by_role("button", name="Previous")).to_be_disabled()
    report.get_by_role("button", name="Next").click()
    ids += shown(report, "store_id")
    expect(report.get_by_role("button", name="Next")).to_be_disabled()
    assert sorted(ids) == sorted(rows)
    report.get_by_label("Rows").select_option("1000")
    assert shown(report, "store_id") == ids


def test_the_table_has_the_same_values_as_the_csv(report: Page, rows: Rows) -> None:
    report.get_by_label("Rows").select_option("1000")
    ids = shown(report, "store_id")
    for name in next(iter(rows.values())):
        texts = dict(zip(ids, shown(report, name), strict=True))
        if name.startswith("downtime"):  # in the CSV, stores without data are down
            states = dict(zip(ids, shown(report, "state"), strict=True))
            texts = {store_id: texts[store_id] for store_id in ids if states[store_id] != "no data"}
        assert texts == {store_id: rows[store_id][name] for store_id in texts}


def test_a_column_sorts_both_ways(report: Page, rows: Rows) -> None:
    report.get_by_label("Rows").select_option("1000")
    column = "uptime_last_week(in hours)"
    button = report.get_by_role("button", name="Up, week")
    header = report.get_by_role("columnheader", name="Up, week")
    hours = sorted(float(row[column]) for row in rows.values())
    button.click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    assert [float(text) for text in shown(report, column)] == hours
    button.press("Enter")
    expect(header).to_have_attribute("aria-sort", "descending")
    assert [float(text) for text in shown(report, column)] == hours[::-1]
    report.get_by_role("button", name="Store").click()
    expect(report.locator("thead [aria-sort]:not([aria-sort=none])")).to_have_count(1)
    assert shown(report, "store_id") == sorted(rows)


def test_headers_say_that_the_worst_stores_come_first(report: Page) -> None:
    heads = report.locator("#stores-table thead th")
    states = heads.evaluate_all("heads => heads.map(head => [head.dataset.name, head.ariaSort])")
    worst_first = {"uptime_percent_last_week": "ascending"}
    assert states == [[name, worst_first.get(name, "none")] for name, _ in states]
    report.get_by_role("button", name="Uptime % of week").click()
    expect(report.locator("[aria-sort=descending]")).to_have_count(1)


def test_unknown_values_are_sorted_last(report: Page) -> None:
    report.get_by_label("Rows").select_option("1000")
    for _ in range(2):
        report.get_by_role("button", name="Last poll UTC").click()
        polls = shown(report, "last_poll_at")
        assert "–" in polls
        assert "–" not in polls[: polls.index("–")]
        assert set(polls[polls.index("–") :]) == {"–"}


def test_search(report: Page, rows: Rows) -> None:
    wanted = sorted(rows)[7]
    report.get_by_label("Search").fill(f" {wanted[:13].upper()} ")
    expect(report.locator("#place")).to_have_text(f"1–1 of 1 stores, of {len(rows)} in all")
    assert shown(report, "store_id") == [wanted]
    report.get_by_label("Search").fill("no such store")
    expect(report.locator("#place")).to_contain_text(f"{len(rows)} stores")
    assert shown(report, "store_id") == []


def test_columns_keep_their_widths(report: Page) -> None:
    def widths() -> list[float]:
        return report.locator("#stores-table thead th").evaluate_all(
            "heads => heads.map(head => Math.round(head.getBoundingClientRect().width))"
        )

    before = widths()
    report.get_by_label("Show").select_option("no data")
    assert widths() == before
    report.get_by_label("Search").fill("no such store")
    assert widths() == before


def test_an_id_is_in_one_line(report: Page) -> None:
    report.get_by_label("Search").fill("onerror")
    cell = report.locator("#stores-table tbody th")
    expect(cell).to_have_attribute("title", HOSTILE)
    hostile = cell.bounding_box()
    report.get_by_label("Search").fill("")
    usual = cell.first.bounding_box()
    assert hostile
    assert usual
    assert hostile["height"] < 1.5 * usual["height"]


def test_figures_lead_to_the_stores_behind_them(report: Page) -> None:
    report.get_by_label("Search").fill("typed before")
    down = report.locator(".alarm .figure a")
    down.click()
    expect(report.locator("#place")).to_contain_text(f"of {down.text_content()} stores")
    assert set(shown(report, "state")) == {"down"}


def test_stores_that_are_down_now(report: Page) -> None:
    report.get_by_label("Show").select_option("down now")
    report.get_by_label("Rows").select_option("1000")
    states = shown(report, "state")
    assert set(states) == {"down"}
    assert report.locator(".alarm .figure").text_content() == f"{len(states)}"


def test_stores_without_data(report: Page) -> None:
    report.get_by_label("Show").select_option("no data")
    report.get_by_label("Rows").select_option("1000")
    assert set(shown(report, "last_poll_at")) == {"–"}
    figure = report.get_by_role("figure").filter(has_text="Age of the last poll")
    figure.get_by_text("The numbers").click()
    row = figure.get_by_role("row", name="no data")
    expect(row.get_by_role("cell")).to_have_text(str(len(shown(report, "state"))))


def test_stores_that_missed_their_target(report: Page) -> None:
    report.get_by_label("Show").select_option("missed the target in the week")
    report.get_by_label("Rows").select_option("1000")
    assert set(shown(report, "target_last_week")) == {"missed"}
    count = len(shown(report, "target_last_week"))
    assert report.locator(".figure").nth(4).text_content() == f"{count}"


def test_stores_below_a_threshold(report: Page) -> None:
    report.get_by_label("Rows").select_option("1000")
    percents = shown(report, "uptime_percent_last_week")
    report.get_by_label("Uptime below").fill("50")
    expected = [percent for percent in percents if percent != "–" and float(percent) < 50]
    assert shown(report, "uptime_percent_last_week") == expected


def test_tooltips_by_pointer_and_by_keys(report: Page) -> None:
    chart = report.get_by_role("img", name="Uptime in the week")
    tip = report.locator("#tip")
    expect(tip).to_be_hidden()
    chart.hover(position={"x": 5, "y": 50})
    expect(tip).to_have_text(re.compile(r"^0: \d+ stores"))
    report.mouse.move(0, 0)
    expect(tip).to_be_hidden()
    chart.focus()
    report.keyboard.press("End")
    expect(tip).to_have_text(re.compile(r"^no data: \d+ stores"))
    report.keyboard.press("ArrowLeft")
    expect(tip).to_have_text(re.compile(r"^100: \d+ stores"))
    report.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_tips_by_touch_stay_until_the_next_touch(browser: Browser, address: str) -> None:
    context = browser.new_context(has_touch=True)
    report = context.new_page()
    report.goto(address)
    report.get_by_role("img", name="Uptime in the week").tap()
    tip = report.locator("#tip")
    expect(tip).to_have_text(re.compile("stores"))
    report.locator("h1").tap()
    expect(tip).to_be_hidden()
    context.close()


def test_markup_in_an_id_is_text(report: Page) -> None:
    report.get_by_label("Search").fill("onerror")
    assert shown(report, "store_id") == [HOSTILE]
    expect(report.locator("img")).to_have_count(0)
    assert report.title().startswith("Store report")


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desk", "phone"]
)
def test_accessibility(
    report: Page, viewport: ViewportSize, scheme: Literal["light", "dark"]
) -> None:
    report.emulate_media(color_scheme=scheme)
    report.set_viewport_size(viewport)
    for summary in report.get_by_text("The numbers").all():
        summary.click()
    report.get_by_role("button", name="Down, week").click()
    assert serious_problems(report) == []


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desk", "phone"]
)
def test_accessibility_of_a_period(
    week: Page, viewport: ViewportSize, scheme: Literal["light", "dark"]
) -> None:
    week.emulate_media(color_scheme=scheme)
    week.set_viewport_size(viewport)
    for details in week.locator("details").all():
        details.evaluate("each => each.open = true")
    assert serious_problems(week) == []


def test_a_period_on_a_phone_scrolls_down_only(week: Page) -> None:
    week.set_viewport_size(PHONE)
    assert week.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.exhaustive
def test_a_page_of_50000_stores_is_painted_at_once(context: BrowserContext, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page_of_part(many(50_000)))

    def attempt() -> float:
        page = context.new_page()
        milliseconds = painted_ms(page, file.as_uri())
        page.close()
        return milliseconds

    assert is_met(500, attempt)


def test_a_phone_scrolls_down_only(report: Page) -> None:
    report.set_viewport_size(PHONE)
    assert report.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_print_has_no_controls_and_dark_ink(report: Page) -> None:
    report.emulate_media(media="print", color_scheme="dark")
    expect(report.get_by_label("Search")).to_be_hidden()
    expect(report.get_by_role("button", name="Next")).to_be_hidden()
    ink = report.locator("h1").evaluate("head => getComputedStyle(head).color")
    assert ink == "rgb(28, 32, 36)"


def test_the_first_printed_page_is_what_a_manager_reads(report: Page) -> None:
    """A4 at 96 dots an inch, less the margins: what changed, what to act on, by group and hour."""
    report.set_viewport_size({"width": 688, "height": 1016})
    report.emulate_media(media="print")
    box = report.locator(".heat").bounding_box()
    assert box
    assert box["y"] + box["height"] <= 1016


def test_without_script_everything_but_the_table_is_shown(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(address)
    expect(page.locator(".tiles .figure").first).to_have_text(re.compile(r"^\d+\.\d%$"))
    expect(page.get_by_role("img", name="Uptime in the week")).to_be_visible()
    expect(page.get_by_text("this page needs its script")).to_be_visible()
    expect(page.locator("#stores-table")).to_be_hidden()
    context.close()

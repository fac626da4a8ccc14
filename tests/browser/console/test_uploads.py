"""Uploads: many files at once, their outcomes, and what became of earlier ones."""

import gzip
import re
from pathlib import Path

from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from store_monitoring.ingest.parsing.kinds import Kind
from tests.browser.console.conftest import HOSTILE, visit

POLLS = (
    b"store_id,status,timestamp_utc\n"
    b"uploaded,active,2024-10-14 12:00:00 UTC\n"
    b"uploaded,maybe,2024-10-14 13:00:00 UTC\n"
)


def choose(console: Page, *files: tuple[str, bytes]) -> Locator:
    """Choose files; return the queue."""
    visit(console, "Uploads")
    payloads = [FilePayload(name=name, mimeType="text/csv", buffer=text) for name, text in files]
    console.locator("#files").set_input_files(payloads)
    queue = console.locator("#queue > li")
    expect(queue).to_have_count(len(files))
    return queue


def send(console: Page) -> Locator:
    """Send the queue; return the list of uploads."""
    console.locator("#send-all").click()
    return console.locator("#uploads-list > li")


def test_the_examples_of_all_kinds_are_accepted_at_once(console: Page) -> None:
    visit(console, "Uploads")
    links = console.get_by_role("link", name="Example of")
    expect(links).to_have_count(len(Kind))
    examples = []
    for link in links.all():
        with console.expect_download() as download:
            link.click()
        name = download.value.suggested_filename
        examples.append((name, Path(download.value.path()).read_bytes()))
    queue = choose(console, *examples)
    for item, (name, _) in zip(queue.all(), examples, strict=True):
        expect(item.get_by_role("combobox")).to_have_value(name.removesuffix(".csv"))
    uploads = send(console)
    expect(queue).to_have_count(0)
    for name, _ in examples:
        upload = uploads.filter(has=console.get_by_role("heading", name=name, exact=True))
        expect(upload.first).to_have_attribute("data-status", "Committed")


def test_rejected_rows_are_previewed_and_remembered(console: Page) -> None:
    choose(console, ("partial.csv.gz", gzip.compress(POLLS)))
    upload = send(console).filter(has_text="partial.csv.gz").first
    expect(upload).to_have_attribute("data-status", "Partial")
    console.reload()  # the API has the history
    expect(upload).to_have_attribute("data-status", "Partial")
    expect(upload).to_contain_text("1 row taken · 1 rejected")
    row = upload.get_by_role("row").nth(1)
    expect(row.get_by_role("cell").first).to_have_text("3")
    expect(row).to_contain_text("uploaded,maybe,2024-10-14 13:00:00 UTC")
    with console.expect_download() as download:
        upload.get_by_role("button", name="1 rejected row").click()
    assert b"maybe" in Path(download.value.path()).read_bytes()


def test_stores_that_keep_their_data_are_named(console: Page) -> None:
    choose(console, ("zones.csv", b"store_id,timezone_str\na,UTC\na,Nowhere\n<b>,Nowhere\n"))
    upload = send(console).filter(has_text="zones.csv").first
    expect(upload.locator(".warning")).to_contain_text("2 stores")
    expect(upload.locator(".warning")).to_contain_text("<b>, a")


def test_files_can_be_dropped(console: Page) -> None:
    visit(console, "Uploads")
    dropped = console.evaluate_handle(
        """() => {
          const dropped = new DataTransfer();
          dropped.items.add(new File(["store_id,timezone_str\\ndropped,UTC\\n"], "zones.csv"));
          return dropped;
        }"""
    )
    console.locator("#drop").dispatch_event("drop", {"dataTransfer": dropped})
    item = console.locator("#queue > li")
    expect(item.get_by_role("combobox")).to_have_value("timezones")
    item.get_by_role("button", name="Remove").click()
    expect(item).to_have_count(0)
    expect(console.locator("#send-all")).to_be_hidden()


def test_the_kind_of_a_file_is_guessed(console: Page) -> None:
    headers = {
        "stores.csv": ("store_id,brand,status", "attributes"),
        "ours.csv": ("Store_ID,Brand,Target_Percent", "attributes"),
        "hours.csv": ("store_id,day,start_time_local,end_time_local", "business_hours"),
        "unknown.csv": ("store_id,brand", ""),
    }
    queue = choose(console, *((name, header.encode()) for name, (header, _) in headers.items()))
    for item, (_, kind) in zip(queue.all(), headers.values(), strict=True):
        expect(item.get_by_role("combobox")).to_have_value(kind)


def test_what_is_wrong_with_a_file_is_said_beside_it(console: Page) -> None:
    queue = choose(console, (f"{HOSTILE}.csv", b"a,b\n1,2\n"), ("empty.csv", b""))
    send(console)
    for item in queue.all():
        expect(item.get_by_role("alert")).to_contain_text("Select what the file contains.")
        item.get_by_role("combobox").select_option("business_hours")
    uploads = send(console)
    expect(queue.get_by_role("alert")).to_have_text("The file is empty.")
    failed = uploads.filter(has_text=f"{HOSTILE}.csv").first
    expect(failed).to_have_attribute("data-status", "Failed")
    expect(failed).to_contain_text("missing column store_id, day_of_week")
    expect(console.locator("img")).to_have_count(0)


def test_a_file_that_is_too_large_is_not_sent(console: Page) -> None:
    def respond(route: Route) -> None:
        form = route.fetch().json()
        route.fulfill(json=form | {"limit_bytes": len(POLLS) - 1})

    queue = choose(console, ("large.csv", POLLS))
    console.route("**/uploads", respond)
    send(console)
    expect(queue).to_contain_text(f"the limit is {len(POLLS) - 1} bytes.")


def test_the_states_of_the_queue_are_shown(console: Page) -> None:
    status = {"status": "Pending"}
    held = True

    def respond(route: Route) -> None:
        if held:
            route.fulfill(json=status)
        else:
            route.continue_()

    console.route("**/uploads/*", respond)
    choose(console, ("waiting.csv", b"store_id,timezone_str\nwaiting,UTC\n"))
    upload = send(console).filter(has_text="waiting.csv").first
    expect(upload).to_have_attribute("data-status", "Pending")
    status |= {"status": "Retrying", "reason": "cannot read it: SlowDown"}
    expect(upload).to_have_attribute("data-status", "Retrying")
    expect(upload.locator(".warning")).to_contain_text("SlowDown")
    held = False
    expect(upload).to_have_attribute("data-status", "Committed")


def test_a_warning_before_leaving_while_a_file_is_sent(console: Page) -> None:
    console.route(re.compile("inbox"), lambda _: None)  # no response ever
    choose(console, ("slow.csv", POLLS))
    send(console)
    expect(console.locator("#queue progress")).to_be_visible()
    with console.expect_event("dialog") as dialog:
        console.close(run_before_unload=True)
    assert dialog.value.type == "beforeunload"
    dialog.value.accept()


def test_a_lost_file_is_sent_again(tolerant: Page) -> None:
    queue = choose(tolerant, ("lost.csv", POLLS))
    tolerant.route(re.compile("inbox"), lambda route: route.abort("connectionreset"))
    uploads = send(tolerant)
    expect(tolerant.locator("#connection")).to_be_visible()
    tolerant.unroute_all()
    expect(queue).to_have_count(0)
    expect(uploads.filter(has_text="lost.csv").first).to_be_visible()


def test_the_focus_stays_in_the_queue(console: Page) -> None:
    choose(console, ("first.csv", POLLS), ("second.csv", POLLS))
    console.get_by_role("button", name="Remove first.csv").press("Enter")
    remaining = console.get_by_role("button", name="Remove second.csv")
    expect(remaining).to_be_focused()
    remaining.press("Enter")
    expect(console.locator("#files")).to_be_focused()

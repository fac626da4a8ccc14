"""Make README's pictures from the sample data: ``make screenshots``."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import requests
from playwright.sync_api import Browser

from local.cli.doctor import installed_chromium
from local.cli.inputs import find_inputs
from local.cli.run import upload_all
from local.cli.sample_data import cached_sample
from local.emulator.cloud import LocalCloud
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import report_key
from testing.pipeline import Pipeline
from tests.browser.chromium import headless

_ROOT = Path(__file__).resolve().parents[2]
_IMAGES = _ROOT / "docs" / "images"
_HOURS_BY_DAY = 100  # more than the weekly business time of a store that closes at night


def main() -> int:
    """Write the pictures; return the exit status."""
    executable = installed_chromium()
    if executable is None:
        advice = "apt-get install chromium-headless-shell"
        print(f"error: no Chromium is installed: {advice}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, headless(executable) as browser:
        _report_page(browser, Path(folder))
        _console(browser)
    return 0


def _report_page(browser: Browser, folder: Path) -> None:
    pipeline = Pipeline(folder)
    for file in find_inputs(cached_sample(_ROOT / ".data")):
        pipeline.ingest(file.key, file.path.read_bytes())
    pipeline.report(ReportRequest(formats=(Format.HTML,), group_by=("brand",)))
    address = (folder / report_key("r", "html")).as_uri()
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 1280, "height": 1020}, color_scheme=scheme)
        page.goto(address)
        page.screenshot(path=_IMAGES / f"report-{scheme}.png")
        page.close()


def _console(browser: Browser) -> None:
    with LocalCloud() as cloud:
        upload_all(find_inputs(cached_sample(_ROOT / ".data")), cloud)
        api = cloud.api_url
        _ended(api, {"store_ids": ["no-such-store"]})
        _ended(api, {"as_of": "2024-10-07T23:55:18.727055Z"})
        report = _ended(api, {"formats": ["csv", "html", "xlsx"], "group_by": ["brand"]})
        stores = pd.read_csv(report["url"], index_col="store_id")
        week = stores[["uptime_last_week(in hours)", "downtime_last_week(in hours)"]]
        by_day = week[week.sum(axis="columns") < _HOURS_BY_DAY]
        store_id = by_day.min(axis="columns").idxmax()  # with much uptime and much downtime
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1280, "height": 1200}, color_scheme=scheme)
            page.goto(api)
            page.get_by_text("against the week before").first.wait_for()
            page.screenshot(path=_IMAGES / f"console-overview-{scheme}.png")
            page.set_viewport_size({"width": 1280, "height": 800})
            page.goto(f"{api}/#reports")
            page.get_by_text("Failed").wait_for()
            page.screenshot(path=_IMAGES / f"console-reports-{scheme}.png")
            page.goto(f"{api}/#store/{store_id}")
            page.locator(".strip rect.up").last.hover()
            page.screenshot(path=_IMAGES / f"console-store-{scheme}.png")
            page.close()


def _ended(api: str, request: dict[str, Any]) -> dict[str, Any]:
    """Make a report; return the response once it has ended."""
    started = requests.post(f"{api}/trigger_report", json=request, timeout=30).json()
    while True:
        address = f"{api}/get_report/{started['report_id']}"
        report: dict[str, Any] = requests.get(address, timeout=30).json()
        if report["status"] != "Running":
            return report
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())

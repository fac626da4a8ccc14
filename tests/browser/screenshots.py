"""Make README's pictures, from the sample data: ``make screenshots``."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from local.inputs import find_inputs
from local.sample_data import cached_sample
from store_monitoring.storage.keys import report_key
from store_monitoring.use_cases.report import Format, ReportRequest
from tests.browser.chromium import headless, installed_chromium
from tests.pipeline import Pipeline

_ROOT = Path(__file__).resolve().parents[2]
_IMAGES = _ROOT / "docs" / "images"


def main() -> int:
    """Write the pictures; return the exit status."""
    executable = installed_chromium()
    if executable is None:
        print("error: no Chromium is installed: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, headless(executable) as browser:
        _html_report(browser, Path(folder))
    return 0


def _html_report(browser: Browser, folder: Path) -> None:
    pipeline = Pipeline(folder)
    for file in find_inputs(cached_sample(_ROOT / ".data")):
        pipeline.ingest(file.key, file.path.read_bytes())
    pipeline.report(ReportRequest(formats=(Format.HTML,)))
    address = (folder / report_key("r", "html")).as_uri()
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 1280, "height": 1020}, color_scheme=scheme)
        page.goto(address)
        page.screenshot(path=_IMAGES / f"report-{scheme}.png")
        page.close()


if __name__ == "__main__":
    sys.exit(main())

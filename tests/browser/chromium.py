"""The installed Chromium, headless, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_ARGUMENTS = (
    # For CI: it runs as root, without a graphics card, and with little shared memory.
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    # Starting a process for each page costs more than rendering most pages.
    *("--renderer-process-limit=1", "--in-process-gpu"),
)


@contextmanager
def headless(executable: str) -> Iterator[Browser]:
    """Run a Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield browser
        browser.close()

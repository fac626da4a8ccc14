"""A browser for all tests, and for each a window whose complaints fail the test."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.browser.chromium import headless, installed_chromium

DESKTOP = ViewportSize(width=1280, height=900)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The installed Chromium; tests are skipped without one, but not in CI."""
    executable = installed_chromium()
    if executable is None and "CI" in os.environ:
        pytest.fail("no Chromium is installed, and in CI there has to be one")
    if executable is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with headless(executable) as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile: nothing stored, nothing cached."""
    context = browser.new_context(viewport=DESKTOP)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """An empty page. What the browser's console says of an error fails the test."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield page
    assert complaints == []

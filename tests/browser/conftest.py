"""One browser for all tests, and for each test a page whose console errors fail the test."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, ViewportSize, expect

from local.cli.doctor import installed_chromium
from tests.browser.chromium import headless

DESKTOP = ViewportSize(width=1280, height=900)
PATIENCE_MS = 300_000  # a busy machine is slow

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The installed Chromium; tests are skipped without one, but not in CI."""
    executable = installed_chromium()
    if executable is None and "CI" in os.environ:
        pytest.fail("no Chromium is installed, which CI requires")
    if executable is None:
        pytest.skip("no Chromium is installed: apt-get install chromium-headless-shell")
    with headless(executable) as browser:
        yield browser


@pytest.fixture(scope="session")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """The profile that the tests share, so that each finds the files of the console cached."""
    profile = browser.new_context(viewport=DESKTOP)
    profile.set_default_timeout(PATIENCE_MS)
    yield profile
    profile.close()


@pytest.fixture(scope="session")
def devtools(profile: BrowserContext) -> CDPSession:
    """The developer tools of a page of the profile that stays empty."""
    return profile.new_cdp_session(profile.new_page())


@pytest.fixture
def context(profile: BrowserContext, devtools: CDPSession) -> Iterator[BrowserContext]:
    """The profile, online and with nothing stored."""
    yield profile
    for page in profile.pages[1:]:
        page.close()
    profile.set_offline(False)
    devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """An empty page. Errors in the browser's console fail the test."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if message.type == "error" else None,
    )
    yield page
    assert errors == []


def painted_ms(page: Page, address: str) -> float:
    """Go to an address; return when the page was first painted."""
    page.goto(address)
    milliseconds: float = page.evaluate(
        """() => new Promise((resolve) => {
          const observer = new PerformanceObserver((list) => {
            const [paint] = list.getEntriesByName("first-contentful-paint");
            if (paint) resolve(paint.startTime);
          });
          observer.observe({ type: "paint", buffered: true });
        })"""
    )
    return milliseconds

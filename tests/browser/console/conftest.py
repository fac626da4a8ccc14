"""One cloud for all tests of the console: its sample is loaded by the console's own button."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from local.cli.inputs import find_inputs
from local.cli.sample_data import SMALL, write_sample
from local.emulator.cloud import LocalCloud
from tests.browser.conftest import DESKTOP
from tests.e2e.conftest import User

KEY = "open-sesame"
HOSTILE = "<img src=x onerror=document.title='owned'>"
ODD_IDS = ["..", ".", "%2e%2e", "a/b", "\N{NO-BREAK SPACE}", "x=y&store_id=z", "?", "#"]
ENTER_KEY = f"sessionStorage.setItem('api-key', '{KEY}')"


@pytest.fixture(scope="package")
def user(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user of a cloud with the small sample, and stores with odd ids."""
    folder = tmp_path_factory.mktemp("sample") / "small"
    write_sample(folder, shape=SMALL)
    sample = {file.key: file.path for file in find_inputs(folder)}
    with LocalCloud(
        parameter_overrides={"ShardPolls": "1000000"}, api_key=KEY, sample=sample
    ) as cloud:
        user = User(cloud, {"x-api-key": KEY})
        load_sample(browser, user)
        zones = "".join(f"{store_id},UTC\n" for store_id in (HOSTILE, *ODD_IDS))
        user.upload("timezones/hostile.csv", f"store_id,timezone_str\n{zones}".encode())
        yield user


def load_sample(browser: Browser, user: User) -> None:
    """Take the first steps: from an empty console to the first report."""
    context = browser.new_context(viewport=DESKTOP)
    context.add_init_script(ENTER_KEY)
    page = context.new_page()
    page.goto(user.cloud.api_url)
    expect(page.locator(".steps > li")).to_have_count(3)
    page.get_by_role("button", name="Load the sample").click()
    expect(page.locator(".tiles")).to_be_visible()
    context.close()


@pytest.fixture
def console(page: Page, user: User) -> Page:
    """The console of a user who has entered the key."""
    page.add_init_script(ENTER_KEY)
    page.goto(user.cloud.api_url)
    return page


@pytest.fixture
def tolerant(context: BrowserContext, user: User) -> Page:
    """The same for tests in which the API refuses something, which the browser's console logs."""
    page = context.new_page()
    page.add_init_script(ENTER_KEY)
    page.goto(user.cloud.api_url)
    return page


@pytest.fixture
def refused(context: BrowserContext, user: User) -> Page:
    """The console without a key: requests are refused, and the browser's console logs each."""
    page = context.new_page()
    page.goto(user.cloud.api_url)
    return page


def visit(console: Page, view: str) -> None:
    """Go to a view by its link, and wait until it responds."""
    console.get_by_role("navigation").get_by_role("link", name=view).click()
    expect(console.locator(f"#{view.lower()}-view")).to_have_attribute("aria-busy", "false")

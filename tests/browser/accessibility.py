"""Accessibility problems that axe-core finds on a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_SERIOUS = ("serious", "critical")


def serious_problems(page: Page) -> list[str]:
    """Return the serious problems: each with its rule and the element that breaks it."""
    return [
        f"{problem['id']}: {node['html']}"
        for problem in Axe().run(page).response["violations"]
        if problem["impact"] in _SERIOUS
        for node in problem["nodes"]
    ]

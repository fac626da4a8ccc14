"""Accessibility problems that axe-core finds on a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_SERIOUS = ("serious", "critical")
# A selector of each element takes long to compute, and problems are listed without one.
_OPTIONS = {"resultTypes": ["violations"], "selectors": False}
# axe-core takes seconds for a long table, of which most rows differ only in what they say.
_KEEP_ONE_ROW_OF_EACH_SHAPE = """() => {
  const shape = (row) =>
    row.outerHTML.replace(/ (href|title|aria-label)="[^"]*"/g, "").replace(/>[^<]+/g, ">text");
  for (const { rows } of document.querySelectorAll("tbody")) {
    const seen = new Set();
    for (const row of [...rows]) {
      const shapeOfRow = shape(row);
      if (seen.has(shapeOfRow)) row.remove();
      else seen.add(shapeOfRow);
    }
  }
}"""


def serious_problems(page: Page) -> list[str]:
    """Return the serious problems: each with its rule and the element that breaks it.

    It removes all but one of the rows of a table that have the same elements.
    """
    page.evaluate(_KEEP_ONE_ROW_OF_EACH_SHAPE)
    return [
        f"{problem['id']}: {node['html']}"
        for problem in Axe().run(page, options=_OPTIONS).response["violations"]
        if problem["impact"] in _SERIOUS
        for node in problem["nodes"]
    ]

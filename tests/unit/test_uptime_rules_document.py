"""The examples of docs/uptime-rules.md hold, for both implementations."""

import doctest
from pathlib import Path

from tests import sentences

DOCUMENT = Path(__file__).parents[2] / "docs/uptime-rules.md"
RULES = 18


def test_the_examples_hold() -> None:
    words = {
        name: getattr(sentences, name)
        for name in ("store", "week_open", "covered", "excluded", "outages")
    }
    result = doctest.testfile(
        str(DOCUMENT), module_relative=False, globs=words, encoding="utf-8", report=True
    )
    assert result.failed == 0
    assert result.attempted > RULES

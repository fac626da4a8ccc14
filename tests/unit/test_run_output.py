"""What `make run` prints about an upload."""

from pathlib import Path

import pytest

from local.cli.api_commands import describe_upload
from local.cli.client import Ingested
from local.cli.inputs import InputFile
from store_monitoring.ingest.parsing.kinds import Kind

FILE = InputFile(Kind.BUSINESS_HOURS, Path("menu_hours.csv"))


def test_a_clean_file_has_no_color() -> None:
    text = describe_upload(FILE, Ingested("Committed", 7, 0, None, 0, (), 0.25))
    assert (text.plain, text.style) == ("menu_hours.csv: committed, 7 rows, 0.2 s", "")


@pytest.mark.parametrize(("count", "named"), [(2, "a, [red]b"), (6, "a, [red]b, …")])
def test_stores_with_rejected_rows_are_named_in_amber(count: int, named: str) -> None:
    ingested = Ingested("Unchanged", 7, 3, "s3://data/rejects/i.csv", count, ("a", "[red]b"), 1)
    text = describe_upload(FILE, ingested)
    assert text.style == "yellow"
    assert text.plain.splitlines() == [
        "menu_hours.csv: unchanged, 7 rows, 3 rejected (see s3://data/rejects/i.csv), 1.0 s",
        f"  {count} stores with rejected rows: {named}",
    ]

"""The summary that `make run` prints."""

from typing import Any

from rich.console import Console

from local.cli.summary import describe_summary

IDS = ("[/x]", "[red]x", "NULL", "nan", "007", ":pizza:", "\u202ered")
WINDOW = {
    "uptime_percent": None,
    "downtime_hours": 12.4,
    "stores_missed": 7,
    "lost_revenue": "1234.5",
}
SUMMARY: dict[str, Any] = {
    "stores": 1007,
    "now": {"up": 1, "down": 1000, "closed": 2, "no_data": 4},
    **{f"last_{name}": WINDOW for name in ("hour", "day", "week")},
    "warnings": [{"code": "no_data", "message": "[bold]nothing[/]"}],
    "worst_stores": [
        {"store_id": id_, "uptime_percent": 0.0, "uptime_hours": 0.0, "downtime_hours": 1.75}
        for id_ in IDS
    ],
}


def printed(summary: dict[str, Any]) -> list[str]:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(describe_summary(summary))
    return capture.get().splitlines()


def test_figures_of_all_stores() -> None:
    lines = printed(SUMMARY)
    assert lines[0] == "1,007 stores: 1 up, 1,000 down, 2 closed, 4 without data"
    assert "no data, downtime 12 h" in lines[1]
    assert "1,234.50" in lines[4]
    assert lines[5] == "[bold]nothing[/]"


def test_odd_ids_are_printed_literally() -> None:
    rows = [line.split("\u2502") for line in printed(SUMMARY) if "\u2502" in line]
    assert [row[1].strip() for row in rows] == [*IDS[:-1], r"\u202ered"]
    assert {row[4].strip() for row in rows} == {"1.75"}

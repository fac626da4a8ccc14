"""A store's week as a table: days of its time zone, from midnight to midnight."""

from typing import Any

from local.cli.api_commands import week_table


def stretch(start: str, end: str, **values: str) -> dict[str, Any]:
    return {"start": f"{start}:00.000000Z", "end": f"{end}:00.000000Z", **values}


def cells(timeline: dict[str, Any]) -> list[tuple[str, ...]]:
    table = week_table(timeline)
    return list(zip(*(column.cells for column in table.columns), strict=True))


def test_a_night_is_cut_at_local_midnight_and_a_day_may_have_25_hours() -> None:
    # In New York, clocks are set back on 3 November at 2:00, which is 6:00 in UTC.
    timeline = {
        "time_zone": {"name": "America/New_York"},
        "week": stretch("2024-11-02T20:00", "2024-11-04T12:00"),
        "business_time": [
            stretch("2024-11-02T21:00", "2024-11-03T06:30"),
            stretch("2024-11-04T11:00", "2024-11-04T12:00"),
        ],
        "statuses": [
            stretch("2024-11-02T20:00", "2024-11-03T05:00", status="up"),
            stretch("2024-11-03T05:00", "2024-11-04T12:00", status="down"),
        ],
        "outages": [
            stretch("2024-11-03T05:00", "2024-11-03T06:30"),
            stretch("2024-11-04T11:00", "2024-11-04T12:00"),
        ],
        "polls": [{"at": "2024-11-03T05:00:00.000000Z"}, {"at": "2024-11-03T03:59:59.999999Z"}],
    }
    assert cells(timeline) == [
        ("Sat 2024-11-02", "17:00–24:00", "7.00", "0.00", "1", ""),
        ("Sun 2024-11-03", "00:00–01:30", "1.00", "1.50", "1", "01:00–01:30"),
        ("Mon 2024-11-04", "06:00–07:00", "0.00", "1.00", "0", "06:00–07:00"),
    ]


def test_a_whole_day_ends_at_24() -> None:
    timeline = {
        "time_zone": {"name": "UTC"},
        "week": stretch("2024-10-14T00:00", "2024-10-15T00:00"),
        "business_time": [stretch("2024-10-14T00:00", "2024-10-15T00:00")],
        "statuses": [stretch("2024-10-14T00:00", "2024-10-15T00:00", status="up")],
        "outages": [],
        "polls": [],
    }
    assert cells(timeline) == [("Mon 2024-10-14", "00:00–24:00", "24.00", "0.00", "0", "")]

"""The kind of an upload, and the columns that are read."""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest

from store_monitoring.errors import UnreadableFileError
from store_monitoring.ingest.outcomes import UploadStatus
from store_monitoring.ingest.parsing.kinds import Kind, kind_of, read_header
from testing.pipeline import Pipeline
from tests.cases import utc

POLL = ("s", utc("2024-10-14 23:55:18.727055"), True)
HOURS = {(2, timedelta(hours=9), timedelta(hours=17, minutes=30))}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("polls/store_status.csv", Kind.POLLS),
        ("polls/store status.csv", Kind.POLLS),
        ("polls/2024/10/14.csv.gz", Kind.POLLS),
        ("business_hours/menu_hours.csv", Kind.BUSINESS_HOURS),
        ("business_hours/business_hours.csv", Kind.BUSINESS_HOURS),
        ("business_hours/Menu hours.csv", Kind.BUSINESS_HOURS),
        ("timezones/timezones.csv", Kind.TIMEZONES),
        ("timezones/store_timezone.csv", Kind.TIMEZONES),
        ("timezones/store_timezones.csv", Kind.TIMEZONES),
        ("timezones/bq-results-20230125-202210-1674678181880.csv", Kind.TIMEZONES),
        ("special_hours/holiday_hours.csv", Kind.SPECIAL_HOURS),
        ("exclusions/maintenance.csv", Kind.EXCLUSIONS),
        ("attributes/stores.csv", Kind.ATTRIBUTES),
    ],
)
def test_the_prefix_is_the_kind(key: str, kind: Kind) -> None:
    assert kind_of(key) is kind


@pytest.mark.parametrize(
    "key", ["store_status.csv", "Polls/a.csv", "polls", "hours/a.csv", "/polls/a.csv", ""]
)
def test_another_prefix_is_rejected(key: str) -> None:
    with pytest.raises(
        UnreadableFileError, match="timezones/, special_hours/, exclusions/, attributes/"
    ):
        kind_of(key)


@pytest.mark.parametrize(
    "content",
    [
        # As in known data sets.
        "store_id,status,timestamp_utc\ns,active,2024-10-14 23:55:18.727055 UTC\n",
        "store_id,timestamp_utc,status\ns,2024-10-14 23:55:18.727055 UTC,active\n",
        # Order, case and spaces of names; further columns.
        "status,timestamp_utc,store_id\nactive,2024-10-14 23:55:18.727055 UTC,s\n",
        " Store_ID , STATUS ,Timestamp_UTC\ns,active,2024-10-14 23:55:18.727055 UTC\n",
        '#,store_id,x,status,timestamp_utc,y\n1,s,,active,2024-10-14 23:55:18.727055 UTC,"a,b"\n',
        '"store_id","status","timestamp_utc"\n"s","active","2024-10-14 23:55:18.727055 UTC"\n',
        # Spaces around values.
        "store_id,status,timestamp_utc\n s ,\tactive, 2024-10-14 23:55:18.727055 UTC \n",
        # Line ends, blank lines, byte-order mark.
        "store_id,status,timestamp_utc\r\ns,active,2024-10-14 23:55:18.727055 UTC\r\n",
        "store_id,status,timestamp_utc\ns,active,2024-10-14 23:55:18.727055 UTC",
        "store_id,status,timestamp_utc\r\ns,active,2024-10-14 23:55:18.727055 UTC\r",
        "store_id,status,timestamp_utc\n\n\r\n  \ns,active,2024-10-14 23:55:18.727055 UTC\n\n",
        "\ufeffstore_id,status,timestamp_utc\ns,active,2024-10-14 23:55:18.727055 UTC\n",
        '\ufeff"store_id",status,timestamp_utc\r\ns,active,2024-10-14 23:55:18.727055 UTC\r\n',
    ],
)
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
def test_polls_in_any_usual_format(pipeline: Pipeline, content: str, zipped: bool) -> None:
    data = content.encode()
    outcome = pipeline.ingest("polls/a.csv", gzip.compress(data) if zipped else data)
    assert (outcome.status, outcome.rows, outcome.rejected) == (UploadStatus.COMMITTED, 1, 0)
    assert pipeline.polls() == [POLL]


@pytest.mark.parametrize("day", ["day", "dayOfWeek", "day_of_week", "DAY", " DayOfWeek "])
def test_names_of_the_day_column(pipeline: Pipeline, day: str) -> None:
    content = f"{day},store_id,start_time_local,end_time_local\n2,s,09:00,17:30:00\n"
    pipeline.ingest("business_hours/a.csv", content)
    assert pipeline.hours() == {"s": HOURS}


def test_time_zones(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/a.csv", "timezone_str,store_id\nAsia/Tokyo,s\n")
    assert pipeline.zones() == {"s": "Asia/Tokyo"}


def test_gzip_is_detected_by_content_not_by_name(pipeline: Pipeline) -> None:
    content = b"store_id,timezone_str\ns,Asia/Tokyo\n"
    assert pipeline.ingest("timezones/a.csv.gz", content).rows == 1
    assert (
        pipeline.ingest("timezones/b.csv", gzip.compress(content)).status == UploadStatus.UNCHANGED
    )


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        (b"store_id,status", "timestamp_utc"),
        (b"status,timestamp_utc,store", "store_id"),
        (b"id,when", "store_id, status, timestamp_utc"),
        (b"", "store_id, status, timestamp_utc"),
    ],
)
def test_missing_columns_are_named(header: bytes, missing: str) -> None:
    with pytest.raises(UnreadableFileError, match=f"^missing column {missing};"):
        read_header(header, Kind.POLLS)


def test_the_error_shows_the_header() -> None:
    with pytest.raises(UnreadableFileError, match=r"store_id, state$"):
        read_header(b"store_id,State\r\n", Kind.POLLS)


@pytest.mark.parametrize(
    "header",
    [
        b"store_id,day,start_time_local,end_time_local,day",
        b"store_id,day,start_time_local,end_time_local,dayOfWeek",
    ],
)
def test_a_repeated_column_is_rejected(header: bytes) -> None:
    with pytest.raises(UnreadableFileError, match=r"day_of_week .*\b2\b"):
        read_header(header, Kind.BUSINESS_HOURS)


def test_a_column_that_is_not_read_may_be_repeated() -> None:
    header = read_header(b"note,store_id,timezone_str,note", Kind.TIMEZONES)
    assert (header.width, header.positions) == (4, {"store_id": 1, "timezone_str": 2})


@pytest.mark.parametrize("line", [b"\xff\xfes\x00t\x00", b'"store_id,status', b"store_id\rstatus"])
def test_an_invalid_header_is_rejected(line: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="UTF-8"):
        read_header(line, Kind.POLLS)

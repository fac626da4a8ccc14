"""A bad row never fails a file and never vanishes."""

import csv
import io
import re
from pathlib import Path

import pytest

from store_monitoring.ingest.outcomes import UploadStatus
from store_monitoring.ingest.parsing import content as content_module
from testing.pipeline import Pipeline

POLLS = "polls/a.csv"
HOURS = "business_hours/a.csv"
ZONES = "timezones/a.csv"

HEADERS = {
    POLLS: "store_id,status,timestamp_utc",
    HOURS: "store_id,day,start_time_local,end_time_local",
    ZONES: "store_id,timezone_str",
}
GOOD = {
    POLLS: "good,active,2024-10-14 23:55:18 UTC",
    HOURS: "good,0,09:00,17:00",
    ZONES: "good,UTC",
}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        (POLLS, ",active,2024-10-14 23:55:18", "store_id is not 1 to 255 printable characters: ''"),
        (
            POLLS,
            "  ,active,2024-10-14 23:55:18",
            "store_id is not 1 to 255 printable characters: ''",
        ),
        (
            POLLS,
            "a\x00b,active,2024-10-14 23:55:18",
            r"store_id is not 1 to 255 printable characters: 'a\x00b'",
        ),
        (POLLS, "s,on,2024-10-14 23:55:18", "status is neither active nor inactive: 'on'"),
        (POLLS, "s,,2024-10-14 23:55:18", "status is neither active nor inactive: ''"),
        (
            POLLS,
            "s,active,2024-02-30 00:00:00 UTC",
            "timestamp_utc is not a UTC time: '2024-02-30 00:00:00 UTC'",
        ),
        (POLLS, "s,active, yesterday ", "timestamp_utc is not a UTC time: 'yesterday'"),
        (
            POLLS,
            "s,off,never",  # the first reason is recorded
            "timestamp_utc is not a UTC time: 'never'",
        ),
        (POLLS, "s,active", "number of columns is 2, not 3"),
        (POLLS, '"s,active,x', "a quote or carriage return is out of place"),
        (HOURS, ",0,09:00,17:00", "store_id is not 1 to 255 printable characters: ''"),
        (HOURS, "s,7,09:00,17:00", "day_of_week is not 0 to 6: '7'"),
        (HOURS, "s,Mon,09:00,17:00", "day_of_week is not 0 to 6: 'Mon'"),
        (HOURS, "s,0,9,17:00", "start_time_local is not a time of day: '9'"),
        (HOURS, "s,0,09:00,24:01", "end_time_local is not a time of day: '24:01'"),
        (ZONES, ",UTC", "store_id is not 1 to 255 printable characters: ''"),
        (ZONES, "s,America/Gotham", "timezone_str is not a known time zone: 'America/Gotham'"),
        (ZONES, "s,", "timezone_str is not a known time zone: ''"),
    ],
)
def test_a_bad_row(pipeline: Pipeline, key: str, text: str, reason: str) -> None:
    outcome = pipeline.ingest(key, f"{HEADERS[key]}\n{GOOD[key]}\n{text}\n")
    assert (outcome.status, outcome.rows, outcome.rejected) == (UploadStatus.COMMITTED, 1, 1)
    assert outcome.rejects_key == f"rejects/{outcome.ingest_id}.csv"
    escaped = text.replace("\0", r"\x00")
    assert pipeline.rejects(outcome) == [{"line": "3", "reason": reason, "text": escaped}]
    assert list(pipeline.zones()) == ["good"]


def test_rejected_rows_are_sorted_by_line_with_their_exact_text(pipeline: Pipeline) -> None:
    content = (
        b"store_id,status,timestamp_utc\r\n"
        b"good,active,2024-10-14 23:55:18 UTC\r\n"
        b' s ,"on, off",2024-10-14 23:55:18 UTC\r\n'
        b"\r\n"
        b"\xffs,active,2024-10-14 23:55:18 UTC\r\n"
        b"good,inactive,2024-10-14 23:56:18 UTC\r\n"
        b"\xc3\xa9,active,2024-10-32 23:55:18 UTC\r\n"
        b"\r0:00\r\n"
        b"s"
    )
    outcome = pipeline.ingest(POLLS, content)
    assert (outcome.rows, outcome.rejected) == (2, 5)
    assert (pipeline.folder / f"rejects/{outcome.ingest_id}.csv").read_bytes().decode() == (
        "line,reason,text\n"
        "3,\"status is neither active nor inactive: 'on, off'\","
        '" s ,""on, off"",2024-10-14 23:55:18 UTC"\n'
        r'5,"not UTF-8","\xffs,active,2024-10-14 23:55:18 UTC"'
        "\n"
        "7,\"timestamp_utc is not a UTC time: '2024-10-32 23:55:18 UTC'\","
        '"é,active,2024-10-32 23:55:18 UTC"\n'
        """8,"a quote or carriage return is out of place","'\\x0d0:00"\n"""
        '9,"number of columns is 1, not 3","s"\n'
    )


FORMULAS = ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", '=HYPERLINK("http://x")', "=cmd|'/c x'!A0"]
CONTROLS = "".join(map(chr, [*range(9), 9, *range(11, 32), *range(127, 160)]))


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("around", ["{}", "{},x", "x,{}", "x;{}", 'x;"{}'])
def test_rejected_rows_have_no_formulas_for_a_spreadsheet(
    pipeline: Pipeline, text: str, around: str
) -> None:
    """Cells may start at commas or, as in Excel with many European locales, at semicolons.

    The text is in the reason, too, where it is a field of its own.
    """
    field = text.replace('"', '""')
    line = around.format(f'"{field}"' if "," in around else text)
    outcome = pipeline.ingest(ZONES, f"store_id,timezone_str\n{line}\n")
    assert outcome.rejected == 1
    raw = (pipeline.folder / f"rejects/{outcome.ingest_id}.csv").read_bytes().decode()
    cells = [
        cell
        for separator in ",;"
        for row in csv.reader(io.StringIO(raw, newline=""), delimiter=separator)
        for cell in row
    ]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_control_characters_are_escaped(pipeline: Pipeline) -> None:
    outcome = pipeline.ingest(ZONES, f"store_id,timezone_str\ns,x{CONTROLS}\n")
    [reject] = pipeline.rejects(outcome)
    escaped = "".join(f"\\x{ord(character):02x}" for character in CONTROLS)
    assert reject["text"] == f"s,x{escaped}"
    assert reject["reason"].isprintable()


def test_other_text_stays_as_it_is(pipeline: Pipeline) -> None:
    text = "é 1+1=2; a-b; 'x' \u2028\U0001f600,x@y,z"
    [reject] = pipeline.rejects(pipeline.ingest(ZONES, f"store_id,timezone_str\n{text}\n"))
    assert reject["text"] == text


def test_a_file_of_only_bad_rows_changes_nothing_and_keeps_them(pipeline: Pipeline) -> None:
    outcome = pipeline.ingest(ZONES, "store_id,timezone_str\ns,Mars/Olympus\n")
    assert (outcome.status, outcome.rows, outcome.rejected) == (UploadStatus.UNCHANGED, 0, 1)
    assert [reject["text"] for reject in pipeline.rejects(outcome)] == ["s,Mars/Olympus"]
    assert pipeline.zones() == {}


def test_no_bad_rows_no_rejects_file(pipeline: Pipeline) -> None:
    outcome = pipeline.ingest(ZONES, "store_id,timezone_str\ns,UTC\n")
    assert outcome.rejects_key is None
    assert not any(key.startswith("rejects/") for key in pipeline.files())


def test_an_unknown_zone_leaves_the_default(pipeline: Pipeline) -> None:
    pipeline.ingest(HOURS, "store_id,day,start_time_local,end_time_local\ns,0,09:00,17:00\n")
    pipeline.ingest(ZONES, "store_id,timezone_str\ns,Mars/Olympus\nt,UTC\n")
    assert pipeline.zones() == {"s": None, "t": "UTC"}


def test_a_store_id_has_at_most_255_characters(pipeline: Pipeline) -> None:
    longest = "é" * 255
    outcome = pipeline.ingest(ZONES, f"store_id,timezone_str\n{longest},UTC\n{longest}x,UTC\n")
    assert (outcome.rows, outcome.rejected) == (1, 1)
    assert list(pipeline.zones()) == [longest]
    [reject] = pipeline.rejects(outcome)
    assert reject["text"] == f"{longest}x,UTC"


def test_a_reason_shows_the_start_of_a_long_field(pipeline: Pipeline) -> None:
    outcome = pipeline.ingest(ZONES, f"store_id,timezone_str\ns,{'x' * 100}\ns,{'y' * 101}\n")
    assert [reject["reason"] for reject in pipeline.rejects(outcome)] == [
        f"timezone_str is not a known time zone: '{'x' * 100}'",
        f"timezone_str is not a known time zone: '{'y' * 100}'…",
    ]


def test_too_many_bad_rows_fail_a_file(monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline) -> None:
    monkeypatch.setattr(content_module, "MAX_REJECTS", 2)
    header = HEADERS[ZONES]
    assert pipeline.ingest(ZONES, f"{header}\ns,UTC\n1\n2\n").status == UploadStatus.COMMITTED
    outcome = pipeline.ingest("timezones/b.csv", f"{header}\nt,UTC\n1\n2\n3\n")
    assert outcome.status == UploadStatus.FAILED
    assert re.search(r"\b2 rows .*\bline 5\b", str(outcome.error))
    assert list(pipeline.zones()) == ["s"]

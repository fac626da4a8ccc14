"""Special hours and exclusions: what files of them mean, what they replace, what reports say."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.ingest import ingest_file as ingest_file_module
from store_monitoring.ingest.outcomes import UploadOutcome, UploadStatus
from store_monitoring.ingest.parsing.columns import SpecialDates
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.take_back import take_back_ingest
from store_monitoring.storage.ports import StoresFile
from store_monitoring.storage.schemas import STORES
from testing.pipeline import CLOCK_TIME, Pipeline

HOUR_US = 3_600_000_000
HEADERS = {
    Kind.SPECIAL_HOURS: "store_id,date,start_time_local,end_time_local,reason",
    Kind.EXCLUSIONS: "store_id,start_utc,end_utc,reason",
}
ROWS = {
    Kind.SPECIAL_HOURS: ("2024-12-24,09:00,13:00,Eve", "2024-12-25,,,Day"),
    Kind.EXCLUSIONS: (
        "2024-10-01 00:00:00,2024-10-02 00:00:00,Renovation",
        "2024-10-03T00:00:00Z,2024-10-03T00:00:00.5Z,",
    ),
}
STORED: dict[Kind, list[tuple[Any, ...]]] = {
    Kind.SPECIAL_HOURS: [
        (date(2024, 12, 24), 9 * HOUR_US, 13 * HOUR_US, "Eve"),
        (date(2024, 12, 25), None, None, "Day"),
    ],
    Kind.EXCLUSIONS: [
        (datetime(2024, 10, 1, tzinfo=UTC), datetime(2024, 10, 2, tzinfo=UTC), "Renovation"),
        (
            datetime(2024, 10, 3, tzinfo=UTC),
            datetime(2024, 10, 3, 0, 0, 0, 500_000, tzinfo=UTC),
            None,
        ),
    ],
}
BOTH = pytest.mark.parametrize("kind", [Kind.SPECIAL_HOURS, Kind.EXCLUSIONS])


def upload(pipeline: Pipeline, kind: Kind, *rows: str, second: int = 0) -> UploadOutcome:
    uploaded_at = CLOCK_TIME + timedelta(seconds=second)
    text = "\n".join([HEADERS[kind], *rows])
    return pipeline.ingest(f"{kind}/c.csv", text, uploaded_at=uploaded_at)


def rejected(pipeline: Pipeline, outcome: UploadOutcome) -> dict[int, str]:
    return {int(each["line"]): each["reason"] for each in pipeline.rejects(outcome)}


# --- the file -------------------------------------------------------------------------------


@BOTH
def test_rows_are_stored_with_their_store(pipeline: Pipeline, kind: Kind) -> None:
    rows = [f"{store_id},{row}" for row in reversed(ROWS[kind]) for store_id in "ab"]
    outcome = upload(pipeline, kind, *rows, rows[0])
    assert (outcome.status, outcome.rows, outcome.rejected) == (UploadStatus.COMMITTED, 5, 0)
    assert pipeline.calendar(kind) == {"a": STORED[kind], "b": STORED[kind]}


def test_special_hours_need_no_reason(memory: Pipeline) -> None:
    text = (
        "end_time_local,DATE,Store_ID,start_time_local\n13:00,2024-12-24,a,09:00\n,2024-12-25,a,\n"
    )
    assert memory.ingest("special_hours/h.csv", text).rejected == 0
    rows = [(*row[:-1], None) for row in STORED[Kind.SPECIAL_HOURS]]
    assert memory.calendar("special_hours") == {"a": rows}


@pytest.mark.parametrize(
    ("kind", "header", "missing"),
    [
        ("special_hours", "store_id,start_time_local,end_time_local", "date"),
        ("exclusions", "store_id,start_utc,end_utc", "reason"),
        ("exclusions", "store_id,start_utc,reason", "end_utc"),
        ("special_hours", f"{HEADERS[Kind.SPECIAL_HOURS]},reason", "reason occurs 2 times"),
    ],
)
def test_a_file_without_a_column_fails(
    memory: Pipeline, kind: str, header: str, missing: str
) -> None:
    outcome = memory.ingest(f"{kind}/h.csv", f"{header}\n")
    assert outcome.status == UploadStatus.FAILED
    assert outcome.error is not None
    assert missing in outcome.error


LONG = "x" * 256


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        *((Kind.SPECIAL_HOURS, f"{text},09:00,13:00,", "date") for text in (
            *("", "2024-02-30", "2023-02-29", "24.12.2024", "2024-12-24 00:00:00", "20241224"),
            *("1969-12-31", "2200-01-01", "２024-12-24"),
        )),
        (Kind.SPECIAL_HOURS, "2024-12-24,9,13:00,", "start_time_local"),
        (Kind.SPECIAL_HOURS, "2024-12-24,closed,closed,", "start_time_local"),
        (Kind.SPECIAL_HOURS, "2024-12-24,09:00,25:00,", "end_time_local"),
        (Kind.SPECIAL_HOURS, "2024-12-24,09:00,,", "only one of"),
        (Kind.SPECIAL_HOURS, "2024-12-24, ,13:00,", "only one of"),
        (Kind.SPECIAL_HOURS, f"2024-12-24,,,{LONG}", "reason"),
        (Kind.EXCLUSIONS, "2024-10-01,2024-10-02 00:00:00,", "start_utc"),
        (Kind.EXCLUSIONS, "2024-10-01 00:00:00,2024-10-02 00:00:00+02:00,", "end_utc"),
        (Kind.EXCLUSIONS, ",2024-10-02 00:00:00,", "start_utc"),
        (Kind.EXCLUSIONS, "2024-10-01 00:00:00,2024-10-01 00:00:00,", "end_utc is not after"),
        (Kind.EXCLUSIONS, "2024-10-01 00:00:01,2024-10-01 00:00:00,", "end_utc is not after"),
        (Kind.EXCLUSIONS, "2024-01-01 00:00:00,2025-02-04 00:00:00.000001,", "400 days"),
        (Kind.EXCLUSIONS, "2024-10-01 00:00:00,2024-10-02 00:00:00,a\tb", "reason"),
    ],
)  # fmt: skip
def test_an_invalid_row_is_rejected(memory: Pipeline, kind: Kind, row: str, reason: str) -> None:
    outcome = upload(memory, kind, f"a,{row}", *(f"b,{each}" for each in ROWS[kind]))
    assert (outcome.rows, outcome.rejected) == (2, 1)
    assert rejected(memory, outcome)[2].startswith(reason) or reason in rejected(memory, outcome)[2]
    assert memory.calendar(kind) == {"b": STORED[kind]}


def test_an_exclusion_of_400_days_is_accepted(memory: Pipeline) -> None:
    row = "a,2024-01-01 00:00:00,2025-02-04 00:00:00,"
    assert upload(memory, Kind.EXCLUSIONS, row).rejected == 0


def test_the_first_row_says_whether_a_date_is_closed(memory: Pipeline) -> None:
    outcome = upload(
        *(memory, Kind.SPECIAL_HOURS),
        *("a,2024-12-24,,,", "a,2024-12-24,09:00,13:00,", "a,2024-12-25,09:00,13:00,"),
        *("a,2024-12-25,,,", "a,2024-12-25,14:00,15:00,", "b,2024-12-24,09:00,13:00,"),
        *("c,2024-12-24,,,", "c,2024-12-24,,,"),
    )
    reasons = rejected(memory, outcome)
    assert [*reasons] == [3, 5]
    assert "closed" in reasons[3]
    assert "open" in reasons[5]
    assert outcome.partial_store_ids == ("a",)


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.booleans())), max_size=5
    )
)
def test_blocks_do_not_matter_for_contradictions(
    blocks: list[list[tuple[str, int, bool]]],
) -> None:
    dates = SpecialDates()
    first: dict[tuple[str, int], bool] = {}
    for block in blocks:
        expected = [
            row
            for row, (store_id, day, closed) in enumerate(block)
            if first.setdefault((store_id, day), closed) != closed
        ]
        store_ids = pa.array([row[0] for row in block], pa.string()).dictionary_encode()
        day = np.array([row[1] for row in block], np.int64)
        closed = np.array([row[2] for row in block], np.bool_)
        assert sorted(dates.contradictions(store_ids, day, closed)) == expected


@pytest.mark.parametrize("kind", [Kind.SPECIAL_HOURS, Kind.EXCLUSIONS, Kind.BUSINESS_HOURS])
def test_too_many_rows_of_a_store_fail_the_file(
    memory: Pipeline, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setitem(ingest_file_module._MAX_ROWS_PER_STORE, kind, 1)
    if kind is Kind.BUSINESS_HOURS:
        text = "store_id,day,start_time_local,end_time_local\na,0,09:00,13:00\na,1,09:00,13:00\n"
        outcome = memory.ingest("business_hours/h.csv", text)
    else:
        outcome = upload(memory, kind, *(f"a,{row}" for row in ROWS[kind]))
    assert outcome.status == UploadStatus.FAILED
    assert outcome.error is not None
    assert "store a has 2 rows" in outcome.error


# --- what it replaces -----------------------------------------------------------------------


@BOTH
def test_a_file_replaces_all_rows_of_the_stores_that_it_names(
    pipeline: Pipeline, kind: Kind
) -> None:
    first, second = ROWS[kind]
    upload(pipeline, kind, f"a,{first}", f"a,{second}", f"b,{first}")
    upload(pipeline, kind, f"b,{second}", f"c,{first}", second=1)
    upload(pipeline, kind, f"b,{first}", f"c,{second}", second=-1)  # ingested late
    stored = STORED[kind]
    assert pipeline.calendar(kind) == {"a": stored, "b": stored[1:], "c": stored[:1]}
    for other in {*STORED} - {kind}:
        assert pipeline.calendar(other) == {"a": None, "b": None, "c": None}


@BOTH
def test_a_store_with_rejected_rows_keeps_what_it_had(pipeline: Pipeline, kind: Kind) -> None:
    first, second = ROWS[kind]
    upload(pipeline, kind, f"a,{first}")
    outcome = upload(pipeline, kind, f"a,{second}", "a,x,,", f"b,{second}", "b,x,,", second=1)
    assert outcome.partial_store_ids == ("a", "b")
    stored = STORED[kind]
    assert pipeline.calendar(kind) == {"a": stored[:1], "b": stored[1:]}  # b had nothing


@BOTH
def test_taking_back_restores_the_rows_of_before(pipeline: Pipeline, kind: Kind) -> None:
    first, second = ROWS[kind]
    upload(pipeline, kind, f"a,{first}")
    wrong = upload(pipeline, kind, f"a,{second}", f"b,{second}", second=1)
    assert wrong.ingest_id is not None
    take_back_ingest(wrong.ingest_id, lambda: CLOCK_TIME, pipeline.tables, pipeline.log)
    assert pipeline.calendar(kind) == {"a": STORED[kind][:1]}


def test_a_stores_file_from_before_special_hours_is_read(memory: Pipeline) -> None:
    old = pa.table(
        [["a"], ["UTC"]], schema=pa.schema([STORES.field("store_id"), STORES.field("timezone")])
    )
    key = "stores/bucket=000/old.parquet"
    (memory.folder / key).parent.mkdir(parents=True)
    pq.write_table(old, memory.folder / key)
    stores = memory.tables.read_stores([StoresFile(0, key, 1, 100)])
    assert stores.column("special_hours").to_pylist() == [None]
    assert stores.column("exclusions").to_pylist() == [None]


# --- reports --------------------------------------------------------------------------------


def test_reports_know_special_hours_and_exclusions(memory: Pipeline) -> None:
    rows = "a,active,2024-10-10 00:00:00\na,active,2024-10-16 12:00:00\n"
    polls = f"store_id,status,timestamp_utc\n{rows}"
    memory.ingest("polls/p.csv", polls)
    memory.ingest("timezones/z.csv", "store_id,timezone_str\na,UTC\n")
    assert memory.report().splitlines()[1] == b"a,60.00,24.00,168.00,0.00,0.00,0.00"
    upload(memory, Kind.SPECIAL_HOURS, "a,2024-10-13,10:00,11:00,", "a,2024-10-14,,,")
    exclusion = "a,2024-10-16 11:30:00,2024-10-16 13:00:00,Renovation"
    upload(memory, Kind.EXCLUSIONS, exclusion, "b,2024-10-16 11:30:00,2024-10-16 13:00:00,")
    report = memory.report().splitlines()[1:]
    assert report == [
        b"a,30.00,23.50,120.50,0.00,0.00,0.00",
        b"b,0.00,0.00,0.00,30.00,23.50,167.50",
    ]


def test_a_timeline_shows_special_hours_and_exclusions(memory: Pipeline) -> None:
    memory.ingest("timezones/z.csv", "store_id,timezone_str\na,America/New_York\n")
    hours = "store_id,day,start_time_local,end_time_local\na,0,09:00,17:00\na,1,09:00,17:00\n"
    memory.ingest("business_hours/h.csv", hours)
    upload(
        *(memory, Kind.SPECIAL_HOURS),
        *("a,2024-10-14,10:00,12:00,Columbus Day", "a,2024-10-13,,,"),
    )
    upload(
        *(memory, Kind.EXCLUSIONS),
        *(
            "a,2024-10-15 15:00:00,2024-10-15 16:00:00,wiring",
            "a,2024-01-01 00:00:00,2024-01-02 00:00:00,",
        ),
    )
    body = memory.timeline("a", as_of="2024-10-16T00:00:00Z")
    assert body["special_hours"] == [
        {"date": "2024-10-13", "start_time_local": None, "end_time_local": None, "reason": None},
        {
            "date": "2024-10-14",
            "start_time_local": "10:00:00",
            "end_time_local": "12:00:00",
            "reason": "Columbus Day",
        },
    ]
    [exclusion] = body["exclusions"]
    assert (exclusion["start_local"], exclusion["reason"]) == (
        "2024-10-15T11:00:00.000000-04:00",
        "wiring",
    )
    stretches = [
        (stretch["start_local"][:16], stretch["end_local"][11:16], stretch["openings"])
        for stretch in body["business_time"]
    ]
    tuesday = [{"row": 1, "date": "2024-10-15"}]
    assert stretches == [
        ("2024-10-14T10:00", "12:00", [{"special_row": 1, "date": "2024-10-14"}]),
        ("2024-10-15T09:00", "11:00", tuesday),
        ("2024-10-15T12:00", "17:00", tuesday),
    ]
    totals = body["totals"]
    assert (totals["no_data_last_week_us"], totals["excluded_last_week_us"]) == (
        9 * HOUR_US,
        HOUR_US,
    )
    part = memory.timeline("a", as_of="2024-10-16T00:00:00Z", **{"from": "2024-10-15T16:00:00Z"})
    assert part["exclusions"] == []


def test_a_store_with_special_hours_only_is_open_without_an_opening(memory: Pipeline) -> None:
    memory.ingest("timezones/z.csv", "store_id,timezone_str\na,UTC\n")
    upload(memory, Kind.SPECIAL_HOURS, "a,2024-10-14,,,")
    body = memory.timeline("a", as_of="2024-10-16T00:00:00Z")
    stretches = [
        (stretch["start"][:16], stretch["end"][:16], stretch["openings"])
        for stretch in body["business_time"]
    ]
    assert stretches == [
        ("2024-10-09T00:00", "2024-10-14T00:00", []),
        ("2024-10-15T00:00", "2024-10-16T00:00", []),
    ]

"""Attributes of stores: what a file of them means, and what it replaces."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.ingest import ingest_file as ingest_file_module
from store_monitoring.ingest.outcomes import UploadOutcome, UploadStatus
from store_monitoring.ingest.parsing import spill as spill_module
from store_monitoring.ingest.parsing import values
from store_monitoring.ingest.take_back import take_back_ingest
from store_monitoring.storage.ports import StoresFile
from store_monitoring.storage.schemas import STORES
from store_monitoring.storage.stores import last_rows
from testing.pipeline import CLOCK_TIME, Pipeline

NORI: dict[str, Any] = {
    "name": "Nori on 5th",
    "target_percent": Decimal("99.5"),
    "revenue_per_hour": Decimal("1250.25"),
    "values": {"brand": "Nori", "region": "West"},
}
NOTHING: dict[str, Any] = {
    "name": None,
    "target_percent": None,
    "revenue_per_hour": None,
    "values": {},
}


def upload(pipeline: Pipeline, *lines: str, second: int = 0) -> UploadOutcome:
    uploaded_at = CLOCK_TIME + timedelta(seconds=second)
    return pipeline.ingest("attributes/a.csv", "\n".join(lines), uploaded_at=uploaded_at)


def reasons(pipeline: Pipeline, outcome: UploadOutcome) -> list[str]:
    return [reject["reason"] for reject in pipeline.rejects(outcome)]


def brands(pipeline: Pipeline) -> dict[str, str | None]:
    return {
        store_id: None if of_store is None else of_store["values"].get("brand")
        for store_id, of_store in pipeline.attributes().items()
    }


# --- the file -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        (
            "store_id,name,target_percent,revenue_per_hour,brand,region",
            "a,Nori on 5th,99.5,1250.25,Nori,West",
        ),
        (
            " Region ,REVENUE_PER_HOUR,Store_ID,Brand,Target_Percent,Name",
            '"West", 1250.2500 ,a, Nori ,099.5000,Nori on 5th',
        ),
    ],
)
def test_columns_have_any_order_and_case(memory: Pipeline, lines: tuple[str, ...]) -> None:
    outcome = upload(memory, *lines)
    assert (outcome.status, outcome.rows, outcome.rejected) == (UploadStatus.COMMITTED, 1, 0)
    assert memory.attributes() == {"a": NORI}


def test_what_is_missing_or_empty_has_no_value(memory: Pipeline) -> None:
    upload(memory, "store_id,brand,target_percent", "a,,", "b, ,90")
    assert memory.attributes() == {"a": NOTHING, "b": NOTHING | {"target_percent": Decimal(90)}}
    upload(memory, "store_id,name", "c,C")
    assert memory.attributes()["c"] == NOTHING | {"name": "C"}


def test_the_last_row_of_a_store_counts(memory: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill_module, "CHUNK_BYTES", 1)  # whatever chunks they are in
    rows = [f"{store_id},{brand},{n}" for n, brand in enumerate("xyz") for store_id in "ab"]
    upload(memory, "store_id,brand,size", *rows, "a,,9")
    assert memory.attributes() == {
        "a": NOTHING | {"values": {"size": "9"}},
        "b": NOTHING | {"values": {"brand": "z", "size": "2"}},
    }


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=5), min_size=1)
)
def test_chunks_do_not_matter_for_last_rows(chunks: list[list[tuple[str, int]]]) -> None:
    tables = [
        pa.table(
            {
                "store_id": pa.array([row[0] for row in chunk], pa.string()).dictionary_encode(),
                "value": pa.array([row[1] for row in chunk], pa.int64()),
            }
        )
        for chunk in chunks
    ]
    last = {store_id: value for chunk in chunks for store_id, value in chunk}
    rows = last_rows(tables).to_pylist()
    assert len(rows) == len(last)
    assert {row["store_id"]: row["value"] for row in rows} == last


LONG = "x" * 256
INVALID = {
    "target_percent": ["0", "0.0000", "100.0001", "101", "-1", "99.55555", "1e1", "99%", "nan"],
    "revenue_per_hour": ["-1", "10000000000", "0.00001", "1 000", "$5", "inf", ".5", "1.", "٣"],
    "brand": [LONG, "a\tb", "a\0b", "a\x7f"],
    "name": [LONG, "a\x01"],
}


@pytest.mark.parametrize(
    ("column", "value"), [(column, value) for column in INVALID for value in INVALID[column]]
)
def test_an_invalid_value_rejects_its_row(memory: Pipeline, column: str, value: str) -> None:
    outcome = upload(memory, f"store_id,{column},region", f'a,"{value}",West', "b,,South")
    assert (outcome.rows, outcome.rejected) == (1, 1)
    [reason] = reasons(memory, outcome)
    assert reason.startswith(column)
    assert memory.attributes() == {"b": NOTHING | {"values": {"region": "South"}}}


def test_the_largest_values_are_kept_exactly(memory: Pipeline) -> None:
    upload(
        memory,
        "store_id,target_percent,revenue_per_hour,text",
        f"a,100,9999999999.9999,{'é' * 255}",
        "b,0.0001,0,=1+1",
    )
    first, second = memory.attributes().values()
    assert first is not None
    assert second is not None
    assert (first["target_percent"], first["values"]["text"]) == (Decimal(100), "é" * 255)
    assert first["revenue_per_hour"] == Decimal("9999999999.9999")
    assert (second["target_percent"], second["revenue_per_hour"]) == (Decimal("0.0001"), 0)
    assert second["values"] == {"text": "=1+1"}


@given(st.decimals(0, 10**10, places=4, allow_nan=False))
def test_amounts_are_exact(amount: Decimal) -> None:
    [parsed] = values.amounts(pa.array([str(amount)])).to_pylist()
    assert parsed == (amount if amount < 10**10 else None)


COLUMNS = [f"c{number}" for number in range(20)]


def test_twenty_attributes_are_the_most_besides_those_with_a_meaning(memory: Pipeline) -> None:
    names = ["store_id", "name", "target_percent", "revenue_per_hour", *COLUMNS]
    row = ["a", "A", "99", "1", *COLUMNS]
    assert upload(memory, ",".join(names), ",".join(row)).status == UploadStatus.COMMITTED
    of_store = memory.attributes()["a"]
    assert of_store is not None
    assert of_store["values"] == {name: name for name in COLUMNS}
    outcome = upload(memory, ",".join([*names, "c20"]), ",".join([*row, "x"]))
    assert outcome.status == UploadStatus.FAILED
    assert outcome.error is not None
    assert "21 columns" in outcome.error


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("store,brand", "store_id"),
        ("store_id;brand", "semicolons"),
        ("store_id", "no column but store_id"),
        ("store_id,brand,", "column 3"),
        ("store_id,a\x01b", "column 2"),
        (f"store_id,{'x' * 65}", "column 2"),
        ("store_id,Brand,brand ", "brand occurs 2 times"),
        ("store_id,store_id,brand", "store_id occurs 2 times"),
        ("store_id,name,brand,name", "name occurs 2 times"),
    ],
)
def test_a_header_that_cannot_be_read_fails_the_file(
    memory: Pipeline, header: str, named: str
) -> None:
    outcome = upload(memory, header, ",".join("a" for _ in header.split(",")))
    assert outcome.status == UploadStatus.FAILED
    assert outcome.error is not None
    assert named in outcome.error
    assert memory.attributes() == {}


# --- what it replaces -----------------------------------------------------------------------


def test_a_file_replaces_all_attributes_of_the_stores_that_it_names(pipeline: Pipeline) -> None:
    upload(pipeline, "store_id,brand,target_percent", "a,Nori,99", "b,Nori,98")
    upload(pipeline, "store_id,brand,region", "b,Oka,West", "c,Oka,", second=1)
    assert pipeline.attributes() == {
        "a": NOTHING | {"target_percent": Decimal(99), "values": {"brand": "Nori"}},
        "b": NOTHING | {"values": {"brand": "Oka", "region": "West"}},
        "c": NOTHING | {"values": {"brand": "Oka"}},
    }
    assert pipeline.log.snapshot().attributes == {"brand", "region"}


def test_the_same_file_again_changes_nothing(pipeline: Pipeline) -> None:
    rows = "store_id,region,brand", "a,West,Nori"
    assert upload(pipeline, *rows).status == UploadStatus.COMMITTED
    assert upload(pipeline, *rows, second=1).status == UploadStatus.UNCHANGED
    reordered = upload(pipeline, "brand,store_id,region", "Nori,a,West", second=2)
    assert reordered.status == UploadStatus.UNCHANGED


def test_the_latest_upload_holds(pipeline: Pipeline) -> None:
    upload(pipeline, "store_id,brand", "a,late", second=9)
    upload(pipeline, "store_id,brand", "a,early", second=1)
    assert brands(pipeline) == {"a": "late"}


def test_a_store_with_rejected_rows_keeps_what_it_had(pipeline: Pipeline) -> None:
    upload(pipeline, "store_id,brand,target_percent", "a,Nori,99", "b,Nori,99")
    outcome = upload(
        *(pipeline, "store_id,brand,target_percent"),
        *("a,Oka,0", "a,Oka,50", "b,Oka,50", "c,Oka,50", "c,Oka"),
        second=1,
    )
    assert (outcome.rejected, outcome.partial_store_ids) == (2, ("a", "c"))
    assert brands(pipeline) == {"a": "Nori", "b": "Oka", "c": "Oka"}  # c had nothing


def test_attributes_zones_and_hours_are_independent(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/z.csv", "store_id,timezone_str\na,UTC\n")
    upload(pipeline, "store_id,brand", "a,Nori", "b,Oka")
    pipeline.ingest("timezones/z.csv", "store_id,timezone_str\na,Asia/Tokyo\nc,UTC\n")
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": None, "c": "UTC"}
    assert brands(pipeline) == {"a": "Nori", "b": "Oka", "c": None}
    polls = "store_id,status,timestamp_utc\nd,active,2024-10-14 10:00:00\n"
    pipeline.ingest("polls/p.csv", polls)
    assert brands(pipeline) == {"a": "Nori", "b": "Oka", "c": None, "d": None}


def test_a_store_of_attributes_only_is_in_reports(memory: Pipeline) -> None:
    memory.ingest("polls/p.csv", "store_id,status,timestamp_utc\nb,active,2024-10-14 10:00:00\n")
    upload(memory, "store_id,brand", "a,Nori")
    rows = memory.report().splitlines()[1:]
    assert [row.split(b",")[0] for row in rows] == [b"a", b"b"]


def test_a_hundred_different_names_are_the_most(
    memory: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_file_module, "_MAX_ATTRIBUTES", 2)
    upload(memory, "store_id,x,y", "a,1,2", "b,1,2")
    outcome = upload(memory, "store_id,x,z", "a,1,2")
    assert outcome.status == UploadStatus.FAILED
    assert memory.log.snapshot().attributes == {"x", "y"}
    assert upload(memory, "store_id,x,z", "a,1,2", "b,1,2").status == UploadStatus.COMMITTED
    assert memory.log.snapshot().attributes == {"x", "z"}


# --- taking back, and older data ------------------------------------------------------------


def take_back(pipeline: Pipeline, outcome: UploadOutcome) -> None:
    assert outcome.ingest_id is not None
    take_back_ingest(outcome.ingest_id, lambda: CLOCK_TIME, pipeline.tables, pipeline.log)


def test_taking_back_restores_the_attributes_of_before(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/z.csv", "store_id,timezone_str\nb,UTC\n")
    upload(pipeline, "store_id,brand", "a,Nori")
    wrong = upload(pipeline, "store_id,label", "a,x", "b,x", "c,x", second=1)
    upload(pipeline, "store_id,brand", "c,Oka", second=2)
    take_back(pipeline, wrong)
    assert brands(pipeline) == {"a": "Nori", "b": None, "c": "Oka"}
    assert pipeline.log.snapshot().attributes == {"brand"}


def test_a_store_that_only_attributes_named_is_unknown_after_taking_them_back(
    pipeline: Pipeline,
) -> None:
    zones = pipeline.ingest("timezones/z.csv", "store_id,timezone_str\na,UTC\nb,UTC\n")
    attributes = upload(pipeline, "store_id,brand", "b,Nori", "c,Nori")
    take_back(pipeline, zones)
    assert set(pipeline.attributes()) == {"b", "c"}
    take_back(pipeline, attributes)
    assert pipeline.attributes() == {}


def test_a_stores_file_from_before_attributes_is_read(memory: Pipeline) -> None:
    columns = [STORES.field("store_id"), STORES.field("timezone")]
    old = pa.table([["a"], ["UTC"]], schema=pa.schema(columns))
    key = "stores/bucket=000/old.parquet"
    (memory.folder / key).parent.mkdir(parents=True)
    pq.write_table(old, memory.folder / key)
    stores = memory.tables.read_stores([StoresFile(0, key, 1, 100)])
    assert stores.schema == STORES
    assert stores.column("attributes").to_pylist() == [None]

"""The formats of a report, and the columns beyond those of the CSV."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from store_monitoring.errors import TooManyStoresError, UnknownStoreError
from store_monitoring.reports import merge, report
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.report import Format, check_formats_hold
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.keys import report_key
from store_monitoring.store_ids import unknown_stores
from testing.pipeline import Pipeline

# Now is Monday 2024-10-14 12:00 UTC.
POLLS = """store_id,status,timestamp_utc
up,active,2024-10-14 12:00:00 UTC
down,active,2024-10-14 09:00:00 UTC
down,inactive,2024-10-14 10:30:00.25 UTC
down,inactive,2024-10-14 10:30:00.25 UTC
down,active,2024-10-14 11:15:00 UTC
down,inactive,2024-10-14 11:30:00 UTC
old,inactive,2024-10-05 10:00:00 UTC
"""
HOURS = """store_id,day,start_time_local,end_time_local
up,0,00:00,24:00
down,0,10:00,11:00
down,0,11:00,12:00
old,5,10:00,12:00
old,6,10:00,13:00
never,0,11:00,13:00
never,6,23:00,01:00
"""
ZONES = "store_id,timezone_str\nup,UTC\ndown,UTC\nold,UTC\nnever,UTC\n"


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    for key, content in (("polls", POLLS), ("business_hours", HOURS), ("timezones", ZONES)):
        assert pipeline.ingest(f"{key}/x.csv", content).status == "Committed"
    return pipeline


def _records(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    pipeline.report(ReportRequest(formats=(Format.JSON,)))
    document = json.loads((pipeline.folder / report_key("r", "json")).read_bytes())
    return {record["store_id"]: record for record in document["stores"]}


def test_polls(pipeline: Pipeline) -> None:
    values = {
        store_id: (record["polls_last_week"], record["last_poll_at"], record["last_poll_status"])
        for store_id, record in _records(pipeline).items()
    }
    assert values == {
        "down": (4, "2024-10-14T11:30:00+00:00", "inactive"),
        "never": (0, None, None),
        "old": (0, "2024-10-05T10:00:00+00:00", "inactive"),
        "up": (1, "2024-10-14T12:00:00+00:00", "active"),
    }


def test_open_now_is_half_open(pipeline: Pipeline) -> None:
    open_now = {store_id: record["open_now"] for store_id, record in _records(pipeline).items()}
    assert open_now == {"down": False, "never": True, "old": False, "up": True}


def test_outages(pipeline: Pipeline) -> None:
    """Down from 10:30 to 11:15 and from 11:30 to closing time; before its first poll it was up.

    Closing time ends an outage: `old` had one on Saturday and one on Sunday. Nothing is known of
    `never` (rule 19).
    """
    values = {
        store_id: (record["outages_last_week"], record["longest_outage_last_week(in hours)"])
        for store_id, record in _records(pipeline).items()
    }
    assert values == {"down": (2, 0.75), "never": (0, 0.0), "old": (2, 3.0), "up": (0, 0.0)}


def test_time_is_up_down_or_no_data(pipeline: Pipeline) -> None:
    records = _records(pipeline)
    measures = ("uptime", "downtime", "no_data", "business_time")
    week = {
        store_id: [record[f"{measure}_last_week(in hours)"] for measure in measures]
        for store_id, record in records.items()
    }
    assert week == {
        "down": [0.75, 1.25, 0.0, 2.0],
        "never": [0.0, 0.0, 4.0, 4.0],
        "old": [0.0, 5.0, 0.0, 5.0],
        "up": [24.0, 0.0, 0.0, 24.0],
    }
    assert {store_id: record["state"] for store_id, record in records.items()} == {
        **{"down": "closed", "never": "no data", "old": "closed", "up": "up"},
    }


def test_percentages_are_of_known_time(pipeline: Pipeline) -> None:
    """Without known time there is no percentage; coverage is of all business time."""
    values = {
        store_id: (record["uptime_percent_last_week"], record["coverage_percent_last_week"])
        for store_id, record in _records(pipeline).items()
    }
    assert values == {
        "down": (37.503, 100.0),
        "never": (None, 0.0),
        "old": (0.0, 0.0),
        "up": (100.0, 0.0),
    }


ATTRIBUTES = """store_id,name,target_percent,revenue_per_hour,brand
up,Up & Co,,10.5,Nori
down,,37.5,0.01,Wok
old,Old,99.5,,
"""


def test_targets_and_lost_revenue(pipeline: Pipeline) -> None:
    assert pipeline.ingest("attributes/x.csv", ATTRIBUTES).status == "Committed"
    names = (
        *("name", "target_percent", "target_last_week", "budget_last_week(in hours)"),
        *("budget_left_last_week(in hours)", "revenue_per_hour", "lost_revenue_last_week"),
        "attributes",
    )
    values = {
        store_id: tuple(record[name] for name in names)
        for store_id, record in _records(pipeline).items()
    }
    assert values == {
        "down": (None, 37.5, "met", 1.25, 0.0, "0.0100", "0.01", {"brand": "Wok"}),
        "never": (None, 99.0, "no data", 0.0, 0.0, None, None, None),
        "old": ("Old", 99.5, "missed", 0.02, -4.98, None, None, {}),
        "up": ("Up & Co", 99.0, "met", 0.24, 0.24, "10.5000", "0.00", {"brand": "Nori"}),
    }


def test_all_formats_have_the_same_values(pipeline: Pipeline) -> None:
    """But in the CSV, no data counts as downtime (rule 11)."""
    pipeline.ingest("attributes/x.csv", ATTRIBUTES)
    report = pipeline.report(ReportRequest(formats=tuple(Format)))
    folder = pipeline.folder / "reports/r"
    rows = list(csv.DictReader(io.StringIO(report.decode())))
    records = json.loads((folder / "report.json").read_bytes())["stores"]
    parquet = pq.read_table(folder / "report.parquet").to_pylist(maps_as_pydicts="strict")
    assert [record["store_id"] for record in records] == [row["store_id"] for row in rows]
    for row, record in zip(rows, records, strict=True):
        for name in row.keys() - {"store_id"}:
            is_down = name.startswith("downtime")
            no_data = record[name.replace("downtime", "no_data")] if is_down else 0
            assert float(row[name]) == record[name] + no_data
    for record, stored in zip(records, parquet, strict=True):
        at = stored["last_poll_at"]
        money = {
            name: None if value is None else str(value)
            for name, value in stored.items()
            if "revenue" in name
        }
        assert record == {**stored, **money, "last_poll_at": at and at.isoformat()}
    workbook = load_workbook(folder / "report.xlsx")
    assert workbook.sheetnames == ["Summary", "Stores"]
    sheet = workbook["Stores"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", "A1:AV5")
    header, *cells = sheet.iter_rows()
    names = [cell.value for cell in header]
    assert names == [*(name for name in records[0] if name != "attributes"), "brand"]
    for record, row_cells in zip(parquet, cells, strict=True):
        at = record["last_poll_at"]
        wanted = {**record, "last_poll_at": at and at.replace(tzinfo=None)}
        wanted["brand"] = (wanted.pop("attributes") or {}).get("brand")
        for name, cell in zip(names, row_cells, strict=True):
            if cell.number_format == "0.00%" and cell.value is not None:
                assert cell.value == pytest.approx(wanted[name] / 100)
            elif isinstance(wanted[name], Decimal):
                assert cell.value == float(wanted[name])
            else:
                assert cell.value == wanted[name]


def test_parquet_and_json_say_what_they_are(pipeline: Pipeline) -> None:
    request = ReportRequest(formats=(Format.JSON, Format.PARQUET))
    plan = pipeline.plan("r", request)
    pipeline.report(request)
    folder = pipeline.folder / "reports/r"
    document = json.loads((folder / "report.json").read_bytes())
    parquet = pq.ParquetFile(folder / "report.parquet")
    metadata, schema = parquet.metadata.metadata, parquet.schema_arrow
    summary = json.loads((folder / "summary.json").read_bytes())
    assert document["report"] == {
        "report_id": "r",
        "as_of": "2024-10-14T12:00:00.000000Z",
        "snapshot": plan.version,
        "request": request.to_json(),
        "rules_version": 2,
    }
    assert json.loads(metadata[b"report"]) == document["report"]
    assert json.loads(metadata[b"summary"]) == document["summary"]
    assert summary == {"report": document["report"]} | document["summary"]
    assert schema.field("uptime_last_hour(in minutes)").metadata[b"unit"] == b"minutes"
    assert schema.field("uptime_percent_last_week").metadata[b"unit"] == b"percent"
    assert schema.field("lost_revenue_last_week").metadata[b"unit"] == b"currency"


# --- further tables -----------------------------------------------------------------------------


def test_groups_in_every_format(pipeline: Pipeline) -> None:
    pipeline.ingest("attributes/x.csv", ATTRIBUTES)
    pipeline.report(ReportRequest(formats=tuple(Format), group_by=("brand",)))
    folder = pipeline.folder / "reports/r"
    document = json.loads((folder / "groups.json").read_bytes())
    groups = document["groups"]
    assert [(each["group"], each["stores"]) for each in groups] == [
        *[({"brand": ""}, 2), ({"brand": "Nori"}, 1), ({"brand": "Wok"}, 1)],
    ]
    report = json.loads((folder / "report.json").read_bytes())
    assert (report["groups"], report["report"]) == (groups, document["report"])
    assert json.loads((folder / "summary.json").read_bytes())["groups"] == groups
    parquet = pq.ParquetFile(folder / "groups.parquet")
    assert json.loads(parquet.metadata.metadata[b"report"]) == document["report"]
    stored = parquet.read().to_pylist()
    for group, row in zip(groups, stored, strict=True):
        money = {
            name: None if value is None else str(value)
            for name, value in row.items()
            if name.startswith("lost_revenue")
        }
        assert group == row | money
    lines = list(csv.DictReader((folder / "groups.csv").read_text("utf-8").splitlines()))
    assert [line["brand"] for line in lines] == ["", "Nori", "Wok"]
    for line, row in zip(lines, stored, strict=True):
        texts = {name: "" if value is None else str(value) for name, value in row.items()}
        assert {**texts, "brand": line["brand"]} == {"group": texts["group"], **line}
    workbook = load_workbook(folder / "report.xlsx")
    assert workbook.sheetnames == ["Summary", "Stores", "Groups"]
    cells = [[cell.value for cell in row[:3]] for row in workbook["Groups"].iter_rows()]
    assert cells == [
        ["brand", "stores", "stores_without_data"],
        *(["none", 2, 1], ["Nori", 1, 0], ["Wok", 1, 0]),
    ]
    assert 'id="groups"' in (folder / "report.html").read_text("utf-8")


@pytest.mark.parametrize("shard_polls", [1, 50_000_000])
def test_outages_in_every_format(pipeline: Pipeline, shard_polls: int) -> None:
    request = ReportRequest(formats=tuple(Format), include_outages=True)
    pipeline.report(request, shard_polls=shard_polls)
    folder = pipeline.folder / "reports/r"
    document = json.loads((folder / "outages.json").read_bytes())
    outages = document["outages"]
    found = [
        (each["store_id"], each["incident"], each["started_at"], each["duration(in seconds)"])
        for each in outages
    ]
    assert found == [
        ("down", 1, "2024-10-14T10:30:00.250000+00:00", 2699.75),
        ("down", 2, "2024-10-14T11:30:00+00:00", 1800.0),
        ("old", 1, "2024-10-12T10:00:00+00:00", 7200.0),
        ("old", 1, "2024-10-13T10:00:00+00:00", 10800.0),
    ]
    assert json.loads((folder / "report.json").read_bytes())["outages"] == outages
    parquet = pq.read_table(folder / "outages.parquet")
    assert parquet.schema.field("duration(in seconds)").metadata[b"unit"] == b"seconds"
    assert parquet.column("incident").to_pylist() == [each[1] for each in found]
    lines = list(csv.DictReader((folder / "outages.csv").read_text("utf-8").splitlines()))
    assert [line["started_at"] for line in lines] == [each[2] for each in found]
    assert {line["ongoing"] for line in lines} == {"false"}
    workbook = load_workbook(folder / "report.xlsx")
    assert workbook.sheetnames == ["Summary", "Stores", "Outages"]
    cells = [[cell.value for cell in row[:2]] for row in workbook["Outages"].iter_rows()]
    assert cells == [["store_id", "incident"], *([each[0], each[1]] for each in found)]


def test_a_report_without_outages_has_an_empty_table(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("polls/x.csv", "store_id,status,timestamp_utc\na,active,2024-10-14 12:00:00\n")
    pipeline.report(ReportRequest(formats=tuple(Format), include_outages=True))
    folder = tmp_path / "reports/r"
    assert json.loads((folder / "outages.json").read_bytes())["outages"] == []
    assert (folder / "outages.csv").read_text("utf-8").startswith("store_id,incident,")
    assert pq.read_table(folder / "outages.parquet").num_rows == 0


def test_no_two_columns_have_the_same_name(pipeline: Pipeline) -> None:
    text = "store_id,stores,state,attributes.state\nup,many,West,x\n"
    assert pipeline.ingest("attributes/x.csv", text).status == "Committed"
    pipeline.report(ReportRequest(formats=tuple(Format), group_by=("stores", "state")))
    folder = pipeline.folder / "reports/r"
    header = (folder / "groups.csv").read_text("utf-8").splitlines()[0].split(",")
    assert header[:3] == ["attributes.stores", "state", "stores"]
    workbook = load_workbook(folder / "report.xlsx")
    assert [cell.value for cell in workbook["Groups"][1]] == header
    names = [cell.value for cell in workbook["Stores"][1]]
    assert len(set(names)) == len(names)
    assert names[-3:] == ["attributes.state", "attributes.attributes.state", "stores"]


def test_further_tables_are_written_only_on_request(pipeline: Pipeline) -> None:
    pipeline.report(ReportRequest(formats=tuple(Format)))
    folder = pipeline.folder / "reports/r"
    assert not [*folder.glob("groups.*"), *folder.glob("outages.*")]
    report = json.loads((folder / "report.json").read_bytes())
    assert report.keys() == {"report", "stores", "summary"}
    pipeline.report(ReportRequest(group_by=("brand",), include_outages=True))
    assert sorted(path.name for path in [*folder.glob("groups.*"), *folder.glob("outages.*")]) == [
        "groups.csv",
        "outages.csv",
    ]


@pytest.mark.parametrize(("limit", "shown"), [(2, False), (3, True)])
def test_the_summary_has_the_groups_if_people_can_look_at_them(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, limit: int, shown: bool
) -> None:
    monkeypatch.setattr(merge, "SUMMARY_GROUPS", limit)
    pipeline.ingest("attributes/x.csv", ATTRIBUTES)  # three groups
    pipeline.report(ReportRequest(group_by=("brand",)))
    summary = json.loads((pipeline.folder / "reports/r/summary.json").read_bytes())
    assert ("groups" in summary) == shown


@pytest.mark.parametrize("batch_rows", [3, 100_000])
def test_too_many_outages_for_xlsx(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    monkeypatch.setattr(report, "_SHEET_ROWS", 4)
    monkeypatch.setattr(merge, "_BATCH_ROWS", batch_rows)
    request = ReportRequest(formats=(Format.XLSX,), store_ids=("down", "old"), include_outages=True)
    with pytest.raises(TooManyStoresError, match="xlsx holds 3 outages, not 4"):
        pipeline.report(request)


def test_the_target_of_the_request(pipeline: Pipeline) -> None:
    pipeline.ingest("attributes/x.csv", ATTRIBUTES)
    pipeline.report(ReportRequest(formats=(Format.JSON,), target_percent=Decimal("37.6")))
    document = json.loads((pipeline.folder / report_key("r", "json")).read_bytes())
    targets = {record["store_id"]: record["target_percent"] for record in document["stores"]}
    assert targets == {"down": 37.5, "never": 37.6, "old": 99.5, "up": 37.6}
    assert document["report"]["request"]["target_percent"] == "37.6"


def test_store_ids_are_text_in_every_format(tmp_path: Path) -> None:
    """Ids that a spreadsheet could take for a formula, number, date, link or boolean."""
    numbers = ("007", "1e5", "1" * 30, "1.50", "1/2", "TRUE", "NULL", "nan", "#N/A")
    formulas = ("=1+1", "+1", "-1", "@a", "{=1+1}", '=HYPERLINK("http://x";"y")')
    others = ("https://example.com", "mailto:a@b.c", "internal:x!A1", "'x", "<b>")
    ids = sorted((*numbers, *formulas, *others, "x" * 255))
    pipeline = Pipeline(tmp_path)
    rows = "".join(
        '"{}",active,2024-10-14 10:00:00 UTC\n'.format(i.replace('"', '""')) for i in ids
    )
    pipeline.ingest("polls/x.csv", f"store_id,status,timestamp_utc\n{rows}")
    report_csv = pipeline.report(ReportRequest(formats=tuple(Format))).decode()
    assert [row["store_id"] for row in csv.DictReader(report_csv.splitlines())] == ids
    assert (
        pq.read_table(tmp_path / report_key("r", "parquet")).column("store_id").to_pylist() == ids
    )
    sheet = load_workbook(tmp_path / report_key("r", "xlsx"))["Stores"]
    cells = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert [(cell.value, cell.data_type, cell.hyperlink) for cell in cells] == [
        (store_id, "s", None) for store_id in ids
    ]


def test_names_may_have_any_characters(pipeline: Pipeline) -> None:
    """Also those that JSON or XML escape, and texts that look like an escape of a workbook."""
    names = {"down": 'é < & > " \\', "never": "_x0041_", "old": "\uffff", "up": "\U0001f355"}
    rows = io.StringIO()
    csv.writer(rows).writerows([("store_id", "name"), *names.items()])
    assert pipeline.ingest("attributes/x.csv", rows.getvalue()).status == "Committed"
    assert {store_id: each["name"] for store_id, each in _records(pipeline).items()} == names
    pipeline.report(ReportRequest(formats=(Format.XLSX,)))
    sheet = load_workbook(pipeline.folder / report_key("r", "xlsx"))["Stores"]
    cells = [unescape(row[1].value) for row in sheet.iter_rows(min_row=2)]
    assert cells == list(names.values())


def test_the_csv_is_the_same_with_other_formats(pipeline: Pipeline) -> None:
    plain = pipeline.report()
    assert pipeline.report(ReportRequest(formats=(Format.JSON, Format.XLSX))) == plain


def test_the_same_report_has_the_same_bytes(pipeline: Pipeline) -> None:
    def made() -> dict[str, bytes]:
        pipeline.report(ReportRequest(formats=tuple(Format)), shard_polls=1)
        return {form: (pipeline.folder / report_key("r", form)).read_bytes() for form in Format}

    assert made() == made()


def test_too_many_stores_for_xlsx_fail_the_plan(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan fails early: otherwise computed parts and the CSV would be lost."""
    monkeypatch.setattr(report, "_SHEET_ROWS", 4)
    with pytest.raises(TooManyStoresError, match=r"xlsx .*\b3\b.*\b4\b"):
        pipeline.plan("r", ReportRequest(formats=(Format.CSV, Format.XLSX)))
    assert pipeline.plan("r", ReportRequest(formats=(Format.CSV, Format.HTML))).stores == 4
    one = ReportRequest(store_ids=("up",), formats=(Format.XLSX,))
    assert pipeline.plan("r", one).stores == 1
    monkeypatch.setattr(report, "_SHEET_ROWS", 5)
    assert pipeline.plan("r", ReportRequest(formats=(Format.XLSX,))).stores == 4


def test_a_sheet_has_as_many_rows_as_excel_supports() -> None:
    check_formats_hold((Format.CSV, Format.XLSX), 1_048_575)
    with pytest.raises(TooManyStoresError, match=r"xlsx .*\b1,048,575\b.*\b1,048,576\b"):
        check_formats_hold((Format.CSV, Format.XLSX), 1_048_576)
    check_formats_hold((Format.CSV, Format.HTML), 100_000_000)


# --- some stores ------------------------------------------------------------------------------


def test_only_requested_stores_are_reported(pipeline: Pipeline) -> None:
    whole = pipeline.report().splitlines()
    some = pipeline.report(ReportRequest(store_ids=("old", "up"))).splitlines()
    assert some == [whole[0], *(line for line in whole if line.startswith((b"old,", b"up,")))]


def test_only_their_buckets_are_read(pipeline: Pipeline) -> None:
    plan = pipeline.plan("r", ReportRequest(store_ids=("up",)))
    [shard] = plan.shards
    assert (shard.stores, shard.store_ids) == (1, ("up",))
    assert len(shard.stores_files) == len(shard.polls_files) == 1


@pytest.mark.parametrize("bucket_count", [1, 997])
def test_an_unknown_store_is_named(tmp_path: Path, bucket_count: int) -> None:
    """In no file of its bucket, or in an empty bucket."""
    pipeline = Pipeline(tmp_path, bucket_count)
    pipeline.ingest("polls/x.csv", POLLS)
    with pytest.raises(UnknownStoreError, match="'nobody'"):
        pipeline.report(ReportRequest(store_ids=("nobody", "up")))


@pytest.mark.parametrize("shard_polls", [1, 50_000_000])
@pytest.mark.parametrize("bucket_count", [1, 4, 997])
def test_all_unknown_stores_are_named(tmp_path: Path, bucket_count: int, shard_polls: int) -> None:
    """In any bucket and shard, and whether or not any store is known."""
    pipeline = Pipeline(tmp_path, bucket_count)
    pipeline.ingest("polls/x.csv", POLLS)
    nobody = tuple(f"nobody-{number:03d}" for number in range(120))
    for known in ((), ("down", "up")):
        for count in (2, 100, 101, 120):
            request = ReportRequest(store_ids=(*known, *nobody[:count]))
            with pytest.raises(UnknownStoreError) as error:
                pipeline.report(request, shard_polls=shard_polls)
            named = ", ".join(map(repr, nobody[: min(count, 100)]))
            rest = f" and {count - 100} more" if count > 100 else ""
            assert str(error.value) == f"no input contains the stores {named}{rest}"
            assert not list(tmp_path.glob("reports/r/report.*"))


def test_the_names_of_unknown_stores_fit_into_step_functions_limit() -> None:
    store_ids = [f"{number:02d}" + "\N{PILE OF POO}" * 253 for number in range(90)]
    error = str(unknown_stores(store_ids))
    assert len(json.dumps(error)) < 20_000
    assert (error.count("'"), "85" in error[-12:]) == (10, True)


def test_a_plan_of_an_older_version_has_no_unknown_stores(pipeline: Pipeline) -> None:
    document = pipeline.plan().to_json()
    del document["unknown_store_ids"]
    assert Plan.from_json(document) == pipeline.plan()


def test_as_of_ignores_later_polls(pipeline: Pipeline) -> None:
    at = datetime(2024, 10, 14, 11, 20, tzinfo=UTC)
    as_of_us = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    pipeline.report(ReportRequest(as_of_us=as_of_us, formats=(Format.JSON,)))
    document = json.loads((pipeline.folder / report_key("r", "json")).read_bytes())
    values = {record["store_id"]: record["last_poll_at"] for record in document["stores"]}
    assert values["down"] == "2024-10-14T11:15:00+00:00"
    assert values["up"] is None

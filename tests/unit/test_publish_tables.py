"""What other programs read from the Iceberg tables is what the library reads itself."""

import csv
import itertools
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws
from moto.glue.responses import GlueResponse
from pyarrow import fs
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io.pyarrow import PyArrowFile
from pyiceberg.manifest import ManifestFile

from local.cli.sql import load_extension
from local.emulator.glue import check_versions
from store_monitoring import publish_tables as publish_tables_module
from store_monitoring.aws import iceberg_tables
from store_monitoring.aws.iceberg_tables import IcebergTable, IcebergTables
from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US, Period, PeriodUnit
from store_monitoring.ingest.compaction import compact_polls
from store_monitoring.ingest.ports import ManifestEntry, Snapshot
from store_monitoring.ingest.take_back import take_back_ingest
from store_monitoring.instants import utc_now
from store_monitoring.publish_tables import SCHEMAS, DataFile, publish_tables
from store_monitoring.reports.ports import PageRequest, ReportPage
from store_monitoring.reports.request import ReportRequest
from store_monitoring.storage.ports import PollsFile
from store_monitoring.storage.schemas import (
    POLLS,
    POLLS_AS_READ,
    PUBLISHED_POLLS,
    REPORT_ROWS,
)
from testing.fakes import FolderObjects, MemoryReports
from testing.pipeline import CLOCK_TIME, Pipeline
from tests.cases import utc

KEEP = timedelta(days=90)
REPORT_ID = "0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11"
STORES = [f"store-{number}" for number in range(12)]


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Glue with the database `store_monitoring` that refuses stale updates."""
    monkeypatch.setattr(GlueResponse, "update_table", GlueResponse.update_table)
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    check_versions()
    with mock_aws():
        client = boto3.client("glue")
        client.create_database(DatabaseInput={"Name": "store_monitoring"})
        yield client


@cache
def engine() -> Any:
    """Return a DuckDB that reads Iceberg tables."""
    connection = duckdb.connect()
    for extension in ("avro", "iceberg"):
        load_extension(connection, extension)
    return connection


@dataclass
class Analyst:
    """Publishes what a pipeline has committed, and reads it with other programs."""

    pipeline: Pipeline
    glue: Any
    now: datetime = CLOCK_TIME
    ahead: timedelta = timedelta(0)
    """How far the clock of the tables is ahead of the one that dates their files."""

    @cached_property
    def published(self) -> IcebergTables:
        folder = self.pipeline.folder
        files = fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())
        return IcebergTables(
            "store_monitoring", f"file://{folder}", files, lambda: utc_now() + self.ahead
        )

    def publish(self, completed: str | None = None) -> dict[str, int]:
        return publish_tables(
            KEEP,
            lambda: self.now,
            self.pipeline.tables,
            self.pipeline.log,
            self.pipeline.reports,
            self.published,
            completed,
        )

    def table(self, name: str) -> Any:
        return self.published._catalog.load_table(("store_monitoring", name))

    def read(self, name: str, version: int | None = None) -> list[list[dict[str, Any]]]:
        """Return a table's rows as each program reads them."""
        table = self.table(name)
        frame = polars.scan_iceberg(table, snapshot_id=version, reader_override="native")
        at = "" if version is None else f", snapshot_from_id={version}"
        found = engine().sql(f"SELECT * FROM iceberg_scan('{table.metadata_location}'{at})")
        return [
            table.scan(snapshot_id=version).to_arrow().to_pylist(),
            found.to_arrow_table().to_pylist(),
            frame.collect().to_arrow().to_pylist(),
        ]


@pytest.fixture
def analyst(tmp_path: Path, glue: Any) -> Analyst:
    return Analyst(Pipeline(tmp_path), glue)


def compact(pipeline: Pipeline) -> None:
    compact_polls(
        14 * DAY_US,
        pipeline.bucket_count,
        KEEP,
        lambda: CLOCK_TIME,
        pipeline.tables,
        FolderObjects(pipeline.folder),
        pipeline.log,
    )


def polls_csv(rng: random.Random, rows: int) -> str:
    start = datetime(2024, 10, 1, tzinfo=UTC)
    lines = [
        f"{rng.choice(STORES)},{rng.choice(['active', 'inactive'])},"
        f"{start + timedelta(minutes=rng.randrange(14 * 24 * 60)):%Y-%m-%d %H:%M:%S} UTC"
        for _ in range(rows)
    ]
    return "\n".join(["store_id,status,timestamp_utc", *lines])


def rows_of(polls: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((p["store_id"], p["timestamp_utc"], p["active"]) for p in polls)


def test_every_version_of_a_random_history_reads_as_the_library_reads_it(
    analyst: Analyst,
) -> None:
    pipeline = analyst.pipeline
    rng = random.Random(20)
    expected: dict[int, tuple[Any, Any]] = {}
    for step in range(15):
        ingests = [*pipeline.log.known]
        if step % 7 == 6:
            compact(pipeline)
        elif step % 7 == 5:
            take_back_ingest(
                rng.choice(ingests)[1], lambda: CLOCK_TIME, pipeline.tables, pipeline.log
            )
        elif step % 4 == 3:
            zones = "\n".join(f"{each},America/New_York" for each in rng.sample(STORES, 3))
            pipeline.ingest("timezones/z.csv", f"store_id,timezone_str\n{zones}")
        else:
            pipeline.ingest("polls/p.csv", polls_csv(rng, rng.randrange(1, 60)))
        version = pipeline.log.snapshot().version
        assert analyst.publish() == {"polls": version, "stores": version, "report_rows": 0}
        expected[version] = pipeline.polls(), pipeline.zones()
    assert len(expected) > 11
    for version, (polls, zones_then) in expected.items():
        for read in analyst.read("polls", version):
            assert rows_of(read) == polls
        for read in analyst.read("stores", version):
            assert {store["store_id"]: store["timezone"] for store in read} == zones_then


def test_polls_that_several_files_have_count_once_by_the_query_of_the_docs(
    analyst: Analyst,
) -> None:
    polls = "store_id,status,timestamp_utc\na,{},2024-10-14 12:00:00 UTC\n"
    for status in ("active", "inactive", "active"):
        analyst.pipeline.ingest(
            "polls/p.csv", polls.format(status) + f"b,{status},2024-10-14 13:00:00 UTC\n"
        )
    analyst.publish()
    location = analyst.table("polls").metadata_location
    engine().execute(f"CREATE OR REPLACE VIEW polls AS SELECT * FROM iceberg_scan('{location}')")
    assert engine().execute("SELECT count(*) FROM polls").fetchall() == [(4,)]
    counted = "SELECT store_id, timestamp_utc, bool_and(active) AS active FROM polls GROUP BY ALL"
    rows = engine().execute(f"SELECT store_id, active FROM ({counted}) ORDER BY 1").fetchall()
    assert rows == [("a", False), ("b", False)]  # rule 10


def test_reference_data_are_published_with_all_their_values(analyst: Analyst) -> None:
    ingest = analyst.pipeline.ingest
    ingest("business_hours/h.csv", "store_id,day,start_time_local,end_time_local\na,0,09:00,17:30")
    ingest("timezones/z.csv", "store_id,timezone_str\na,Asia/Tokyo")
    ingest(
        "attributes/a.csv",
        "store_id,name,target_percent,revenue_per_hour,region,brand\na,Nori,99.5,120.25,West,",
    )
    ingest("special_hours/s.csv", "store_id,date,start_time_local,end_time_local\na,2024-12-25,,")
    ingest(
        "exclusions/e.csv",
        "store_id,start_utc,end_utc,reason\na,2024-10-01T00:00:00Z,2024-10-02T00:00:00Z,paint",
    )
    ingest("polls/p.csv", "store_id,status,timestamp_utc\nb,active,2024-10-14 12:00:00 UTC")
    analyst.publish()
    for read in analyst.read("stores"):
        nori, other = sorted(read, key=lambda row: row["store_id"])
        assert dict(nori.pop("attributes")) == {"region": "West"}
        assert nori == {
            "store_id": "a",
            "name": "Nori",
            "timezone": "Asia/Tokyo",
            "target_percent": Decimal("99.5"),
            "revenue_per_hour": Decimal("120.25"),
            "hours": [{"day": 0, "start_us": 9 * HOUR_US, "end_us": 35 * HOUR_US // 2}],
            "special_hours": [
                {"date": date(2024, 12, 25), "start_us": None, "end_us": None, "reason": None}
            ],
            "exclusions": [
                {"start": utc("2024-10-01"), "end": utc("2024-10-02"), "reason": "paint"}
            ],
        }
        assert set(other) == set(nori) | {"attributes"}
        assert not any(value for name, value in other.items() if name != "store_id")


def test_report_rows_are_those_of_the_csv(analyst: Analyst) -> None:
    pipeline = analyst.pipeline
    pipeline.ingest("polls/p.csv", polls_csv(random.Random(4), 400))
    lines = pipeline.report(report_id=REPORT_ID).decode().splitlines()
    analyst.publish()
    expected = list(csv.DictReader(lines))
    for read in analyst.read("report_rows"):
        assert {row["report_id"] for row in read} == {REPORT_ID}
        found: dict[str, dict[str, str]] = {}
        for row in read:
            window = row["window_name"]
            unit, length_us = (
                ("minutes", MINUTE_US) if window == "last_hour" else ("hours", HOUR_US)
            )
            texts = found.setdefault(row["store_id"], {"store_id": row["store_id"]})
            for measure in ("uptime", "downtime"):
                length = Decimal(row[f"{measure}_us"]) / length_us
                name = f"{measure}_{window}(in {unit})"
                texts[name] = str(length.quantize(Decimal("0.01"), ROUND_HALF_EVEN))
        assert [found[store_id] for store_id in sorted(found)] == expected


@pytest.mark.parametrize("unit", [PeriodUnit.DAY, PeriodUnit.TOTAL])
def test_rows_of_a_period_are_those_of_its_csv(analyst: Analyst, unit: PeriodUnit) -> None:
    pipeline = analyst.pipeline
    pipeline.ingest("polls/p.csv", polls_csv(random.Random(4), 400))
    newest = max(at for _, at, _ in pipeline.polls()).date()
    period = Period(newest - timedelta(days=3), newest + timedelta(days=1), unit)
    made = pipeline.report(ReportRequest(period=period), report_id=REPORT_ID).decode()
    analyst.publish()
    expected = list(csv.DictReader(made.splitlines()))
    for read in analyst.read("report_rows"):
        rows = sorted(read, key=lambda row: (row["store_id"], row["window_start"]))
        assert {row["window_name"] for row in rows} == {unit.value}
        for row, line in zip(rows, expected, strict=True):
            assert row["store_id"] == line["store_id"]
            for name in ("window_start", "window_end"):
                assert row[name] == datetime.fromisoformat(line[name])
            day = date.fromisoformat(line["window_start"][:10])
            assert row["window_date"] == (day if unit is PeriodUnit.DAY else None)
            assert f"{Decimal(row['uptime_us']) / HOUR_US:.2f}" == line["uptime(in hours)"]


def test_a_report_that_expires_or_is_deleted_leaves_the_table(analyst: Analyst) -> None:
    pipeline = analyst.pipeline
    pipeline.ingest("polls/p.csv", polls_csv(random.Random(4), 40))
    pipeline.report(report_id=REPORT_ID)
    other = REPORT_ID.replace("0", "1")
    pipeline.report(report_id=other)
    (pipeline.folder / "reports" / other / "plan.json").unlink()
    del pipeline.reports.reports[other]
    assert analyst.publish(completed=other)["report_rows"] == 1
    assert {row["report_id"] for row in analyst.read("report_rows")[0]} == {REPORT_ID}
    pipeline.reports.reports.clear()
    assert analyst.publish()["report_rows"] == 2
    assert analyst.read("report_rows") == [[], [], []]
    assert analyst.publish()["report_rows"] == 2


def test_a_report_that_the_list_does_not_show_yet_stays_in_the_table(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = analyst.pipeline
    pipeline.ingest("polls/p.csv", polls_csv(random.Random(4), 40))
    pipeline.report(report_id=REPORT_ID)
    analyst.publish(completed=REPORT_ID)
    monkeypatch.setattr(pipeline.reports, "newest", lambda _: ReportPage(()))
    assert analyst.publish()["report_rows"] == 1
    assert {row["report_id"] for row in analyst.read("report_rows")[0]} == {REPORT_ID}


def test_files_without_field_ids_are_read_by_their_column_names(analyst: Analyst) -> None:
    pipeline = analyst.pipeline
    pipeline.ingest("polls/old.csv", polls_csv(random.Random(1), 30))
    for path in (pipeline.folder / "polls").rglob("*.parquet"):
        old = pq.read_table(path)
        plain = pa.schema([each.remove_metadata() for each in old.schema])
        pq.write_table(old.cast(plain), path)
    pipeline.ingest("polls/new.csv", polls_csv(random.Random(2), 30))
    analyst.publish()
    for read in analyst.read("polls"):
        assert rows_of(read) == pipeline.polls()


# --- interruptions and concurrency ------------------------------------------------------------


class Killed(BaseException):
    """The function's process ends here."""


def kill_before_write(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill the process before its n-th write of metadata, counted from 0."""
    writes = itertools.count()

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **kwargs: Any) -> Any:
            if next(writes) == number:
                raise Killed
            return original(*args, **kwargs)

        return write

    monkeypatch.setattr(PyArrowFile, "create", guarded(PyArrowFile.create))
    monkeypatch.setattr(GlueCatalog, "_update_glue_table", guarded(GlueCatalog._update_glue_table))
    monkeypatch.setattr(GlueCatalog, "_create_glue_table", guarded(GlueCatalog._create_glue_table))


def test_a_call_that_is_killed_anywhere_leaves_tables_that_can_be_read(analyst: Analyst) -> None:
    pipeline, rng = analyst.pipeline, random.Random(3)
    # Of each table: what is compared of its rows, and what was there to be published so far.
    compared: dict[str, Callable[[Any], Any]] = {
        "polls": rows_of,
        "stores": lambda stores: {store["store_id"]: store["timezone"] for store in stores},
        "report_rows": lambda rows: Counter(row["report_id"] for row in rows),
    }
    states = {name: [compare([])] for name, compare in compared.items()}
    rows_of_reports: Counter[str] = Counter()
    found: dict[str, Any] = {}
    for number in range(60):
        pipeline.ingest("polls/p.csv", polls_csv(rng, 5))
        pipeline.ingest("timezones/z.csv", f"store_id,timezone_str\n{rng.choice(STORES)},UTC")
        report_id = f"{number:08}{REPORT_ID[8:]}"
        lines = pipeline.report(report_id=report_id).splitlines()
        rows_of_reports[report_id] = 3 * (len(lines) - 1)  # one for each window
        states["polls"].append(pipeline.polls())
        states["stores"].append(pipeline.zones())
        states["report_rows"].append(rows_of_reports.copy())
        with pytest.MonkeyPatch.context() as monkeypatch:
            kill_before_write(number, monkeypatch)
            try:
                analyst.publish()
                killed = False
            except Killed:
                killed = True
        for name, compare in compared.items():
            try:
                rows = analyst.table(name).scan().to_arrow().to_pylist()
            except NoSuchTableError:
                assert name not in found  # killed before it was created
            else:
                found[name] = compare(rows)
                assert found[name] in states[name]
        if not killed:
            break
    else:
        pytest.fail("a call has too many writes")
    assert number > 10
    assert found == {name: each[-1] for name, each in states.items()}


def test_concurrent_calls_end_in_the_newest_version(analyst: Analyst) -> None:
    pipeline, rng = analyst.pipeline, random.Random(5)
    pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(analyst.publish) for _ in range(8)]
        for _ in range(5):
            pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
            calls.append(pool.submit(analyst.publish))
    versions = [call.result()["polls"] for call in calls]
    assert max(versions) == pipeline.log.snapshot().version
    assert analyst.table("polls").current_snapshot().snapshot_id == max(versions)
    assert rows_of(analyst.read("polls")[0]) == pipeline.polls()


def test_concurrent_calls_end_with_the_rows_of_all_reports(analyst: Analyst) -> None:
    pipeline, rng = analyst.pipeline, random.Random(11)
    pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
    report_ids = {REPORT_ID.replace("0", str(number)) for number in range(6)}
    with ThreadPoolExecutor(3) as pool:
        calls = []
        for report_id in report_ids:
            pipeline.report(report_id=report_id)
            calls.append(pool.submit(analyst.publish, completed=report_id))
            pipeline.ingest("polls/p.csv", polls_csv(rng, 5))
            calls.append(pool.submit(analyst.publish))
    for call in calls:
        call.result()
    assert {row["report_id"] for row in analyst.read("report_rows")[0]} == report_ids


@pytest.mark.parametrize("number", [0, 1])
def test_a_report_that_is_published_after_another_call_has_listed_reports_stays(
    number: int, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report completes after the other call has read `number` + 1 pages of reports."""
    pipeline = analyst.pipeline
    pipeline.ingest("polls/p.csv", polls_csv(random.Random(12), 40))
    first, second, overtaking = (REPORT_ID.replace("0", digit) for digit in "123")
    monkeypatch.setattr(publish_tables_module, "_REPORTS_AT_ONCE", 1)
    for report_id in (first, second):
        pipeline.report(report_id=report_id)
    newest, lists = pipeline.reports.newest, itertools.count()

    def overtaken(page: PageRequest) -> ReportPage:
        listed = newest(page)
        if next(lists) == number:
            pipeline.report(report_id=overtaking)
            analyst.publish(completed=overtaking)
        return listed

    monkeypatch.setattr(pipeline.reports, "newest", overtaken)
    analyst.publish()
    found = {row["report_id"] for row in analyst.read("report_rows")[0]}
    assert found == {first, second, overtaking}


def test_an_older_version_does_not_replace_a_newer_one(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, rng = analyst.pipeline, random.Random(6)
    pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
    analyst.publish()
    pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
    commit = IcebergTable.commit

    def overtaken(*args: Any) -> None:
        monkeypatch.setattr(IcebergTable, "commit", commit)
        pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
        analyst.publish()
        commit(*args)

    monkeypatch.setattr(IcebergTable, "commit", overtaken)
    assert analyst.publish()["polls"] == 3
    assert rows_of(analyst.read("polls")[0]) == pipeline.polls()


# --- speed ------------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the manifests that are opened."""
    paths: list[str] = []
    fetch = ManifestFile.fetch_manifest_entry

    def recorded(manifest: ManifestFile, *args: Any, **kwargs: Any) -> Any:
        paths.append(manifest.manifest_path)
        return fetch(manifest, *args, **kwargs)

    monkeypatch.setattr(ManifestFile, "fetch_manifest_entry", recorded)
    return paths


def publish_file(analyst: Analyst, version: int, max_files: int = 1000) -> None:
    """Commit a version of `report_rows` with one more file, instead of its oldest if it is full."""
    key = f"tables/report_rows/data/{version:02}.parquet"
    table = analyst.published.open("report_rows")
    removed = sorted(table.keys)[:1] if len(table.keys) == max_files else []
    table.commit(version, [DataFile(key, 10, 1000)], removed, datetime.fromtimestamp(0, UTC))


def test_a_call_opens_few_manifests_however_many_commits_the_files_are_of(
    analyst: Analyst, opened: list[str]
) -> None:
    counts = []
    for version in range(1, 26):
        opened.clear()
        publish_file(analyst, version, max_files=12)
        counts.append(len(opened))
    assert len(analyst.published.open("report_rows").keys) == 12
    assert max(counts) <= 10


def test_manifests_that_were_not_merged_are_merged_by_the_next_commit(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(iceberg_tables, "_MAX_MANIFESTS", 1000)
        for version in range(1, 13):
            publish_file(analyst, version)
    publish_file(analyst, 13)
    opened.clear()
    assert len(analyst.published.open("report_rows").keys) == 13
    assert len(opened) <= 2
    for snapshot in analyst.table("report_rows").snapshots():
        files = analyst.table("report_rows").inspect.files(snapshot.snapshot_id)
        assert len(files) == snapshot.snapshot_id


def test_a_call_without_anything_new_opens_no_manifest(analyst: Analyst, opened: list[str]) -> None:
    analyst.pipeline.ingest("polls/p.csv", polls_csv(random.Random(13), 20))
    analyst.publish()
    opened.clear()
    analyst.publish()
    assert not opened


def test_ten_thousand_files_are_published_in_seconds(analyst: Analyst) -> None:
    files = [
        PollsFile(number % 64, f"polls/{number}.parquet", 10, 1000, number, number + 1)
        for number in range(10_000)
    ]
    entry = ManifestEntry("ingest", 100_000, tuple(files), Counter())
    log = SimpleNamespace(snapshot=lambda: Snapshot(1, {}, 10_000), manifest=lambda *_: [entry])
    began = time.process_time()
    published = analyst.published
    publish_tables(
        KEEP, lambda: CLOCK_TIME, analyst.pipeline.tables, log, MemoryReports(), published
    )
    assert time.process_time() - began < 10
    assert len(published.open("polls").keys) == 10_000


# --- old versions -----------------------------------------------------------------------------


def test_old_versions_expire_and_nothing_stays_of_them(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iceberg_tables, "_MAX_VERSIONS", 6)
    analyst.ahead = timedelta(hours=1)
    pipeline, rng = analyst.pipeline, random.Random(7)
    counts = []
    for number in range(16):
        pipeline.ingest("timezones/z.csv", f"store_id,timezone_str\n{STORES[number % 9]},UTC")
        pipeline.ingest("polls/p.csv", polls_csv(rng, 5))
        compact(pipeline)
        if number == 5:
            (pipeline.folder / "tables/polls/metadata/killed-m0.avro").touch()
        analyst.publish()
        counts.append(sum(key.startswith("tables/") for key in pipeline.files()))
    assert max(counts[8:]) <= max(counts[:8])
    assert not [key for key in pipeline.files() if "killed" in key]
    for name in ("polls", "stores"):
        table = analyst.table(name)
        assert 3 <= len(table.snapshots()) <= 6
        for snapshot in table.snapshots():
            table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()


def test_versions_expire_before_the_files_that_they_read_are_deleted(analyst: Analyst) -> None:
    pipeline, rng = analyst.pipeline, random.Random(8)
    for _ in range(3):
        pipeline.ingest("polls/p.csv", polls_csv(rng, 5))
        analyst.publish()
    analyst.now = datetime.now(UTC) + KEEP + timedelta(days=1)
    pipeline.ingest("polls/p.csv", polls_csv(rng, 5))
    analyst.publish()
    assert [each.snapshot_id for each in analyst.table("polls").snapshots()] == [3, 4]


def test_tables_whose_metadata_are_deleted_are_created_again(analyst: Analyst) -> None:
    pipeline, rng = analyst.pipeline, random.Random(9)
    for _ in range(3):
        pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
        analyst.publish()
    shutil.rmtree(pipeline.folder / "tables")
    pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
    assert analyst.publish() == {"polls": 4, "stores": 4, "report_rows": 0}
    assert [each.snapshot_id for each in analyst.table("polls").snapshots()] == [4]
    for read in analyst.read("polls"):
        assert rows_of(read) == pipeline.polls()


@pytest.mark.parametrize("deleted", ["snap-*.avro", "*-m0.avro"])
def test_a_table_whose_metadata_are_deleted_in_part_is_created_again(
    deleted: str, analyst: Analyst
) -> None:
    """As by a call that commits while a store's data are deleted."""
    pipeline, rng = analyst.pipeline, random.Random(14)
    pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
    pipeline.report(report_id=REPORT_ID)
    analyst.publish()
    for path in (pipeline.folder / "tables").rglob(deleted):
        path.unlink()
    pipeline.ingest("polls/p.csv", polls_csv(rng, 20))
    assert analyst.publish() == {"polls": 2, "stores": 2, "report_rows": 1}
    assert [each.snapshot_id for each in analyst.table("polls").snapshots()] == [2]
    for read in analyst.read("polls"):
        assert rows_of(read) == pipeline.polls()
    assert {row["report_id"] for row in analyst.read("report_rows")[0]} == {REPORT_ID}


def test_a_table_without_a_new_column_is_created_again_with_it(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyst.pipeline.ingest("polls/p.csv", polls_csv(random.Random(4), 40))
    analyst.pipeline.report(report_id=REPORT_ID)
    with monkeypatch.context() as earlier:
        columns = list(REPORT_ROWS)[:-1]
        earlier.setitem(SCHEMAS, "report_rows", pa.schema(columns))
        analyst.publish()
        before = analyst.read("report_rows")[0]
    analyst.publish()
    after = analyst.read("report_rows")[0]
    assert [{**row, REPORT_ROWS.names[-1]: None} for row in before] == after


@pytest.mark.parametrize("table", [POLLS, POLLS_AS_READ])
def test_files_of_polls_are_written_with_the_field_ids_of_the_table(table: pa.Schema) -> None:
    ids = [each.metadata[b"PARQUET:field_id"] for each in table]
    assert ids == [each.metadata[b"PARQUET:field_id"] for each in PUBLISHED_POLLS]

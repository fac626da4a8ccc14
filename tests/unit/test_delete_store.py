"""All data of a store is deleted, and nothing else changes."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.aws.upload_table import DynamoDbUploads
from store_monitoring.delete_store import DeletedStore, delete_store
from store_monitoring.domain.parameters import DAY_US
from store_monitoring.errors import CommitConflictError, InvalidRequestError, TransientError
from store_monitoring.ingest.compaction import compact_polls
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.ports import Commit
from store_monitoring.ingest.take_back import take_back_ingest
from store_monitoring.instants import to_us
from store_monitoring.reports.request import Condition, ReportRequest
from store_monitoring.storage import polls as polls_module
from store_monitoring.storage.keys import bucket_of, part_key, request_key
from store_monitoring.storage.polls import write_polls
from store_monitoring.storage.schemas import POLLS
from store_monitoring.storage.stores import write_stores
from testing.fakes import FolderFiles, FolderObjects
from testing.pipeline import CLOCK_TIME, Pipeline
from tests.cases import utc
from tests.unit.ingest_table import ingest_table

NOTHING = DeletedStore(0, 0, 0, 0)
ALL_TIME_US = (-(2**62), 2**62)


@dataclass
class FolderStoredObjects:
    """Objects in a local folder, without noncurrent versions; a call may fail."""

    folder: Path
    fails: str = ""
    deleted_noncurrent: list[str] = field(default_factory=list)

    def keys(self, prefix: str) -> list[str]:
        paths = [path for path in (self.folder / prefix).rglob("*") if path.is_file()]
        return sorted(str(path.relative_to(self.folder)) for path in paths)

    def has(self, key: str, pattern: re.Pattern[bytes]) -> bool:
        return pattern.search((self.folder / key).read_bytes()) is not None

    def delete_all(self, prefix: str) -> None:
        if self.fails and prefix.startswith(self.fails):
            raise TransientError("killed")
        path = self.folder / prefix
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def delete_noncurrent(self, prefix: str) -> None:
        self.deleted_noncurrent.append(prefix)


@dataclass
class DeletedReports:
    """Records the ids of deleted reports."""

    ids: list[str] = field(default_factory=list)

    def delete(self, report_id: str) -> None:
        self.ids.append(report_id)


@pytest.fixture(params=["memory", "dynamodb"])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    """All stores are in one bucket; some polls are compacted, and some are not."""
    if request.param == "memory":
        yield filled(Pipeline(tmp_path, bucket_count=1))
        return
    with ingest_table() as table:
        uploads = DynamoDbUploads(table, retention_days=90)
        log: Any = DynamoDbIngestLog(table, 1, uploads=uploads)
        log.uploads = uploads
        yield filled(Pipeline(tmp_path, bucket_count=1, log=log))


@pytest.fixture
def memory(tmp_path: Path) -> Pipeline:
    return filled(Pipeline(tmp_path, bucket_count=1))


def filled(pipeline: Pipeline) -> Pipeline:
    for minute, stores in enumerate(["ab", "ab", "b", "abc", "b"]):
        rows = [f"{store},active,2024-10-14 10:{minute:02}:00" for store in stores]
        content = "\n".join(["store_id,status,timestamp_utc", *rows])
        pipeline.ingest(f"polls/{minute}.csv", content)
        if minute == 2:
            compact_polls(
                14 * DAY_US,
                1,
                timedelta(days=90),
                lambda: CLOCK_TIME,
                pipeline.tables,
                FolderObjects(pipeline.folder),
                pipeline.log,
            )
    pipeline.ingest("timezones/z.csv", "store_id,timezone_str\na,UTC\nb,UTC\nb,Nowhere\n")
    special = "store_id,date,start_time_local,end_time_local\na,2024-12-25,,\nb,2024-12-25,,\n"
    pipeline.ingest("special_hours/h.csv", special)
    pipeline.ingest("attributes/s.csv", "store_id,brand,secret\na,Nori,\nb,Nori,x\n")
    return pipeline


def delete(pipeline: Pipeline, fails: str = "") -> DeletedStore:
    objects = FolderStoredObjects(pipeline.folder, fails)
    return delete_store("b", 1, pipeline.tables, objects, pipeline.log, DeletedReports())


def files_with_store(pipeline: Pipeline) -> set[str]:
    """Return the keys of the Parquet files that contain the store."""
    keys = (key for key in pipeline.files() if key.endswith(".parquet"))
    return {
        key
        for key in keys
        if "b" in pq.ParquetFile(pipeline.folder / key).read(["store_id"])["store_id"].to_pylist()
    }


def test_all_data_of_the_store_is_deleted_and_no_other_data(pipeline: Pipeline) -> None:
    polls = [poll for poll in pipeline.polls() if poll[0] != "b"]
    report = [line for line in pipeline.report().splitlines() if not line.startswith(b"b,")]
    assert files_with_store(pipeline)
    done = delete(pipeline)
    assert done.polls_files == 6  # three of before compaction, its own, and two more
    assert done.stores_files == 5  # all but the first, of before it had data of any kind
    assert (done.reports, done.rejects) == (1, 1)
    assert files_with_store(pipeline) == set()
    assert pipeline.polls() == polls
    ingests = pipeline.log.manifest(pipeline.log.snapshot().version, *ALL_TIME_US)
    assert sum(ingest.rows for ingest in ingests) == len(polls)
    assert sum(ingest.rows_by_week.total() for ingest in ingests) == len(polls)
    assert pipeline.zones() == {"a": "UTC", "c": None}
    assert pipeline.log.snapshot().attributes == {"brand"}
    closed = (date(2024, 12, 25), None, None, None)
    assert pipeline.calendar("special_hours") == {"a": [closed], "c": None}
    assert pipeline.report().splitlines() == report


def test_polls_are_counted_by_week_when_stores_are_deleted_one_after_another(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polls_module, "ROW_GROUP_ROWS", 1)  # many of a week
    objects = FolderStoredObjects(pipeline.folder)
    for store_id, left in [("b", "aaac"), ("a", "c")]:
        delete_store(store_id, 1, pipeline.tables, objects, pipeline.log, DeletedReports())
        assert "".join(store_id for store_id, _, _ in pipeline.polls()) == left
        ingests = pipeline.log.manifest(pipeline.log.snapshot().version, *ALL_TIME_US)
        assert sum(ingest.rows for ingest in ingests) == len(left)
        assert sum(ingest.rows_by_week.total() for ingest in ingests) == len(left)


def test_the_newest_poll_of_a_deleted_store_no_longer_dates_reports(pipeline: Pipeline) -> None:
    before = pipeline.log.snapshot().max_timestamp_us
    content = "store_id,status,timestamp_utc\nb,active,2199-12-31 10:00:00\n"
    pipeline.ingest("polls/future.csv", content)
    delete(pipeline)
    newest = max(timestamp for _, timestamp, _ in pipeline.polls())
    assert newest == utc("2024-10-14 10:03")
    assert pipeline.log.snapshot().max_timestamp_us == to_us(newest)
    assert before != to_us(newest)  # of that store, too


def test_deleting_a_store_again_changes_nothing(pipeline: Pipeline) -> None:
    delete(pipeline)
    version, files = pipeline.log.snapshot().version, pipeline.files()
    assert delete(pipeline) == NOTHING
    assert (pipeline.log.snapshot().version, pipeline.files()) == (version, files)


def test_a_second_call_completes_one_that_crashed(pipeline: Pipeline) -> None:
    pipeline.report()
    with pytest.raises(TransientError, match="killed"):
        delete(pipeline, fails="reports/")
    assert delete(pipeline).reports == 1
    assert files_with_store(pipeline) == set()


def test_a_second_call_deletes_a_report_that_the_first_one_could_not(pipeline: Pipeline) -> None:
    class FailingReports(DeletedReports):
        def delete(self, report_id: str) -> None:
            raise TransientError("killed")

    pipeline.report()
    objects, reports = FolderStoredObjects(pipeline.folder), DeletedReports()
    args = ("b", 1, pipeline.tables, objects, pipeline.log)
    with pytest.raises(TransientError, match="killed"):
        delete_store(*args, FailingReports())
    assert delete_store(*args, reports).reports == 1
    assert reports.ids == ["r"]


def test_an_ingest_cannot_commit_a_stores_file_that_was_rewritten(pipeline: Pipeline) -> None:
    snapshot = pipeline.log.snapshot()
    stores = pipeline.tables.read_stores([snapshot.stores[0]])
    version = f"{snapshot.version + 1:08d}-ingest"
    written = write_stores(0, version, stores, pipeline.tables)  # and not committed yet
    delete(pipeline)
    commit = Commit(Kind.TIMEZONES, "ingest", 1, 0, CLOCK_TIME)
    with pytest.raises(CommitConflictError):
        pipeline.log.commit(snapshot, [written], commit)


def test_a_stores_file_of_an_ingest_that_never_committed_is_rewritten(
    memory: Pipeline, tmp_path: Path
) -> None:
    stores = memory.tables.read_stores([memory.log.snapshot().stores[0]])
    empty = Pipeline(tmp_path / "empty", bucket_count=1)
    write_stores(0, "00000001-ingest", stores, empty.tables)
    assert delete(empty) == DeletedStore(0, stores_files=1, reports=0, rejects=0)
    assert files_with_store(empty) == set()


def test_an_ingest_can_commit_a_polls_file_that_only_had_polls_of_the_store(
    pipeline: Pipeline,
) -> None:
    rows = {"store_id": ["b"], "timestamp": [CLOCK_TIME], "active": [True]}
    written = write_polls(0, "ingest", [pa.table(rows, schema=POLLS)], pipeline.tables)
    delete(pipeline)
    polls = pipeline.polls()
    commit = Commit(Kind.POLLS, "ingest", 1, 0, CLOCK_TIME, (written,), CLOCK_TIME)
    pipeline.log.commit(pipeline.log.snapshot(), [], commit)
    assert pipeline.polls() == polls
    assert pipeline.report()


def test_the_remaining_polls_can_be_compacted_and_taken_back(pipeline: Pipeline) -> None:
    delete(pipeline)
    polls = pipeline.polls()
    compact_polls(
        14 * DAY_US,
        1,
        timedelta(days=90),
        lambda: CLOCK_TIME,
        pipeline.tables,
        FolderObjects(pipeline.folder),
        pipeline.log,
    )
    assert pipeline.polls() == polls
    content = "\n".join(
        ["store_id,status,timestamp_utc", *(f"{id_},active,2024-10-14 10:00:00" for id_ in "ab")]
    )
    outcome = pipeline.ingest("polls/0.csv", content)
    assert (outcome.status, outcome.ingest_id is not None) == ("Unchanged", True)
    take_back_ingest(outcome.ingest_id or "", lambda: CLOCK_TIME, pipeline.tables, pipeline.log)
    assert pipeline.polls() == [poll for poll in polls if poll[1].minute != 0]


def test_an_ingest_can_be_taken_back_after_all_stores_were_deleted(pipeline: Pipeline) -> None:
    outcome = pipeline.ingest("timezones/z.csv", "store_id,timezone_str\na,Asia/Tokyo\n")
    objects = FolderStoredObjects(pipeline.folder)
    for store_id in "abc":
        delete_store(store_id, 1, pipeline.tables, objects, pipeline.log, DeletedReports())
    take_back_ingest(outcome.ingest_id or "", lambda: CLOCK_TIME, pipeline.tables, pipeline.log)
    assert pipeline.zones() == {}


def test_deleting_an_unknown_store_changes_nothing(pipeline: Pipeline) -> None:
    files = pipeline.files()
    objects = FolderStoredObjects(pipeline.folder)
    args = (pipeline.tables, objects, pipeline.log, DeletedReports())
    assert delete_store("unknown", 1, *args) == NOTHING
    assert pipeline.files() == files
    prefixes = ["polls/bucket=000/", "stores/bucket=000/", "reports/", "rejects/"]
    assert objects.deleted_noncurrent == prefixes


def test_before_any_upload_there_is_nothing_to_delete(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=1)
    assert delete(pipeline) == NOTHING
    assert pipeline.log.snapshot().version == 0


@pytest.mark.parametrize("store_id", ["", "x" * 256])
def test_what_cannot_be_a_store_id_is_an_error(memory: Pipeline, store_id: str) -> None:
    objects = FolderStoredObjects(memory.folder)
    with pytest.raises(InvalidRequestError, match="1 to 255") as raised:
        delete_store(store_id, 1, memory.tables, objects, memory.log, DeletedReports())
    assert raised.value.field == "store_id"
    args = (memory.tables, objects, memory.log, DeletedReports())
    assert delete_store("x" * 255, 1, *args) == NOTHING


# --- concurrent changes ---------------------------------------------------------------------


@pytest.mark.parametrize("write", ["rewrite", "replace_stores"])
def test_a_concurrent_ingest_is_not_lost(
    memory: Pipeline, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    original, contents = getattr(memory.log, write), ["d,active,2024-10-14 11:00:00"]

    def after_an_ingest(*args: Any) -> None:
        if contents:
            memory.ingest("polls/d.csv", f"store_id,status,timestamp_utc\n{contents.pop()}\n")
        original(*args)

    monkeypatch.setattr(memory.log, write, after_an_ingest)
    delete(memory)
    delete(memory)  # as documented: of a file that an ingest wrote meanwhile
    assert files_with_store(memory) == set()
    assert set(memory.zones()) == {"a", "c", "d"}
    assert {store_id for store_id, _, _ in memory.polls()} == {"a", "c", "d"}
    ingests = memory.log.manifest(memory.log.snapshot().version, *ALL_TIME_US)
    assert sum(ingest.rows for ingest in ingests) == len(memory.polls())


def test_a_polls_file_that_is_deleted_meanwhile_has_no_polls_of_the_store(
    memory: Pipeline,
) -> None:
    class Stale(FolderStoredObjects):
        def keys(self, prefix: str) -> list[str]:
            gone = ["polls/bucket=000/gone.parquet"] if prefix.startswith("polls/") else []
            return [*gone, *super().keys(prefix)]

    args = (memory.tables, Stale(memory.folder), memory.log, DeletedReports())
    assert delete_store("b", 1, *args).polls_files == 6


def test_published_tables_are_deleted_and_published_again(
    memory: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit publishes the tables."""
    delete(memory)
    version = memory.log.snapshot().version
    FolderFiles(memory.folder).write_json("tables/stores/metadata.json", {"of": "b"})
    monkeypatch.setattr(time, "sleep", lambda _: None)
    original, conflicts = memory.log.replace_stores, [CommitConflictError("lost")]

    def lose_once(*args: Any) -> None:
        if conflicts:
            raise conflicts.pop()
        original(*args)

    monkeypatch.setattr(memory.log, "replace_stores", lose_once)
    assert delete(memory) == NOTHING
    assert not any(key.startswith("tables/") for key in memory.files())
    assert memory.log.snapshot().version == version + 1


# --- reports and rejected rows --------------------------------------------------------------


def reports_deleted(pipeline: Pipeline) -> list[str]:
    """Delete the store; return the ids of the reports that were deleted with it."""
    reports = DeletedReports()
    count = pipeline.bucket_count
    objects = FolderStoredObjects(pipeline.folder)
    done = delete_store("b", count, pipeline.tables, objects, pipeline.log, reports)
    assert done.reports == len(reports.ids)
    assert all(f"reports/{id_}/request.json" not in pipeline.files() for id_ in reports.ids)
    return reports.ids


@pytest.mark.parametrize(
    ("store_ids", "deleted"), [(("a", "b"), ["r"]), (("a",), []), (("a", "bb"), [])]
)
def test_a_report_on_named_stores_is_deleted_if_the_store_is_one_of_them(
    memory: Pipeline, store_ids: tuple[str, ...], deleted: list[str]
) -> None:
    request = ReportRequest(store_ids=store_ids)
    FolderFiles(memory.folder).write_json(request_key("r"), request.to_json())
    assert reports_deleted(memory) == deleted


def test_a_report_is_deleted_if_it_contains_or_may_contain_the_store(memory: Pipeline) -> None:
    for report_id, gone in [
        ("unrequested", "request.json"),
        ("unplanned", "plan.json"),
        ("uncomputed", "parts"),
        ("whole", "report.csv"),
    ]:
        memory.report(report_id=report_id)
        FolderStoredObjects(memory.folder).delete_all(f"reports/{report_id}/{gone}")
    memory.ingest("attributes/s.csv", "store_id,brand\na,Ramen\n")
    ramen = ReportRequest(where=(Condition("brand", ("Ramen",)),))
    memory.report(ramen, report_id="others")
    assert reports_deleted(memory) == ["uncomputed", "unrequested", "whole"]
    assert "reports/others/request.json" in memory.files()


@pytest.mark.parametrize(("missing", "deleted"), [(0, []), (1, ["r"])])
def test_only_the_part_of_the_store_s_bucket_counts(
    tmp_path: Path, missing: int, deleted: list[str]
) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=2)
    content = "store_id,status,timestamp_utc\n" + "".join(
        f"{store_id},active,2024-10-14 10:00:00\n" for store_id in "ade"
    )
    pipeline.ingest("polls/p.csv", content)
    pipeline.report(shard_polls=1)
    pipeline.ingest("timezones/z.csv", "store_id,timezone_str\nb,UTC\n")  # after the report
    (tmp_path / part_key("r", missing)).unlink()
    assert [bucket_of(store_id, 2) for store_id in "dab"] == [0, 1, 1]
    assert reports_deleted(pipeline) == deleted


def test_a_report_from_before_a_bucket_had_stores_does_not_contain_its_stores(
    tmp_path: Path,
) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=2)
    pipeline.ingest("timezones/d.csv", "store_id,timezone_str\nd,UTC\n")
    pipeline.report(ReportRequest(as_of_us=to_us(CLOCK_TIME)))
    pipeline.ingest("timezones/b.csv", "store_id,timezone_str\nb,UTC\n")
    assert [bucket_of(store_id, 2) for store_id in "db"] == [0, 1]
    assert reports_deleted(pipeline) == []


@pytest.mark.parametrize(
    ("store_id", "others"),
    [
        ("b", ["ab", "bb", "b-1", "b.1", "b_", "1b"]),
        ("b.1", ["b11", "bb.1", "b.12"]),
        ('b"c', ["bc", 'b"cd']),
        ("=b", ["b", "=bb"]),
        ("b c", ["bc", "b", "c"]),
    ],
)
def test_rejected_rows_are_deleted_with_their_store_and_no_other(
    tmp_path: Path, store_id: str, others: list[str]
) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=1)

    def rejects(id_: str) -> str | None:
        quoted = id_.replace('"', '""')
        content = f'store_id,timezone_str\n"{quoted}",Nowhere\nok,UTC\n'
        return pipeline.ingest(f"timezones/{len(pipeline.files())}.csv", content).rejects_key

    own, kept = rejects(store_id), [rejects(other) for other in others]
    objects = FolderStoredObjects(tmp_path)
    args = (1, pipeline.tables, objects, pipeline.log, DeletedReports())
    assert delete_store(store_id, *args).rejects == 1
    assert {key for key in pipeline.files() if key.startswith("rejects/")} == set(kept)
    assert own not in kept

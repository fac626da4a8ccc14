"""The changes of an ingest, which are all or nothing."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_monitoring.errors import CommitConflictError, TransientError
from store_monitoring.ingest import deadline
from store_monitoring.ingest.deadline import RESERVE_SECONDS
from store_monitoring.ingest.outcomes import UploadOutcome, UploadStatus
from store_monitoring.ingest.ports import Commit, Snapshot
from store_monitoring.instants import to_us
from store_monitoring.storage.ports import StoresFile
from testing.fakes import FolderTables, MemoryLog
from testing.pipeline import ALL_TIME_US, CLOCK_TIME, Pipeline
from tests.cases import utc

FIRST_POLLS = """\
store_id,status,timestamp_utc
a,active,2024-10-14 10:00:00 UTC
b,inactive,2024-10-14 11:00:00.5 UTC
"""
LATER_POLLS = """\
store_id,status,timestamp_utc
c,active,2024-10-14 12:00:00 UTC
a,inactive,2024-10-07 12:00:00 UTC
"""
FIRST = [("a", utc("2024-10-14 10:00"), True), ("b", utc("2024-10-14 11:00:00.5"), False)]
LATER = [("a", utc("2024-10-07 12:00"), False), ("c", utc("2024-10-14 12:00"), True)]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def hours_csv(*rows: str) -> str:
    return "\n".join(["store_id,day,start_time_local,end_time_local", *rows])


def zones_csv(*rows: str) -> str:
    return "\n".join(["store_id,timezone_str", *rows])


def hours_row(day: int, opens: int, closes: int) -> tuple[int, timedelta, timedelta]:
    return day, timedelta(hours=opens), timedelta(hours=closes)


# --- polls ----------------------------------------------------------------------------------


def test_polls_accumulate(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    pipeline.ingest("polls/b.csv", LATER_POLLS)
    assert pipeline.polls() == sorted(FIRST + LATER)


def test_the_outcome_and_the_commit_have_counts(pipeline: Pipeline) -> None:
    outcome = pipeline.ingest("polls/a.csv", FIRST_POLLS, etag="e")
    [commit] = pipeline.log.commits
    assert pipeline.log.uploads.of_key("polls/a.csv") == [outcome]
    assert (outcome.key, outcome.etag, outcome.status) == (
        "polls/a.csv",
        "e",
        UploadStatus.COMMITTED,
    )
    assert (outcome.rows, outcome.rejected, outcome.error) == (2, 0, None)
    assert (outcome.ended_at, commit.committed_at) == (CLOCK_TIME, CLOCK_TIME)
    assert (commit.kind, commit.ingest_id, commit.rows) == ("polls", outcome.ingest_id, 2)
    assert sum(file.rows for file in commit.polls_files) == 2
    for file in commit.polls_files:
        assert file.key == f"polls/bucket={file.bucket:03d}/{outcome.ingest_id}.parquet"
        assert file.bytes == (pipeline.folder / file.key).stat().st_size


def test_the_snapshot_has_the_greatest_timestamp(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/b.csv", LATER_POLLS)
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    assert pipeline.log.snapshot().max_timestamp_us == to_us(utc("2024-10-14 12:00"))


def test_uploading_the_same_polls_again_changes_nothing(pipeline: Pipeline) -> None:
    first = pipeline.ingest("polls/a.csv", FIRST_POLLS)
    pipeline.ingest("polls/b.csv", LATER_POLLS)
    snapshot, files = pipeline.log.snapshot(), pipeline.files()
    again = pipeline.ingest("polls/another name.csv", FIRST_POLLS)
    assert (again.status, again.ingest_id, again.rows) == (
        UploadStatus.UNCHANGED,
        first.ingest_id,
        2,
    )
    assert (pipeline.log.snapshot(), pipeline.files()) == (snapshot, files)
    assert pipeline.polls() == sorted(FIRST + LATER)


def test_a_store_that_occurs_only_in_polls_is_known(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    assert pipeline.zones() == {"a": None, "b": None}
    assert pipeline.hours() == {"a": None, "b": None}


def test_polls_of_known_stores_write_no_stores(pipeline: Pipeline) -> None:
    pipeline.ingest("business_hours/a.csv", hours_csv("a,0,09:00,17:00", "a,1,09:00,17:00"))
    pipeline.ingest("timezones/a.csv", zones_csv("a,UTC", "b,Asia/Tokyo"))
    stores = pipeline.log.snapshot().stores
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    assert pipeline.log.snapshot().stores == stores


def test_polls_keep_the_hours_and_zones_of_their_bucket(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=1)
    pipeline.ingest("business_hours/a.csv", hours_csv("b,0,09:00,17:00"))
    pipeline.ingest("timezones/a.csv", zones_csv("b,Asia/Tokyo"))
    pipeline.ingest("polls/a.csv", LATER_POLLS)
    assert pipeline.zones() == {"a": None, "b": "Asia/Tokyo", "c": None}
    assert pipeline.hours() == {"a": None, "b": {hours_row(0, 9, 17)}, "c": None}


# --- polls from the future -------------------------------------------------------------------

HOUR = timedelta(hours=1)
SOON, LATER_ON, LAST = (CLOCK_TIME + n * HOUR for n in (1, 2, 3))
OF_THE_FUTURE = "\n".join(
    [
        "store_id,status,timestamp_utc",
        f"a,active,{CLOCK_TIME:%Y-%m-%d %H:%M:%S}",
        *(f"a,active,{instant:%Y-%m-%d %H:%M:%S}" for instant in (SOON, LATER_ON)),
        f"b,active,{LAST + timedelta(microseconds=1):%Y-%m-%d %H:%M:%S.%f}",
        "b,off,2199-01-01 00:00:00 UTC",
        "b,active,2199-01-01 00:00:00 UTC",
    ]
)


def upload_future(pipeline: Pipeline, uploaded_at: datetime) -> UploadOutcome:
    return pipeline.ingest(
        "polls/f.csv", OF_THE_FUTURE, uploaded_at=uploaded_at, future_tolerance=HOUR
    )


def named_in(reason: str) -> list[str]:
    """Return the field and the value that a reason names."""
    return re.findall(r"^\w+|(?<=').+(?=')", reason)


def test_polls_too_far_in_the_future_are_rejected(pipeline: Pipeline) -> None:
    outcome = upload_future(pipeline, CLOCK_TIME)
    assert (outcome.status, outcome.rows, outcome.rejected) == (UploadStatus.COMMITTED, 2, 4)
    assert pipeline.polls() == [("a", CLOCK_TIME, True), ("a", SOON, True)]
    assert pipeline.log.snapshot().max_timestamp_us == to_us(SOON)
    reasons = [(row["line"], *named_in(row["reason"])) for row in pipeline.rejects(outcome)]
    assert reasons == [
        ("4", "timestamp_utc", "2024-10-15 02:00:00"),
        ("5", "timestamp_utc", "2024-10-15 03:00:00.000001"),
        ("6", "status", "off"),
        ("7", "timestamp_utc", "2199-01-01 00:00:00 UTC"),
    ]


def test_without_a_tolerance_there_is_no_limit(pipeline: Pipeline) -> None:
    outcome = pipeline.ingest("polls/f.csv", OF_THE_FUTURE)
    assert (outcome.rows, outcome.rejected) == (5, 1)


def test_polls_no_longer_in_the_future_are_committed_once_when_uploaded_again(
    pipeline: Pipeline,
) -> None:
    outcomes = [upload_future(pipeline, CLOCK_TIME + n * HOUR) for n in (0, 0.5, 1, 1.5, 3, 4)]
    assert [(outcome.status, outcome.rows) for outcome in outcomes] == [
        (UploadStatus.COMMITTED, 2),
        (UploadStatus.UNCHANGED, 2),
        (UploadStatus.COMMITTED, 1),
        (UploadStatus.UNCHANGED, 3),
        (UploadStatus.COMMITTED, 1),
        (UploadStatus.UNCHANGED, 4),
    ]
    assert len(pipeline.polls()) == len(set(pipeline.polls())) == 4
    assert [commit.rows for commit in pipeline.log.commits] == [2, 1, 1]
    assert all(len(pipeline.rejects(each)) == each.rejected for each in outcomes)
    without_limit = pipeline.ingest("polls/f.csv", OF_THE_FUTURE)
    assert (without_limit.status, without_limit.rows) == (UploadStatus.COMMITTED, 1)


@pytest.mark.usefixtures("at_once")
def test_concurrent_uploads_of_polls_from_the_future_are_committed_once(tmp_path: Path) -> None:
    pipeline = disturbed(tmp_path, lambda pipeline: upload_future(pipeline, CLOCK_TIME))
    assert upload_future(pipeline, LATER_ON).rows == 1
    assert len(pipeline.polls()) == len(set(pipeline.polls())) == 3


@pytest.mark.usefixtures("at_once")
def test_a_slow_upload_of_polls_from_the_future_does_not_overwrite_a_later_one(
    tmp_path: Path,
) -> None:
    """The later one accepts more polls of the file, and commits while the first one writes."""

    pipeline = interrupted(tmp_path, "polls/", lambda other: upload_future(other, LATER_ON))
    assert upload_future(pipeline, CLOCK_TIME).status == UploadStatus.UNCHANGED
    assert [timestamp for _, timestamp, _ in pipeline.polls()] == [CLOCK_TIME, SOON, LATER_ON]


# --- business hours and time zones ----------------------------------------------------------


def test_hours_replace_only_the_named_stores(pipeline: Pipeline) -> None:
    pipeline.ingest(
        "business_hours/a.csv",
        hours_csv("a,0,09:00,17:00", "a,1,09:00,17:00", "b,0,10:00,12:00", "b,0,13:00,18:00"),
    )
    pipeline.ingest("business_hours/b.csv", hours_csv("c,6,00:00,24:00", "a,2,08:00,16:00"))
    assert pipeline.hours() == {
        "a": {hours_row(2, 8, 16)},
        "b": {hours_row(0, 10, 12), hours_row(0, 13, 18)},
        "c": {hours_row(6, 0, 24)},
    }


# Rows of a file of hours or zones, some of them rejected, and the values that the store keeps.
SCHEDULES = [
    pytest.param(["a,7,09:00,17:00"], id="all rows rejected"),
    pytest.param(["a,1,09:00,17:00", "a,7,09:00,17:00"], id="a value"),
    pytest.param(["a,1,09:00,17:00", "a,2,09:00"], id="too few columns"),
    pytest.param(["a,1,09:00,17:00", "a,2,09:00,17:00,x"], id="too many columns"),
    pytest.param(["a,1,09:00,17:00", '" a ",2,09:00,"17:00'], id="a quote"),
    pytest.param(["a,1,09:00,17:00", " a ,2,09:00,\xff"], id="no UTF-8"),
]


@pytest.mark.parametrize("rows", SCHEDULES)
def test_a_store_with_rejected_hours_keeps_its_hours(pipeline: Pipeline, rows: list[str]) -> None:
    pipeline.ingest("business_hours/a.csv", hours_csv("a,0,09:00,17:00", "b,0,09:00,17:00"))
    content = hours_csv(*rows, "b,1,09:00,17:00").encode("latin-1")
    outcome = pipeline.ingest("business_hours/b.csv", content)
    assert pipeline.hours() == {"a": {hours_row(0, 9, 17)}, "b": {hours_row(1, 9, 17)}}
    assert (outcome.status, outcome.rejected) == (UploadStatus.COMMITTED, 1)
    assert (outcome.partial_stores, outcome.partial_store_ids) == (1, ("a",))


def test_a_store_with_a_rejected_zone_keeps_its_zone(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,UTC"))
    outcome = pipeline.ingest("timezones/b.csv", zones_csv("a,UTC", "a,Nowhere", "b,Europe/Paris"))
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": "Europe/Paris"}
    assert outcome.partial_store_ids == ("a",)


def test_a_store_without_hours_takes_valid_rows_until_all_are_valid(
    pipeline: Pipeline,
) -> None:
    pipeline.ingest("timezones/a.csv", zones_csv("a,UTC"))
    half = hours_csv("a,0,09:00,17:00", "a,7,09:00,17:00")
    outcomes = [pipeline.ingest("business_hours/a.csv", half) for _ in range(2)]
    assert [outcome.status for outcome in outcomes] == [
        UploadStatus.COMMITTED,
        UploadStatus.UNCHANGED,
    ]
    assert all(outcome.partial_store_ids == ("a",) for outcome in outcomes)
    assert pipeline.hours() == {"a": {hours_row(0, 9, 17)}}
    pipeline.ingest("business_hours/b.csv", hours_csv("a,1,09:00,17:00"))
    pipeline.ingest("business_hours/a.csv", half)
    assert pipeline.hours() == {"a": {hours_row(1, 9, 17)}}


def test_the_first_hundred_stores_with_rejected_rows_are_named(pipeline: Pipeline) -> None:
    rows = [f"s{number:03d},Nowhere" for number in range(250)]
    outcome = pipeline.ingest("timezones/a.csv", zones_csv(*reversed(rows), *rows, "t,UTC"))
    assert (outcome.partial_stores, outcome.rejected) == (250, 500)
    assert outcome.partial_store_ids == tuple(f"s{number:03d}" for number in range(100))


def test_rejected_polls_name_no_stores(pipeline: Pipeline) -> None:
    outcome = pipeline.ingest("polls/a.csv", FIRST_POLLS + "a,off,2024-10-14 10:00:00 UTC\n")
    assert (outcome.rejected, outcome.partial_stores) == (1, 0)


def test_zones_replace_only_the_named_stores(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,Asia/Tokyo"))
    pipeline.ingest("timezones/b.csv", zones_csv("c,UTC", "b,Europe/Paris"))
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": "Europe/Paris", "c": "UTC"}


def test_a_stores_file_is_named_by_the_version_that_it_is_written_for(memory: Pipeline) -> None:
    """`delete_store` finds files of later versions, which an ingest may be about to commit."""
    for version, zone in enumerate(["UTC", "Asia/Tokyo"], 1):
        memory.ingest("timezones/z.csv", f"store_id,timezone_str\na,{zone}\n")
        [file] = memory.log.snapshot().stores.values()
        assert memory.log.snapshot().version == version
        assert int(Path(file.key).name.partition("-")[0]) == version


def test_the_last_of_two_zones_of_a_store_wins(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,UTC", "a,Europe/Paris"))
    assert pipeline.zones() == {"a": "Europe/Paris", "b": "UTC"}


def test_a_store_has_at_most_1000_business_hours(pipeline: Pipeline) -> None:
    rows = [f"s,0,09:00,10:00:00.{n:06d}" for n in range(1001)]
    pipeline.ingest("business_hours/a.csv", hours_csv("t,0,09:00,17:00", *rows[:1000]))
    others = [f"{store_id},0,09:00,17:00" for store_id in "tuvwxyz"]
    outcome = pipeline.ingest("business_hours/b.csv", hours_csv(*others, *rows))
    assert outcome.status == UploadStatus.FAILED
    assert re.search(r"store s .*\b1001\b.*\b1000\b", str(outcome.error))
    assert {store_id: len(rows or ()) for store_id, rows in pipeline.hours().items()} == {
        "s": 1000,
        "t": 1,
    }


def test_hours_and_zones_are_independent(pipeline: Pipeline) -> None:
    pipeline.ingest("business_hours/a.csv", hours_csv("a,0,09:00,17:00"))
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,UTC"))
    pipeline.ingest("business_hours/b.csv", hours_csv("a,1,09:00,17:00"))
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": "UTC"}
    assert pipeline.hours() == {"a": {hours_row(1, 9, 17)}, "b": None}


@pytest.mark.parametrize(
    ("key", "first", "second", "held"),
    [
        (
            "business_hours/x.csv",
            hours_csv("a,0,09:00,17:00"),
            hours_csv("a,1,10:00,18:00"),
            lambda pipeline: pipeline.hours() == {"a": {hours_row(0, 9, 17)}},
        ),
        (
            "timezones/x.csv",
            zones_csv("a,Asia/Tokyo"),
            zones_csv("a,UTC"),
            lambda pipeline: pipeline.zones() == {"a": "Asia/Tokyo"},
        ),
    ],
)
def test_uploading_an_older_file_again_restores_it(
    pipeline: Pipeline, key: str, first: str, second: str, held: Callable[[Pipeline], bool]
) -> None:
    statuses = [
        pipeline.ingest(key, content, uploaded_at=at(nth)).status
        for nth, content in enumerate((first, first, second, first))
    ]
    assert statuses == [
        UploadStatus.COMMITTED,
        UploadStatus.UNCHANGED,
        UploadStatus.COMMITTED,
        UploadStatus.COMMITTED,
    ]
    assert held(pipeline)


def test_a_file_of_one_kind_does_not_outdate_another_kind(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo"))
    pipeline.ingest("business_hours/a.csv", hours_csv("a,1,10:00,18:00"))
    assert (
        pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo")).status
        == UploadStatus.UNCHANGED
    )


# --- all or nothing -------------------------------------------------------------------------


@dataclass
class DisturbedLog(MemoryLog):
    """A log in which an event happens before each of the first commits."""

    before_commit: tuple[Callable[[], object], ...] = ()

    def commit(
        self,
        snapshot: Snapshot,
        new_stores: Sequence[StoresFile],
        commit: Commit,
        outcome: UploadOutcome | None = None,
    ) -> None:
        if self.before_commit:
            disturb, *rest = self.before_commit
            self.before_commit = tuple(rest)
            disturb()
        super().commit(snapshot, new_stores, commit, outcome)


@dataclass
class FailingTables(FolderTables):
    """Tables that fail to write one key."""

    folder: Path
    fails: str

    def __post_init__(self) -> None:
        FolderTables.__init__(self, self.folder)

    @contextmanager
    def open_output(self, key: str) -> Iterator[IO[bytes]]:
        if key.startswith(self.fails):
            raise TransientError(f"cannot write {key}: slow down")
        with super().open_output(key) as stream:
            yield stream


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make retries immediate."""
    monkeypatch.setattr(deadline, "_FIRST_WAIT_SECONDS", 0)


def interrupted(folder: Path, prefix: str, interrupt: Callable[[Pipeline], object]) -> Pipeline:
    """Return a pipeline whose first write under a prefix waits for another pipeline's call."""

    class Slow(FolderTables):
        waits = True

        @contextmanager
        def open_output(self, key: str) -> Iterator[IO[bytes]]:
            if Slow.waits and key.startswith(prefix):
                Slow.waits = False
                interrupt(Pipeline(folder, bucket_count=1, log=log))
            with super().open_output(key) as stream:
                yield stream

    class SlowPipeline(Pipeline):
        @property
        def tables(self) -> FolderTables:
            return Slow(folder)

    log = MemoryLog()
    return SlowPipeline(folder, bucket_count=1, log=log)


def disturbed(folder: Path, *events: Callable[[Pipeline], object]) -> Pipeline:
    """Return a pipeline with one bucket, with these events before its first commits."""
    log = DisturbedLog()
    pipeline = Pipeline(folder, bucket_count=1, log=log)
    log.before_commit = tuple(partial(event, pipeline) for event in events)
    return pipeline


def conflict(_: Pipeline) -> None:
    raise CommitConflictError("version 0 is not current")


@pytest.mark.usefixtures("at_once")
def test_a_conflict_is_retried(tmp_path: Path) -> None:
    pipeline = disturbed(tmp_path, conflict, conflict)
    assert pipeline.ingest("polls/a.csv", FIRST_POLLS).status == UploadStatus.COMMITTED
    assert pipeline.polls() == FIRST
    assert pipeline.log.snapshot().version == 1


@pytest.mark.usefixtures("at_once")
def test_a_concurrent_ingest_is_not_lost(tmp_path: Path) -> None:
    pipeline = disturbed(
        tmp_path,
        lambda pipeline: pipeline.ingest("timezones/b.csv", zones_csv("b,UTC", "c,UTC")),
        lambda pipeline: pipeline.ingest("business_hours/a.csv", hours_csv("a,0,09:00,17:00")),
    )
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,Asia/Tokyo"))
    assert pipeline.log.snapshot().version == 3
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": "Asia/Tokyo", "c": "UTC"}
    assert pipeline.hours() == {"a": {hours_row(0, 9, 17)}, "b": None, "c": None}


@pytest.mark.parametrize(
    ("key", "content"),
    [("polls/a.csv", FIRST_POLLS), ("timezones/a.csv", zones_csv("a,Asia/Tokyo"))],
)
@pytest.mark.usefixtures("at_once")
def test_concurrent_ingests_of_a_file_commit_once(tmp_path: Path, key: str, content: str) -> None:
    pipeline = disturbed(tmp_path, lambda pipeline: pipeline.ingest(key, content))
    assert pipeline.ingest(key, content).status == UploadStatus.UNCHANGED
    assert len(pipeline.log.commits) == 1


# --- duplicate events -----------------------------------------------------------------------


def test_a_duplicate_event_does_not_change_the_outcome(pipeline: Pipeline) -> None:
    first = pipeline.ingest("polls/a.csv", FIRST_POLLS, version_id="v")
    assert pipeline.ingest("polls/a.csv", FIRST_POLLS, version_id="v") == first
    assert first.status == UploadStatus.COMMITTED


@pytest.mark.parametrize(
    ("key", "content"),
    [("polls/a.csv", FIRST_POLLS), ("timezones/a.csv", zones_csv("a,Asia/Tokyo"))],
)
@pytest.mark.usefixtures("at_once")
def test_concurrent_deliveries_have_one_outcome(tmp_path: Path, key: str, content: str) -> None:
    pipeline = disturbed(tmp_path, lambda pipeline: pipeline.ingest(key, content, version_id="v"))
    assert pipeline.ingest(key, content, version_id="v").status == UploadStatus.COMMITTED
    [outcome] = pipeline.log.uploads.of_key(key)
    assert (outcome.status, len(pipeline.log.commits)) == (UploadStatus.COMMITTED, 1)


def test_each_upload_under_one_key_has_an_outcome(pipeline: Pipeline) -> None:
    for version, content in enumerate([FIRST_POLLS, LATER_POLLS, FIRST_POLLS, "nothing\n"]):
        uploaded_at = CLOCK_TIME + timedelta(seconds=version)
        pipeline.ingest("polls/a.csv", content, "e", uploaded_at, f"v{version}")
    outcomes = pipeline.log.uploads.of_key("polls/a.csv")
    assert [(outcome.version, outcome.status) for outcome in outcomes] == [
        *(
            ("v3", UploadStatus.FAILED),
            ("v2", UploadStatus.UNCHANGED),
            ("v1", UploadStatus.COMMITTED),
            ("v0", UploadStatus.COMMITTED),
        ),
    ]


def test_conflicts_until_the_deadline_are_a_transient_error(tmp_path: Path) -> None:
    pipeline = disturbed(tmp_path, *[conflict] * 1000)
    pipeline.seconds = RESERVE_SECONDS + 2
    with pytest.raises(TransientError):
        pipeline.ingest("polls/a.csv", FIRST_POLLS)
    assert (pipeline.log.commits, pipeline.log.uploads.outcomes) == ([], {})


@pytest.mark.parametrize("fails", ["polls/bucket=", "stores/bucket="])
def test_after_a_storage_error_nothing_is_committed(tmp_path: Path, fails: str) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    before = deepcopy(pipeline.log)

    class Failing(Pipeline):
        @property
        def tables(self) -> FolderTables:
            return FailingTables(tmp_path, fails)

    with pytest.raises(TransientError, match="slow down"):
        Failing(tmp_path, log=pipeline.log).ingest("polls/b.csv", LATER_POLLS)
    assert pipeline.log == before
    assert pipeline.polls() == FIRST

    assert pipeline.ingest("polls/b.csv", LATER_POLLS).status == UploadStatus.COMMITTED
    assert pipeline.polls() == sorted(FIRST + LATER)


def test_a_snapshot_does_not_change_with_later_ingests(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    snapshot = pipeline.log.snapshot()
    files = pipeline.log.polls(snapshot.version, *ALL_TIME_US)
    stores = pipeline.tables.read_stores(list(snapshot.stores.values()))
    pipeline.ingest("polls/b.csv", LATER_POLLS)
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,Asia/Tokyo"))
    assert pipeline.log.polls(snapshot.version, *ALL_TIME_US) == files
    assert pipeline.tables.read_stores(list(snapshot.stores.values())) == stores


# --- out of order ---------------------------------------------------------------------------

OF_BOTH = {
    "a": (hours_csv("x,0,08:00,12:00", "y,0,08:00,12:00"), zones_csv("x,UTC", "y,UTC")),
    "b": (hours_csv("x,1,09:00,10:00"), zones_csv("x,Asia/Tokyo")),
}


def at(second: int) -> datetime:
    return CLOCK_TIME + timedelta(seconds=second)


def ingest_both(pipeline: Pipeline, name: str, second: int) -> UploadStatus:
    """Ingest hours and zones that were uploaded at a second."""
    hours, zones = OF_BOTH[name]
    of_hours = pipeline.ingest(f"business_hours/{name}.csv", hours, uploaded_at=at(second))
    of_zones = pipeline.ingest(f"timezones/{name}.csv", zones, uploaded_at=at(second))
    assert of_hours.status == of_zones.status
    return of_hours.status


@pytest.mark.parametrize("late", ["a", "b"])
def test_the_latest_upload_wins_in_any_order_of_ingests(pipeline: Pipeline, late: str) -> None:
    """Also if an upload is ingested twice: S3 may send events twice, or out of order."""
    first, second = ("b", "a") if late == "a" else ("a", "b")
    for name in (first, second, first, second):
        ingest_both(pipeline, name, ord(name))
    assert pipeline.hours() == {"x": {hours_row(1, 9, 10)}, "y": {hours_row(0, 8, 12)}}
    assert pipeline.zones() == {"x": "Asia/Tokyo", "y": "UTC"}


def test_a_file_uploaded_again_replaces_uploads_in_between(pipeline: Pipeline) -> None:
    for name, second in (("b", 2), ("a", 1), ("a", 3)):
        ingest_both(pipeline, name, second)
    assert pipeline.hours() == {key: {hours_row(0, 8, 12)} for key in "xy"}
    assert pipeline.zones() == dict.fromkeys("xy", "UTC")


def test_an_unchanged_file_uploaded_again_is_the_latest_upload(
    pipeline: Pipeline,
) -> None:
    assert ingest_both(pipeline, "a", 1) == UploadStatus.COMMITTED
    assert ingest_both(pipeline, "a", 3) == UploadStatus.UNCHANGED
    assert ingest_both(pipeline, "b", 2) == UploadStatus.UNCHANGED
    assert pipeline.hours() == {key: {hours_row(0, 8, 12)} for key in "xy"}
    assert pipeline.zones() == dict.fromkeys("xy", "UTC")


def test_an_upload_that_is_ingested_twice_is_committed_once(pipeline: Pipeline) -> None:
    ingest_both(pipeline, "a", 1)
    version = pipeline.log.snapshot().version
    assert ingest_both(pipeline, "a", 1) == UploadStatus.UNCHANGED
    assert pipeline.log.snapshot().version == version


@pytest.mark.usefixtures("at_once")
def test_concurrent_ingests_of_two_uploads_of_a_file_write_different_objects(
    tmp_path: Path,
) -> None:
    """The slower one, which is not committed, must not overwrite the committed files."""

    pipeline = interrupted(tmp_path, "", lambda other: ingest_both(other, "a", 3))
    ingest_both(pipeline, "a", 1)
    ingest_both(pipeline, "b", 2)
    assert pipeline.hours() == {key: {hours_row(0, 8, 12)} for key in "xy"}


def test_stores_from_before_partial_uploads_can_be_read(pipeline: Pipeline) -> None:
    ingest_both(pipeline, "a", 1)
    for file in pipeline.log.snapshot().stores.values():
        stores = pipeline.tables.read_stores([file])  # with columns that have no value, as then
        older = stores.drop_columns(["timezone_is_partial", "hours_is_partial"])
        pq.write_table(older, pipeline.folder / file.key)
    assert ingest_both(pipeline, "a", 2) == UploadStatus.UNCHANGED
    assert ingest_both(pipeline, "b", 3) == UploadStatus.COMMITTED
    assert pipeline.zones() == {"x": "Asia/Tokyo", "y": "UTC"}


# Of each upload: for each store that it names, its zone, and whether a row of it is rejected.
UPLOADS = st.lists(
    st.dictionaries(
        st.sampled_from("xyz"),
        st.tuples(st.sampled_from(["UTC", "Asia/Tokyo", "Europe/Paris"]), st.booleans()),
        min_size=1,
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=settings().max_examples // 2)
@given(UPLOADS, st.data())
def test_any_order_of_ingests_gives_the_same_state(
    uploads: list[dict[str, tuple[str, bool]]], data: st.DataObject
) -> None:
    expected: dict[str, tuple[str, bool]] = {}
    for upload in uploads:
        for store_id, (zone, is_partial) in upload.items():
            if not is_partial or store_id not in expected:
                expected[store_id] = (zone, is_partial)
    numbers = range(len(uploads))
    order = data.draw(st.permutations([*numbers, *data.draw(st.lists(st.sampled_from(numbers)))]))
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), bucket_count=2)
        for nth in order:
            rows = [
                row
                for store_id, (zone, is_partial) in uploads[nth].items()
                for row in [f"{store_id},{zone}", *[f"{store_id},Nowhere"] * is_partial]
            ]
            pipeline.ingest("timezones/z.csv", zones_csv(*rows), uploaded_at=at(nth))
        assert pipeline.zones() == {store_id: zone for store_id, (zone, _) in expected.items()}

"""What an ingest changes, what it leaves, and that it is all or nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO

import pytest

from store_monitoring.errors import CommitConflict, TransientError
from store_monitoring.instants import to_us
from store_monitoring.use_cases import commit_attempts
from store_monitoring.use_cases.ports import Commit, Head, StoresFile
from store_monitoring.use_cases.upload_outcomes import UploadOutcome
from tests.cases import utc
from tests.fakes import FolderTables, MemoryLog
from tests.pipeline import CLOCK_SHOWS, EVER_US, Pipeline

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


def test_the_outcome_and_the_commit_tell_what_was_taken(pipeline: Pipeline) -> None:
    outcome = pipeline.ingest("polls/a.csv", FIRST_POLLS, etag="e")
    [commit] = pipeline.log.commits
    assert pipeline.log.uploads.of_key("polls/a.csv") == [outcome]
    assert (outcome.key, outcome.etag, outcome.status) == ("polls/a.csv", "e", "Committed")
    assert (outcome.rows, outcome.rejected, outcome.error) == (2, 0, None)
    assert (outcome.ended_at, commit.committed_at) == (CLOCK_SHOWS, CLOCK_SHOWS)
    assert (commit.kind, commit.ingest_id, commit.rows) == ("polls", outcome.ingest_id, 2)
    assert sum(file.rows for file in commit.polls_files) == 2
    for file in commit.polls_files:
        assert file.key == f"polls/bucket={file.bucket:03d}/{outcome.ingest_id}.parquet"
        assert file.bytes == (pipeline.folder / file.key).stat().st_size


def test_the_head_knows_the_greatest_timestamp(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/b.csv", LATER_POLLS)
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    assert pipeline.log.head().greatest_us == to_us(utc("2024-10-14 12:00"))


def test_the_same_polls_again_change_nothing(pipeline: Pipeline) -> None:
    first = pipeline.ingest("polls/a.csv", FIRST_POLLS)
    pipeline.ingest("polls/b.csv", LATER_POLLS)
    head, files = pipeline.log.head(), pipeline.files()
    again = pipeline.ingest("polls/another name.csv", FIRST_POLLS)
    assert (again.status, again.ingest_id, again.rows) == ("Unchanged", first.ingest_id, 2)
    assert (pipeline.log.head(), pipeline.files()) == (head, files)
    assert pipeline.polls() == sorted(FIRST + LATER)


def test_a_store_that_only_occurs_in_polls_is_a_store(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    assert pipeline.zones() == {"a": None, "b": None}
    assert pipeline.hours() == {"a": None, "b": None}


def test_polls_of_known_stores_write_no_stores(pipeline: Pipeline) -> None:
    pipeline.ingest("business_hours/a.csv", hours_csv("a,0,09:00,17:00", "a,1,09:00,17:00"))
    pipeline.ingest("timezones/a.csv", zones_csv("a,UTC", "b,Asia/Tokyo"))
    stores = pipeline.log.head().stores
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    assert pipeline.log.head().stores == stores


def test_polls_keep_the_hours_and_zones_of_their_bucket(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=1)
    pipeline.ingest("business_hours/a.csv", hours_csv("b,0,09:00,17:00"))
    pipeline.ingest("timezones/a.csv", zones_csv("b,Asia/Tokyo"))
    pipeline.ingest("polls/a.csv", LATER_POLLS)
    assert pipeline.zones() == {"a": None, "b": "Asia/Tokyo", "c": None}
    assert pipeline.hours() == {"a": None, "b": {hours_row(0, 9, 17)}, "c": None}


# --- business hours and time zones ----------------------------------------------------------


def test_hours_replace_exactly_the_stores_that_are_named(pipeline: Pipeline) -> None:
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


def test_a_store_whose_rows_are_all_bad_is_not_named(pipeline: Pipeline) -> None:
    pipeline.ingest("business_hours/a.csv", hours_csv("a,0,09:00,17:00", "b,0,09:00,17:00"))
    pipeline.ingest("business_hours/b.csv", hours_csv("a,7,09:00,17:00", "b,1,09:00,17:00"))
    assert pipeline.hours() == {"a": {hours_row(0, 9, 17)}, "b": {hours_row(1, 9, 17)}}


def test_zones_replace_exactly_the_stores_that_are_named(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,Asia/Tokyo"))
    pipeline.ingest("timezones/b.csv", zones_csv("c,UTC", "b,Europe/Paris"))
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": "Europe/Paris", "c": "UTC"}


def test_of_two_zones_of_a_store_the_last_counts(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,UTC", "a,Europe/Paris"))
    assert pipeline.zones() == {"a": "Europe/Paris", "b": "UTC"}


def test_a_store_has_at_most_1000_business_hours(pipeline: Pipeline) -> None:
    rows = [f"s,0,09:00,10:00:00.{n:06d}" for n in range(1001)]
    pipeline.ingest("business_hours/a.csv", hours_csv("t,0,09:00,17:00", *rows[:1000]))
    outcome = pipeline.ingest("business_hours/b.csv", hours_csv("u,0,09:00,17:00", *rows))
    assert outcome.status == "Failed"
    assert outcome.error == "store s has 1001 rows of business hours, more than 1000"
    assert {store_id: len(rows or ()) for store_id, rows in pipeline.hours().items()} == {
        "s": 1000,
        "t": 1,
    }


def test_hours_and_zones_do_not_touch_each_other(pipeline: Pipeline) -> None:
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
def test_an_older_file_again_holds_again(
    pipeline: Pipeline, key: str, first: str, second: str, held: Callable[[Pipeline], bool]
) -> None:
    outcomes = [pipeline.ingest(key, content) for content in (first, first, second, first)]
    statuses = [outcome.status for outcome in outcomes]
    assert statuses == ["Committed", "Unchanged", "Committed", "Committed"]
    assert held(pipeline)


def test_a_file_of_one_kind_does_not_make_another_kind_old(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo"))
    pipeline.ingest("business_hours/a.csv", hours_csv("a,1,10:00,18:00"))
    assert pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo")).status == "Unchanged"


# --- all or nothing -------------------------------------------------------------------------


@dataclass
class DisturbedLog(MemoryLog):
    """A log in which something else happens just before each of the first commits."""

    before_commit: tuple[Callable[[], object], ...] = ()

    def commit(
        self,
        head: Head,
        new_stores: Sequence[StoresFile],
        commit: Commit,
        outcome: UploadOutcome | None = None,
    ) -> None:
        if self.before_commit:
            disturb, *rest = self.before_commit
            self.before_commit = tuple(rest)
            disturb()
        super().commit(head, new_stores, commit, outcome)


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
    """Let retries not wait."""
    monkeypatch.setattr(commit_attempts, "_WAIT_SECONDS", 0)


def disturbed(folder: Path, *events: Callable[[Pipeline], object]) -> Pipeline:
    """Return a pipeline with one bucket, in which these happen before its first commits."""
    log = DisturbedLog()
    pipeline = Pipeline(folder, bucket_count=1, log=log)
    log.before_commit = tuple(partial(event, pipeline) for event in events)
    return pipeline


def conflict(_: Pipeline) -> None:
    raise CommitConflict("version 0 is not current")


@pytest.mark.usefixtures("at_once")
def test_a_conflict_is_tried_again(tmp_path: Path) -> None:
    pipeline = disturbed(tmp_path, conflict, conflict)
    assert pipeline.ingest("polls/a.csv", FIRST_POLLS).status == "Committed"
    assert pipeline.polls() == FIRST
    assert pipeline.log.head().version == 1


@pytest.mark.usefixtures("at_once")
def test_another_ingest_that_slips_in_is_not_lost(tmp_path: Path) -> None:
    pipeline = disturbed(
        tmp_path,
        lambda pipeline: pipeline.ingest("timezones/b.csv", zones_csv("b,UTC", "c,UTC")),
        lambda pipeline: pipeline.ingest("business_hours/a.csv", hours_csv("a,0,09:00,17:00")),
    )
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,Asia/Tokyo"))
    assert pipeline.log.head().version == 3
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": "Asia/Tokyo", "c": "UTC"}
    assert pipeline.hours() == {"a": {hours_row(0, 9, 17)}, "b": None, "c": None}


@pytest.mark.parametrize(
    ("key", "content"),
    [("polls/a.csv", FIRST_POLLS), ("timezones/a.csv", zones_csv("a,Asia/Tokyo"))],
)
@pytest.mark.usefixtures("at_once")
def test_the_same_file_at_the_same_time_is_committed_once(
    tmp_path: Path, key: str, content: str
) -> None:
    pipeline = disturbed(tmp_path, lambda pipeline: pipeline.ingest(key, content))
    assert pipeline.ingest(key, content).status == "Unchanged"
    assert len(pipeline.log.commits) == 1


# --- an event that is delivered twice -------------------------------------------------------


def test_an_event_delivered_again_does_not_change_the_outcome(pipeline: Pipeline) -> None:
    first = pipeline.ingest("polls/a.csv", FIRST_POLLS, version_id="v")
    assert pipeline.ingest("polls/a.csv", FIRST_POLLS, version_id="v") == first
    assert first.status == "Committed"


@pytest.mark.parametrize(
    ("key", "content"),
    [("polls/a.csv", FIRST_POLLS), ("timezones/a.csv", zones_csv("a,Asia/Tokyo"))],
)
@pytest.mark.usefixtures("at_once")
def test_two_deliveries_at_the_same_time_have_one_outcome(
    tmp_path: Path, key: str, content: str
) -> None:
    pipeline = disturbed(tmp_path, lambda pipeline: pipeline.ingest(key, content, version_id="v"))
    assert pipeline.ingest(key, content, version_id="v").status == "Committed"
    [outcome] = pipeline.log.uploads.of_key(key)
    assert (outcome.status, len(pipeline.log.commits)) == ("Committed", 1)


def test_uploads_under_one_key_have_an_outcome_each(pipeline: Pipeline) -> None:
    for version, content in enumerate([FIRST_POLLS, LATER_POLLS, FIRST_POLLS, "nothing\n"]):
        uploaded_at = CLOCK_SHOWS + timedelta(seconds=version)
        pipeline.ingest("polls/a.csv", content, "e", uploaded_at, f"v{version}")
    outcomes = pipeline.log.uploads.of_key("polls/a.csv")
    assert [(outcome.version, outcome.status) for outcome in outcomes] == [
        *(("v3", "Failed"), ("v2", "Unchanged"), ("v1", "Committed"), ("v0", "Committed")),
    ]


@pytest.mark.usefixtures("at_once")
def test_conflicts_without_end_are_a_transient_error(tmp_path: Path) -> None:
    pipeline = disturbed(tmp_path, *[conflict] * 100)
    with pytest.raises(TransientError, match="20 other ingests were committed first"):
        pipeline.ingest("polls/a.csv", FIRST_POLLS)
    assert (pipeline.log.commits, pipeline.log.uploads.outcomes) == ([], {})


@pytest.mark.parametrize("fails", ["polls/bucket=", "stores/bucket="])
def test_a_storage_error_leaves_nothing_committed(tmp_path: Path, fails: str) -> None:
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

    assert pipeline.ingest("polls/b.csv", LATER_POLLS).status == "Committed"
    assert pipeline.polls() == sorted(FIRST + LATER)


def test_a_snapshot_does_not_change_under_later_ingests(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/a.csv", FIRST_POLLS)
    head = pipeline.log.head()
    files = pipeline.log.polls(head.version, *EVER_US)
    stores = pipeline.tables.read_stores(list(head.stores.values()))
    pipeline.ingest("polls/b.csv", LATER_POLLS)
    pipeline.ingest("timezones/a.csv", zones_csv("a,Asia/Tokyo", "b,Asia/Tokyo"))
    assert pipeline.log.polls(head.version, *EVER_US) == files
    assert pipeline.tables.read_stores(list(head.stores.values())) == stores


# --- out of order ---------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["a", "b"])
def test_what_was_uploaded_last_holds_whenever_it_is_ingested(
    pipeline: Pipeline, late: str
) -> None:
    """Also if an upload is ingested twice: storage may tell of it twice, or out of order."""
    uploads = {
        "a": (hours_csv("x,0,08:00,12:00", "y,0,08:00,12:00"), zones_csv("x,UTC", "y,UTC")),
        "b": (hours_csv("x,1,09:00,10:00"), zones_csv("x,Asia/Tokyo")),
    }
    first, second = ("b", "a") if late == "a" else ("a", "b")
    for name in (first, second, first, second):
        uploaded_at = CLOCK_SHOWS + timedelta(seconds=ord(name))
        hours, zones = uploads[name]
        pipeline.ingest(f"business_hours/{name}.csv", hours, uploaded_at=uploaded_at)
        pipeline.ingest(f"timezones/{name}.csv", zones, uploaded_at=uploaded_at)
    assert pipeline.hours() == {"x": {hours_row(1, 9, 10)}, "y": {hours_row(0, 8, 12)}}
    assert pipeline.zones() == {"x": "Asia/Tokyo", "y": "UTC"}

"""An ingest is taken back: its data no longer counts, and nothing is deleted."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from store_monitoring.domain.parameters import DAY_US
from store_monitoring.errors import CannotTakeBackError, UnknownIngestError
from store_monitoring.ingest.compaction import compact_polls
from store_monitoring.ingest.outcomes import UploadOutcome, UploadStatus
from store_monitoring.ingest.ports import Committed, StoresChange
from store_monitoring.ingest.take_back import TakenBack, take_back_ingest
from store_monitoring.instants import to_us
from testing.fakes import FolderObjects, MemoryLog
from testing.pipeline import CLOCK_TIME, Pipeline
from tests.cases import utc

ALL_TIME_US = (-(2**62), 2**62)
HOURS = {day: f"{day},09:00,17:00" for day in range(7)}


def polls(pipeline: Pipeline, minute: int, stores: str = "abc") -> UploadOutcome:
    rows = [f"{store},active,2024-10-14 10:{minute:02}:00" for store in stores]
    return pipeline.ingest(
        f"polls/{minute}.csv", "\n".join(["store_id,status,timestamp_utc", *rows])
    )


def zones(pipeline: Pipeline, second: int, **zone_of: str) -> UploadOutcome:
    rows = [f"{store_id},{zone}" for store_id, zone in zone_of.items()]
    return pipeline.ingest(
        "timezones/z.csv",
        "\n".join(["store_id,timezone_str", *rows]),
        uploaded_at=CLOCK_TIME + timedelta(seconds=second),
    )


def hours(pipeline: Pipeline, second: int, *rows: str) -> UploadOutcome:
    return pipeline.ingest(
        "business_hours/h.csv",
        "\n".join(["store_id,day,start_time_local,end_time_local", *rows]),
        uploaded_at=CLOCK_TIME + timedelta(seconds=second),
    )


def take_back(pipeline: Pipeline, outcome: UploadOutcome) -> TakenBack:
    before = pipeline.files()
    assert outcome.ingest_id is not None
    taken = take_back_ingest(outcome.ingest_id, lambda: CLOCK_TIME, pipeline.tables, pipeline.log)
    version = pipeline.log.snapshot().version
    kind = outcome.key.partition("/")[0]
    assert taken == TakenBack(kind, outcome.ingest_id, version)
    ingests = pipeline.log.manifest(version, *ALL_TIME_US)
    assert sum(ingest.rows for ingest in ingests) == len(pipeline.polls())
    assert before <= pipeline.files()  # nothing is deleted
    return taken


def compact(pipeline: Pipeline, days_later: int = 0) -> None:
    compact_polls(
        14 * DAY_US,
        pipeline.bucket_count,
        timedelta(days=90),
        lambda: CLOCK_TIME + timedelta(days=days_later),
        pipeline.tables,
        FolderObjects(pipeline.folder),
        pipeline.log,
    )


# --- polls ----------------------------------------------------------------------------------


def test_an_ingest_that_is_taken_back_twice_at_once_is_taken_back_once(memory: Pipeline) -> None:
    outcome = polls(memory, 1)
    assert outcome.ingest_id is not None
    original, others = memory.log.take_back, [outcome.ingest_id]

    def take_back_meanwhile(*arguments: Any) -> None:
        if others:
            take_back_ingest(others.pop(), lambda: CLOCK_TIME, memory.tables, memory.log)
        original(*arguments)

    memory.log.take_back = take_back_meanwhile  # type: ignore[method-assign,assignment]  # in between
    with pytest.raises(UnknownIngestError):
        take_back_ingest(outcome.ingest_id, lambda: CLOCK_TIME, memory.tables, memory.log)
    assert memory.polls() == []


def test_polls_and_the_stores_that_only_they_name_no_longer_count(pipeline: Pipeline) -> None:
    polls(pipeline, 1)
    known, report = pipeline.polls(), pipeline.report()
    outcome = polls(pipeline, 59, "abcxyz")
    old_plan = pipeline.plan("old")
    take_back(pipeline, outcome)
    assert pipeline.polls() == known
    assert pipeline.report() == report
    assert pipeline.log.snapshot().max_timestamp_us == to_us(utc("2024-10-14 10:01"))
    assert all(
        (pipeline.folder / file.key).exists() for s in old_plan.shards for file in s.polls_files
    )


def test_a_store_in_other_uploads_is_still_known(pipeline: Pipeline) -> None:
    outcome = polls(pipeline, 1, "abc")
    polls(pipeline, 2, "a")
    zones(pipeline, 1, b="UTC")
    take_back(pipeline, outcome)
    assert pipeline.zones() == {"a": None, "b": "UTC"}


def test_a_store_is_unknown_once_all_that_named_it_are_taken_back(pipeline: Pipeline) -> None:
    """Also if only the first of them made it known, and was taken back while others named it."""
    for upload_both in (
        lambda: (polls(pipeline, 1, "a"), polls(pipeline, 2, "a")),
        lambda: (polls(pipeline, 1, "a"), zones(pipeline, 1, a="UTC")),
        lambda: (zones(pipeline, 1, a="UTC"), zones(pipeline, 2, a="Asia/Tokyo")),
        lambda: (hours(pipeline, 1, f"a,{HOURS[1]}"), zones(pipeline, 1, a="UTC")),
    ):
        polls(pipeline, 3, "b")
        first, second = upload_both()
        take_back(pipeline, first)
        assert set(pipeline.zones()) == set("ab")
        take_back(pipeline, second)
        assert set(pipeline.zones()) == {"b"}


def test_all_polls_may_be_taken_back(pipeline: Pipeline) -> None:
    take_back(pipeline, polls(pipeline, 1))
    assert (pipeline.polls(), pipeline.zones()) == ([], {})
    assert pipeline.log.snapshot().max_timestamp_us is None


def test_an_ingest_can_be_uploaded_and_taken_back_again(pipeline: Pipeline) -> None:
    polls(pipeline, 1)
    for _ in range(2):
        outcome = polls(pipeline, 2, "abcd")
        assert outcome.status == UploadStatus.COMMITTED
        assert len(pipeline.polls()) == 7
        take_back(pipeline, outcome)
        assert len(pipeline.polls()) == 3
        assert set(pipeline.zones()) == set("abc")


def test_an_ingest_that_is_not_committed_or_was_taken_back_is_unknown(pipeline: Pipeline) -> None:
    outcome = polls(pipeline, 1)
    take_back(pipeline, outcome)
    for ingest_id in ("nothing", outcome.ingest_id):
        with pytest.raises(UnknownIngestError, match=f"no ingest '{ingest_id}' is committed"):
            take_back_ingest(ingest_id or "", lambda: CLOCK_TIME, pipeline.tables, pipeline.log)


def test_a_compaction_is_rewritten_without_the_ingest(pipeline: Pipeline) -> None:
    """Also of ingests that were compacted twice, and taken back one after the other."""
    outcomes = [polls(pipeline, minute) for minute in range(3)]
    compact(pipeline)
    outcomes += [polls(pipeline, minute) for minute in range(3, 6)]
    compact(pipeline)
    left = pipeline.polls()
    for nth in (1, 4, 0):
        take_back(pipeline, outcomes[nth])
        left = [poll for poll in left if poll[1].minute != nth]
        assert pipeline.polls() == left
    assert polls(pipeline, 1).status == UploadStatus.COMMITTED
    assert polls(pipeline, 2).status == UploadStatus.UNCHANGED
    assert len(pipeline.polls()) == len(left) + 3
    compact(pipeline)
    compact(pipeline, days_later=91)  # deletes replaced files, but no current ones
    assert len(pipeline.polls()) == len(left) + 3
    assert polls(pipeline, 0).status == UploadStatus.COMMITTED


def test_an_ingest_uploaded_again_is_not_deleted_with_its_old_compaction(
    pipeline: Pipeline,
) -> None:
    outcomes = [polls(pipeline, minute) for minute in range(3)]
    compact(pipeline)
    take_back(pipeline, outcomes[1])
    polls(pipeline, 1)
    known = pipeline.polls()
    compact_polls(  # no ingest is small, so it only deletes replaced files
        0,
        pipeline.bucket_count,
        timedelta(days=90),
        lambda: CLOCK_TIME + timedelta(days=91),
        pipeline.tables,
        FolderObjects(pipeline.folder),
        pipeline.log,
    )
    assert pipeline.polls() == known
    assert polls(pipeline, 1).status == UploadStatus.UNCHANGED


def test_compacted_polls_whose_files_are_deleted_cannot_be_taken_back(pipeline: Pipeline) -> None:
    outcomes = [polls(pipeline, minute) for minute in range(3)]
    compact(pipeline)
    compact(pipeline, days_later=91)
    version = pipeline.log.snapshot().version
    with pytest.raises(CannotTakeBackError):
        take_back(pipeline, outcomes[1])
    assert pipeline.log.snapshot().version == version


def test_a_compaction_cannot_be_taken_back(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a new one, nor one from before compactions were marked."""
    for minute in range(3):
        polls(pipeline, minute)
    compact(pipeline)
    log, known = pipeline.log, pipeline.polls()
    [compacted] = log.manifest(log.snapshot().version, *ALL_TIME_US)
    for _ in range(2):
        with pytest.raises(UnknownIngestError, match=compacted.ingest_id):
            take_back_ingest(compacted.ingest_id, lambda: CLOCK_TIME, pipeline.tables, log)
        monkeypatch.setattr(log, "committed", lambda kind, ingest_id: Committed())
    assert pipeline.polls() == known


# --- hours and zones ------------------------------------------------------------------------


def test_previous_values_are_restored(pipeline: Pipeline) -> None:
    zones(pipeline, 1, a="Asia/Tokyo", b="UTC")
    wrong = zones(pipeline, 2, a="UTC", b="Asia/Tokyo", c="UTC", d="UTC")
    polls(pipeline, 1, "c")
    take_back(pipeline, wrong)
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": "UTC", "c": None}


def test_values_of_a_later_upload_stay(pipeline: Pipeline) -> None:
    hours(pipeline, 1, f"a,{HOURS[1]}", f"b,{HOURS[1]}")
    wrong = hours(pipeline, 2, f"a,{HOURS[2]}", f"b,{HOURS[2]}")
    hours(pipeline, 3, f"b,{HOURS[3]}")
    zones(pipeline, 4, a="UTC")
    take_back(pipeline, wrong)
    known = pipeline.hours()
    assert {store_id: [day for day, _, _ in known[store_id] or ()] for store_id in known} == {
        "a": [1],
        "b": [3],
    }
    assert pipeline.zones() == {"a": "UTC", "b": None}


def test_only_stores_that_change_are_written(pipeline: Pipeline) -> None:
    first = zones(pipeline, 1, a="UTC")
    second = zones(pipeline, 2, a="Asia/Tokyo")
    files = pipeline.files()
    take_back(pipeline, first)
    assert pipeline.files() == files
    version = take_back(pipeline, second).version
    [written] = pipeline.files() - files
    assert Path(written).name.startswith(f"{version:08d}-")


def test_all_uploads_of_a_file_are_taken_back_together(
    pipeline: Pipeline,
) -> None:
    zones(pipeline, 1, a="Asia/Tokyo")
    for second in (2, 3):
        wrong = zones(pipeline, second, a="UTC", b="UTC")
    zones(pipeline, 4, b="Europe/Paris")
    wrong = zones(pipeline, 5, a="UTC", b="UTC")
    take_back(pipeline, wrong)
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": "Europe/Paris"}
    assert zones(pipeline, 6, a="UTC", b="UTC").status == UploadStatus.COMMITTED
    assert pipeline.zones() == {"a": "UTC", "b": "UTC"}


def test_ingests_can_be_taken_back_in_either_order(pipeline: Pipeline) -> None:
    """The previous value of one may come from another that was taken back since."""
    zones(pipeline, 1, a="Asia/Tokyo", b="Asia/Tokyo")
    first = zones(pipeline, 2, a="UTC", b="UTC")
    second = zones(pipeline, 3, a="Europe/Paris")
    take_back(pipeline, first)
    assert pipeline.zones() == {"a": "Europe/Paris", "b": "Asia/Tokyo"}
    take_back(pipeline, second)
    assert pipeline.zones() == {"a": "Asia/Tokyo", "b": "Asia/Tokyo"}


def test_the_previous_upload_time_is_restored(pipeline: Pipeline) -> None:
    zones(pipeline, 2, a="Asia/Tokyo")
    wrong = zones(pipeline, 9, a="UTC")
    take_back(pipeline, wrong)
    assert zones(pipeline, 1, a="America/Denver").status == UploadStatus.UNCHANGED
    assert zones(pipeline, 3, a="America/Chicago").status == UploadStatus.COMMITTED


def test_without_the_previous_values_nothing_is_taken_back(pipeline: Pipeline) -> None:
    zones(pipeline, 1, a="Asia/Tokyo")
    wrong = zones(pipeline, 2, a="UTC")
    [change] = pipeline.log.stores_changes("timezones", wrong.ingest_id or "")
    [before] = (file for file in change.before.values() if file is not None)
    (pipeline.folder / before.key).unlink()
    with pytest.raises(CannotTakeBackError, match=re.escape(before.key)):
        take_back(pipeline, wrong)
    assert pipeline.zones() == {"a": "UTC"}
    assert zones(pipeline, 3, a="UTC").status == UploadStatus.UNCHANGED


def test_commits_from_before_changes_were_recorded_cannot_be_taken_back(tmp_path: Path) -> None:
    class Old(MemoryLog):
        def stores_changes(self, kind: str, ingest_id: str) -> list[StoresChange]:
            return []

    pipeline = Pipeline(tmp_path, log=Old())
    with pytest.raises(CannotTakeBackError):
        take_back(pipeline, zones(pipeline, 1, a="UTC"))
    outcome = polls(pipeline, 1)
    take_back(pipeline, outcome)
    assert pipeline.polls() == []

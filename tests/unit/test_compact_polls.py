"""Small ingests become large ones, and reports do not change."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from store_monitoring.domain.parameters import DAY_US
from store_monitoring.errors import TransientError
from store_monitoring.ingest import compaction as compact_polls_module
from store_monitoring.ingest.compaction import Compaction, compact_polls
from store_monitoring.ingest.outcomes import UploadOutcome, UploadStatus
from store_monitoring.ingest.ports import ManifestEntry
from store_monitoring.reports.shard import compute_shard
from store_monitoring.storage.keys import part_key
from testing.fakes import FolderObjects, FolderTables, MemoryLog
from testing.pipeline import ALL_TIME_US, CLOCK_TIME, Pipeline
from tests.cases import utc

KEEP = timedelta(days=90)
FIRST = utc("2024-10-07 00:30")


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """Twelve uploads, one every four hours, over a Sunday night: two ISO weeks."""
    pipeline = Pipeline(tmp_path, bucket_count=3)
    for nth in range(12):
        upload(pipeline, nth)
    return pipeline


def upload(pipeline: Pipeline, nth: int) -> UploadOutcome:
    at = FIRST + timedelta(days=5, hours=4 * nth)
    rows = [
        f"{store},{'in' * (ord(store) * nth % 5 < 2)}active,{at + timedelta(minutes=7 * i)} UTC"
        for i, store in enumerate("abcdefg")
    ]
    content = "\n".join(["store_id,status,timestamp_utc", *rows]).replace("+00:00", "")
    outcome = pipeline.ingest(f"polls/{nth}.csv", content)
    assert outcome.rejected == 0
    return outcome


def compact(
    pipeline: Pipeline, days_later: int = 0, tables: FolderTables | None = None
) -> Compaction:
    return compact_polls(
        14 * DAY_US,
        pipeline.bucket_count,
        KEEP,
        lambda: CLOCK_TIME + timedelta(days=days_later),
        tables or pipeline.tables,
        FolderObjects(pipeline.folder),
        pipeline.log,
    )


def files_of(pipeline: Pipeline) -> list[str]:
    """Return the keys that a report planned now reads."""
    return [file.key for file in pipeline.log.polls(pipeline.log.snapshot().version, *ALL_TIME_US)]


def test_a_bucket_has_one_file_and_the_report_is_the_same(pipeline: Pipeline) -> None:
    before, polls, snapshot = pipeline.report(), pipeline.polls(), pipeline.log.snapshot()
    weeks = Counter[int]()
    for ingest in pipeline.log.manifest(snapshot.version, *ALL_TIME_US):
        weeks.update(ingest.rows_by_week)
    assert len(files_of(pipeline)) == 36
    assert compact(pipeline) == Compaction(12, 0)
    assert len(files_of(pipeline)) == 3
    [compacted] = pipeline.log.manifest(snapshot.version + 1, *ALL_TIME_US)
    assert (compacted.rows, compacted.rows_by_week) == (12 * 7, weeks)
    committed = pipeline.log.commits[-1]
    assert (committed.kind, committed.rejected, committed.committed_at) == ("polls", 0, CLOCK_TIME)
    assert pipeline.polls() == polls
    assert pipeline.report() == before
    after = pipeline.log.snapshot()
    assert (after.stores, after.max_timestamp_us) == (snapshot.stores, snapshot.max_timestamp_us)


def test_compacting_again_changes_nothing(pipeline: Pipeline) -> None:
    compact(pipeline)
    files, version = files_of(pipeline), pipeline.log.snapshot().version
    assert compact(pipeline) == Compaction(0, 0)
    assert (files_of(pipeline), pipeline.log.snapshot().version) == (files, version)


def test_later_uploads_are_added(pipeline: Pipeline) -> None:
    compact(pipeline)
    upload(pipeline, 12)
    polls = pipeline.polls()
    assert compact(pipeline) == Compaction(2, 0)
    assert len(files_of(pipeline)) == 3
    assert pipeline.polls() == polls


def test_a_compacted_upload_is_still_known(pipeline: Pipeline) -> None:
    polls = pipeline.polls()
    compact(pipeline)
    assert upload(pipeline, 3).status == UploadStatus.UNCHANGED
    assert pipeline.polls() == polls


def test_many_ingests_are_compacted_in_several_steps(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_polls_module, "_MAX_INGESTS", 5)
    polls = pipeline.polls()
    assert compact(pipeline) == Compaction(5 + 5 + 4, 0)
    assert len(files_of(pipeline)) == 3
    assert pipeline.polls() == polls


def test_a_step_replaces_as_many_ingests_as_a_transaction_can_hold(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Large(MemoryLog):
        def manifest(self, *range_: int) -> list[ManifestEntry]:
            return [replace(each, log_bytes=300_000) for each in super().manifest(*range_)]

    log = Large(**vars(pipeline.log))
    [*first, _, _] = sorted(ingest.ingest_id for ingest in log.manifest(12, *ALL_TIME_US))
    pipeline.log = log
    assert compact(pipeline) == Compaction(10 + 3, 0)
    assert next(iter(log.replacements.values())) == first


def test_large_ingests_are_not_compacted(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_polls_module, "_LARGE_BUCKET_ROWS", 7)  # 21 rows, of three ingests
    compact(pipeline)
    assert len(files_of(pipeline)) == 4 * 3
    assert compact(pipeline) == Compaction(0, 0)


def test_an_ingest_is_large_from_so_many_rows_on(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_polls_module, "_LARGE_BUCKET_ROWS", 21)
    large = [
        f"{store},active,2024-10-12 12:{minute:02}:30" for store in "abc" for minute in range(21)
    ]
    pipeline.ingest("polls/large.csv", "\n".join(["store_id,status,timestamp_utc", *large]))
    assert compact(pipeline) == Compaction(9 + 3, 0)  # of 7 rows each; nine are large


def test_polls_that_no_report_reads_are_not_compacted(pipeline: Pipeline) -> None:
    content = "store_id,status,timestamp_utc\na,active,2024-12-01 00:00:00 UTC\n"
    pipeline.ingest("polls/late.csv", content)
    assert compact(pipeline) == Compaction(0, 0)


def test_an_empty_log_is_not_compacted(tmp_path: Path) -> None:
    assert compact(Pipeline(tmp_path)) == Compaction(0, 0)


# --- older plans ----------------------------------------------------------------------------


def test_a_report_planned_before_reads_the_old_files(pipeline: Pipeline) -> None:
    compute_shard("r", pipeline.plan().shards[0].shard, pipeline.tables)
    part = (pipeline.folder / part_key("r", 0)).read_bytes()
    (pipeline.folder / part_key("r", 0)).unlink()
    compact(pipeline)
    compute_shard("r", 0, pipeline.tables)
    assert (pipeline.folder / part_key("r", 0)).read_bytes() == part


def test_replaced_files_are_deleted_when_no_report_can_read_them(pipeline: Pipeline) -> None:
    old, report = set(files_of(pipeline)), pipeline.report()
    compact(pipeline)
    assert compact(pipeline, days_later=90) == Compaction(0, 0)
    assert old < pipeline.files()
    assert compact(pipeline, days_later=91) == Compaction(0, 36)
    assert old.isdisjoint(pipeline.files())
    assert compact(pipeline, days_later=92) == Compaction(0, 0)
    assert pipeline.report() == report


def test_files_of_several_compactions_are_deleted_and_counted(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_polls_module, "_MAX_INGESTS", 6)
    compact(pipeline)  # six, six of them, then both compactions
    deleted = compact(pipeline, days_later=91)
    assert deleted == Compaction(0, 3 * (12 + 2))


def test_an_upload_whose_files_are_deleted_is_still_known(pipeline: Pipeline) -> None:
    compact(pipeline)
    compact(pipeline, days_later=91)
    polls = pipeline.polls()
    assert len(pipeline.log.commits) == 1
    assert upload(pipeline, 3).status == UploadStatus.UNCHANGED
    assert pipeline.polls() == polls


def test_a_compaction_that_loses_the_race_deletes_its_files(pipeline: Pipeline) -> None:
    """Another compaction replaced other ingests, so no plan reads the files of this one."""

    def others() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compact_polls_module, "_MAX_INGESTS", 11)
            compact(pipeline)

    before = pipeline.polls()
    tables = DisturbedTables(pipeline.folder, others, 2)
    assert compact(pipeline, tables=tables) == Compaction(0, 0)
    entries = {file.key for commit in pipeline.log.commits for file in commit.polls_files}
    assert {key for key in pipeline.files() if key.startswith("polls/")} == entries
    assert pipeline.polls() == before


# --- concurrent, and killed -----------------------------------------------------------------


@dataclass
class DisturbedTables(FolderTables):
    """Tables that call a function before they write the polls of a bucket."""

    folder: Path
    disturb: Callable[[], Any]
    nth: int
    writes: int = 0

    def __post_init__(self) -> None:
        FolderTables.__init__(self, self.folder)

    def write_polls(self, key: str, row_groups: Any) -> int:
        if self.writes == self.nth:
            self.disturb()
        self.writes += 1
        return super().write_polls(key, row_groups)


def test_a_concurrent_ingest_is_kept(pipeline: Pipeline) -> None:
    tables = DisturbedTables(pipeline.folder, lambda: upload(pipeline, 12), 1)
    assert compact(pipeline, tables=tables) == Compaction(12 + 2, 0)
    assert len({at for _, at, _ in pipeline.polls()}) == 13 * 7


def test_a_compaction_that_loses_to_an_ingest_commits_after_it(pipeline: Pipeline) -> None:
    class Busy(MemoryLog):
        def replace(self, *arguments: Any) -> None:
            if len(self.known) == 12:
                upload(pipeline, 12)
            super().replace(*arguments)

    pipeline.log = Busy(**vars(pipeline.log))
    assert compact(pipeline) == Compaction(12 + 2, 0)
    assert len({at for _, at, _ in pipeline.polls()}) == 13 * 7


def test_concurrent_compactions(pipeline: Pipeline) -> None:
    polls = pipeline.polls()
    tables = DisturbedTables(pipeline.folder, lambda: compact(pipeline), 1)
    assert compact(pipeline, tables=tables) == Compaction(0, 0)
    assert pipeline.polls() == polls  # both wrote the same keys: the loser deletes nothing
    assert len(files_of(pipeline)) == 3


@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_compaction_killed_at_any_write_changes_nothing(pipeline: Pipeline, nth: int) -> None:
    def fail() -> None:
        raise TransientError("killed")

    polls, version = pipeline.polls(), pipeline.log.snapshot().version
    with pytest.raises(TransientError, match="killed"):
        compact(pipeline, tables=DisturbedTables(pipeline.folder, fail, nth))
    assert (pipeline.polls(), pipeline.log.snapshot().version) == (polls, version)
    assert compact(pipeline) == Compaction(12, 0)
    assert pipeline.polls() == polls


def test_a_compaction_killed_after_deleting_files_deletes_again(pipeline: Pipeline) -> None:
    class Forgetful(MemoryLog):
        def delete_replacement(self, replacement: Any) -> None:
            raise TransientError("killed")

    compact(pipeline)
    log = pipeline.log
    pipeline.log = Forgetful(**vars(log))
    with pytest.raises(TransientError, match="killed"):
        compact(pipeline, days_later=91)
    pipeline.log = log
    assert compact(pipeline, days_later=91) == Compaction(0, 36)

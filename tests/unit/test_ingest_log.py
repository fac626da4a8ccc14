"""The ingest log: the DynamoDB implementation and the in-memory fake behave the same."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import starmap
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from store_monitoring.aws.dynamodb_items import from_item, item_bytes
from store_monitoring.aws.ingest_log import DynamoDbIngestLog
from store_monitoring.domain.parameters import WEEK_US
from store_monitoring.errors import BucketCountChangedError, CommitConflictError, TransientError
from store_monitoring.ingest.ports import (
    Commit,
    Committed,
    IngestLog,
    ManifestEntry,
    Replacement,
    Reversal,
    Snapshot,
    StoresChange,
)
from store_monitoring.storage.keys import polls_key, stores_key
from store_monitoring.storage.ports import PollsFile, StoresFile, WrittenPolls
from testing.fakes import MemoryLog
from tests.cases import utc
from tests.unit.ingest_table import create_ingest_table

AT = utc("2024-10-15 00:00:00.5")
LATER = AT + timedelta(days=1)


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("dynamodb")


@pytest.fixture
def table(dynamodb: Any) -> Iterator[str]:
    """An empty ingest table."""
    create_ingest_table(dynamodb, "ingests")
    yield "ingests"
    dynamodb.delete_table(TableName="ingests")


@pytest.fixture(params=["memory", "dynamodb"])
def log(request: pytest.FixtureRequest) -> IngestLog:
    if request.param == "memory":
        return MemoryLog()
    return DynamoDbIngestLog(request.getfixturevalue("table"), 64)


def polls(
    ingest_id: str, min_timestamp_us: int, max_timestamp_us: int, bucket: int = 0
) -> PollsFile:
    return PollsFile(
        bucket, polls_key(bucket, ingest_id), 10, 1000, min_timestamp_us, max_timestamp_us
    )


def stores(bucket: int, version: str) -> StoresFile:
    return StoresFile(bucket, stores_key(bucket, version), 5, 500)


def commit(
    log: IngestLog,
    kind: str,
    ingest_id: str,
    new_stores: Sequence[StoresFile] = (),
    polls_files: Sequence[PollsFile] = (),
    snapshot: Snapshot | None = None,
) -> None:
    written = tuple(WrittenPolls(file, Counter()) for file in polls_files)
    log.commit(snapshot or log.snapshot(), new_stores, Commit(kind, ingest_id, 10, 1, AT, written))


def compacted(*files: PollsFile, compaction_id: str = "x") -> Commit:
    written = tuple(WrittenPolls(file, Counter()) for file in files)
    return Commit("polls", compaction_id, 20, 0, AT, written)


def test_a_new_log_is_empty(log: IngestLog) -> None:
    assert log.snapshot() == Snapshot(0, {}, None)
    assert log.polls(0, 0, 2**60) == []
    assert not log.committed("polls", "a")


def test_a_commit_is_atomic(log: IngestLog) -> None:
    file = polls("a", 100, 200)
    commit(log, "polls", "a", [stores(0, "1"), stores(7, "1")], [file])
    expected = {0: stores(0, "1"), 7: stores(7, "1")}
    assert log.snapshot() == Snapshot(1, expected, 200)
    assert log.polls(1, 0, 1000) == [file]
    assert log.committed("polls", "a")
    assert not log.committed("timezones", "a")


def test_commits_build_on_each_other(log: IngestLog) -> None:
    commit(log, "polls", "a", [stores(0, "1"), stores(1, "1")], [polls("a", 100, 200)])
    commit(log, "timezones", "z", [stores(1, "2"), stores(2, "2")])
    commit(log, "polls", "b", [], [polls("b", 50, 60, bucket=1)])
    expected = {0: stores(0, "1"), 1: stores(1, "2"), 2: stores(2, "2")}
    assert log.snapshot() == Snapshot(3, expected, 200)


def test_a_commit_on_an_old_snapshot_changes_nothing(log: IngestLog) -> None:
    old = log.snapshot()
    commit(log, "polls", "a", [stores(0, "1")], [polls("a", 100, 200)])
    snapshot = log.snapshot()
    with pytest.raises(CommitConflictError):
        commit(log, "polls", "b", [stores(0, "1b")], [polls("b", 100, 300)], snapshot=old)
    assert log.snapshot() == snapshot
    assert not log.committed("polls", "b")
    assert log.polls(2, 0, 1000) == [polls("a", 100, 200)]


def test_polls_are_those_in_the_range_both_ends_included(log: IngestLog) -> None:
    file = polls("a", 100, 200)
    commit(log, "polls", "a", polls_files=[file])
    found = {ends: log.polls(1, *ends) for ends in [(0, 99), (0, 100), (200, 300), (201, 300)]}
    assert found == {(0, 99): [], (0, 100): [file], (200, 300): [file], (201, 300): []}


def test_polls_are_chosen_file_by_file(log: IngestLog) -> None:
    early, late = polls("a", 100, 200, bucket=0), polls("a", 300, 400, bucket=1)
    commit(log, "polls", "a", polls_files=[early, late])
    assert log.polls(1, 0, 250) == [early]
    assert log.polls(1, 250, 500) == [late]
    assert log.polls(1, 210, 290) == []


def test_polls_are_as_of_a_version(log: IngestLog) -> None:
    files = [polls(ingest_id, 100, 200) for ingest_id in "abc"]
    for ingest_id, file in zip("abc", files, strict=True):
        commit(log, "polls", ingest_id, polls_files=[file])
    for version in range(4):
        assert sorted(log.polls(version, 0, 1000), key=str) == files[:version]


def test_a_range_may_start_before_1970(log: IngestLog) -> None:
    file = polls("a", 0, 0)
    commit(log, "polls", "a", polls_files=[file])
    assert log.polls(1, -(10**15), 10) == [file]


def test_a_compaction_replaces_ingests_from_its_version_on(log: IngestLog) -> None:
    files = {ingest_id: polls(ingest_id, 100, 200) for ingest_id in "abcx"}
    for ingest_id in "abc":
        commit(log, "polls", ingest_id, [stores(0, "1")], [files[ingest_id]])
    snapshot = log.snapshot()
    log.replace(snapshot, ["a", "b"], compacted(files["x"]))
    assert log.snapshot() == replace(snapshot, version=4)
    assert {ingest.ingest_id for ingest in log.manifest(4, 0, 1000)} == {"c", "x"}
    assert sorted(log.polls(4, 0, 1000), key=str) == [files["c"], files["x"]]
    assert sorted(log.polls(3, 0, 1000), key=str) == [files["a"], files["b"], files["c"]]
    assert log.committed("polls", "a") == Committed()
    assert log.committed("polls", "x") == Committed(is_compaction=True)


def test_a_replacement_is_listed_until_it_is_deleted(log: IngestLog) -> None:
    for ingest_id in "ab":
        commit(log, "polls", ingest_id, polls_files=[polls(ingest_id, 100, 200)])
    log.replace(log.snapshot(), ["a", "b"], compacted(polls("x", 100, 200)))
    assert log.replaced_before(AT) == []
    [replacement] = log.replaced_before(AT + timedelta(microseconds=1))
    assert replacement == Replacement("x", (polls_key(0, "a"), polls_key(0, "b")))
    log.delete_replacement(replacement)
    assert log.replaced_before(LATER) == []


def test_entries_of_deleted_files_are_deleted_and_the_ingests_still_known(log: IngestLog) -> None:
    for ingest_id in "abc":
        commit(log, "polls", ingest_id, polls_files=[polls(ingest_id, 100, 200)])
    log.replace(log.snapshot(), ["a", "b"], compacted(polls("x", 100, 200)))
    [replacement] = log.replaced_before(LATER)
    log.delete_replacement(replacement)
    log.delete_replacement(replacement)
    assert sorted(log.polls(4, 0, 1000), key=str) == [polls("c", 100, 200), polls("x", 100, 200)]
    assert all(log.committed("polls", ingest_id) for ingest_id in "abcx")


def test_what_an_ingest_left_out_is_known_for_good(log: IngestLog) -> None:
    written = (WrittenPolls(polls("a", 100, 200), Counter()),)
    left_out = Commit("polls", "a", 10, 1, AT, written, AT, left_out_from_us=300)
    log.commit(log.snapshot(), [], left_out)
    commit(log, "polls", "b", polls_files=[polls("b", 100, 200)])
    assert log.committed("polls", "a") == Committed(left_out_from_us=300)
    log.replace(log.snapshot(), ["a", "b"], compacted(polls("x", 100, 200)))
    log.delete_replacement(*log.replaced_before(LATER))
    assert log.committed("polls", "a") == Committed(left_out_from_us=300)


def test_the_partition_of_polls_has_only_entries_of_existing_files(
    dynamodb: Any, table: str
) -> None:
    """An item collection of a table with a local secondary index has at most 10 GB."""
    log = DynamoDbIngestLog(table, 64)
    for nth in range(1, 11):
        ids = [f"{nth}a", f"{nth}b"]
        for ingest_id in ids:
            commit(log, "polls", ingest_id, polls_files=[polls(ingest_id, 100, 200)])
        log.replace(
            log.snapshot(), ids, compacted(polls(f"{nth}", 100, 200), compaction_id=f"{nth}")
        )
        log.delete_replacement(*log.replaced_before(LATER))
    items = dynamodb.scan(TableName=table)["Items"]
    partitions = Counter(item["log"]["S"] for item in items)
    assert partitions.pop("polls") == 10  # one per compaction
    assert partitions.pop("head") == 1
    assert set(partitions.values()) == {1}
    assert len(partitions) == 20


def test_the_estimated_size_of_an_entry_is_within_the_limit(dynamodb: Any, table: str) -> None:
    """An item has at most 400 kB; this one has 1,000 buckets and all weeks from 1970 to 2199."""
    log = DynamoDbIngestLog(table, 1000)
    files = [polls("a" * 32, 10**15, 7 * 10**15 + bucket, bucket) for bucket in range(1000)]
    files = [replace(file, rows=10**8, bytes=10**9) for file in files]
    weeks = Counter({week * WEEK_US: 10**8 for week in range(12_000)})
    written = [WrittenPolls(file, Counter()) for file in files]
    written[0] = WrittenPolls(files[0], weeks)
    log.commit(
        log.snapshot(), [], Commit("polls", "a" * 32, 10**11, 10**7, AT, tuple(written), AT, 1)
    )
    [ingest] = log.manifest(1, 0, 10**16)
    assert 300_000 < ingest.log_bytes < 400_000


def test_a_replaced_ingest_is_not_replaced_again(log: IngestLog) -> None:
    for ingest_id in "abc":
        commit(log, "polls", ingest_id, polls_files=[polls(ingest_id, 100, 200)])
    log.replace(log.snapshot(), ["a", "b"], compacted())
    snapshot = log.snapshot()
    with pytest.raises(CommitConflictError):
        log.replace(snapshot, ["b", "c"], compacted(compaction_id="y"))
    assert log.snapshot() == snapshot
    assert not log.committed("polls", "y")


def test_a_compaction_on_an_old_snapshot_changes_nothing(log: IngestLog) -> None:
    commit(log, "polls", "a", polls_files=[polls("a", 100, 200)])
    old = log.snapshot()
    commit(log, "polls", "b", polls_files=[polls("b", 100, 200)])
    with pytest.raises(CommitConflictError):
        log.replace(old, ["a"], compacted(polls("x", 100, 200)))
    assert len(log.polls(2, 0, 1000)) == 2


def test_polls_of_all_buckets_are_counted_by_week(log: IngestLog) -> None:
    files = [polls("a", 100, 200, bucket) for bucket in (0, 1)]
    weeks = [Counter({-WEEK_US: 4, 0: 6}), Counter({0: 9, WEEK_US: 1})]
    written = tuple(starmap(WrittenPolls, zip(files, weeks, strict=True)))
    log.commit(log.snapshot(), [], Commit("polls", "a", 20, 0, AT, written))
    [ingest] = log.manifest(1, 0, 1000)
    weeks_of_all = Counter({-WEEK_US: 4, 0: 15, WEEK_US: 1})
    assert replace(ingest, log_bytes=0) == ManifestEntry("a", 20, tuple(files), weeks_of_all)


def test_an_entry_without_counts_by_week_is_read_whole(dynamodb: Any, table: str) -> None:
    log = DynamoDbIngestLog(table, 64)
    commit(log, "polls", "a", polls_files=[polls("a", 100, 200)])
    dynamodb.update_item(
        TableName=table,
        Key={"log": {"S": "polls"}, "entry": {"S": "a"}},
        UpdateExpression="REMOVE rows_by_week",
    )
    [ingest] = log.manifest(1, 0, 1000)
    assert ingest.share_read(150, 200) == 1


def test_items_from_before_fields_were_renamed_are_read(dynamodb: Any, table: str) -> None:
    head = {
        "log": {"S": "head"},
        "entry": {"S": "head"},
        "version": {"N": "1"},
        "bucket_count": {"N": "64"},
        "stores": {
            "M": {"3": {"M": {"key": {"S": "k"}, "stores": {"N": "5"}, "bytes": {"N": "500"}}}}
        },
        "greatest_us": {"N": "200"},
    }
    file = {
        "bucket": {"N": "0"},
        "rows": {"N": "10"},
        "bytes": {"N": "1000"},
        "least_us": {"N": "100"},
        "greatest_us": {"N": "200"},
    }
    entry = {
        "log": {"S": "polls"},
        "entry": {"S": "a"},
        "version": {"N": "1"},
        "rows": {"N": "10"},
        "rejected": {"N": "0"},
        "committed_at": {"S": AT.isoformat()},
        "left_out_from_us": {"NULL": True},
        "least_us": {"N": "100"},
        "greatest_us": {"N": "200"},
        "files": {"L": [{"M": file}]},
        "rows_by_week": {"M": {"0": {"N": "10"}}},
    }
    for item in (head, entry):
        dynamodb.put_item(TableName=table, Item=item)
    log = DynamoDbIngestLog(table, 64)
    assert log.snapshot() == Snapshot(1, {3: StoresFile(3, "k", 5, 500)}, max_timestamp_us=200)
    assert log.polls(1, 150, 300) == [polls("a", 100, 200)]
    assert log.polls(1, 201, 300) == []


def test_new_items_have_the_names_of_old_ones(dynamodb: Any, table: str) -> None:
    commit(DynamoDbIngestLog(table, 64), "polls", "a", polls_files=[polls("a", 100, 200)])
    head, entry = sorted(dynamodb.scan(TableName=table)["Items"], key=lambda item: item["log"]["S"])
    assert head["greatest_us"] == {"N": "200"}
    assert (entry["least_us"], entry["greatest_us"]) == ({"N": "100"}, {"N": "200"})
    assert (entry["rows"], entry["rejected"]) == ({"N": "10"}, {"N": "1"})  # for operators
    assert entry["committed_at"] == {"S": AT.isoformat()}
    [file] = entry["files"]["L"]
    assert set(file["M"]) == {"bucket", "rows", "bytes", "least_us", "greatest_us"}


def test_hours_may_be_committed_again(log: IngestLog) -> None:
    for ingest_id in ("a", "b", "a"):
        commit(log, "business_hours", ingest_id)
    assert log.snapshot() == Snapshot(3, {}, None)


def test_many_buckets_are_kept(log: IngestLog) -> None:
    buckets = range(200)
    files = [polls("a" * 32, 10**15, 10**15 + bucket, bucket) for bucket in buckets]
    commit(log, "polls", "a" * 32, [stores(bucket, "0" * 41) for bucket in buckets], files)
    assert len(log.snapshot().stores) == 200
    assert log.polls(1, 0, 2 * 10**15) == files


def test_an_ingest_whose_entry_is_deleted_cannot_be_taken_back(table: str) -> None:
    log = DynamoDbIngestLog(table, 64)
    commit(log, "polls", "a", polls_files=[polls("a", 100, 200)])
    snapshot = log.snapshot()
    with pytest.raises(CommitConflictError):
        log.take_back(snapshot, [], Reversal("polls", "b"))
    assert log.snapshot() == snapshot
    assert not log.has_entry("polls", "b")


def test_another_number_of_buckets_is_rejected(table: str) -> None:
    commit(DynamoDbIngestLog(table, 64), "polls", "a" * 32, [stores(0, "1")], [])
    with pytest.raises(BucketCountChangedError, match=r"\b64 buckets.*\b65\b"):
        DynamoDbIngestLog(table, 65).snapshot()


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("ConditionalCheckFailed", CommitConflictError, "^version 0 is not current$"),
        ("TransactionConflict", CommitConflictError, "^version 0 is not current$"),
        ("ThrottlingError", TransientError, "^cannot commit to the ingest log: "),
    ],
)
def test_errors_of_a_cancelled_commit(
    table: str, code: str, error: type[Exception], message: str
) -> None:
    log = DynamoDbIngestLog(table, 64)
    snapshot = log.snapshot()
    reasons = [{"Code": code}, {"Code": "None"}]
    with Stubber(log._client) as stub:
        stub.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            http_status_code=400,
            modeled_fields={"CancellationReasons": reasons},
        )
        with pytest.raises(error, match=message) as raised:
            log.commit(snapshot, [], Commit("polls", "a", 1, 0, AT))
    assert "TransactWriteItems" not in str(raised.value)  # it may become an upload's reason


# --- what a compaction replaced -------------------------------------------------------------


def commit_and_compact(log: IngestLog, ingest_ids: str, compaction_id: str) -> None:
    """Commit ingests whose newest polls are at 100, 200 and so on, and compact them into one."""
    for nth, ingest_id in enumerate(ingest_ids, 1):
        commit(log, "polls", ingest_id, polls_files=[polls(ingest_id, 0, 100 * nth)])
    compact(log, ingest_ids, polls(compaction_id, 0, 100 * len(ingest_ids)))


def compact(log: IngestLog, ingest_ids: str, file: PollsFile) -> None:
    compaction = compacted(file, compaction_id=Path(file.key).stem)
    log.replace(log.snapshot(), list(ingest_ids), compaction)


def replaced_ids(log: IngestLog, compaction_id: str) -> list[str] | None:
    """Return the ids of the ingests that a compaction replaced and that still count."""
    found = log.compacted(compaction_id)
    return None if found is None else [ingest.ingest_id for ingest in found.ingests]


def test_a_compaction_and_what_it_replaced_know_each_other(log: IngestLog) -> None:
    commit_and_compact(log, "ab", "x")
    commit(log, "polls", "c", polls_files=[polls("c", 0, 100)])
    assert {id_: log.replaced_by(id_) for id_ in ("a", "b", "c", "x", "unknown")} == {
        "a": "x",
        "b": "x",
        "c": None,
        "x": None,
        "unknown": None,
    }
    assert replaced_ids(log, "x") == ["a", "b"]
    assert replaced_ids(log, "c") is replaced_ids(log, "unknown") is None


def test_what_a_compaction_replaced_is_unknown_once_it_is_deleted(log: IngestLog) -> None:
    commit_and_compact(log, "ab", "x")
    assert log.has_entry("polls", "a")
    assert not log.has_entry("timezones", "a")
    log.delete_replacement(*log.replaced_before(LATER))
    assert not log.has_entry("polls", "a")
    assert log.replaced_by("a") is None
    assert log.compacted("x") is None


def test_a_polls_file_is_current_until_its_ingest_is_replaced(log: IngestLog) -> None:
    commit_and_compact(log, "a", "x")
    assert log.is_current("x", polls_key(0, "x"))
    assert log.is_current("a", polls_key(0, "a")) is False
    assert log.is_current("a", polls_key(1, "a")) is None
    assert log.is_current("unknown", polls_key(0, "unknown")) is None


def test_replacements_are_listed_oldest_first(log: IngestLog) -> None:
    for minutes, ingest_id, compaction_id in [(2, "a", "y"), (1, "b", "z"), (3, "c", "x")]:
        commit(log, "polls", ingest_id, polls_files=[polls(ingest_id, 0, 1), polls("q", 0, 1, 1)])
        late = replace(
            compacted(compaction_id=compaction_id), committed_at=AT + timedelta(minutes=minutes)
        )
        log.replace(log.snapshot(), [ingest_id], late)
    assert log.replaced_before(AT + timedelta(minutes=3)) == [
        Replacement("z", (polls_key(0, "b"), polls_key(1, "q"))),
        Replacement("y", (polls_key(0, "a"), polls_key(1, "q"))),
    ]


def test_a_deletion_that_crashed_is_completed(dynamodb: Any, table: str) -> None:
    log = DynamoDbIngestLog(table, 64)
    commit_and_compact(log, "ab", "x")
    dynamodb.delete_item(TableName=table, Key={"log": {"S": "polls"}, "entry": {"S": "a"}})
    [replacement] = log.replaced_before(LATER)
    assert replacement.keys == (polls_key(0, "b"),)
    log.delete_replacement(replacement)
    assert log.replaced_before(LATER) == []
    assert not log.has_entry("polls", "b")


def test_entries_that_do_not_name_their_compaction_are_found_in_it(
    dynamodb: Any, table: str
) -> None:
    log = DynamoDbIngestLog(table, 64)
    for ingest_ids, compaction_id in [("ab", "x"), ("cd", "w"), ("ef", "y")]:
        commit_and_compact(log, ingest_ids, compaction_id)
    for ingest_id in "abcdef":
        dynamodb.update_item(
            TableName=table,
            Key={"log": {"S": "polls"}, "entry": {"S": ingest_id}},
            UpdateExpression="REMOVE replaced_by",
        )
    assert [log.replaced_by(ingest_id) for ingest_id in "acf"] == ["x", "w", "y"]
    assert replaced_ids(log, "w") == ["c", "d"]
    dynamodb.delete_item(TableName=table, Key={"log": {"S": "replaced"}, "entry": {"S": "w"}})
    assert log.replaced_by("c") is None


# --- taking back ----------------------------------------------------------------------------


def test_an_ingest_that_is_taken_back_no_longer_counts(log: IngestLog) -> None:
    files = [polls(ingest_id, 0, us) for ingest_id, us in [("a", 200), ("b", 300), ("c", 100)]]
    for ingest_id, file in zip("abc", files, strict=True):
        commit(log, "polls", ingest_id, [stores(0, ingest_id), stores(1, ingest_id)], [file])
    log.take_back(log.snapshot(), [stores(1, "d")], Reversal("polls", "b"))
    assert log.snapshot() == Snapshot(4, {0: stores(0, "c"), 1: stores(1, "d")}, 200)
    assert sorted(log.polls(4, 0, 1000), key=str) == [files[0], files[2]]
    assert sorted(log.polls(3, 0, 1000), key=str) == files
    assert log.committed("polls", "b") is None
    assert log.has_entry("polls", "b")
    log.take_back(log.snapshot(), [], Reversal("polls", "a"))
    assert log.snapshot().max_timestamp_us == 100
    assert log.polls(5, 0, 1000) == [files[2]]


def test_an_ingest_that_is_taken_back_can_be_committed_again(log: IngestLog) -> None:
    file = polls("a", 0, 100)
    commit(log, "polls", "a", polls_files=[file])
    log.take_back(log.snapshot(), [], Reversal("polls", "a"))
    assert log.snapshot() == Snapshot(2, {}, None)
    commit(log, "polls", "a", polls_files=[file])
    assert log.snapshot() == Snapshot(3, {}, 100)
    assert log.polls(3, 0, 1000) == [file]
    assert log.committed("polls", "a") == Committed()


def test_an_ingest_is_taken_back_once(table: str) -> None:
    log = DynamoDbIngestLog(table, 64)
    for kind in ("polls", "timezones"):
        commit(log, kind, "a")
        log.take_back(log.snapshot(), [], Reversal(kind, "a"))
        snapshot = log.snapshot()
        with pytest.raises(CommitConflictError):
            log.take_back(snapshot, [], Reversal(kind, "a"))
        assert log.snapshot() == snapshot


def test_the_newest_poll_stays_when_reference_data_is_taken_back(log: IngestLog) -> None:
    commit(log, "polls", "a", polls_files=[polls("a", 0, 100)])
    commit(log, "timezones", "a", [stores(0, "2")])
    log.take_back(log.snapshot(), [stores(0, "3")], Reversal("timezones", "a"))
    assert log.snapshot() == Snapshot(3, {0: stores(0, "3")}, 100)
    assert log.committed("timezones", "a") is None
    assert log.committed("polls", "a") == Committed()


def test_what_each_commit_replaced_is_recorded(log: IngestLog) -> None:
    uploaded_at = AT + timedelta(hours=1)
    zones = Commit("timezones", "z", 10, 0, AT, (), uploaded_at)
    log.commit(log.snapshot(), [stores(0, "1"), stores(1, "1")], zones)
    commit(log, "timezones", "y", [stores(0, "2")])
    log.commit(log.snapshot(), [stores(0, "3")], zones)
    changes = [
        StoresChange(1, uploaded_at, {0: None, 1: None}),
        StoresChange(3, uploaded_at, {0: stores(0, "2")}),
    ]
    assert log.stores_changes("timezones", "z") == changes
    assert log.stores_changes("timezones", "y") == [StoresChange(2, None, {0: stores(0, "1")})]
    assert log.stores_changes("attributes", "z") == log.taken_back_changes("timezones") == []
    log.take_back(log.snapshot(), [], Reversal("timezones", "z"))
    log.commit(log.snapshot(), [stores(0, "4")], zones)  # counts, unlike the commits before
    assert log.taken_back_changes("timezones") == changes
    assert log.taken_back_changes("attributes") == []
    assert len(log.stores_changes("timezones", "z")) == 3


@pytest.mark.parametrize(("other_us", "newest_us"), [(50, 100), (500, 500)])
def test_an_ingest_is_taken_back_with_its_compaction(
    log: IngestLog, other_us: int, newest_us: int
) -> None:
    commit_and_compact(log, "ab", "x")
    other, without_b = polls("c", 0, other_us), polls("y", 0, 100)
    commit(log, "polls", "c", polls_files=[other])
    reversal = Reversal("polls", "b", ("x",), compacted(without_b, compaction_id="y"))
    log.take_back(log.snapshot(), [], reversal)
    assert log.snapshot() == Snapshot(5, {}, newest_us)
    assert sorted(log.polls(5, 0, 1000), key=str) == [other, without_b]
    assert sorted(log.polls(4, 0, 1000), key=str) == [other, polls("x", 0, 200)]
    assert {id_: log.committed("polls", id_) for id_ in "aby"} == {
        "a": Committed(),
        "b": None,
        "y": Committed(is_compaction=True),
    }
    assert [log.replaced_by(id_) for id_ in "abxy"] == ["x", "x", "y", None]
    assert replaced_ids(log, "x") == ["a"]
    assert replaced_ids(log, "y") == ["x"]


def test_an_ingest_that_is_committed_again_is_not_deleted_with_its_old_compaction(
    log: IngestLog,
) -> None:
    commit_and_compact(log, "ab", "x")
    reversal = Reversal("polls", "b", ("x",), compacted(polls("y", 0, 100), compaction_id="y"))
    log.take_back(log.snapshot(), [], reversal)
    commit(log, "polls", "b", polls_files=[polls("b", 0, 200)])
    for _ in range(2):
        replacements = {each.compaction_id: each for each in log.replaced_before(LATER)}
        assert replacements["x"].keys == (polls_key(0, "a"),)
        if "z" not in replacements:
            compact(log, "b", polls("z", 0, 200))
    log.delete_replacement(replacements["x"])
    assert log.replaced_by("b") == "z"
    assert log.replaced_before(LATER) == [replacements["y"], replacements["z"]]


def test_all_compactions_that_hold_an_ingest_that_is_taken_back_are_stale(log: IngestLog) -> None:
    commit_and_compact(log, "ab", "v")
    compact(log, "v", polls("w", 0, 200))
    compact(log, "w", polls("x", 0, 200))
    reversal = Reversal(
        "polls", "b", ("v", "w", "x"), compacted(polls("y", 0, 100), compaction_id="y")
    )
    log.take_back(log.snapshot(), [], reversal)
    assert log.snapshot().max_timestamp_us == 100
    assert [log.replaced_by(id_) for id_ in "bvwxy"] == ["v", "w", "x", "y", None]
    for compaction_id, stale_id in [("w", "v"), ("x", "w"), ("y", "x")]:
        found = log.compacted(compaction_id)
        assert found is not None
        assert stale_id in found.stale_ids


# --- deleting a store -----------------------------------------------------------------------


def test_a_polls_file_is_replaced_by_another(log: IngestLog) -> None:
    files = [polls("a", 100, 300, bucket) for bucket in (0, 1)]
    weeks = [Counter({0: 10}), Counter({0: 4, WEEK_US: 6})]
    written = tuple(starmap(WrittenPolls, zip(files, weeks, strict=True)))
    log.commit(log.snapshot(), [stores(0, "1")], Commit("polls", "a", 20, 0, AT, written))
    kept = PollsFile(1, polls_key(1, "a.kept"), 7, 700, 100, 200)
    log.rewrite(
        log.snapshot(),
        *("a", files[1].key, WrittenPolls(kept, Counter({0: 2, WEEK_US: 5}))),
        Counter({0: 2, WEEK_US: 1}),
    )
    assert log.snapshot() == Snapshot(2, {0: stores(0, "1")}, 300)
    [ingest] = log.manifest(2, 0, 1000)
    counts = Counter({0: 12, WEEK_US: 5})
    assert replace(ingest, log_bytes=0) == ManifestEntry("a", 17, (files[0], kept), counts)
    assert log.is_current("a", kept.key)


def test_only_a_rewritten_file_has_its_key_in_the_log(dynamodb: Any, table: str) -> None:
    """Of the others, it follows from the ingest's id: an item has at most 400 kB."""
    log = DynamoDbIngestLog(table, 64)
    files = [polls("a", 100, 300, bucket) for bucket in (0, 1)]
    commit(log, "polls", "a", polls_files=files)
    kept = replace(files[1], key=polls_key(1, "a.kept"))
    log.rewrite(log.snapshot(), "a", files[1].key, WrittenPolls(kept, Counter()), Counter())
    [entry] = [item for item in dynamodb.scan(TableName=table)["Items"] if "files" in item]
    keys = [file["M"].get("key") for file in entry["files"]["L"]]
    assert keys == [None, {"S": kept.key}]


def test_when_the_newest_polls_are_deleted_others_are_the_newest(log: IngestLog) -> None:
    commit(log, "polls", "a", polls_files=[polls("a", 100, 200)])
    file = polls("b", 50, 400)
    log.commit(
        log.snapshot(),
        [],
        Commit("polls", "b", 10, 0, AT, (WrittenPolls(file, Counter({0: 10})),)),
    )
    kept = PollsFile(0, polls_key(0, "b.kept"), 4, 400, 60, 300)
    log.rewrite(log.snapshot(), "b", file.key, WrittenPolls(kept, Counter({0: 4})), Counter({0: 6}))
    assert log.snapshot().max_timestamp_us == 300
    assert [log.polls(3, *span) for span in [(50, 59), (301, 400)]] == [[], []]
    log.rewrite(log.snapshot(), "b", kept.key, None, Counter({0: 4}))
    assert log.snapshot() == Snapshot(4, {}, 200)
    assert log.polls(4, 0, 1000) == [polls("a", 100, 200)]


def test_the_newest_poll_stays_when_a_replaced_file_is_rewritten(log: IngestLog) -> None:
    commit_and_compact(log, "ab", "x")
    kept = PollsFile(0, polls_key(0, "b.kept"), 4, 400, 0, 900)
    log.rewrite(log.snapshot(), "b", polls_key(0, "b"), WrittenPolls(kept, Counter()), Counter())
    assert log.snapshot() == Snapshot(4, {}, 200)
    assert log.is_current("b", kept.key) is False


def test_a_file_that_is_not_in_the_log_is_not_replaced(log: IngestLog) -> None:
    commit(log, "polls", "a", polls_files=[polls("a", 100, 200)])
    snapshot = log.snapshot()
    for ingest_id, key in [("a", polls_key(1, "a")), ("b", polls_key(0, "b"))]:
        with pytest.raises(CommitConflictError, match=re.escape(key)):
            log.rewrite(snapshot, ingest_id, key, None, Counter())
    with pytest.raises(CommitConflictError):
        log.rewrite(Snapshot(0, {}, None), "a", polls_key(0, "a"), None, Counter())
    assert log.snapshot() == snapshot
    assert log.polls(1, 0, 1000) == [polls("a", 100, 200)]


def test_stores_files_are_replaced(log: IngestLog) -> None:
    commit(log, "polls", "a", [stores(0, "1"), stores(1, "1")], [polls("a", 100, 200)])
    snapshot = log.snapshot()
    log.replace_stores(snapshot, [stores(1, "2")])
    assert log.snapshot() == Snapshot(2, {0: stores(0, "1"), 1: stores(1, "2")}, 200)
    with pytest.raises(CommitConflictError):
        log.replace_stores(snapshot, [])


# --- limits ---------------------------------------------------------------------------------


def size_bytes(value: dict[str, Any]) -> int:
    """Return the size of an attribute's value as DynamoDB counts it."""
    match value:
        case {"S": str(text)}:
            return len(text.encode())
        case {"N": str(digits)}:
            return (len(digits) + 1) // 2 + 1
        case {"M": dict(entries)}:
            return 3 + sum(1 + len(name) + size_bytes(each) for name, each in entries.items())
    raise AssertionError(f"nothing is known of {value}")


def test_the_head_of_1000_buckets_is_half_of_the_item_limit(dynamodb: Any, table: str) -> None:
    log = DynamoDbIngestLog(table, 1000)
    stores = [
        StoresFile(bucket, stores_key(bucket, "00999999-0123456789abcdef"), 100_000, 10_000_000)
        for bucket in range(1000)
    ]
    # With polls, the index has a copy of the head; DynamoDB counts both.
    file = PollsFile(0, polls_key(0, "0123456789abcdef"), 1, 100, 10**15, 10**15)
    written = (WrittenPolls(file, Counter({0: 1})),)
    log.commit(log.snapshot(), stores, Commit("polls", "0123456789abcdef", 1, 0, AT, written))
    query = {"KeyConditionExpression": "#log = :head", "ExpressionAttributeNames": {"#log": "log"}}
    copies = [
        item
        for index in ({}, {"IndexName": "by_greatest_timestamp"})
        for item in dynamodb.query(
            TableName=table, **query, **index, ExpressionAttributeValues={":head": {"S": "head"}}
        )["Items"]
    ]
    assert len(copies) == 2
    size = sum(len(name) + size_bytes(value) for item in copies for name, value in item.items())
    assert 160_000 < size < 180_000
    guide = (Path(__file__).parents[2] / "docs/performance.md").read_text(encoding="utf-8")
    assert "(170 kB " in guide


def test_the_largest_snapshot_with_attributes_fits_into_an_item(dynamodb: Any, table: str) -> None:
    """DynamoDB's limit is 400 kB; a stack has at most 1,000 buckets, and 100 attributes."""
    names = tuple(f"{number:02d}" + "\U0001f354" * 62 for number in range(100))
    version = f"{10**7}-{'f' * 32}-{2**52:x}"
    log = DynamoDbIngestLog(table, 1_000)
    files = [
        StoresFile(bucket, stores_key(bucket, version), 10**6, 10**9, names[bucket % 2 :])
        for bucket in range(1_000)
    ]
    commit(log, "attributes", "a", files)
    assert log.snapshot().stores == {file.bucket: file for file in files}
    [head] = dynamodb.query(
        TableName=table,
        KeyConditionExpression="#log = :head",
        ExpressionAttributeNames={"#log": "log"},
        ExpressionAttributeValues={":head": {"S": "head"}},
    )["Items"]
    assert item_bytes(from_item(head)) < 300_000


def test_attributes_are_those_of_the_current_files(log: IngestLog) -> None:
    assert log.snapshot().attributes == frozenset()
    first = replace(stores(0, "1"), attributes=("brand", "region"))
    commit(log, "attributes", "a", [first, replace(stores(1, "1"), attributes=("owner",))])
    assert log.snapshot().stores[0] == first
    assert log.snapshot().attributes == {"brand", "owner", "region"}
    commit(log, "attributes", "b", [replace(stores(0, "2"), attributes=("region",))])
    assert log.snapshot().attributes == {"owner", "region"}

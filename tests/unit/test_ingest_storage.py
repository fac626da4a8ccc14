"""The layout of polls in Parquet, and that only needed row groups are read."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import fs

from store_monitoring.aws import arrow_tables as arrow_tables_module
from store_monitoring.aws.arrow_tables import ArrowTables
from store_monitoring.domain.parameters import WEEK_US
from store_monitoring.errors import MissingObjectError, TransientError
from store_monitoring.ingest.parsing import lines as lines_module
from store_monitoring.ingest.parsing import spill as spill_module
from store_monitoring.instants import to_us
from store_monitoring.storage import polls as polls_module
from store_monitoring.storage.ports import PollsFile, StoresFile
from store_monitoring.storage.schemas import POLLS, POLLS_AS_READ, STORES
from testing.fakes import CountingBucket, FolderTables
from testing.pipeline import Pipeline
from tests.cases import utc

# ISO weeks start on Mondays: the last microsecond of one week and the first of the next.
SUNDAY = utc("2024-10-13 23:59:59.999999")
MONDAY = utc("2024-10-14 00:00")
THREE_WEEKS = [
    ("b", MONDAY),
    ("a", SUNDAY),
    ("b", utc("2024-10-07 00:00")),
    ("a", utc("2024-10-20 23:59:59.999999")),
    ("a", MONDAY),
    ("a", utc("1970-01-01 00:00")),
    ("b", utc("2024-10-10 12:00")),
]


Polled = tuple[str, datetime]


def polls_csv(polls: list[Polled]) -> str:
    lines = [f"{store_id},active,{at:%Y-%m-%d %H:%M:%S.%f} UTC" for store_id, at in polls]
    return "\n".join(["store_id,status,timestamp_utc", *lines])


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path, bucket_count=1)


def only_file(pipeline: Pipeline) -> PollsFile:
    [written] = pipeline.log.commits[0].written
    return written.file


def row_groups(path: Path) -> list[list[Polled]]:
    file = pq.ParquetFile(path)
    return [
        [(poll["store_id"], poll["timestamp"]) for poll in group.to_pylist()]
        for group in map(file.read_row_group, range(file.num_row_groups))
    ]


def test_a_row_group_is_an_iso_week_sorted_by_store_and_time(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/a.csv", polls_csv(THREE_WEEKS))
    file = only_file(pipeline)
    assert row_groups(pipeline.folder / file.key) == [
        [("a", utc("1970-01-01 00:00"))],
        [("a", SUNDAY), ("b", utc("2024-10-07 00:00")), ("b", utc("2024-10-10 12:00"))],
        [("a", MONDAY), ("a", utc("2024-10-20 23:59:59.999999")), ("b", MONDAY)],
    ]
    assert (file.rows, file.min_timestamp_us) == (7, 0)
    assert file.max_timestamp_us == to_us(utc("2024-10-20 23:59:59.999999"))


def test_an_ingest_counts_its_polls_by_week(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, bucket_count=4)
    pipeline.ingest("polls/a.csv", polls_csv(THREE_WEEKS))
    [ingest] = pipeline.log.manifest(1, 0, to_us(MONDAY))
    assert len(ingest.files) == 2
    assert ingest.rows_by_week == {
        to_us(utc("1969-12-29 00:00")): 1,
        to_us(utc("2024-10-07 00:00")): 3,
        to_us(MONDAY): 3,
    }
    assert ingest.share_read(to_us(SUNDAY), to_us(MONDAY)) == 6 / 7
    assert ingest.share_read(to_us(MONDAY), to_us(MONDAY)) == 3 / 7
    assert ingest.share_read(0, to_us(SUNDAY)) == 4 / 7


@settings(max_examples=settings().max_examples // 2)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.timedeltas(timedelta(days=-40), timedelta(days=40)).map(lambda d: MONDAY + d),
        ),
        min_size=1,
    )
)
def test_row_groups_are_weeks_in_every_file(polls: list[Polled]) -> None:
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), bucket_count=1)
        pipeline.ingest("polls/a.csv", polls_csv(polls))
        groups = row_groups(pipeline.folder / only_file(pipeline).key)
    weeks = [{at.isocalendar()[:2] for _, at in group} for group in groups]
    assert all(len(week) == 1 for week in weeks)
    assert all(min(earlier) < min(later) for earlier, later in pairwise(weeks))
    assert all(group == sorted(group) for group in groups)
    assert sorted(poll for group in groups for poll in group) == sorted(polls)


def test_spaces_around_an_id_are_removed(pipeline: Pipeline) -> None:
    polls = [("a", MONDAY + timedelta(hours=n)) for n in range(4)]
    written = [(f"{' ' * (n % 2)}a{' ' * (n % 3)}", at) for n, (_, at) in enumerate(polls)]
    pipeline.ingest("polls/a.csv", polls_csv(written[::-1]))
    assert row_groups(pipeline.folder / only_file(pipeline).key) == [polls]


def test_a_large_bucket_has_a_row_group_per_chunk_and_week(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_module, "CHUNK_ROWS", 1)
    monkeypatch.setattr(lines_module, "BLOCK_LINES", 1)
    polls = [("a", MONDAY + timedelta(hours=n)) for n in range(8)]
    pipeline.ingest("polls/a.csv", polls_csv(polls))
    groups = row_groups(pipeline.folder / only_file(pipeline).key)
    assert len(groups) > 1
    assert [poll for group in groups for poll in group] == polls


def test_a_week_of_many_polls_has_several_row_groups(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polls_module, "ROW_GROUP_ROWS", 2)
    pipeline.ingest("polls/a.csv", polls_csv(THREE_WEEKS))
    file = only_file(pipeline)
    assert list(map(len, row_groups(pipeline.folder / file.key))) == [1, 2, 1, 2, 1]
    assert len(pipeline.polls()) == 7


def test_parquet_has_our_schemas(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/a.csv", polls_csv(THREE_WEEKS))
    pipeline.ingest("timezones/a.csv", "store_id,timezone_str\nc,UTC\na,UTC\n")
    polls = pq.ParquetFile(pipeline.folder / only_file(pipeline).key)
    stores = pq.ParquetFile(pipeline.folder / pipeline.log.snapshot().stores[0].key)
    assert polls.schema_arrow.equals(POLLS)
    store_id, timestamp, _ = map(polls.metadata.row_group(0).column, range(3))
    assert store_id.compression == "SNAPPY"
    assert "RLE_DICTIONARY" in store_id.encodings
    assert timestamp.encodings == ("RLE", "DELTA_BINARY_PACKED")
    assert stores.schema_arrow.names == ["store_id", "timezone", "timezone_uploaded_at"]
    assert stores.read()["store_id"].to_pylist() == ["a", "b", "c"]


# --- reading --------------------------------------------------------------------------------


def spoil(path: Path, group: int) -> None:
    """Overwrite the data of a row group."""
    metadata = pq.ParquetFile(path).metadata.row_group(group)
    with path.open("r+b") as file:
        for column in map(metadata.column, range(metadata.num_columns)):
            file.seek(column.dictionary_page_offset or column.data_page_offset)
            file.write(b"\xff" * column.total_compressed_size)


def test_only_the_row_groups_that_are_needed_are_read(pipeline: Pipeline) -> None:
    pipeline.ingest("polls/a.csv", polls_csv(THREE_WEEKS))
    file = only_file(pipeline)
    for group in (0, 1):
        spoil(pipeline.folder / file.key, group)
    polls = pipeline.tables.read_polls([file], to_us(MONDAY), file.max_timestamp_us)
    assert polls.num_rows == 3
    with pytest.raises(TransientError):
        pipeline.tables.read_polls([file], to_us(SUNDAY), file.max_timestamp_us)


@pytest.mark.parametrize(
    ("least", "greatest", "groups"),
    [
        (SUNDAY, MONDAY, [1, 2]),
        (MONDAY, MONDAY, [2]),
        (SUNDAY, SUNDAY, [1]),
        (utc("1970-01-01 00:00"), utc("1970-01-01 00:00"), [0]),
        (utc("1970-01-02 00:00"), utc("2024-10-06 00:00"), []),
        (utc("2024-10-21 00:00"), utc("2024-11-01 00:00"), []),
        (utc("1970-01-01 00:00"), utc("2024-11-01 00:00"), [0, 1, 2]),
    ],
)
def test_row_groups_are_read_if_they_overlap_the_range(
    pipeline: Pipeline, least: datetime, greatest: datetime, groups: list[int]
) -> None:
    pipeline.ingest("polls/a.csv", polls_csv(THREE_WEEKS))
    file = only_file(pipeline)
    all_groups = row_groups(pipeline.folder / file.key)
    polls = pipeline.tables.read_polls([file], to_us(least), to_us(greatest))
    read = [(poll["store_id"], poll["timestamp"]) for poll in polls.to_pylist()]
    assert read == [poll for group in groups for poll in all_groups[group]]
    assert polls.schema.equals(POLLS_AS_READ)


def test_a_large_file_is_read_row_group_by_row_group_too(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_tables_module, "_WHOLE_BYTES", 0)
    pipeline.ingest("polls/a.csv", polls_csv(THREE_WEEKS))
    file = only_file(pipeline)
    assert pipeline.tables.read_polls([file], to_us(MONDAY), to_us(MONDAY)).num_rows == 3


# Six stores, each polled thousands of times in each of two weeks, at pseudo-random times.
SIX_STORES = [
    ("abcdef"[n % 6], monday + timedelta(microseconds=n**3 * 2_654_435_761 % WEEK_US))
    for monday in (utc("2024-10-07 00:00"), MONDAY)
    for n in range(20_000)
]


@pytest.mark.parametrize(
    ("store_id", "since", "groups"),
    [
        ("a", MONDAY, [7, 8]),  # 0 to 6 belong to the first week
        ("c", MONDAY, [9, 10]),
        ("d", utc("2024-10-07 00:00"), [3, 4, 10, 11]),
        ("abc", MONDAY, [8]),  # the statistics do not exclude it
        ("g", MONDAY, []),
    ],
)
def test_for_one_store_only_its_row_groups_are_read(
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    store_id: str,
    since: datetime,
    groups: list[int],
) -> None:
    monkeypatch.setattr(polls_module, "ROW_GROUP_ROWS", 3_000)
    pipeline.ingest("polls/a.csv", polls_csv(SIX_STORES))
    file = only_file(pipeline)
    metadata = pq.ParquetFile(pipeline.folder / file.key).metadata
    assert metadata.num_row_groups == 14
    for group in set(range(14)) - set(groups):
        spoil(pipeline.folder / file.key, group)
    bucket = CountingBucket(fs.SubTreeFileSystem(str(pipeline.folder), fs.LocalFileSystem()))
    polls = ArrowTables(bucket).read_polls([file], to_us(since), file.max_timestamp_us, store_id)
    wanted = list(map(metadata.row_group, groups))
    assert len(polls) == sum(group.num_rows for group in wanted)
    own_bytes = sum(
        group.column(column).total_compressed_size for group in wanted for column in range(3)
    )
    assert own_bytes < file.bytes / 3
    assert bucket.bytes_read == {file.key: arrow_tables_module._FOOTER_BYTES + own_bytes}


def test_for_one_store_only_its_row_group_of_stores_is_read(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_tables_module, "_ROW_GROUP_ROWS", 2)
    monkeypatch.setattr(arrow_tables_module, "_FOOTER_BYTES", 0)
    pipeline.ingest("timezones/a.csv", "store_id,timezone_str\na,UTC\nb,UTC\nc,UTC\nd,UTC\n")
    file = pipeline.log.snapshot().stores[0]
    spoil(pipeline.folder / file.key, 0)
    stores = pipeline.tables.read_stores([file], "d")
    assert stores["store_id"].to_pylist() == ["c", "d"]
    with pytest.raises(TransientError):
        pipeline.tables.read_stores([file])


LONGEST = "\U0001f354" * 255


@pytest.mark.parametrize("store_id", ["a", 'é"/%,', "\uffff", "\U0001f354", LONGEST])
def test_one_store_is_found_whatever_its_id(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, store_id: str
) -> None:
    monkeypatch.setattr(arrow_tables_module, "_ROW_GROUP_ROWS", 1)
    ids = ["a", "b", 'é"/%,', "\uffff", "\U0001f354", LONGEST]
    rows = ['"{}",UTC'.format(each.replace('"', '""')) for each in ids]
    pipeline.ingest("timezones/a.csv", "\n".join(["store_id,timezone_str", *rows]))
    files = list(pipeline.log.snapshot().stores.values())
    monkeypatch.setattr(arrow_tables_module, "_FOOTER_BYTES", 0)
    stores = pipeline.tables.read_stores(files, store_id)
    assert set(stores["store_id"].to_pylist()) == {store_id}


def test_no_files_are_empty_tables(tmp_path: Path) -> None:
    tables = FolderTables(tmp_path)
    assert tables.read_polls([], 0, 1).equals(POLLS_AS_READ.empty_table())
    assert tables.read_stores([]).equals(STORES.empty_table())


def test_a_missing_object_is_an_error(tmp_path: Path) -> None:
    tables = FolderTables(tmp_path)
    with pytest.raises(MissingObjectError, match="cannot read reports/r/plan"):
        tables.read_bytes("reports/r/plan.json")
    with pytest.raises(MissingObjectError):
        tables.read_table("reports/r/states.parquet")
    with pytest.raises(MissingObjectError):
        next(tables.read_part("reports/r/parts/00000.parquet"))
    with pytest.raises(MissingObjectError):
        tables.read_stores([StoresFile(0, "stores/bucket=000/1.parquet", 1, 100)])


@pytest.mark.parametrize(
    ("piece_rows", "expected"),
    [(1, [1000, 1000, 500]), (1999, [1000, 1000, 500]), (2000, [2000, 500]), (9000, [2500])],
)
def test_a_part_is_read_in_pieces(tmp_path: Path, piece_rows: int, expected: list[int]) -> None:
    tables = FolderTables(tmp_path)
    part = pa.table({"store_id": [f"{number:04d}" for number in range(2500)]})
    tables.write_part("part", part)
    pieces = list(tables.read_part("part", piece_rows))
    assert [len(piece) for piece in pieces] == expected
    assert pa.concat_tables(pieces).equals(part)


def test_a_file_is_copied_byte_for_byte(tmp_path: Path) -> None:
    source = tmp_path / "rejects.csv"
    source.write_bytes(bytes(range(256)))
    tables = FolderTables(tmp_path / "bucket")
    tables.write_file("rejects/a.csv", source)
    assert tables.read_bytes("rejects/a.csv") == bytes(range(256))


def test_an_error_while_writing_leaves_the_object_as_it_was(tmp_path: Path) -> None:
    tables = FolderTables(tmp_path)
    whole = POLLS.empty_table()
    tables.write_polls("polls/a.parquet", [whole])
    before = (tmp_path / "polls/a.parquet").read_bytes()

    def breaking() -> Iterator[pa.Table]:
        yield whole
        raise ValueError("broken off")

    with pytest.raises(ValueError, match="broken off"):
        tables.write_polls("polls/a.parquet", breaking())
    assert (tmp_path / "polls/a.parquet").read_bytes() == before

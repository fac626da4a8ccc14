"""An unreadable file fails with a reason, and changes nothing."""

import gzip
import io
import random
import resource
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import xlsxwriter

from store_monitoring.ingest.outcomes import UploadStatus
from store_monitoring.ingest.parsing.lines import BLOCK_BYTES
from testing.pipeline import CLOCK_TIME, Pipeline

HEADER = b"store_id,timezone_str\n"
GOOD = HEADER + b"s,UTC\n"

UTF_16 = "text in UTF-16: save it as CSV UTF-8, and upload that"
WORKBOOK = "an Excel workbook: save its sheet as CSV UTF-8, and upload that"


def xlsx() -> bytes:
    """Return a workbook with the rows of `GOOD`."""
    output = io.BytesIO()
    with xlsxwriter.Workbook(output) as workbook:
        sheet = workbook.add_worksheet()
        for row, line in enumerate(GOOD.decode().splitlines()):
            sheet.write_row(row, 0, line.split(","))
    return output.getvalue()


def archive(name: str) -> bytes:
    """Return a ZIP archive of one file."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as file:
        file.writestr(name, GOOD)
    return output.getvalue()


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("timezones/before.csv", GOOD)
    return pipeline


BAD_FILES = {
    "empty": (b"", "the file is empty"),
    "empty, zipped": (gzip.compress(b""), "the file is empty"),
    "header only": (HEADER, "the file has a header and no rows"),
    "header only, no newline": (HEADER.strip(), "the file has a header and no rows"),
    "header and blank lines": (HEADER + b"\r\n\n", "the file has a header and no rows"),
    "missing column": (
        b"store_id,zone\ns,UTC\n",
        "missing column timezone_str; the header has: store_id, zone",
    ),
    "no header": (
        b"s,UTC\nt,UTC\n",
        "missing column store_id, timezone_str; the header has: s, utc",
    ),
    "column twice": (
        b"store_id,timezone_str,Store_ID\ns,UTC,s\n",
        "the column store_id occurs 2 times in the header",
    ),
    "too many columns": (
        HEADER.strip() + b"," * 999 + b"\ns,UTC\n",
        "the header has more than 1000 columns",
    ),
    "junk": (random.Random(1).randbytes(5000), "the first line is not a CSV header in UTF-8"),
    **{
        name: (content, f"this is {what}")
        for name, content, what in [
            ("UTF-16", GOOD.decode().encode("utf-16"), UTF_16),
            ("UTF-16, little-endian", GOOD.decode().encode("utf-16-le"), UTF_16),
            ("UTF-16, big-endian", GOOD.decode().encode("utf-16-be"), UTF_16),
            ("UTF-16, zipped", gzip.compress(GOOD.decode().encode("utf-16")), UTF_16),
            (".xlsx", xlsx(), WORKBOOK),
            (".xlsx, zipped", gzip.compress(xlsx()), WORKBOOK),
            (".xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), WORKBOOK),
            (
                ".zip",
                archive("timezones.csv"),
                "a ZIP archive: upload the CSV files in it, one by one",
            ),
        ]
    },
    "semicolons": (
        b'\xef\xbb\xbf"store_id";"timezone_str"\r\ns;UTC\r\n',
        "its columns are separated by semicolons: save it as CSV UTF-8, with commas, and upload"
        " that",
    ),
    "tabs": (
        GOOD.replace(b",", b"\t"),
        "its columns are separated by tabs: save it as CSV UTF-8, with commas, and upload that",
    ),
    "semicolons in a header of another kind": (
        b"store_id;zone\ns;UTC\n",
        "missing column store_id, timezone_str; the header has: store_id;zone",
    ),
    "an over-long name in gzip": (
        b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 600 * 1024 + b"\0" + gzip.compress(GOOD)[10:],
        "the gzip data is corrupt: Gzip header exceeds input buffer size of 524288",
    ),
    "other line ends": (
        GOOD.replace(b"\n", b"\r"),
        "the first line is not a CSV header in UTF-8",
    ),
    "cut gzip": (
        gzip.compress(GOOD)[:-4],
        "the gzip data is corrupt: Compressed file ended before the end-of-stream marker was"
        " reached",
    ),
    "one endless line": (b"x" * BLOCK_BYTES, f"line 1 is longer than {BLOCK_BYTES} bytes"),
    "an endless line later on": (
        GOOD * 100 + b"x" * 2 * BLOCK_BYTES,
        f"line 201 is longer than {BLOCK_BYTES} bytes",
    ),
}


@pytest.mark.parametrize(("content", "error"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_changes_nothing(pipeline: Pipeline, content: bytes, error: str) -> None:
    snapshots, commits, files = (
        list(pipeline.log.snapshots),
        list(pipeline.log.commits),
        pipeline.files(),
    )
    outcome = pipeline.ingest("timezones/bad.csv", content, etag="etag of bad")
    assert (outcome.status, outcome.error) == (UploadStatus.FAILED, error)
    assert (outcome.key, outcome.etag) == ("timezones/bad.csv", "etag of bad")
    assert outcome.ended_at == CLOCK_TIME
    assert (outcome.ingest_id, outcome.rows, outcome.rejected) == (None, 0, 0)
    assert pipeline.log.uploads.of_key("timezones/bad.csv") == [outcome]
    assert (pipeline.log.snapshots, pipeline.log.commits) == (snapshots, commits)
    assert pipeline.files() == files


@pytest.mark.parametrize("key", ["store_status.csv", "poll/a.csv", "rejects/a.csv"])
def test_a_key_under_no_known_prefix_fails(pipeline: Pipeline, key: str) -> None:
    outcome = pipeline.ingest(key, GOOD)
    assert outcome.status == UploadStatus.FAILED
    assert repr(key) in str(outcome.error)
    assert "polls/, business_hours/, timezones/" in str(outcome.error)
    assert pipeline.log.uploads.of_key(key) == [outcome]


def test_rows_before_a_broken_part_are_not_committed(pipeline: Pipeline) -> None:
    cut = gzip.compress(b"store_id,timezone_str\ns,Asia/Tokyo\nt,Asia/Tokyo\n" * 1000)[:-20]
    assert pipeline.ingest("timezones/a.csv", cut).status == UploadStatus.FAILED
    assert pipeline.zones() == {"s": "UTC"}


def test_valid_content_under_the_same_key_is_ingested(pipeline: Pipeline) -> None:
    pipeline.ingest("timezones/a.csv", b"")
    pipeline.ingest("timezones/a.csv", HEADER + b"t,UTC\n")
    statuses = {outcome.status for outcome in pipeline.log.uploads.of_key("timezones/a.csv")}
    assert statuses == {UploadStatus.FAILED, UploadStatus.COMMITTED}
    assert pipeline.zones() == {"s": "UTC", "t": "UTC"}


def test_a_file_may_have_1000_columns(pipeline: Pipeline) -> None:
    content = HEADER.strip() + b"," * 998 + b"\nt,UTC" + b"," * 998
    assert pipeline.ingest("timezones/a.csv", content).status == UploadStatus.COMMITTED


@pytest.fixture
def _small_file_limit() -> Iterator[None]:
    """Limit files to 64 KiB; a full disk fails in the same way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("_small_file_limit")
@pytest.mark.parametrize("row", [b"a store,Asia/Tokyo\n", b"a row that is not valid\n"])
def test_a_file_that_does_not_fit_on_disk(pipeline: Pipeline, row: bytes) -> None:
    outcome = pipeline.ingest("timezones/a.csv", HEADER + row * 10_000)
    assert outcome.status == UploadStatus.FAILED
    assert "disk space" in str(outcome.error)
    assert pipeline.zones() == {"s": "UTC"}

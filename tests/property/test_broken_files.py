"""Any broken file is accepted or rejected as a whole, and the next report succeeds."""

import gzip
import shutil
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.ingest.outcomes import UploadStatus
from store_monitoring.ingest.parsing.kinds import Kind
from testing.pipeline import Pipeline

GOOD = {
    Kind.POLLS: b"store_id,status,timestamp_utc\n"
    b"a,active,2024-10-14 10:00:00 UTC\n"
    b"b,inactive,2024-10-14 11:00:00.5 UTC\n",
    Kind.BUSINESS_HOURS: b"store_id,day,start_time_local,end_time_local\n"
    b"a,0,09:00,17:00\n"
    b"b,6,22:00,02:00\n",
    Kind.TIMEZONES: b"store_id,timezone_str\na,Asia/Tokyo\nb,UTC\n",
    Kind.SPECIAL_HOURS: b"store_id,date,start_time_local,end_time_local,reason\n"
    b"a,2024-12-24,09:00,17:00,Eve\n"
    b"b,2024-12-25,,,\n",
    Kind.EXCLUSIONS: b"store_id,start_utc,end_utc,reason\n"
    b"a,2024-10-14 10:00:00 UTC,2024-10-14 11:00:00.5 UTC,wiring\n"
    b"b,2024-10-14 10:00:00 UTC,2025-10-14 11:00:00 UTC,\n",
    Kind.ATTRIBUTES: b"store_id,brand,name,target_percent,revenue_per_hour\n"
    b"a,Nori,First,99.5,1200\n"
    b"b,Nori,,,80.25\n",
}

NASTY = st.sampled_from(
    [
        *(b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80"),
        *(b"\xef\xbb\xbf", b"\x1f\x8b", b"\\", b"'", b"=1+1", b"9" * 30, b"\xe2\x80\xa8"),
        *(b"x" * 300, b",," * 600, b"\n" * 50, b"-", b"24:00", b"2199-12-31T23:59:59.999999Z"),
    ]
)
PLACES = st.floats(0, 1)


def with_insertions(content: bytes, insertions: list[tuple[float, bytes]]) -> bytes:
    for place, inserted in insertions:
        at = int(place * len(content))
        content = content[:at] + inserted + content[at:]
    return content


def cut(content: bytes, place: float) -> bytes:
    return content[: int(place * len(content))]


@st.composite
def contents(draw: st.DrawFn, kind: Kind) -> bytes:
    """Draw random bytes or a damaged good file; some compressed by gzip, some of these damaged."""
    good = st.sampled_from([GOOD[kind], GOOD[kind] * 2, GOOD[Kind.POLLS]])
    broken = st.builds(with_insertions, good, st.lists(st.tuples(PLACES, NASTY), max_size=6))
    content = draw(broken | st.builds(cut, broken, PLACES) | st.binary())
    if draw(st.booleans()):
        content = gzip.compress(content, mtime=0)
        breaks = st.lists(st.tuples(PLACES, st.binary(max_size=3)), max_size=1)
        content = draw(
            st.just(content)
            | st.builds(cut, st.just(content), PLACES)
            | st.builds(with_insertions, st.just(content), breaks)
        )
    return content


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("before"), bucket_count=1)
    for kind, content in GOOD.items():
        pipeline.ingest(f"{kind}/good.csv", content)
    return pipeline


def check(before: Pipeline, kind: Kind, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), before.bucket_count, deepcopy(before.log))
        shutil.copytree(before.folder, folder, dirs_exist_ok=True)
        outcome = pipeline.ingest(f"{kind}/broken.csv", content)
        assert pipeline.log.uploads.of_key(outcome.key)[0] == outcome
        if outcome.status == "Committed":
            assert outcome.rows + outcome.rejected > 0
            if kind is Kind.POLLS:
                assert len(pipeline.polls()) == len(before.polls()) + outcome.rows
        else:
            assert (outcome.error is not None) == (outcome.status == UploadStatus.FAILED)
            assert pipeline.log.snapshots == before.log.snapshots
            assert pipeline.log.commits == before.log.commits
            assert pipeline.zones() == before.zones()
            assert pipeline.hours() == before.hours()
            assert pipeline.attributes() == before.attributes()
            for column in ("special_hours", "exclusions"):
                assert pipeline.calendar(column) == before.calendar(column)
            assert pipeline.polls() == before.polls()
        if outcome.rejected:
            assert len(pipeline.rejects(outcome)) == outcome.rejected
        stores = pipeline.report().split(b"\n")[1:-1]
        assert len(stores) == len(pipeline.zones()) >= 2


@given(st.data(), st.sampled_from(Kind))
def test_a_broken_file(before: Pipeline, data: st.DataObject, kind: Kind) -> None:
    check(before, kind, data.draw(contents(kind)))

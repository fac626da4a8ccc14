"""Request values are accepted exactly or rejected, as by an oracle and as by ingest."""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from store_monitoring.ingest.parsing.values import store_ids as ingested_store_ids
from store_monitoring.instants import from_text
from store_monitoring.reports.ports import Cursor
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import ReportRequest
from store_monitoring.store_ids import checked_store_id
from testing.pipeline import Pipeline

DAY_US = 86_400_000_000
DOCUMENT = json.loads((Path(__file__).parents[2] / "functions/pages/openapi.json").read_text())
END_US = (date(2200, 1, 1) - date(1970, 1, 1)).days * DAY_US


def as_of_us(text: str) -> int | None:
    """Return the instant of an `as_of`; None if it is rejected."""
    try:
        return from_text(text)
    except ValueError:
        return None


@given(
    day=st.one_of(
        st.dates(),
        st.sampled_from([date(1969, 12, 31), date(1970, 1, 1), date(2199, 12, 31)]),
        st.just(date(2200, 1, 1)),
    ),
    minute=st.one_of(st.integers(0, 24 * 60 - 1), st.sampled_from([0, 16 * 60, 24 * 60 - 1])),
    second=st.integers(0, 59),
    fraction=st.one_of(st.just(""), st.from_regex(r"[0-9]{1,9}", fullmatch=True)),
    offset=st.one_of(st.none(), st.integers(-24 * 60 + 1, 24 * 60 - 1)),
)
@example(date(1970, 12, 31), 16 * 60, 0, "", -8 * 60)
@example(date(2199, 12, 31), 24 * 60 - 1, 59, "", -8 * 60)
@example(date(2024, 10, 14), 0, 0, "1234567", None)
def test_as_of_is_exact_and_checked_in_utc(
    day: date, minute: int, second: int, fraction: str, offset: int | None
) -> None:
    zone = "Z"
    if offset is not None:
        hours, minutes = divmod(abs(offset), 60)
        zone = f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"
    point = f".{fraction}" if fraction else ""
    text = f"{day}T{minute // 60:02d}:{minute % 60:02d}:{second:02d}{point}{zone}"
    us = (day - date(1970, 1, 1)).days * DAY_US
    us += (minute - (offset or 0)) * 60_000_000 + second * 1_000_000
    us += int(fraction.ljust(6, "0")) if fraction else 0
    taken = 0 <= us < END_US and len(fraction) <= 6
    assert as_of_us(text) == (us if taken else None)


@given(st.text() | st.from_regex(r"[0-9]{4}-?[0-9WZT:.,+ -]{0,40}", fullmatch=True))
def test_any_other_text_is_a_valid_instant_or_rejected(text: str) -> None:
    us = as_of_us(text)
    assert us is None or 0 <= us < END_US


@given(
    st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \t\r\v\f\0\x1c\x7f\xa0"))
    | st.integers(250, 260).map(lambda length: f" {'ü' * length}\t")
)
def test_a_store_id_is_valid_in_requests_if_and_only_if_it_is_in_ingest(text: str) -> None:
    [ingested] = ingested_store_ids(pc.ascii_trim_whitespace(pa.array([text]))).to_pylist()
    try:
        named = checked_store_id(text)
    except ValueError:
        named = None
    assert named == ingested
    [store_id, *_] = DOCUMENT["paths"]["/timeline"]["get"]["parameters"]
    pattern = store_id["schema"]["pattern"]
    assert bool(re.search(pattern, text)) == (named is not None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=2),
    max_leaves=5,
)
PAIRS = st.lists(
    st.text(st.characters())
    | st.datetimes().map(lambda at: f"{at.isoformat(timespec='microseconds')}Z")
    | st.uuids().map(str),
    min_size=2,
    max_size=2,
)


@given(JSON | PAIRS)
@example(["2024-10-15T00:00:00.000000Z", "\ud800"])
def test_a_page_token_is_one_of_ours_or_rejected(value: object) -> None:
    token = urlsafe_b64encode(json.dumps(value).encode()).decode()
    try:
        cursor = Cursor.from_token(token)
    except ValueError:
        return
    assert cursor.to_token() == token
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", cursor.started_at)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", cursor.report_id)


@given(st.text() | st.binary().map(lambda data: urlsafe_b64encode(data).decode()))
def test_text_that_is_no_page_token_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="next_page_token"):
        Cursor.from_token(text)


# --- the first and last instant --------------------------------------------------------------


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder))
        pipeline.ingest(
            "polls/x.csv",
            "store_id,status,timestamp_utc\n"
            "a,active,1970-01-01 00:00:00\n"
            "a,active,2199-12-31 23:59:59.999999\n",
        )
        pipeline.ingest(
            "business_hours/x.csv",
            "store_id,day,start_time_local,end_time_local\n"
            + "".join(f"a,{day},09:00,03:00\n" for day in range(7)),
        )
        pipeline.ingest("timezones/x.csv", "store_id,timezone_str\na,Pacific/Kiritimati\n")
        yield pipeline


@pytest.mark.parametrize("as_of", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z"])
def test_a_report_and_a_timeline_can_be_of_the_first_and_the_last_instant(
    pipeline: Pipeline, as_of: str
) -> None:
    request = ReportRequest(from_text(as_of), formats=tuple(Format))
    [_, row] = pipeline.report(request).decode().splitlines()
    totals = [float(value) for value in row.split(",")[1:]]
    hours = 7 * timedelta(hours=18) / timedelta(hours=1)
    assert totals[2] + totals[5] == hours
    body = pipeline.timeline("a", as_of=as_of)
    assert list(body["report_row"].values()) == totals

"""Parse text to values."""

from datetime import UTC, datetime, time, timedelta

import pyarrow as pa
import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st

from store_monitoring.ingest.parsing import values
from tests.cases import us, utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(text: str) -> datetime | None:
    """Return the result of `values.instants` for one text."""
    [us_since_1970] = values.instants(pa.array([text])).cast(pa.int64()).to_pylist()
    return None if us_since_1970 is None else EPOCH + timedelta(microseconds=us_since_1970)


def time_of_day_us(text: str) -> int | None:
    return values.times_of_day(pa.array([text])).to_pylist()[0]


# --- instants -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-10-14 23:55:18.727055 UTC", "2024-10-14 23:55:18.727055"),
        ("2024-10-14 23:55:18.727055UTC", "2024-10-14 23:55:18.727055"),
        ("2024-10-14 23:55:18.72705 UTC", "2024-10-14 23:55:18.727050"),
        ("2024-10-14 23:55:18.7 UTC", "2024-10-14 23:55:18.700000"),
        ("2024-10-14 23:55:18 UTC", "2024-10-14 23:55:18"),
        ("2024-10-14 23:55:18", "2024-10-14 23:55:18"),
        ("2024-10-14 23:55:18.727055", "2024-10-14 23:55:18.727055"),
        ("2024-10-14T23:55:18.727055Z", "2024-10-14 23:55:18.727055"),
        ("2024-10-14T23:55:18", "2024-10-14 23:55:18"),
        ("2024-10-14T23:55:18.000001+00:00", "2024-10-14 23:55:18.000001"),
        ("2024-10-14 23:55:18+00:00", "2024-10-14 23:55:18"),
        ("2024-10-14 23:55:18 Z", "2024-10-14 23:55:18"),
        ("2024-02-29 00:00:00 UTC", "2024-02-29 00:00:00"),
        ("1970-01-01 00:00:00", "1970-01-01 00:00:00"),
        ("2199-12-31 23:59:59.999999 UTC", "2199-12-31 23:59:59.999999"),
    ],
)
def test_an_instant(text: str, expected: str) -> None:
    assert instant(text) == utc(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2024-13-01 00:00:00 UTC",
        "2024-00-01 00:00:00 UTC",
        "2024-02-30 00:00:00 UTC",
        "2023-02-29 00:00:00 UTC",
        "2024-04-31 00:00:00 UTC",
        "2024-10-00 00:00:00 UTC",
        "2024-10-14",
        "2024-10-14 UTC",
        "2024-10-14 23:55 UTC",
        "2024-10-14 24:00:00 UTC",
        "2024-10-14 23:60:00 UTC",
        "2024-10-14 23:55:60 UTC",
        "2024-10-14 23:55:18.7270555 UTC",
        "2024-10-14 23:55:18. UTC",
        "2024-10-14 23:55:18+02:00",
        "2024-10-14 23:55:18-00:00",
        "2024-10-14 23:55:18 CET",
        "2024-10-14 23:55:18 UTC Z",
        "2024-10-14  23:55:18 UTC",
        "14-10-2024 23:55:18 UTC",
        "2024/10/14 23:55:18 UTC",
        "24-10-14 23:55:18 UTC",
        "1969-12-31 23:59:59 UTC",
        "2200-01-01 00:00:00 UTC",
        "1728950118",
        "2024-10-14 23:55:18 UTC\n",
        "٢٠٢٤-10-14 23:55:18 UTC",
    ],
)
def test_an_invalid_instant(text: str) -> None:
    assert instant(text) is None


FORMS = ("{} UTC", "{}Z", "{}+00:00", "{}")


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31, 23, 59, 59, 999_999)),
    st.sampled_from(FORMS),
    st.sampled_from(" T"),
    st.booleans(),
)
def test_every_instant_in_every_format(at: datetime, form: str, separator: str, cut: bool) -> None:
    text = at.isoformat(separator)
    if cut and at.microsecond:
        text = text.rstrip("0")
    assert instant(form.format(text)) == at.replace(tzinfo=UTC)


def test_a_date_that_does_not_exist_does_not_affect_the_others() -> None:
    texts = [
        "2024-02-30 00:00:00 UTC",
        "2024-10-14 23:55:18.7 UTC",
        "no",
        "2024-10-14T00:00:00+00:00",
    ]
    parsed = values.instants(pa.array(texts)).to_pylist()
    assert parsed == [None, utc("2024-10-14 23:55:18.7"), None, utc("2024-10-14 00:00:00")]


@given(
    at=st.datetimes(datetime(1960, 1, 1), datetime(2210, 1, 1)),
    separator=st.sampled_from(" Tt"),
    form=st.sampled_from(["auto", "hours", "minutes", "milliseconds"]),
    place=st.integers(0, 26),
    removed=st.integers(0, 2),
    inserted=st.sampled_from(
        ["", "", "0", ":", ".", "-", "+", " ", "Z", "+00:00", " UTC", "\u0663"]
    ),
)
def test_the_usual_form_is_parsed_as_strictly(
    at: datetime, separator: str, form: str, place: int, removed: int, inserted: str
) -> None:
    """If all texts end in " UTC", they are parsed in another way."""
    text = at.isoformat(separator, form)
    usual = f"{text[:place]}{inserted}{text[place + removed :]} UTC"
    with_other = values.instants(pa.array([usual, "another form"]))
    assert values.instants(pa.array([usual])).to_pylist() == with_other[:1].to_pylist()


# --- times of day ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected_us"),
    [
        ("00:00", 0),
        ("09:30", us(hours=9, minutes=30)),
        ("09:30:15", us(hours=9, minutes=30, seconds=15)),
        ("23:59:59", us(hours=24) - us(seconds=1)),
        ("23:59:59.999999", us(hours=24) - 1),
        ("23:59:59.5", us(hours=24) - us(seconds=0.5)),
        ("24:00", us(hours=24)),
        ("24:00:00", us(hours=24)),
        ("24:00:00.000000", us(hours=24)),
    ],
)
def test_a_time_of_day(text: str, expected_us: int) -> None:
    assert time_of_day_us(text) == expected_us


@pytest.mark.parametrize(
    "text",
    [
        *("", "9:30", "0930", "09:60", "09:30:60", "25:00", "24:01", "24:00:01", "24:00:00.000001"),
        *("09:30:15.", "09:30:15.1234567", "09:30.5", "-09:30", "09:30 AM", "09:30Z", "٠٩:30"),
        *("09:30\n", "closed"),
    ],
)
def test_an_invalid_time_of_day(text: str) -> None:
    assert time_of_day_us(text) is None


@given(st.times())
def test_every_time_of_day(at: time) -> None:
    since_midnight = datetime.combine(EPOCH, at, tzinfo=UTC) - EPOCH
    assert time_of_day_us(at.isoformat()) == since_midnight // timedelta(microseconds=1)


# --- the rest -------------------------------------------------------------------------------


def test_statuses_in_any_letter_case() -> None:
    texts = ["active", "ACTIVE", "Inactive", "iNaCtIvE", "", "online", "1", "actived", "inactivé"]
    parsed = values.statuses(pa.array(texts)).to_pylist()
    assert parsed == [True, True, False, False, None, None, None, None, None]


def test_days_are_0_to_6() -> None:
    texts = [*"0123456", "7", "-1", "", "1.0", "00", "Monday", "٣"]
    assert values.days(pa.array(texts)).to_pylist() == [*range(7), *[None] * 7]


def test_store_ids_are_opaque_but_printable() -> None:
    good = ["00017c6a-7a77-4a95-bb2d-40647868aff6", "8419537941919820732", "0", 'a,"b"', "é 🍔"]
    bad = ["", "a\x00b", "a\tb", "a\nb", "\x7f"]
    assert values.store_ids(pa.array(good + bad)).to_pylist() == [*good, *[None] * len(bad)]


def test_zone_names_are_those_of_the_tz_database() -> None:
    assert None not in values.zone_names(pa.array(pytz.all_timezones)).to_pylist()
    unknown = ["", "Asia/Edo", "america/chicago", "UTC+2", "../etc/passwd", "Europe/"]
    assert values.zone_names(pa.array(unknown)).to_pylist() == [None] * len(unknown)

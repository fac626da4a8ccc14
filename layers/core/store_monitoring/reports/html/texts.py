"""Format percentages, durations and timestamps for the page."""

from datetime import datetime, timedelta
from decimal import Decimal

from store_monitoring.domain.parameters import DAY_US, Period
from store_monitoring.instants import EPOCH, to_text
from store_monitoring.reports.summary import NO_DATA


def percent(percentage: float | None) -> str:
    """Return a percentage, or that there is none.

    >>> percent(45.671), percent(None)
    ('45.7%', 'no data')
    """
    return NO_DATA if percentage is None else f"{percentage:.1f}%"


def points(difference: float) -> str:
    """Return a difference of percentages.

    >>> points(0.25), points(-1.44), points(-0.04)
    ('+0.2', '−1.4', '±0.0')
    """
    size = f"{abs(difference):.1f}"
    sign = "±" if size == "0.0" else "+" if difference > 0 else "−"
    return f"{sign}{size}"


def hours(duration: float) -> str:
    """Return a duration in whole hours.

    >>> hours(12_345.49)
    '12,345'
    """
    return f"{duration:,.0f}"


def days(length_us: int) -> str:
    """Return a duration in days.

    >>> days(14 * DAY_US)
    '14'
    """
    return f"{length_us // DAY_US}"


def date(instant_us: int) -> str:
    """Return a timestamp for a heading.

    >>> date(1_728_950_118_727_055)
    '14 October 2024, 23:55 UTC'
    """
    instant = EPOCH + timedelta(microseconds=instant_us)
    return f"{instant.day} {instant:%B %Y, %H:%M} UTC"


def period(of: Period) -> str:
    """Return the first and the last date of a period, or its instants.

    >>> from store_monitoring.reports.request import period_from_json
    >>> october = {"from": "2024-10-01", "to": "2024-11-01", "by": "day"}
    >>> period(period_from_json(october))
    '2024-10-01 to 2024-10-31'
    """
    first = to_text(of.start) if isinstance(of.start, int) else of.start
    last = to_text(of.end) if isinstance(of.end, int) else of.end - timedelta(days=1)
    return f"{first}" if first == last else f"{first} to {last}"


def minute(instant: str) -> str:
    """Return an instant in ISO 8601 for a table.

    >>> minute("2024-10-14T23:55:18.727055Z")
    '2024-10-14 23:55'
    """
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M}"


def weekday(instant: str) -> str:
    """Return the day of an instant in ISO 8601.

    >>> weekday("2024-10-14T23:55:18.727055Z")
    'Mon 14 Oct'
    """
    at = datetime.fromisoformat(instant)
    return f"{at:%a} {at.day} {at:%b}"


def clock_time(instant: str) -> str:
    """Return the time of day of an instant in ISO 8601.

    >>> clock_time("2024-10-14T23:55:18.727055Z")
    '23:55'
    """
    return f"{datetime.fromisoformat(instant):%H:%M}"


def decimals(number: float | Decimal | None) -> str:
    """Return a number with two decimals.

    >>> decimals(12_345.678), decimals(None)
    ('12,345.68', '–')
    """
    return "–" if number is None else f"{number:,.2f}"


def target(percentage: Decimal) -> str:
    """Return a target, which may have four decimals, with at least two.

    >>> target(Decimal("99.9999")), target(Decimal("99.5"))
    ('99.9999', '99.50')
    """
    text = f"{percentage:.4f}"
    return text[:-2] if text.endswith("00") else text.removesuffix("0")

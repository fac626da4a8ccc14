"""Format percentages, durations and timestamps for the page."""

from datetime import timedelta

from store_monitoring.domain.parameters import DAY_US, HOUR_US
from store_monitoring.instants import EPOCH


def percent(share: float | None) -> str:
    """Return a share as a percentage.

    >>> percent(0.4567), percent(None)
    ('45.7%', '–')
    """
    return "–" if share is None else f"{share:.1%}"


def hours(length_us: int) -> str:
    """Return a duration in whole hours.

    >>> hours(12_345 * HOUR_US)
    '12,345'
    """
    return f"{length_us / HOUR_US:,.0f}"


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


def instant(instant_us: int) -> str:
    """Return a timestamp for a table.

    >>> instant(1_728_950_118_727_055)
    '2024-10-14 23:55'
    """
    return f"{EPOCH + timedelta(microseconds=instant_us):%Y-%m-%d %H:%M}"

"""Conversion of instants between text, datetimes and microseconds."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_US = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
"""Requests and inputs may name instants from `EPOCH` to before this one."""


def to_text(instant_us: int) -> str:
    """Return an instant in ISO 8601, exact to the microsecond.

    >>> to_text(1_728_950_118_727_055)
    '2024-10-14T23:55:18.727055Z'
    """
    instant = EPOCH + timedelta(microseconds=instant_us)
    return instant.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def to_us(instant: datetime) -> int:
    """Return an aware datetime as exact microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)

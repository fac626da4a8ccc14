"""Conversion of instants between text, datetimes and microseconds."""

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_US = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
"""Requests and inputs may name instants from `EPOCH` to before this one."""

_FINER_THAN_MICROSECONDS = re.compile(r"[.,]\d{7}")


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


def from_text(text: str) -> int:
    """Parse an instant in ISO 8601, as microseconds since 1970. Without an offset, it is in UTC.

    Raises
    ------
    ValueError
        If it is malformed, too exact, or not from `EPOCH` to before `END_US`.

    Examples
    --------
    >>> from_text("2024-10-14T02:00:00+02:00")
    1728864000000000
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not an instant such as 2024-10-14T23:55:00Z") from None
    if _FINER_THAN_MICROSECONDS.search(text):
        raise ValueError("more than six digits of a second's fraction")
    us = to_us(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    if not 0 <= us < END_US:
        raise ValueError("not between the years 1970 and 2199 in UTC")
    return us


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)

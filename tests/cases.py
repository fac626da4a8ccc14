"""Short ways to write test cases for the uptime rules."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from tests.oracle import Case, Exclusion, HoursRow, Poll, SpecialRow, Totals

ComputeUptime = Callable[[Case], dict[str, Totals]]

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = EVERY_DAY = range(7)


def utc(text: str) -> datetime:
    """Return the UTC instant of `YYYY-MM-DD HH:MM[:SS[.ffffff]]`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def active(at: datetime | str, store_id: str = "s") -> Poll:
    return Poll(store_id, utc(at) if isinstance(at, str) else at, active=True)


def inactive(at: datetime | str, store_id: str = "s") -> Poll:
    return Poll(store_id, utc(at) if isinstance(at, str) else at, active=False)


def opens(start: str, end: str, *days: int, store_id: str = "s") -> tuple[HoursRow, ...]:
    """Return rows of business hours, one a day."""
    return tuple(HoursRow(store_id, day, start, end) for day in days)


def special(on: str, start: str, end: str, store_id: str = "s") -> SpecialRow:
    """Return special hours of a date in ISO 8601."""
    return SpecialRow(store_id, date.fromisoformat(on), start, end)


def closed(on: str, store_id: str = "s") -> SpecialRow:
    return special(on, "", "", store_id)


def excluded(start: str, end: str, store_id: str = "s") -> Exclusion:
    return Exclusion(store_id, utc(start), utc(end))


def us(**length: float) -> int:
    """Return a length of time in microseconds: ``us(hours=2, minutes=30)``."""
    return timedelta(**length) // timedelta(microseconds=1)

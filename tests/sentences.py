"""The examples of docs/uptime-rules.md in few words, computed by both implementations.

Unless an example says otherwise, the store is in UTC, and now is Wednesday 2024-10-16 12:00.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from store_monitoring.domain.parameters import SECOND_US
from tests.cases import EVERY_DAY, active, inactive, opens, utc
from tests.compute_by_domain import compute_by_domain
from tests.oracle import Case, HoursRow, Poll, report

NOW = "2024-10-16 12:00"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Windows:
    """Lengths in the last hour, day and week: hours, minutes and, if any, seconds."""

    up: tuple[str, ...]
    down: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(
            f"last {window}: {up} up, {down} down"
            for window, up, down in zip(("hour", "day", "week"), self.up, self.down, strict=True)
        )


def store(
    *sentences: str, zone: str | None = "UTC", now: str = NOW, poll_filter: str = "all"
) -> Windows:
    """Compute a store from sentences such as `open Tue 09:00-17:00` and `inactive Tue 10:00`."""
    at = utc(now)
    hours: list[HoursRow] = []
    polls: list[Poll] = []
    for sentence in sentences:
        verb, day, time = sentence.split()
        match verb:
            case "open":
                days = EVERY_DAY if day == "daily" else (DAYS.index(day),)
                start, end = time.split("-")
                hours += opens(start, end, *days)
            case "active":
                polls.append(active(_instant(day, time, at)))
            case "inactive":
                polls.append(inactive(_instant(day, time, at)))
    zones = {} if zone is None else {"s": zone}
    case = Case(tuple(polls), tuple(hours), zones, at, poll_filter=poll_filter)
    totals = compute_by_domain(case)["s"]
    assert totals == report(case)["s"]
    return Windows(tuple(map(_shown, totals.uptime_us)), tuple(map(_shown, totals.downtime_us)))


def week_open(*sentences: str, zone: str | None = "UTC", now: str = NOW) -> str:
    """Return how long a store is open in the last week."""
    return store(*sentences, f"active {now}", zone=zone, now=now).up[-1]


def _instant(day: str, time: str, now: datetime) -> datetime:
    """Return the instant of a date and time, or of a day's name in the week before now."""
    if day in DAYS:
        ago = (now.weekday() - DAYS.index(day)) % 7
        day = (now - timedelta(days=ago)).date().isoformat()
    return utc(f"{day} {time}")


def _shown(length_us: int) -> str:
    seconds, rest_us = divmod(length_us, SECOND_US)
    assert rest_us == 0, "no example needs fractions"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")

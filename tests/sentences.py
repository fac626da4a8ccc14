"""The examples of docs/uptime-rules.md in few words, computed by both implementations.

Unless an example says otherwise, the store is in UTC, and now is Wednesday 2024-10-16 12:00.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from store_monitoring.domain.parameters import SECOND_US
from tests.cases import EVERY_DAY, active, inactive, opens, special, utc
from tests.compute_by_domain import everything_by_domain, everything_by_oracle
from tests.oracle import (
    Case,
    Details,
    Exclusion,
    HoursRow,
    Outage,
    Poll,
    SpecialRow,
    Totals,
)

NOW = "2024-10-16 12:00"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Windows:
    """Lengths in the last hour, day and week: hours, minutes and, if any, seconds."""

    up: tuple[str, ...]
    down: tuple[str, ...]
    no_data: tuple[str, ...]

    def __repr__(self) -> str:
        columns = (("hour", "day", "week"), self.up, self.down, self.no_data)
        has_no_data = set(self.no_data) != {"0:00"}
        return "\n".join(
            f"last {window}: {up} up, {down} down" + (f", {no_data} no data" if has_no_data else "")
            for window, up, down, no_data in zip(*columns, strict=True)
        )


def store(
    *sentences: str, zone: str | None = "UTC", now: str = NOW, poll_filter: str = "all"
) -> Windows:
    """Compute a store from sentences such as `open Tue 09:00-17:00` and `inactive Tue 10:00`."""
    totals, _, _ = _everything(_case(sentences, zone, now, poll_filter))
    lengths_us = (totals.uptime_us, totals.downtime_us, totals.no_data_us)
    return Windows(*(tuple(map(_shown, each)) for each in lengths_us))


def covered(*sentences: str) -> tuple[str, ...]:
    """Return how much of a store's windows is covered."""
    _, details, _ = _everything(_case(sentences))
    return tuple(map(_shown, details.covered_us))


def excluded(*sentences: str) -> tuple[str, ...]:
    """Return how much of a store's windows is excluded."""
    totals, _, _ = _everything(_case(sentences))
    return tuple(map(_shown, totals.excluded_us))


def outages(*sentences: str) -> None:
    """Print a store's outages."""
    for outage in _everything(_case(sentences))[2]:
        print(f"{outage.start:%a %H:%M}-{outage.end:%H:%M}, incident {outage.incident}")


def _case(
    sentences: Sequence[str], zone: str | None = "UTC", now: str = NOW, poll_filter: str = "all"
) -> Case:
    at = utc(now)
    hours: list[HoursRow] = []
    polls: list[Poll] = []
    special_hours: list[SpecialRow] = []
    exclusions: list[Exclusion] = []
    for sentence in sentences:
        verb, day, time = sentence.split()
        match verb:
            case "open":
                days = EVERY_DAY if day == "daily" else (DAYS.index(day),)
                start, end = time.split("-")
                hours += opens(start, end, *days)
            case "special":
                start, end = ("", "") if time == "closed" else time.split("-")
                special_hours.append(special(_date(day, at), start, end))
            case "exclude":
                start, end = time.split("-")
                exclusions.append(Exclusion("s", _instant(day, start, at), _instant(day, end, at)))
            case "active":
                polls.append(active(_instant(day, time, at)))
            case "inactive":
                polls.append(inactive(_instant(day, time, at)))
    zones = {} if zone is None else {"s": zone}
    return Case(
        *(tuple(polls), tuple(hours), zones, at),
        poll_filter=poll_filter,
        special_hours=tuple(special_hours),
        exclusions=tuple(exclusions),
    )


def _everything(case: Case) -> tuple[Totals, Details, list[Outage]]:
    """Return all about the only store, on which both implementations agree."""
    every = everything_by_domain(case)
    assert every == everything_by_oracle(case)
    totals, details, all_outages = every
    return totals["s"], details["s"], all_outages["s"]


def week_open(*sentences: str, zone: str | None = "UTC", now: str = NOW) -> str:
    """Return how long a store is open in the last week."""
    return store(*sentences, f"active {now}", zone=zone, now=now).up[-1]


def _instant(day: str, time: str, now: datetime) -> datetime:
    """Return the instant of a date and time, or of a day's name in the week before now."""
    return utc(f"{_date(day, now)} {time}")


def _date(day: str, now: datetime) -> str:
    if day not in DAYS:
        return day
    ago = (now.weekday() - DAYS.index(day)) % 7
    return (now - timedelta(days=ago)).date().isoformat()


def _shown(length_us: int) -> str:
    seconds, rest_us = divmod(length_us, SECOND_US)
    assert rest_us == 0, "no example needs fractions"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")

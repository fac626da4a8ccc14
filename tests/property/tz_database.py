"""All zones of the tz database and all changes of their clocks, found by reading the clocks."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytz

from tests.cases import utc
from tests.property.transitions import Transition

# No zone has changed its clocks twice within a day.
STEPS = tuple(timedelta(seconds=seconds) for seconds in (86_400, 3600, 60, 1))


def zones() -> list[tuple[str, ...]]:
    """Return all names that the product accepts, grouped by zone (a zone may have old names)."""
    names_by_content = defaultdict(list)
    for name in pytz.all_timezones:
        names_by_content[_compiled(name).read_bytes()].append(name)
    return [tuple(names) for names in names_by_content.values()]


def transitions(zone_name: str, years: range) -> Iterator[Transition]:
    """Yield the changes of a zone's clocks in these years."""
    with _compiled(zone_name).open("rb") as file:
        zone = ZoneInfo.from_file(file, key=zone_name)
    start, end = utc(f"{years.start}-01-01"), utc(f"{years.stop}-01-01")
    for instant in _changes(zone, start, end, *STEPS):
        old, new = _offset(zone, instant - STEPS[-1]), _offset(zone, instant)
        wall = instant.replace(tzinfo=None)
        yield Transition(zone_name, instant, wall + old, wall + new)


def _compiled(zone_name: str) -> Traversable:
    return files("tzdata").joinpath("zoneinfo", *zone_name.split("/"))


def _changes(
    zone: ZoneInfo, start: datetime, end: datetime, step: timedelta, *finer: timedelta
) -> Iterator[datetime]:
    """Read the clock in steps; where it changes, in finer ones, to the second."""
    instants = [start + n * step for n in range((end - start) // step + 1)]
    offsets = [_offset(zone, instant) for instant in instants]
    for (before, old), (after, new) in pairwise(zip(instants, offsets, strict=True)):
        if old != new:
            yield from _changes(zone, before, after, *finer) if finer else [after]


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return offset

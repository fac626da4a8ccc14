"""Local wall time → UTC for whole arrays, by the tz database (rule 6).

The database is pytz's, whose release is pinned with the other requirements, not the operating
system's. `zoneinfo` reads it, since pytz's own tables of daylight saving time end in 2037.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytz

from store_monitoring.domain.model import Int64s
from store_monitoring.domain.parameters import DAY_US, SECOND_US

DEFAULT_ZONE_NAME = "America/Chicago"
"""Zone of a store whose zone is not known (rule 7)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN_SECONDS = 2 * 86_400
_PROBE_STEP_SECONDS = 43_200  # no zone has ever changed its offset twice within this time


def is_zone_name(name: str) -> bool:
    """Return whether the tz database has a zone `name`.

    >>> is_zone_name("Asia/Kathmandu"), is_zone_name("America/Gotham")
    (True, False)
    """
    return name in pytz.all_timezones_set


@dataclass(frozen=True, slots=True)
class ZoneOffsets:
    """A zone's UTC offsets over a stretch of time.

    Attributes
    ----------
    transition_us : int64 (n,)
        The instants at which the offset changes, ascending.
    offset_us : int64 (n + 1,)
        Local time minus UTC before, between and after the transitions.
    """

    transition_us: Int64s
    offset_us: Int64s

    def opening_us(self, wall_us: Int64s) -> Int64s:
        """Return the instants at which local clocks show the opening times `wall_us` (rule 6).

        For a time that occurs twice it returns the first instant, for a time that does not exist
        the first instant after the gap.

        Parameters
        ----------
        wall_us : int64 (m,)
            Local wall times, microseconds since 1970-01-01 00:00 local.

        Returns
        -------
        int64 (m,)
            Microseconds UTC.

        Examples
        --------
        Clocks in New York went from 02:00 to 03:00 on 2024-03-10 and from 02:00 back to 01:00 on
        2024-11-03. Openings at 02:30 and 01:30:

        >>> def wall(text): return np.array([text], "datetime64[us]").astype(np.int64)
        >>> def utc(instant_us): return str(instant_us.astype("datetime64[us]")[0])[:16]
        >>> march, november = wall("2024-03-10T02:30"), wall("2024-11-03T01:30")
        >>> utc(zone_offsets("America/New_York", march[0], march[0]).opening_us(march))
        '2024-03-10T07:00'
        >>> utc(zone_offsets("America/New_York", november[0], november[0]).opening_us(november))
        '2024-11-03T05:30'
        """
        segment_ends_wall_us = np.maximum.accumulate(self.transition_us + self.offset_us[:-1])
        segment = np.searchsorted(segment_ends_wall_us, wall_us, side="right")
        segment_starts_us = np.append(np.iinfo(np.int64).min, self.transition_us)
        opens_us: Int64s = np.maximum(wall_us - self.offset_us[segment], segment_starts_us[segment])
        return opens_us

    def offsets_at(self, instant_us: Int64s) -> Int64s:
        """Return the offsets at instants, in microseconds.

        Examples
        --------
        >>> wall_us = np.array(["2024-07-01T00:00"], "datetime64[us]").astype(np.int64)
        >>> offsets = zone_offsets("America/New_York", wall_us[0], wall_us[0])
        >>> (offsets.offsets_at(wall_us) // 3_600_000_000).tolist()
        [-4]
        """
        return self.offset_us[np.searchsorted(self.transition_us, instant_us, side="right")]

    def closing_us(self, wall_us: Int64s) -> Int64s:
        """Return the instants at which local clocks show the closing times `wall_us` (rule 6).

        For a time that occurs twice it returns the second instant, for a time that does not exist
        the first instant after the gap.

        Examples
        --------
        >>> wall_us = np.array(["2024-11-03T01:30"], "datetime64[us]").astype(np.int64)
        >>> offsets = zone_offsets("America/New_York", wall_us[0], wall_us[0])
        >>> str(offsets.closing_us(wall_us).astype("datetime64[us]")[0])[:16]
        '2024-11-03T06:30'
        """
        starts_wall_us = self.transition_us + self.offset_us[1:]
        starts_wall_us = np.minimum.accumulate(starts_wall_us[::-1])[::-1]
        segment = np.searchsorted(starts_wall_us, wall_us, side="right")
        segment_ends_us = np.append(self.transition_us, np.iinfo(np.int64).max)
        closes_us: Int64s = np.minimum(wall_us - self.offset_us[segment], segment_ends_us[segment])
        return closes_us


def local_time(zone_name: str, instant_us: int) -> datetime:
    """Return the local time at an instant, with its offset.

    >>> local_time("Asia/Kathmandu", 0).isoformat()
    '1970-01-01T05:30:00+05:30'
    """
    return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(_zone(zone_name))


def offsets_us(
    zone_names: Sequence[str], zone: Int64s, instant_us: Int64s, start_us: int, end_us: int
) -> Int64s:
    """Return the UTC offsets of instants, each in a zone of its own.

    Parameters
    ----------
    zone_names : sequence of str
    zone : int64 (instants,)
        Index of each instant's zone in `zone_names`.
    instant_us : int64 (instants,)
    start_us, end_us : int
        A stretch of time that contains all instants.

    Examples
    --------
    >>> zone_names = ("UTC", "Asia/Tokyo")
    >>> now_us = np.array([0, 0])
    >>> (offsets_us(zone_names, np.array([1, 0]), now_us, 0, 0) // 3_600_000_000).tolist()
    [9, 0]
    """
    offset_us = np.empty_like(instant_us)
    # Whole days, so that later calls find the same offsets in the cache.
    days_us = start_us - start_us % DAY_US, end_us + -end_us % DAY_US
    for index in np.flatnonzero(np.bincount(zone)).tolist():
        of_zone = zone == index
        offsets = zone_offsets(zone_names[index], *days_us)
        offset_us[of_zone] = offsets.offsets_at(instant_us[of_zone])
    return offset_us


@cache
def zone_offsets(zone_name: str, start_us: int, end_us: int) -> ZoneOffsets:
    """Return the offsets of a zone that matter for wall times between two instants.

    Parameters
    ----------
    zone_name : str
        A name for which `is_zone_name` is true.
    start_us, end_us : int
        The stretch of time. The result also covers two days before and after it: local time is at
        most that far from UTC, including the day that a zone skips when it crosses the date line.
    """
    zone = _zone(zone_name)
    first_second = int(start_us) // SECOND_US - _MARGIN_SECONDS
    last_second = int(end_us) // SECOND_US + _MARGIN_SECONDS + _PROBE_STEP_SECONDS
    probe_seconds = range(first_second, last_second, _PROBE_STEP_SECONDS)
    offset_us = [_offset_us(zone, probe_seconds[0])]
    transition_us: list[int] = []
    for before, after in pairwise(probe_seconds):
        after_offset_us = _offset_us(zone, after)
        if after_offset_us != offset_us[-1]:
            transition_us.append(_transition_second(zone, before, after) * SECOND_US)
            offset_us.append(after_offset_us)
    return ZoneOffsets(np.array(transition_us, np.int64), np.array(offset_us, np.int64))


@cache
def _zone(name: str) -> ZoneInfo:
    with pytz.open_resource(name) as file:
        return ZoneInfo.from_file(file, key=name)


def _offset_us(zone: ZoneInfo, second: int) -> int:
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return offset // timedelta(microseconds=1)


def _transition_second(zone: ZoneInfo, before: int, after: int) -> int:
    """Bisect to the second at which the offset changes; the tz database has whole seconds."""
    old_offset_us = _offset_us(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset_us(zone, middle) == old_offset_us:
            before = middle
        else:
            after = middle
    return after

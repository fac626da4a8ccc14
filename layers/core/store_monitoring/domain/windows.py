"""The windows that a report measures: those of the classic report, and those of a period."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from store_monitoring.domain.business_time import Span
from store_monitoring.domain.model import Bools, Int64s
from store_monitoring.domain.parameters import (
    DAY_US,
    EPOCH_WEEKDAY,
    WEEK_US,
    WINDOWS_US,
    Period,
    PeriodUnit,
)
from store_monitoring.domain.runs import begins_run, range_indices
from store_monitoring.domain.time_zones import ZoneOffsets, zone_offsets

_EPOCH = date(1970, 1, 1)
_MARGIN_DAYS = 2  # local dates differ from UTC's by one; zones have skipped a date


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of stores, sorted by store and start.

    A store may have any number of windows. They may overlap, but a later one does not end earlier.

    Attributes
    ----------
    store : int64 (windows,)
        Index of the window's store in `Stores`.
    start_us, end_us : int64 (windows,)
    """

    store: Int64s
    start_us: Int64s
    end_us: Int64s

    @property
    def span(self) -> Span:
        """The time from the earliest start to the latest end; empty if there are no windows."""
        if not len(self.store):
            return Span(0, 0)
        return Span(int(self.start_us.min()), int(self.end_us.max()))

    def outer(self) -> "Windows":
        """Return the windows that do not begin within an earlier window of their store.

        >>> weeks = classic_windows(2, now_us=20_000 * DAY_US).outer()
        >>> weeks.store.tolist(), ((weeks.end_us - weeks.start_us) // DAY_US).tolist()
        ([0, 1], [7, 7])
        """
        is_inner = np.append(False, self.start_us[1:] < self.end_us[:-1])[: len(self.store)]
        outer = ~is_inner | begins_run(self.store)
        return Windows(self.store[outer], self.start_us[outer], self.end_us[outer])

    def bounds_us(self, store_count: int) -> tuple[Int64s, Int64s]:
        """Return when each store's first window starts and its last window ends.

        For a store without windows, both are the start of the span.

        Returns
        -------
        first_us, last_us : int64 (stores,)

        Examples
        --------
        >>> windows = Windows(np.array([0, 0, 2]), np.array([5, 6, 7]), np.array([6, 8, 9]))
        >>> first_us, last_us = windows.bounds_us(3)
        >>> first_us.tolist(), last_us.tolist()
        ([5, 5, 7], [8, 5, 9])
        """
        border = np.searchsorted(self.store, np.arange(store_count + 1))
        has_windows = border[:-1] < border[1:]
        first_us = np.full(store_count, self.span.start_us)
        last_us = first_us.copy()
        first_us[has_windows] = self.start_us[border[:-1][has_windows]]
        last_us[has_windows] = self.end_us[border[1:][has_windows] - 1]
        return first_us, last_us


def classic_windows(store_count: int, now_us: int) -> Windows:
    """Return the last week, day and hour of each store, in this order.

    >>> windows = classic_windows(2, now_us=20_000 * DAY_US)
    >>> windows.store.tolist(), set((windows.end_us // DAY_US).tolist())
    ([0, 0, 0, 1, 1, 1], {20000})
    """
    start_us = now_us - np.array(sorted(WINDOWS_US, reverse=True))
    store = np.repeat(np.arange(store_count), len(WINDOWS_US))
    return Windows(store, np.tile(start_us, store_count), np.full(len(store), now_us))


def trend_edges_us(now_us: int, memory_us: int) -> Int64s:
    """Return the edges of the last seven days, each 24 hours, and the start of the week before.

    The week before is left out if the poll memory does not contain all of it.

    >>> edges_us = trend_edges_us(20_000 * DAY_US, memory_us=14 * DAY_US)
    >>> (edges_us // DAY_US).tolist()
    [19986, 19993, 19994, 19995, 19996, 19997, 19998, 19999, 20000]
    >>> (trend_edges_us(20_000 * DAY_US, memory_us=13 * DAY_US)[0] // DAY_US).tolist()
    19993
    """
    ago = np.arange(7, -1, -1) * DAY_US
    return now_us - (np.append(2 * WEEK_US, ago) if memory_us >= 2 * WEEK_US else ago)


def trend_windows(store_count: int, now_us: int, memory_us: int) -> Windows:
    """Return each store's windows between `trend_edges_us`."""
    edges_us = trend_edges_us(now_us, memory_us)
    store = np.repeat(np.arange(store_count), len(edges_us) - 1)
    return Windows(store, np.tile(edges_us[:-1], store_count), np.tile(edges_us[1:], store_count))


def period_windows(
    zone: Int64s, zone_names: tuple[str, ...], period: Period, newest_us: int
) -> Windows:
    """Cut a period at each store's local midnights, Mondays or firsts of the month (rule 20).

    Parameters
    ----------
    zone : int64 (stores,)
        Index of each store's time zone in `zone_names`.
    zone_names : tuple of str
    period : Period
    newest_us : int
        The snapshot's newest poll: time after it is not counted (rule 21).

    Returns
    -------
    Windows
        The windows of a store follow one another without gaps. A store has none if the period
        begins at the newest poll or later.

    Examples
    --------
    Three days in New York. The second has 23 hours, and the newest poll is before the end of the
    third:

    >>> def utc(text): return int(np.datetime64(text, "us").astype(np.int64))
    >>> period = Period(date(2024, 3, 9), date(2024, 3, 12), PeriodUnit.DAY)
    >>> newest_us = utc("2024-03-12T02:30")
    >>> windows = period_windows(np.array([0]), ("America/New_York",), period, newest_us)
    >>> ((windows.end_us - windows.start_us) / 3_600_000_000).tolist()
    [24.0, 23.0, 22.5]
    """
    edges_us = [_edges_us(name, period, newest_us) for name in zone_names]
    count_of_zone = np.array([len(each) - 1 for each in edges_us], np.int64)
    first_of_zone = np.cumsum(count_of_zone) - count_of_zone
    count = count_of_zone[zone]
    store, window = range_indices(first_of_zone[zone], count)
    none = np.empty(0, np.int64)
    starts_us = np.concatenate([none, *(each[:-1] for each in edges_us)])
    ends_us = np.concatenate([none, *(each[1:] for each in edges_us)])
    return Windows(store, starts_us[window], ends_us[window])


def _edges_us(zone_name: str, period: Period, newest_us: int) -> Int64s:
    """Return the starts of a zone's windows and the end of the last one; at least one instant."""
    dates = _dates(period)
    offsets = zone_offsets(zone_name, int(dates[0]) * DAY_US, int(dates[-1]) * DAY_US)
    start_us, end_us = _instant_us(period.start, offsets), _instant_us(period.end, offsets)
    end_us = min(end_us, newest_us)
    # A midnight that a zone skips with the whole date is the next one's instant.
    cuts_us = np.unique(offsets.opening_us(dates[_begins_unit(dates, period.unit)] * DAY_US))
    within = cuts_us[(cuts_us > start_us) & (cuts_us < end_us)]
    return np.concatenate([[start_us], within, [end_us]] if start_us < end_us else [[start_us]])


def _dates(period: Period) -> Int64s:
    """Return the dates of a period, and some before and after it, in days since 1970-01-01."""
    first, last = (
        (each - _EPOCH).days if isinstance(each, date) else each // DAY_US
        for each in (period.start, period.end)
    )
    return np.arange(first - _MARGIN_DAYS, last + _MARGIN_DAYS + 1)


def _instant_us(edge: date | int, offsets: ZoneOffsets) -> int:
    if isinstance(edge, date):
        return int(offsets.opening_us(np.array([(edge - _EPOCH).days * DAY_US]))[0])
    return edge


def _begins_unit(dates: Int64s, unit: PeriodUnit) -> Bools:
    """Return which dates begin a unit."""
    if unit is PeriodUnit.TOTAL:
        return np.zeros(len(dates), np.bool_)
    begins: Bools = unit_dates(dates, unit) == dates
    return begins


def unit_dates(dates: Int64s, unit: PeriodUnit) -> Int64s:
    """Return the date on which the day, week or month of each date begins.

    Parameters
    ----------
    dates : int64 (n,)
        In days since 1970-01-01.
    unit : PeriodUnit
        `TOTAL` has all dates in one unit, and returns zeros.

    Examples
    --------
    2024-10-15 was a Tuesday:

    >>> days = np.array(["2024-10-15"], "datetime64[D]").astype(np.int64)
    >>> units = (PeriodUnit.WEEK, PeriodUnit.MONTH)
    >>> [str(unit_dates(days, unit).astype("datetime64[D]")[0]) for unit in units]
    ['2024-10-14', '2024-10-01']
    """
    if unit is PeriodUnit.TOTAL:
        return np.zeros_like(dates)
    if unit is PeriodUnit.DAY:
        return dates
    if unit is PeriodUnit.WEEK:
        return dates - (dates + EPOCH_WEEKDAY) % 7
    months = dates.astype("datetime64[D]").astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64)

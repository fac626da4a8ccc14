"""Business time: the instants at which each store is open, as UTC intervals (rules 1 to 7)."""

from dataclasses import dataclass

import numpy as np

from store_monitoring.domain.model import Bools, Int64s, Stores
from store_monitoring.domain.parameters import DAY_US, MINUTE_US
from store_monitoring.domain.time_zones import zone_offsets

END_OF_DAY_US = DAY_US - MINUTE_US
"""A closing time at or after this means the midnight that ends its date (rule 3)."""

AXIS_US = 2**61
"""Greatest length of an axis. int64 still has room for the bit that is packed below a position."""

_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
_DAYS_BEFORE = 4  # two for overnight rows, two for local time and skipped dates
_DAYS_AFTER = 2


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, and one axis on which all stores' copies of it are laid end to end.

    Store 0 has the positions 0 … length, store 1 has length … 2·length, and so on. So one sorted
    array and one `searchsorted` serve all stores at once.
    """

    start_us: int
    end_us: int

    @property
    def length_us(self) -> int:
        """Length of the span, and of each store's part of the axis."""
        return self.end_us - self.start_us

    def check_room(self, store_count: int) -> None:
        """Check that the axis has room for a number of stores.

        Raises
        ------
        ValueError
            If the axis would be longer than `AXIS_US`.
        """
        if store_count * self.length_us > AXIS_US:
            raise ValueError(f"{store_count} stores × {self.length_us} µs do not fit on one axis")

    def position(self, store: Int64s, instant_us: Int64s | int) -> Int64s:
        """Return the axis positions of instants within the span."""
        position: Int64s = store * self.length_us
        position += instant_us  # in place: allocating memory takes longer than adding
        position -= self.start_us
        return position


@dataclass(frozen=True, slots=True)
class BusinessTime:
    """Each store's business time within a span: disjoint intervals, ascending.

    Attributes
    ----------
    span : Span
    start, end : int64 (intervals,)
        Positions on the span's axis.
    elapsed_us : int64 (intervals + 1,)
        Total length of the intervals before each one; the last element is the length of all.
    open_at_end : bool (stores,)
        Whether the span's end is business time.
    """

    span: Span
    start: Int64s
    end: Int64s
    elapsed_us: Int64s
    open_at_end: Bools

    def before(self, position: Int64s) -> Int64s:
        """Return the total business time on the axis before each position, in microseconds.

        The business time between two positions of one store is the difference of their totals.
        """
        interval = np.searchsorted(self.start, position, side="right")
        last = np.maximum(interval - 1, 0)
        if not len(self.start):
            return np.zeros_like(position)
        beyond = np.maximum(self.end[last] - position, 0)
        return np.where(interval > 0, self.elapsed_us[interval] - beyond, 0)

    def contains(self, position: Int64s) -> Bools:
        """Return for each position whether its store is open (start included, end excluded)."""
        if not len(self.start):
            return np.zeros(len(position), np.bool_)
        interval = np.searchsorted(self.start, position, side="right")
        return (interval > 0) & (position < self.end[np.maximum(interval - 1, 0)])

    def overlaps(self, since: Int64s, until: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Return where business time overlaps stretches of the axis.

        Parameters
        ----------
        since, until : int64 (stretches,)
            Positions: disjoint, ascending, each stretch in one store's part of the axis.

        Returns
        -------
        stretch : int64 (overlaps,)
            Index of each overlap's stretch.
        start, end : int64 (overlaps,)
            Positions.
        """
        first = np.searchsorted(self.end, since, side="right")
        count = np.maximum(np.searchsorted(self.start, until, side="left") - first, 0)
        stretch = np.repeat(np.arange(len(count)), count)
        nth = np.arange(len(stretch)) - np.repeat(np.cumsum(count) - count, count)
        interval = first[stretch] + nth
        start = np.maximum(since[stretch], self.start[interval])
        return stretch, start, np.minimum(until[stretch], self.end[interval])


@dataclass(frozen=True, slots=True)
class Openings:
    """Opening intervals of each row of weekly hours and date, before their union.

    Attributes
    ----------
    row : int64 (openings,)
        Index of the row in `WeeklyHours`.
    date : int64 (openings,)
        The local date on which the row opens its store (rule 1), in days since 1970-01-01.
    start_us, end_us : int64 (openings,)
        Microseconds UTC, not cut at the span's ends.
    """

    row: Int64s
    date: Int64s
    start_us: Int64s
    end_us: Int64s


def business_time(stores: Stores, span: Span) -> BusinessTime:
    """Return the business time of all stores within a span.

    Parameters
    ----------
    stores : Stores
    span : Span

    Raises
    ------
    ValueError
        If there are more stores than one axis can hold.

    Examples
    --------
    A store in Chicago that is open on Mondays from 22:00 to 02:00, over the Monday
    2024-10-14 and the day after (local time is five hours behind UTC):

    >>> from store_monitoring.domain.model import WeeklyHours
    >>> from store_monitoring.domain.parameters import HOUR_US
    >>> hours = WeeklyHours(*(np.array([n]) for n in (0, 0, 22 * HOUR_US, 2 * HOUR_US)))
    >>> stores = Stores(np.array([0]), ("America/Chicago",), hours)
    >>> monday_us = int(np.datetime64("2024-10-14T00:00", "us").astype(np.int64))
    >>> open_time = business_time(stores, Span(monday_us, monday_us + 2 * DAY_US))
    >>> (open_time.start // HOUR_US).tolist(), (open_time.end // HOUR_US).tolist()
    ([27], [31])
    """
    span.check_room(stores.count)
    opened = openings(stores, Span(span.start_us, span.end_us + 1))
    store = stores.hours.store[opened.row]
    is_always_open = np.bincount(stores.hours.store, minlength=stores.count) == 0  # rule 5
    open_at_end = is_always_open.copy()
    open_at_end[store[opened.end_us > span.end_us]] = True
    always_open = np.flatnonzero(is_always_open)
    start = np.append(
        span.position(store, np.maximum(opened.start_us, span.start_us)),
        span.position(always_open, span.start_us),
    )
    end = np.append(
        span.position(store, np.minimum(opened.end_us, span.end_us)),
        span.position(always_open, span.end_us),
    )
    begins = start < end  # an opening may begin at the span's end
    start, end = _union(start[begins], end[begins])
    return BusinessTime(span, start, end, np.append(0, np.cumsum(end - start)), open_at_end)


def openings(stores: Stores, span: Span) -> Openings:
    """Return every opening that overlaps a span, one per row and date (rules 1 to 3 and 6)."""
    kinds, kind_of_row = _distinct(stores)
    kind, date, start_us, end_us = _kind_openings(kinds, stores.zone_names, span)

    # Each row of hours gets the openings of its kind: a run in `kind`, which is ascending.
    border = np.searchsorted(kind, np.arange(len(kinds.zone) + 1))
    first = border[kind_of_row]
    count = border[kind_of_row + 1] - first
    row = np.repeat(np.arange(len(kind_of_row)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    opening = first[row] + nth
    return Openings(row, date[opening], start_us[opening], end_us[opening])


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The distinct (zone, day, start, end) of all rows of hours: int64 (kinds,) each."""

    zone: Int64s
    day: Int64s
    start_us: Int64s
    end_us: Int64s


def _distinct(stores: Stores) -> tuple[_Kinds, Int64s]:
    """Return the distinct kinds of hours, and the kind of each row.

    Stores share kinds: thousands of rows have some hundred kinds to convert by the tz database.
    """
    hours = stores.hours
    time_us = np.unique(np.append(hours.start_us, hours.end_us))
    axes = (len(stores.zone_names), 7, len(time_us), len(time_us))
    row = (
        *(stores.zone[hours.store], hours.day),
        *(np.searchsorted(time_us, hours.start_us), np.searchsorted(time_us, hours.end_us)),
    )
    code_of_row = np.ravel_multi_index(row, axes)
    code = np.unique(code_of_row)
    zone, day, start, end = np.unravel_index(code, axes)
    kinds = _Kinds(zone, day, time_us[start], time_us[end])
    return kinds, np.searchsorted(code, code_of_row)


def _kind_openings(
    kinds: _Kinds, zone_names: tuple[str, ...], span: Span
) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Return (kind, date, start_us, end_us) of openings that overlap the span, by kind."""
    dates = np.arange(span.start_us // DAY_US - _DAYS_BEFORE, span.end_us // DAY_US + _DAYS_AFTER)
    weekday = (dates + _EPOCH_WEEKDAY) % 7
    kind, nth_date = np.nonzero(kinds.day[:, np.newaxis] == weekday)  # rule 1
    date = dates[nth_date]
    opens_wall_us = date * DAY_US + kinds.start_us[kind]
    closes_wall_us = date * DAY_US + _closing_time_us(kinds)[kind]

    start_us = np.empty_like(opens_wall_us)
    end_us = np.empty_like(closes_wall_us)
    zone = kinds.zone[kind]
    for index in np.unique(zone):
        of_zone = zone == index
        offsets = zone_offsets(zone_names[index], dates[0] * DAY_US, (dates[-1] + 3) * DAY_US)
        start_us[of_zone] = offsets.opening_us(opens_wall_us[of_zone])
        end_us[of_zone] = offsets.closing_us(closes_wall_us[of_zone])

    overlaps = (start_us < end_us) & (start_us < span.end_us) & (end_us > span.start_us)
    return kind[overlaps], date[overlaps], start_us[overlaps], end_us[overlaps]


def _closing_time_us(kinds: _Kinds) -> Int64s:
    """Return the closing times, in microseconds since midnight of the opening date (rules 2, 3)."""
    whole_day = kinds.end_us == kinds.start_us
    overnight = kinds.end_us <= kinds.start_us
    to_midnight = ~whole_day & (kinds.end_us >= END_OF_DAY_US)
    return np.where(to_midnight, DAY_US, kinds.end_us) + np.where(overnight, DAY_US, 0)


def _union(start: Int64s, end: Int64s) -> tuple[Int64s, Int64s]:
    """Return the union of intervals: disjoint, ascending (rule 4)."""
    if not len(start):
        return start, end
    order = np.argsort(start)
    start, end = start[order], np.maximum.accumulate(end[order])
    begins = np.append(True, start[1:] > end[:-1])
    ends = np.append(begins[1:], True)
    return start[begins], end[ends]

"""Business time: the instants at which each store is open, as UTC intervals.

Rules 1 to 7, and 16 to 18.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from store_monitoring.domain.model import CLOSED, Bools, Exclusions, Int64s, Stores, WeeklyHours
from store_monitoring.domain.parameters import DAY_US, EPOCH_WEEKDAY, MINUTE_US
from store_monitoring.domain.runs import ends_run, range_indices, sum_before
from store_monitoring.domain.time_zones import zone_offsets

END_OF_DAY_US = DAY_US - MINUTE_US
"""A closing time at or after this means the midnight that ends its date (rule 3)."""

AXIS_US = 2**61
"""Maximum length of an axis. In int64, a bit can still be packed below each position."""

_DAYS_BEFORE = 4  # two for openings that end after their date, two for offsets and skipped dates
_DAYS_AFTER = 2

NO_ROW = -1
"""The row of an opening of a store that has only special hours: no row opens it on other dates."""


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

    def instant_us(self, store: Int64s, position: Int64s) -> Int64s:
        """Return the instants at axis positions of stores."""
        instant_us: Int64s = position - store * self.length_us
        instant_us += self.start_us
        return instant_us


@dataclass(frozen=True, slots=True)
class Intervals:
    """Disjoint intervals on the axis of a span, ascending.

    Attributes
    ----------
    start, end : int64 (intervals,)
        Positions.
    elapsed_us : int64 (intervals + 1,)
        Total length of the intervals before each one; the last element is the length of all.
    """

    start: Int64s
    end: Int64s
    elapsed_us: Int64s

    @classmethod
    def of(cls, start: Int64s, end: Int64s) -> Self:
        """Return the intervals with these positions."""
        return cls(start, end, sum_before(end - start))

    def before(self, position: Int64s) -> Int64s:
        """Return the total length of the intervals before each position, in microseconds.

        The length between two positions of one store is the difference of their totals.
        """
        interval = np.searchsorted(self.start, position, side="right")
        # The part of the last interval begun that is at or after the position.
        beyond_us = np.append(0, self.end)[interval]
        beyond_us -= position  # in place, as above
        np.maximum(beyond_us, 0, out=beyond_us)
        before_us: Int64s = self.elapsed_us[interval] - beyond_us
        return before_us

    def contains(self, position: Int64s) -> Bools:
        """Return for each position whether it is in an interval (start included, end not)."""
        if not len(self.start):
            return np.zeros(len(position), np.bool_)
        interval = np.searchsorted(self.start, position, side="right")
        return (interval > 0) & (position < self.end[np.maximum(interval - 1, 0)])

    def overlaps(self, since: Int64s, until: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Return where the intervals overlap stretches of the axis.

        Parameters
        ----------
        since, until : int64 (stretches,)
            Positions, in any order.

        Returns
        -------
        stretch : int64 (overlaps,)
            Index of each overlap's stretch.
        start, end : int64 (overlaps,)
            Positions.
        """
        first = np.searchsorted(self.end, since, side="right")
        count = np.maximum(np.searchsorted(self.start, until, side="left") - first, 0)
        stretch, interval = range_indices(first, count)
        start = np.maximum(since[stretch], self.start[interval])
        return stretch, start, np.minimum(until[stretch], self.end[interval])


_NO_INTERVALS = Intervals.of(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class BusinessTime:
    """Each store's business time within a span.

    Attributes
    ----------
    span : Span
    intervals : Intervals
    excluded : Intervals
        What exclusions take out of the business time (rule 17).
    open_at_end : bool (stores,)
        Whether the span's end is business time.
    """

    span: Span
    intervals: Intervals
    excluded: Intervals
    open_at_end: Bools


@dataclass(frozen=True, slots=True)
class Openings:
    """Opening intervals, one per row of hours and date, before their union (rule 4).

    Attributes
    ----------
    store : int64 (openings,)
    is_special : bool (openings,)
    row : int64 (openings,)
        Index in `SpecialHours` where `is_special`, otherwise in `WeeklyHours`. `NO_ROW` where a
        store that has only special hours is open all day (rule 16).
    date : int64 (openings,)
        The local date on which the row opens its store (rule 1), in days since 1970-01-01.
    start_us, end_us : int64 (openings,)
        Microseconds UTC, not cut at the span's ends.
    """

    store: Int64s
    is_special: Bools
    row: Int64s
    date: Int64s
    start_us: Int64s
    end_us: Int64s

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """The attributes, in order."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def take(self, chosen: Bools | Int64s) -> "Openings":
        """Return the openings that a mask or indices select."""
        return Openings(*(column[chosen] for column in self.columns))


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

    >>> from dataclasses import replace
    >>> from store_monitoring.domain.parameters import HOUR_US
    >>> hours = WeeklyHours(*(np.array([n]) for n in (0, 0, 22 * HOUR_US, 2 * HOUR_US)))
    >>> stores = Stores(np.array([0]), ("America/Chicago",), hours)
    >>> monday_us = int(np.datetime64("2024-10-14T00:00", "us").astype(np.int64))
    >>> two_days = Span(monday_us, monday_us + 2 * DAY_US)
    >>> opened = business_time(stores, two_days).intervals
    >>> (opened.start // HOUR_US).tolist(), (opened.end // HOUR_US).tolist()
    ([27], [31])

    The first hour of it is excluded:

    >>> opens_us = monday_us + 27 * HOUR_US
    >>> exclusions = Exclusions(*(np.array([n]) for n in (0, opens_us, opens_us + HOUR_US)))
    >>> open_time = business_time(replace(stores, exclusions=exclusions), two_days)
    >>> (open_time.intervals.start // HOUR_US).tolist()
    [28]
    >>> (open_time.excluded.start // HOUR_US).tolist()
    [27]
    """
    span.check_room(stores.count)
    opened = openings(stores, Span(span.start_us, span.end_us + 1))
    is_always_open = np.bincount(stores.hours.store, minlength=stores.count) == 0  # rule 5
    is_always_open[stores.special_hours.store] = False
    open_at_end = is_always_open.copy()
    open_at_end[opened.store[opened.end_us > span.end_us]] = True
    always_open = np.flatnonzero(is_always_open)
    intervals = _union(
        np.append(
            span.position(opened.store, np.maximum(opened.start_us, span.start_us)),
            span.position(always_open, span.start_us),
        ),
        np.append(
            span.position(opened.store, np.minimum(opened.end_us, span.end_us)),
            span.position(always_open, span.end_us),
        ),
    )
    open_time = BusinessTime(span, intervals, _NO_INTERVALS, open_at_end)
    if not len(stores.exclusions.store):
        return open_time
    return _subtract_exclusions(open_time, stores.exclusions)


def openings(stores: Stores, span: Span) -> Openings:
    """Return every opening that overlaps a span, one per row and date (rules 1 to 3, 6 and 16).

    Examples
    --------
    A store in UTC is open daily from 09:00 to 17:00, but on 1970-01-02 from 10:00 to 12:00, and it
    is closed on 1970-01-03. Until 1970-01-05, it opens three times:

    >>> from store_monitoring.domain.model import SpecialHours
    >>> from store_monitoring.domain.parameters import HOUR_US
    >>> hours = WeeklyHours(
    ...     np.zeros(7, np.int64), np.arange(7), *np.full((2, 7), [[9 * HOUR_US], [17 * HOUR_US]])
    ... )
    >>> special_hours = SpecialHours(
    ...     *np.array([[0, 0], [1, 2], [10 * HOUR_US, CLOSED], [12 * HOUR_US, CLOSED]])
    ... )
    >>> stores = Stores(np.array([0]), ("UTC",), hours, special_hours)
    >>> opened = openings(stores, Span(0, 4 * DAY_US))
    >>> opened.date.tolist(), (opened.end_us // HOUR_US % 24).tolist()
    ([0, 3, 1], [17, 17, 12])
    """
    if not len(stores.special_hours.store):
        return _weekly_openings(stores, stores.hours, span)
    weekly = _weekly_openings(stores, _with_all_days(stores), span)
    weekly.row[weekly.row >= len(stores.hours.store)] = NO_ROW
    special, is_replaced = _special_openings(stores, weekly, span)
    kept = weekly.take(~is_replaced)
    columns = zip(kept.columns, special.columns, strict=True)
    return Openings(*(np.concatenate(both) for both in columns))


def _with_all_days(stores: Stores) -> WeeklyHours:
    """Return the weekly hours; a store that has only special hours opens daily (rule 16)."""
    hours = stores.hours
    store = np.setdiff1d(stores.special_hours.store, hours.store)
    midnight = np.zeros(7 * len(store), np.int64)
    return WeeklyHours(
        np.append(hours.store, np.repeat(store, 7)),
        np.append(hours.day, np.tile(np.arange(7), len(store))),
        np.append(hours.start_us, midnight),
        np.append(hours.end_us, midnight),
    )


def _special_openings(stores: Stores, weekly: Openings, span: Span) -> tuple[Openings, Bools]:
    """Return the openings by special hours, and which weekly openings they replace (rule 16)."""
    special, dates = stores.special_hours, _dates(span)
    row = np.flatnonzero((special.date >= dates[0]) & (special.date <= dates[-1]))
    is_replaced = np.isin(
        weekly.store * len(dates) + weekly.date - dates[0],
        special.store[row] * len(dates) + special.date[row] - dates[0],
    )
    row = row[special.start_us[row] != CLOSED]
    store, date = special.store[row], special.date[row]
    start_us, end_us = _instants(
        *(stores.zone[store], stores.zone_names, date, special.start_us[row], special.end_us[row]),
        dates,
    )
    opened = Openings(store, np.ones(len(row), np.bool_), row, date, start_us, end_us)
    return opened.take(_overlaps(start_us, end_us, span)), is_replaced


def _weekly_openings(stores: Stores, hours: WeeklyHours, span: Span) -> Openings:
    """Return the openings by weekly hours, as if there were no special hours."""
    kinds, kind_of_row = _distinct(stores, hours)
    kind, date, start_us, end_us = _kind_openings(kinds, stores.zone_names, span)

    # Each row of hours gets the openings of its kind: a run in `kind`, which is ascending.
    border = np.searchsorted(kind, np.arange(len(kinds.zone) + 1))
    first = border[kind_of_row]
    count = border[kind_of_row + 1] - first
    row, opening = range_indices(first, count)
    return Openings(
        *(hours.store[row], np.zeros(len(row), np.bool_), row),
        *(date[opening], start_us[opening], end_us[opening]),
    )


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The distinct (zone, day, start, end) of all rows of hours: int64 (kinds,) each."""

    zone: Int64s
    day: Int64s
    start_us: Int64s
    end_us: Int64s


def _distinct(stores: Stores, hours: WeeklyHours) -> tuple[_Kinds, Int64s]:
    """Return the distinct kinds of hours, and the index of each row's kind.

    Many rows are of the same kind: only a few hundred have to be converted to UTC.
    """
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
    dates = _dates(span)
    weekday = (dates + EPOCH_WEEKDAY) % 7
    kind, nth_date = np.nonzero(kinds.day[:, np.newaxis] == weekday)  # rule 1
    date = dates[nth_date]
    start_us, end_us = _instants(
        *(kinds.zone[kind], zone_names, date, kinds.start_us[kind], kinds.end_us[kind]), dates
    )
    overlaps = _overlaps(start_us, end_us, span)
    return kind[overlaps], date[overlaps], start_us[overlaps], end_us[overlaps]


def _dates(span: Span) -> Int64s:
    """Return the local dates on which an opening may begin that overlaps the span."""
    return np.arange(span.start_us // DAY_US - _DAYS_BEFORE, span.end_us // DAY_US + _DAYS_AFTER)


def _instants(
    zone: Int64s,
    zone_names: tuple[str, ...],
    date: Int64s,
    start_us: Int64s,
    end_us: Int64s,
    dates: Int64s,
) -> tuple[Int64s, Int64s]:
    """Return the instants at which openings on some of `dates` start and end (rules 2, 3 and 6)."""
    opens_wall_us = date * DAY_US + start_us
    closes_wall_us = date * DAY_US + _closing_time_us(start_us, end_us)
    opens_us, closes_us = np.empty_like(opens_wall_us), np.empty_like(closes_wall_us)
    for index in np.unique(zone):
        of_zone = zone == index
        # An opening ends at most 48 hours after the midnight of its date.
        offsets = zone_offsets(zone_names[index], dates[0] * DAY_US, (dates[-1] + 3) * DAY_US)
        opens_us[of_zone] = offsets.opening_us(opens_wall_us[of_zone])
        closes_us[of_zone] = offsets.closing_us(closes_wall_us[of_zone])
    return opens_us, closes_us


def _closing_time_us(start_us: Int64s, end_us: Int64s) -> Int64s:
    """Return the closing times, in microseconds since midnight of the opening date (rules 2, 3)."""
    whole_day = end_us == start_us
    overnight = end_us <= start_us
    to_midnight = ~whole_day & (end_us >= END_OF_DAY_US)
    return np.where(to_midnight, DAY_US, end_us) + np.where(overnight, DAY_US, 0)


def _overlaps(start_us: Int64s, end_us: Int64s, span: Span) -> Bools:
    overlaps: Bools = (start_us < end_us) & (start_us < span.end_us) & (end_us > span.start_us)
    return overlaps


def _subtract_exclusions(open_time: BusinessTime, exclusions: Exclusions) -> BusinessTime:
    """Take exclusions out of business time (rule 17)."""
    store, span = exclusions.store, open_time.span
    excluded = _union(
        span.position(store, np.clip(exclusions.start_us, span.start_us, span.end_us)),
        span.position(store, np.clip(exclusions.end_us, span.start_us, span.end_us)),
    )
    axis_end = span.position(np.array([len(open_time.open_at_end)]), span.start_us)
    rest = np.append(0, excluded.end), np.append(excluded.start, axis_end)
    _, *kept = open_time.intervals.overlaps(*rest)
    _, *taken_out = open_time.intervals.overlaps(excluded.start, excluded.end)
    at_end = (exclusions.start_us <= span.end_us) & (span.end_us < exclusions.end_us)
    open_at_end = open_time.open_at_end.copy()
    open_at_end[store[at_end]] = False
    return BusinessTime(span, Intervals.of(*kept), Intervals.of(*taken_out), open_at_end)


def _union(start: Int64s, end: Int64s) -> Intervals:
    """Return the union of intervals in any order, without the empty ones (rule 4)."""
    exists = start < end
    start, end = start[exists], end[exists]
    order = np.argsort(start)
    start, end = start[order], np.maximum.accumulate(end[order])
    begins = np.append(True, start[1:] > end[:-1])[: len(start)]
    return Intervals.of(start[begins], end[ends_run(begins)])

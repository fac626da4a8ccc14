"""The uptime rules by brute force: slow, short and easy to compare with the rules.

The product is tested against this module, so they share nothing: no code, no numpy, no vectors, no
prefix sums, not even the copy of the tz database (this one reads the ``tzdata`` package, never the
machine's own). Time is cut at every instant at which anything can change; for each piece, all rows
and polls are searched. The numbers in comments are those of the rules in ``docs/uptime-rules.md``.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

HEADER = (
    "store_id",
    "uptime_last_hour(in minutes)",
    "uptime_last_day(in hours)",
    "uptime_last_week(in hours)",
    "downtime_last_hour(in minutes)",
    "downtime_last_day(in hours)",
    "downtime_last_week(in hours)",
)
PERIOD_HEADER = (
    *("store_id", "window_start", "window_end", "uptime(in hours)", "downtime(in hours)"),
    *("no_data(in hours)", "excluded(in hours)", "uptime_percent"),
)
DEFAULT_ZONE = "America/Chicago"
WINDOWS = (timedelta(hours=1), timedelta(hours=24), timedelta(hours=168))
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
MINUTE_US = 60_000_000
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class HoursRow:
    """One row of business hours, its times as written in the CSV."""

    store_id: str
    day: int
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class SpecialRow:
    """One row of special hours, its times as written in the CSV; both are empty if closed."""

    store_id: str
    date: date
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An interval that is no business time, between aware UTC datetimes."""

    store_id: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Poll:
    """One observation of one store; `timestamp` is an aware UTC datetime."""

    store_id: str
    timestamp: datetime
    active: bool


@dataclass(frozen=True, slots=True)
class Period:
    """A requested period (20): a date is a midnight of each store, a datetime an instant."""

    start: date
    end: date
    by: str  # "total", "day", "week" or "month"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """The inputs of one report: rows that ingest has accepted, and the request.

    Cases are compared by identity: what several figures of a store need is computed once per case.
    """

    polls: tuple[Poll, ...] = ()
    hours: tuple[HoursRow, ...] = ()
    zones: Mapping[str, str] = field(default_factory=dict)
    now: datetime | None = None  # None: the greatest poll timestamp, which it is for a period
    memory_days: int = 14
    poll_filter: str = "all"  # or "business_hours"
    coverage_minutes: int = 120
    special_hours: tuple[SpecialRow, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    period: Period | None = None  # None: the last hour, day and week


Lengths = tuple[int, ...]  # of each window, in microseconds
Counts = tuple[int, ...]  # of each window
NOTHING = (0, 0, 0)
_cached_per_store = lru_cache(maxsize=1024)  # of each case


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open interval of UTC instants."""

    start: datetime
    end: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


@dataclass(frozen=True, slots=True)
class Totals:
    """Exact microseconds of each window: of the last hour, day and week, or of a period's."""

    uptime_us: Lengths
    downtime_us: Lengths
    no_data_us: Lengths = NOTHING
    excluded_us: Lengths = NOTHING


@dataclass(frozen=True, slots=True)
class Outage:
    """A maximal stretch of business time in which the store was down."""

    start: datetime
    end: datetime
    incident: int
    ongoing: bool
    last_up: datetime | None
    next_up: datetime | None

    @property
    def length_us(self) -> int:
        return (self.end - self.start) // MICROSECOND


@dataclass(frozen=True, slots=True)
class Details:
    """What a report shows of a store besides its totals.

    Polls and outages are counted in the week only, or in each window of a period.
    """

    windows: tuple[Span, ...]
    covered_us: Lengths
    polls: Counts
    outages: Counts
    longest_outage_us: Lengths
    incidents: Counts
    recoveries: Counts
    recovery_us: Lengths
    outage_starts: Counts
    outage_hours: tuple[int, ...]  # of all outages
    last_poll: tuple[datetime, bool] | None
    open_at_end: bool


def report(case: Case) -> dict[str, Totals]:
    """Compute every store of the case, in ascending byte order of `store_id` (12)."""
    return {store_id: _totals(case, store_id) for store_id in _store_ids(case)}


def business_time_us(case: Case) -> dict[str, Lengths]:
    """Return the length of each store's business time in each window."""
    lengths_us: dict[str, Lengths] = {}
    for store_id in _store_ids(case):
        all_windows, spans = windows(case, store_id), business_time(case, store_id)
        pieces = _pieces(all_windows, _edges(spans))
        open_pieces = [piece for piece in pieces if _is_open(spans, piece.start)]
        lengths_us[store_id] = _window_lengths_us(open_pieces, all_windows)
    return lengths_us


def details(case: Case) -> dict[str, Details]:
    """Return details of the polls and outages of every store that has a window."""
    return {
        store_id: _details(case, store_id)
        for store_id in _store_ids(case)
        if windows(case, store_id)
    }


def outages(case: Case) -> dict[str, list[Outage]]:
    """Return every store's outages in the week or the period."""
    return {store_id: list(_outages(case, store_id)) for store_id in _store_ids(case)}


def csv_text(totals_by_store: Mapping[str, Totals]) -> str:
    """Write a report as CSV (14); no data counts as downtime (11)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for store_id, totals in totals_by_store.items():
        hour, day, week = map(sum, zip(totals.downtime_us, totals.no_data_us, strict=True))
        writer.writerow([store_id, *_figures(totals.uptime_us), *_figures((hour, day, week))])
    return out.getvalue()


def period_csv_text(case: Case) -> str:
    """Write the report of a period as CSV (20)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(PERIOD_HEADER)
    for store_id, totals in report(case).items():
        zone = _zone(case.zones.get(store_id, DEFAULT_ZONE))
        all_us = (totals.uptime_us, totals.downtime_us, totals.no_data_us, totals.excluded_us)
        for window, *lengths_us in zip(windows(case, store_id), *all_us, strict=True):
            edges = (at.astimezone(zone).isoformat() for at in (window.start, window.end))
            hours = (_decimals(Fraction(each, HOUR_US), 2) for each in lengths_us)
            up, known = lengths_us[0], lengths_us[0] + lengths_us[1]
            percent = _decimals(Fraction(100 * up, known), 3) if known else ""
            writer.writerow([store_id, *edges, *hours, percent])
    return out.getvalue()


def _figures(lengths_us: Lengths) -> list[str]:
    units_us = (MINUTE_US, HOUR_US, HOUR_US)
    return [_decimals(Fraction(n, unit), 2) for n, unit in zip(lengths_us, units_us, strict=True)]


def _decimals(number: Fraction, digits: int) -> str:
    units = round(number * 10**digits)  # a Fraction rounds half to even
    return f"{units // 10**digits}.{units % 10**digits:0{digits}d}"


def _store_ids(case: Case) -> list[str]:
    polled = {poll.store_id for poll in case.polls}
    rows: tuple[HoursRow | SpecialRow | Exclusion, ...] = (
        *case.hours,
        *case.special_hours,
        *case.exclusions,
    )
    with_calendar = {row.store_id for row in rows}
    return sorted(polled | with_calendar | set(case.zones), key=str.encode)


def _now(case: Case) -> datetime:
    return case.now or max(poll.timestamp for poll in case.polls)


def _totals(case: Case, store_id: str) -> Totals:
    all_windows, spans = windows(case, store_id), business_time(case, store_id)
    polls = _known_polls(case, store_id)
    pieces = _pieces(all_windows, [*_edges(spans), *_status_edges(case, polls)])
    by_status: dict[bool | None, list[Span]] = {True: [], False: [], None: []}
    for piece in pieces:
        if _is_open(spans, piece.start):
            by_status[_status(case, polls, piece.start)].append(piece)
    up, down, no_data = (  # (13, 19)
        _window_lengths_us(by_status[status], all_windows) for status in (True, False, None)
    )
    return Totals(up, down, no_data, _excluded_us(case, store_id))


def _excluded_us(case: Case, store_id: str) -> Lengths:
    """Return how much would be business time, too, without exclusions (17)."""
    all_windows = windows(case, store_id)
    openings, exclusions = _openings(case, store_id), _exclusions(case, store_id)
    pieces = _pieces(all_windows, [*_edges(openings), *_edges(exclusions)])
    excluded = [
        piece
        for piece in pieces
        if _is_open(openings, piece.start) and any(piece.start in span for span in exclusions)
    ]
    return _window_lengths_us(excluded, all_windows)


def _details(case: Case, store_id: str) -> Details:
    whole, all_windows = _whole(case, store_id), windows(case, store_id)
    spans = business_time(case, store_id)
    polls = _known_polls(case, store_id)
    instants = {poll.timestamp for poll in polls}
    last = max(instants, default=None)
    all_outages = _outages(case, store_id)
    counted = [whole] if case.period is None else all_windows
    of_windows = [_outages_in(all_outages, window) for window in counted]
    return Details(
        windows=tuple(all_windows),
        covered_us=_covered_us(case, store_id, instants),
        polls=tuple(
            sum(at in window or at == window.end == whole.end for at in instants)
            for window in counted
        ),
        outages=tuple(each.outages for each in of_windows),
        longest_outage_us=tuple(each.longest_us for each in of_windows),
        incidents=tuple(each.incidents for each in of_windows),
        recoveries=tuple(each.recoveries for each in of_windows),
        recovery_us=tuple(each.recovery_us for each in of_windows),
        outage_starts=tuple(
            sum(outage.start in window for outage in all_outages) for window in counted
        ),
        outage_hours=tuple(_hour_of_week(case, store_id, outage.start) for outage in all_outages),
        last_poll=None if last is None else (last, bool(_status(case, polls, last))),
        open_at_end=_is_open(spans, whole.end),
    )


@dataclass(frozen=True, slots=True)
class _OutagesInWindow:
    outages: int
    longest_us: int
    incidents: int
    recoveries: int
    recovery_us: int


def _outages_in(all_outages: Sequence[Outage], window: Span) -> _OutagesInWindow:
    """Return figures of the outages that overlap a window, as far as they do.

    An incident's recovery is in the window in which its last outage ends; the length of that
    recovery is the length of all its outages.
    """
    within = [each for each in all_outages if each.start < window.end and window.start < each.end]
    ends = {each.incident: each.end for each in all_outages}  # of the last one of each incident
    recovered = {
        each.incident for each in within if each.next_up and ends[each.incident] <= window.end
    }
    lengths = [min(each.end, window.end) - max(each.start, window.start) for each in within]
    return _OutagesInWindow(
        outages=len(within),
        longest_us=max(lengths, default=timedelta()) // MICROSECOND,
        incidents=len({each.incident for each in within}),
        recoveries=len(recovered),
        recovery_us=sum(each.length_us for each in all_outages if each.incident in recovered),
    )


def _covered_us(case: Case, store_id: str, instants: Set[datetime]) -> Lengths:
    """Return how much of the business time is shortly after a poll (19)."""
    all_windows, spans = windows(case, store_id), business_time(case, store_id)
    seen = [Span(at, at + timedelta(minutes=case.coverage_minutes)) for at in instants]
    pieces = _pieces(all_windows, [*_edges(spans), *_edges(seen)])
    covered = [
        piece
        for piece in pieces
        if _is_open(spans, piece.start) and any(piece.start in span for span in seen)
    ]
    return _window_lengths_us(covered, all_windows)


@_cached_per_store
def _outages(case: Case, store_id: str) -> tuple[Outage, ...]:
    whole = _whole(case, store_id)
    spans = business_time(case, store_id)
    polls = _known_polls(case, store_id)
    down: list[Span] = []
    for piece in _pieces([whole], [*_edges(spans), *_status_edges(case, polls)]):
        if _is_open(spans, piece.start) and _status(case, polls, piece.start) is False:
            if down and down[-1].end == piece.start:
                piece = Span(down.pop().start, piece.end)  # the outage continues
            down.append(piece)
    ups = [poll.timestamp for poll in polls if _status(case, polls, poll.timestamp)]
    around = [
        (
            max((up for up in ups if up <= span.start), default=None),
            min((up for up in ups if up > span.start), default=None),
        )
        for span in down
    ]
    last_status = _status(case, polls, max(poll.timestamp for poll in polls)) if polls else None
    # Outages between which the store was never up are one incident.
    incidents = list(dict.fromkeys(around))
    is_open_at_end = _is_open(spans, whole.end)
    return tuple(
        Outage(
            span.start,
            span.end,
            1 + incidents.index(between),
            span.end == whole.end and is_open_at_end and last_status is False,
            *between,
        )
        for span, between in zip(down, around, strict=True)
    )


def _hour_of_week(case: Case, store_id: str, instant: datetime) -> int:
    zone = _zone(case.zones.get(store_id, DEFAULT_ZONE))
    local = instant + _offset(zone, instant)
    return 24 * local.weekday() + local.hour


def _edges(spans: Sequence[Span]) -> list[datetime]:
    return [edge for span in spans for edge in (span.start, span.end)]


def _pieces(all_windows: Sequence[Span], changes: Sequence[datetime]) -> list[Span]:
    """Return the time of all windows, cut at every change and at the edges of the windows."""
    if not all_windows:
        return []
    edges = _edges(all_windows)
    first, last = min(edges), max(edges)
    cuts = sorted({t for t in (*edges, *changes) if first <= t <= last})
    return [Span(a, b) for a, b in pairwise(cuts)]


def _window_lengths_us(pieces: Sequence[Span], all_windows: Sequence[Span]) -> Lengths:
    return tuple(
        sum((piece.end - piece.start) // MICROSECOND for piece in pieces if piece.start in window)
        for window in all_windows
    )


# --- windows --------------------------------------------------------------------------------


@_cached_per_store
def windows(case: Case, store_id: str) -> tuple[Span, ...]:
    """Return the windows of a store: the last hour, day and week, or those of the period (20)."""
    if case.period is None:
        return tuple(Span(_now(case) - length, _now(case)) for length in WINDOWS)
    whole = _whole(case, store_id)
    edges = {whole.start, whole.end}
    clock = _clock(case, store_id, whole.start, whole.end)
    for local_date in _dates(whole.start.date() - 2 * DAY, whole.end.date() + 2 * DAY):
        begins_window = {
            "total": False,
            "day": True,
            "week": local_date.weekday() == 0,
            "month": local_date.day == 1,
        }
        if begins_window[case.period.by]:
            edges.add(_midnight(clock, local_date))
    spans = (Span(a, b) for a, b in pairwise(sorted(edges)))
    return tuple(span for span in spans if whole.start <= span.start < span.end <= whole.end)


@_cached_per_store
def _whole(case: Case, store_id: str) -> Span:
    """Return the time from the start of a store's first window to the end of its last."""
    now = _now(case)
    if case.period is None:
        return Span(now - WINDOWS[-1], now)
    start, end = (_instant(case, store_id, at) for at in (case.period.start, case.period.end))
    return Span(start, max(start, min(end, now)))  # (21) nothing after the newest poll


def _instant(case: Case, store_id: str, at: date) -> datetime:
    """Return the instant of a period's start or end."""
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    about = datetime.combine(at, time(), UTC)
    return _midnight(_clock(case, store_id, about, about), at)


def _midnight(clock: "Clock", local_date: date) -> datetime:
    """Return when a date begins: when a store that opens at midnight opens (6, 20)."""
    return clock.opening(datetime.combine(local_date, time()))


# --- status ---------------------------------------------------------------------------------


@_cached_per_store
def _known_polls(case: Case, store_id: str) -> tuple[Poll, ...]:
    whole, spans = _whole(case, store_id), business_time(case, store_id)
    oldest = whole.start - timedelta(days=case.memory_days - 7)  # (21), which implies (9)
    return tuple(
        poll
        for poll in case.polls
        if poll.store_id == store_id
        and oldest <= poll.timestamp <= whole.end
        and (case.poll_filter == "all" or _is_open(spans, poll.timestamp))
    )


def _status_edges(case: Case, polls: Sequence[Poll]) -> list[datetime]:
    """Return the instants at which a status may begin or end."""
    memory = timedelta(days=case.memory_days)
    return [poll.timestamp + ends for poll in polls for ends in (-memory, timedelta(), memory)]


def _status(case: Case, polls: Sequence[Poll], instant: datetime) -> bool | None:
    """Return whether a store is active at an instant; None if that is not known (19)."""
    if not polls:
        return None
    earlier = [poll.timestamp for poll in polls if poll.timestamp <= instant]
    latest = max(earlier) if earlier else min(poll.timestamp for poll in polls)  # (8)
    memory = timedelta(days=case.memory_days)
    if not latest - memory <= instant < latest + memory:
        return None  # (21)
    return all(poll.active for poll in polls if poll.timestamp == latest)  # (10)


# --- business time --------------------------------------------------------------------------


def _is_open(spans: Sequence[Span], instant: datetime) -> bool:
    return any(instant in span for span in spans)  # (4) open once, however many rows say so


@_cached_per_store
def business_time(case: Case, store_id: str) -> tuple[Span, ...]:
    """Return all spans of business time that can overlap the windows or the poll memory."""
    spans = _openings(case, store_id)
    for out in _exclusions(case, store_id):  # (17) after the union of all openings (18)
        rests = [
            rest
            for span in spans
            for rest in (
                Span(span.start, min(span.end, out.start)),
                Span(max(span.start, out.end), span.end),
            )
        ]
        spans = tuple(rest for rest in rests if rest.start < rest.end)
    return spans


def _exclusions(case: Case, store_id: str) -> list[Span]:
    return [Span(row.start, row.end) for row in case.exclusions if row.store_id == store_id]


@_cached_per_store
def _openings(case: Case, store_id: str) -> tuple[Span, ...]:
    whole = _whole(case, store_id)
    # A span may begin two dates before it ends, and local dates differ from UTC by up to a day.
    first = whole.start - timedelta(days=max(case.memory_days - 7, 0)) - 4 * DAY
    last = whole.end + 2 * DAY
    hours = [row for row in case.hours if row.store_id == store_id]
    special = [row for row in case.special_hours if row.store_id == store_id]
    if not hours and not special:
        return (Span(first, last),)  # (5)
    clock = _clock(case, store_id, first, last)
    spans = (
        Span(clock.opening(opens), clock.closing(closes))
        for local_date in _dates(first.date(), last.date())
        for start, end in _times_on(local_date, hours, special)
        for opens, closes in [_wall_times(start, end, local_date)]
    )
    return tuple(span for span in spans if span.start < span.end)


def _times_on(
    local_date: date, hours: Sequence[HoursRow], special: Sequence[SpecialRow]
) -> list[tuple[str, str]]:
    """Return when a store opens and closes on a date, as written."""
    special_today = [row for row in special if row.date == local_date]
    if special_today:  # (16)
        return [(row.start, row.end) for row in special_today if row.start]
    if not hours:
        return [("00:00", "00:00")]  # (16) and (2): the whole day
    # (1) weekday() of a Monday is 0
    return [(row.start, row.end) for row in hours if row.day == local_date.weekday()]


def _dates(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY


def _wall_times(opens: str, closes: str, local_date: date) -> tuple[datetime, datetime]:
    """Return the wall times of an opening on a date and of its closing (2, 3)."""
    start, end = _time_of_day(opens), _time_of_day(closes)
    opening_date = datetime.combine(local_date, time())
    closing_date = opening_date if start < end else opening_date + DAY  # (2)
    if start != end and end >= timedelta(hours=23, minutes=59):
        end = timedelta(hours=24)  # (3)
    return opening_date + start, closing_date + end


@cache
def _time_of_day(text: str) -> timedelta:
    """Return the time since midnight, as clocks show it, of `HH:MM[:SS[.ffffff]]`."""
    hours, minutes, seconds = [*text.split(":"), "0"][:3]
    in_us = Fraction(seconds) * 1_000_000
    return timedelta(hours=int(hours), minutes=int(minutes), microseconds=int(in_us))


@dataclass(frozen=True, slots=True)
class Clock:
    """A local clock over some weeks of UTC: pieces with a constant offset."""

    pieces: tuple[tuple[Span, timedelta], ...]

    def opening(self, wall: datetime) -> datetime:
        """Return the first instant at which the local clock shows `wall` or later (6).

        That is the first of two, and the end of the gap for a wall time in a gap.
        """
        as_utc = wall.replace(tzinfo=UTC)
        return min(
            max(piece.start, as_utc - offset)
            for piece, offset in self.pieces
            if as_utc - offset < piece.end
        )

    def closing(self, wall: datetime) -> datetime:
        """Return the last instant at which the local clock shows `wall` or earlier (6).

        That is the second of two, and the end of the gap for a wall time in a gap.
        """
        as_utc = wall.replace(tzinfo=UTC)
        return max(
            min(piece.end, as_utc - offset)
            for piece, offset in self.pieces
            if as_utc - offset >= piece.start
        )


def _clock(case: Case, store_id: str, first: datetime, last: datetime) -> Clock:
    """Return a store's clock for wall times about as early as `first` to as late as `last`."""
    return clock_of(case.zones.get(store_id, DEFAULT_ZONE), first - 4 * DAY, last + 4 * DAY)


def clock_of(zone_name: str, first: datetime, last: datetime) -> Clock:
    """Return the clock of a zone from the day of `first` to the day of `last`."""
    zone = _zone(zone_name)
    start, end = (datetime.combine(day, time(), UTC) for day in (first, last + DAY))
    pieces = []
    for day in _dates(first.date(), last.date()):
        for change in _changes_on(zone_name, day):
            pieces.append((Span(start, change), _offset(zone, start)))
            start = change
    return Clock((*pieces, (Span(start, end), _offset(zone, start))))


@lru_cache(maxsize=50_000)
def _changes_on(zone_name: str, day: date) -> tuple[datetime, ...]:
    """Read the clocks of a zone hour by hour; where they change, by minutes and by seconds."""
    zone, midnight = _zone(zone_name), datetime.combine(day, time(), UTC)
    changes = []
    for hour in (midnight + n * HOUR for n in range(24)):
        if _offset(zone, hour) != _offset(zone, hour + HOUR):
            before = hour
            for step in (MINUTE, SECOND):
                while _offset(zone, before + step) == _offset(zone, hour):
                    before += step
            changes.append(before + SECOND)
    return tuple(changes)


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return offset


@cache
def _zone(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as compiled:
        return ZoneInfo.from_file(compiled, key=name)

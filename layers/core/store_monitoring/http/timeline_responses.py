"""Timelines and histories as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self, TypeVar, cast

from numpy.typing import NDArray

from store_monitoring.domain.known_polls import NO_POLL
from store_monitoring.domain.model import CLOSED, WeeklyHours
from store_monitoring.domain.parameters import HOUR_US, MINUTE_US, SECOND_US
from store_monitoring.domain.time_zones import local_time
from store_monitoring.domain.timeline import Timeline
from store_monitoring.history import History
from store_monitoring.http import models
from store_monitoring.instants import to_text
from store_monitoring.reports.formats.rows import classic_totals_us, rounded_totals
from store_monitoring.reports.measures import percent
from store_monitoring.reports.request import period_to_json
from store_monitoring.storage.arrays import total_columns
from store_monitoring.timeline import StoreTimeline, TimelineRequest

_EPOCH_DATE = date(1970, 1, 1)
_Stretch = TypeVar("_Stretch", bound=models.Stretch)


def timeline_body(view: StoreTimeline) -> models.Timeline:
    """Return the JSON body of a store's timeline; `docs/timeline.md` describes it."""
    timeline = view.timeline
    clock = _Clock(view.store.zone_names[0], timeline.week.start_us)
    part = _Part.of(view.request)
    totals_us = total_columns(timeline.totals)
    return {
        "store_id": view.request.store_id,
        "as_of": to_text(view.source.now_us),
        "poll_filter": view.source.parameters.poll_filter,
        "snapshot": {"report_id": view.source.report_id, "version": view.source.version},
        "week": clock.stretch(0, timeline.week.length_us),
        "time_zone": {"name": clock.zone_name, "source": _source(view.zone_is_given)},
        "business_hours": {
            "rows": _hours_rows(view.store.hours),
            "source": _source(view.hours_are_given),
        },
        "special_hours": _special_hours(view),
        "exclusions": _stretches_in(part, _exclusions(view, clock)),
        "business_time": _stretches_in(part, _business_time(timeline, clock)),
        "polls": [poll for poll in _polls(timeline, clock) if part.start <= poll["at"] < part.end],
        "statuses": _stretches_in(part, _statuses(timeline, clock)),
        "outages": _stretches_in(part, _outages(timeline, clock)),
        "totals": cast(
            "models.Totals",
            {name: us.item() for name, us in totals_us.items()},
        ),
        "report_row": cast(
            "models.ReportRow",
            {
                name: value.item()
                for name, value in rounded_totals(classic_totals_us(totals_us)).items()
            },
        ),
    }


def history_body(history: History) -> models.History:
    """Return the JSON body of a store's history; `docs/timeline.md` describes it."""
    totals, outages = history.figures.totals, history.figures.outages
    clock = _Clock(history.zone_name, 0)
    windows: list[models.HistoryWindow] = [
        {
            **clock.stretch(start_us, end_us),
            "uptime_us": uptime_us,
            "downtime_us": downtime_us,
            "no_data_us": no_data_us,
            "covered_us": covered_us,
            "excluded_us": excluded_us,
            "uptime_percent": percent(uptime_us, uptime_us + downtime_us),
            "outages": count,
            "longest_outage_us": longest_us,
        }
        for (
            start_us,
            end_us,
            uptime_us,
            downtime_us,
            no_data_us,
            covered_us,
            excluded_us,
            count,
            longest_us,
        ) in _rows(
            *(history.windows.start_us, history.windows.end_us),
            *(totals.uptime_us, totals.downtime_us, totals.no_data_us),
            *(totals.covered_us, totals.excluded_us, outages.count, outages.longest_us),
        )
    ]
    return {
        "store_id": history.request.store_id,
        "period": period_to_json(history.request.period),
        "poll_filter": history.request.poll_filter,
        "snapshot": {
            "version": history.version,
            "newest_poll": to_text(history.newest_poll_us),
        },
        "time_zone": {"name": clock.zone_name, "source": _source(history.zone_is_given)},
        "windows": windows,
    }


@dataclass(frozen=True, slots=True)
class _Part:
    """The requested part of a week, as text: text of `to_text` sorts by time."""

    start: str
    end: str

    @classmethod
    def of(cls, request: TimelineRequest) -> Self:
        return cls(
            "" if request.from_us is None else to_text(request.from_us),
            "~" if request.to_us is None else to_text(request.to_us),
        )


def _stretches_in(part: _Part, stretches: list[_Stretch]) -> list[_Stretch]:
    """Return the stretches that overlap the part, uncut."""
    return [each for each in stretches if each["start"] < part.end and part.start < each["end"]]


@dataclass(frozen=True, slots=True)
class _Clock:
    """Writes instants in UTC and in the store's local time."""

    zone_name: str
    week_start_us: int

    def local(self, instant_us: int) -> str:
        return local_time(self.zone_name, instant_us).isoformat(timespec="microseconds")

    def stretch(self, start: int, end: int) -> models.Stretch:
        """Return a stretch of the week, given by positions on the week's axis."""
        start_us, end_us = self.week_start_us + start, self.week_start_us + end
        return {
            "start": to_text(start_us),
            "start_local": self.local(start_us),
            "end": to_text(end_us),
            "end_local": self.local(end_us),
        }


def _hours_rows(hours: WeeklyHours) -> list[models.HoursRow]:
    return [
        {
            "day_of_week": day,
            "start_time_local": _time_of_day(start_us),
            "end_time_local": _time_of_day(end_us),
        }
        for day, start_us, end_us in _rows(hours.day, hours.start_us, hours.end_us)
    ]


def _special_hours(view: StoreTimeline) -> list[models.SpecialHoursRow]:
    hours = view.store.special_hours
    rows = _rows(hours.date, hours.start_us, hours.end_us)
    return [
        {
            "date": _date(day),
            "start_time_local": None if start_us == CLOSED else _time_of_day(start_us),
            "end_time_local": None if end_us == CLOSED else _time_of_day(end_us),
            "reason": reason,
        }
        for (day, start_us, end_us), reason in zip(rows, view.special_reasons, strict=True)
    ]


def _exclusions(view: StoreTimeline, clock: "_Clock") -> list[models.Exclusion]:
    """Return the exclusions that overlap the week."""
    exclusions, week = view.store.exclusions, view.timeline.week
    rows = _rows(exclusions.start_us, exclusions.end_us)
    return [
        {**clock.stretch(start_us - week.start_us, end_us - week.start_us), "reason": reason}
        for (start_us, end_us), reason in zip(rows, view.exclusion_reasons, strict=True)
        if start_us < week.end_us and week.start_us < end_us
    ]


def _business_time(timeline: Timeline, clock: _Clock) -> list[models.OpenStretch]:
    openings: list[list[models.Opening]] = [[] for _ in timeline.open_time.intervals.start]
    opened = timeline.openings
    for interval, day, is_special, row in sorted(
        _rows(timeline.interval, opened.date, opened.is_special, opened.row)
    ):
        if is_special:
            openings[interval].append({"special_row": row, "date": _date(day)})
        else:
            openings[interval].append({"row": row, "date": _date(day)})
    intervals = _rows(timeline.open_time.intervals.start, timeline.open_time.intervals.end)
    return [
        {**clock.stretch(start, end), "openings": of_interval}
        for (start, end), of_interval in zip(intervals, openings, strict=True)
    ]


def _polls(timeline: Timeline, clock: _Clock) -> list[models.Poll]:
    return [
        {
            "at": to_text(at_us),
            "at_local": clock.local(at_us),
            "status": "active" if active else "inactive",
            "is_evidence": counts,
        }
        for at_us, active, counts in _rows(
            timeline.polls.timestamp_us, timeline.polls.active, timeline.counts
        )
    ]


def _statuses(timeline: Timeline, clock: _Clock) -> list[models.StatusStretch]:
    held = timeline.statuses
    return [
        {
            **clock.stretch(since, until),
            "status": "no data" if poll_us == NO_POLL else "up" if active else "down",
            "poll_at": None if poll_us == NO_POLL else to_text(poll_us),
        }
        for since, until, active, poll_us in _rows(
            held.since, held.until, held.active, held.poll_us
        )
    ]


def _outages(timeline: Timeline, clock: _Clock) -> list[models.Outage]:
    week_us = timeline.week.start_us
    return [
        {**clock.stretch(start_us - week_us, end_us - week_us), "length_us": end_us - start_us}
        for start_us, end_us in _rows(timeline.outages.start_us, timeline.outages.end_us)
    ]


def _rows(*columns: NDArray[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of columns, as Python's own numbers."""
    return zip(*(column.tolist() for column in columns), strict=True)


def _date(days: int) -> str:
    return (_EPOCH_DATE + timedelta(days=days)).isoformat()


def _time_of_day(since_midnight_us: int) -> str:
    """Write a local time as inputs do; the midnight that ends a day is 24:00:00.

    >>> _time_of_day(86_400_000_000), _time_of_day(34_200_500_000)
    ('24:00:00', '09:30:00.500000')
    """
    hour, rest = divmod(since_midnight_us, HOUR_US)
    minute, rest = divmod(rest, MINUTE_US)
    second, fraction_us = divmod(rest, SECOND_US)
    text = f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{text}.{fraction_us:06d}" if fraction_us else text


def _source(is_given: bool) -> models.Source:
    return "given" if is_given else "default"

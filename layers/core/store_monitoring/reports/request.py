"""Requests for reports, as stored with each report, and the keys that identify repeated ones."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from store_monitoring.domain.parameters import Period, PeriodUnit, PollFilter
from store_monitoring.errors import InvalidRequestError, NoStoresError
from store_monitoring.instants import from_text, to_text
from store_monitoring.reports.report import Format, TableName

MAX_PERIOD_DAYS = 400
_MAX_MESSAGE_CHARACTERS = 1000
_OUTLINE_IDS = 10
_OUTLINE_BYTES = 2000
_VALUES_NAMED = 10
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OFFSET = re.compile(r"[Tt ].*(Z|[+-][0-9:]+)$")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition: an attribute of the store has one of these values.

    Stores without a value have the value "".
    """

    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A request for a report.

    Attributes
    ----------
    as_of_us : int or None
        End of the windows; None for the greatest poll timestamp.
    poll_filter : PollFilter
    store_ids : tuple of str or None
        The requested stores, ascending; None for all.
    formats : tuple of Format
        The requested formats. CSV is written in any case.
    where : tuple of Condition
        A store is in the report if it meets all of them; ascending by attribute.
    group_by : tuple of str
        The attributes of a table of groups (rule 23); none: no such table.
    target_percent : Decimal or None
        The target of stores that have none of their own (rule 22); None for the stack's.
    include_outages : bool
        Whether a table of all outages is part of the report.
    period : Period or None
        What the report is about (rule 20), instead of the windows that end at `as_of_us`.
    """

    as_of_us: int | None = None
    poll_filter: PollFilter = PollFilter.ALL
    store_ids: tuple[str, ...] | None = None
    formats: tuple[Format, ...] = (Format.CSV,)
    where: tuple[Condition, ...] = ()
    group_by: tuple[str, ...] = ()
    target_percent: Decimal | None = None
    include_outages: bool = False
    period: Period | None = None

    @property
    def covers_all_stores_now(self) -> bool:
        """Whether the report covers all stores, as of the last poll, with all polls."""
        selection = (self.as_of_us, self.poll_filter, self.store_ids, self.where, self.period)
        return selection == (None, PollFilter.ALL, None, (), None)

    @property
    def tables(self) -> tuple[TableName, ...]:
        """The requested tables beside that of the stores."""
        requested = {
            TableName.GROUPS: bool(self.group_by),
            TableName.OUTAGES: self.include_outages,
        }
        return tuple(name for name in requested if requested[name])

    @classmethod
    def from_json(cls, stored: Any) -> Self:
        """Read a stored request.

        >>> request = ReportRequest(as_of_us=1_728_864_000_000_000, store_ids=("1", "2"))
        >>> ReportRequest.from_json(request.to_json()) == request
        True
        """
        as_of, store_ids = stored.get("as_of"), stored.get("store_ids")
        return cls(
            None if as_of is None else from_text(as_of),
            PollFilter(stored.get("poll_filter", PollFilter.ALL)),
            None if store_ids is None else tuple(store_ids),
            tuple(map(Format, stored.get("formats", [Format.CSV]))),
            tuple(
                Condition(attribute, tuple(values))
                for attribute, values in stored.get("where", {}).items()
            ),
            tuple(stored.get("group_by", ())),
            Decimal(stored["target_percent"]) if "target_percent" in stored else None,
            "outages" in stored.get("include", ()),
            period_from_json(stored["period"]) if "period" in stored else None,
        )

    def outline(self) -> dict[str, Any]:
        """Return the request in short, for lists of reports.

        It is the object of `to_json` with only the first store ids, and their number as
        `store_count`. Long conditions are left out.

        >>> ReportRequest(store_ids=("1", "2")).outline()["store_count"]
        2
        """
        outline = self.to_json()
        ids = outline.pop("store_ids")
        if ids is not None:
            outline |= {"store_ids": ids[:_OUTLINE_IDS], "store_count": len(ids)}
        if len(json.dumps(outline.get("where"))) > _OUTLINE_BYTES:
            del outline["where"]
        return outline

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` parses."""
        stored: dict[str, Any] = {
            "as_of": None if self.as_of_us is None else to_text(self.as_of_us),
            "store_ids": None if self.store_ids is None else list(self.store_ids),
            "poll_filter": self.poll_filter.value,
            "formats": [format_.value for format_ in self.formats],
        }
        # Empty fields are left out, as in older requests: the digests of equal requests stay equal.
        if self.where:
            stored["where"] = {each.attribute: list(each.values) for each in self.where}
        if self.group_by:
            stored["group_by"] = list(self.group_by)
        if self.target_percent is not None:
            stored["target_percent"] = str(self.target_percent)
        if self.include_outages:
            stored["include"] = ["outages"]
        if self.period is not None:
            stored["period"] = period_to_json(self.period)
        return stored


def period_to_json(period: Period) -> dict[str, str]:
    """Return the JSON object that `period_from_json` parses."""
    start, end = (
        each.isoformat() if isinstance(each, date) else to_text(each)
        for each in (period.start, period.end)
    )
    return {"from": start, "to": end, "by": period.unit.value}


def period_from_json(stored: Mapping[str, str]) -> Period:
    """Read a stored period.

    >>> period_from_json({"from": "2024-10-01", "to": "2024-11-01", "by": "day"}).days
    31.0
    """
    start, end = period_edge(stored["from"]), period_edge(stored["to"])
    return Period(start, end, PeriodUnit(stored["by"]))


def checked_period(period: Period) -> Period:
    """Check the length of a requested period, and return it.

    Raises
    ------
    InvalidRequestError
        If it is empty, or longer than `MAX_PERIOD_DAYS`.
    """
    if period.days <= 0:
        raise InvalidRequestError.about("period.to", "not after from")
    if period.days > MAX_PERIOD_DAYS:
        raise InvalidRequestError.about("period.to", f"more than {MAX_PERIOD_DAYS} days after from")
    return period


class ScheduledRequest(StrEnum):
    """What scheduled reports cover: the time up to now, or the last complete day, week or month."""

    NOW = "now"
    LAST_DAY = "last_day"
    LAST_WEEK = "last_week"
    LAST_MONTH = "last_month"

    def on(self, today: date) -> ReportRequest:
        """Return the request for a report that is started on a date.

        A period is one window, so the report has one row for each store.

        >>> ScheduledRequest.LAST_MONTH.on(date(2024, 3, 1)).to_json()["period"]
        {'from': '2024-02-01', 'to': '2024-03-01', 'by': 'month'}
        >>> ScheduledRequest.LAST_WEEK.on(date(2024, 10, 16)).to_json()["period"]
        {'from': '2024-10-07', 'to': '2024-10-14', 'by': 'week'}
        """
        match self:
            case ScheduledRequest.NOW:
                return ReportRequest()
            case ScheduledRequest.LAST_DAY:
                period = Period(today - timedelta(days=1), today, PeriodUnit.DAY)
            case ScheduledRequest.LAST_WEEK:
                monday = today - timedelta(days=today.weekday())
                period = Period(monday - timedelta(days=7), monday, PeriodUnit.WEEK)
            case ScheduledRequest.LAST_MONTH:
                first = today.replace(day=1)
                last_first = (first - timedelta(days=1)).replace(day=1)
                period = Period(last_first, first, PeriodUnit.MONTH)
        return ReportRequest(period=period)


def period_edge(text: str) -> date | int:
    """Parse the start or end of a period: a date, or an instant in microseconds since 1970.

    Raises
    ------
    ValueError
        If it is neither a date nor an instant with an offset, or not from 1970 to 2199.

    Examples
    --------
    >>> period_edge("2024-10-14"), period_edge("2024-10-14T02:00:00+02:00")
    (datetime.date(2024, 10, 14), 1728864000000000)
    """
    if _DATE.fullmatch(text):
        from_text(text)  # checks the year
        return date.fromisoformat(text)
    if not _OFFSET.search(text):
        raise ValueError(
            "neither a date such as 2024-10-01, which is midnight in each store's own zone, nor an"
            " instant with an offset such as 2024-10-01T00:00:00Z"
        )
    return from_text(text)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key and its request, as digests.

    Attributes
    ----------
    digest : str
        Digest of the caller and the key, so callers cannot use each other's keys.
    request_digest : str
        Digest of the parsed request, on which white space and the order of fields have no effect.
    """

    digest: str
    request_digest: str

    @classmethod
    def of(cls, caller: str, key: str, request: ReportRequest) -> Self:
        """Return the digests of a caller's key and its request."""
        return cls(_digest([caller, key]), _digest(request.to_json()))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def check_attributes(field: str, names: Iterable[str], known: Collection[str]) -> None:
    """Check that a field of a request names attributes that some stores have.

    Raises
    ------
    InvalidRequestError
        The message names the known attributes.

    Examples
    --------
    >>> check_attributes("where", ["brnd"], {"brand", "region"})
    Traceback (most recent call last):
    store_monitoring.errors.InvalidRequestError: where: no store has the attribute 'brnd'; known...
    """
    for name in names:
        if name not in known:
            known_names = f"known are {', '.join(sorted(known))}" if known else "none are known"
            reason = f"no store has the attribute {name!r}; {known_names}"
            raise InvalidRequestError.about(field, reason)


def conditions_in_words(where: Iterable[Condition]) -> str:
    """Return conditions in words, each with its first `_VALUES_NAMED` values.

    >>> conditions_in_words([Condition("brand", ("Nori", "Oka")), Condition("region", ("",))])
    'brand: Nori or Oka; region: none'
    >>> conditions_in_words([Condition("n", tuple(map(str, range(12))))])
    'n: 0 or 1 or 2 or 3 or 4 or 5 or 6 or 7 or 8 or 9 or one of 2 others'
    """
    conditions = []
    for each in where:
        named = [value or "none" for value in each.values[:_VALUES_NAMED]]
        others = len(each.values) - len(named)
        values = [*named, *([f"one of {others} others"] if others else ())]
        conditions.append(f"{each.attribute}: {' or '.join(values)}")
    return "; ".join(conditions)


def no_matching_stores(where: Iterable[Condition]) -> NoStoresError:
    """Return the error for a report whose conditions no store meets.

    >>> no_matching_stores([Condition("brand", ("Nori", "Oka")), Condition("region", ("West",))])
    NoStoresError("no store has brand 'Nori' or 'Oka', and region 'West'")
    """
    conditions = (f"{each.attribute} {' or '.join(map(repr, each.values))}" for each in where)
    return NoStoresError(f"no store has {', and '.join(conditions)}"[:_MAX_MESSAGE_CHARACTERS])

"""Units of time, and the parameters of a computation.

Without numpy, so that functions without the data layer can load it.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US

EPOCH_WEEKDAY = 3
"""Day of the week of 1970-01-01, a Thursday; 0 is Monday (rule 1)."""

WINDOWS_US = (HOUR_US, DAY_US, WEEK_US)
"""Lengths of the classic report's windows: the last hour, day and week, each ending now."""

DEFAULT_COVERAGE_US = 120 * MINUTE_US
"""How long after a poll business time is covered, unless `CoverageMinutes` says otherwise."""

DEFAULT_TARGET_PERCENT = "99"
"""The target of a store that has none of its own, unless `TargetPercent` says otherwise."""

RULES_VERSION = 2
"""Version of the rules; 2 has no data, targets and groups (rules 19, 22 and 23)."""


class PollFilter(StrEnum):
    """Which polls count for a store's status (rules 8 to 11)."""

    ALL = "all"
    BUSINESS_HOURS = "business_hours"


class PeriodUnit(StrEnum):
    """What a period is cut into."""

    TOTAL = "total"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """A period that a report is about (rule 20).

    Attributes
    ----------
    start, end : date or int
        A date is its midnight in each store's own zone; a number is an instant, microseconds UTC.
    unit : PeriodUnit
        Whether it is one window, or cut into local days, weeks or months.
    """

    start: date | int
    end: date | int
    unit: PeriodUnit

    @property
    def span_us(self) -> tuple[int, int]:
        """Two instants between which the period lies in every time zone, with a day to spare.

        >>> start_us, end_us = Period(date(1970, 1, 2), 3 * DAY_US, PeriodUnit.TOTAL).span_us
        >>> start_us // DAY_US, end_us // DAY_US
        (0, 3)
        """
        start, end = self.start, self.end
        return (
            start if isinstance(start, int) else _midnight_us(start) - DAY_US,
            end if isinstance(end, int) else _midnight_us(end) + DAY_US,
        )

    @property
    def days(self) -> float:
        """Its length; a date counts from its midnight in UTC."""
        start_us, end_us = (
            each if isinstance(each, int) else _midnight_us(each) for each in (self.start, self.end)
        )
        return (end_us - start_us) / DAY_US


def _midnight_us(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_US


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters that uptime is computed with.

    Attributes
    ----------
    memory_us : int
        Length of the poll memory, at least a week (rules 9 and 21).
    poll_filter : PollFilter
        Whether polls taken outside business time count.
    coverage_us : int
        How long after a poll business time is covered (rule 19).
    """

    memory_us: int
    poll_filter: PollFilter = PollFilter.ALL
    coverage_us: int = DEFAULT_COVERAGE_US

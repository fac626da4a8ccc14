"""Units of time, and what a computation is asked for; without numpy, so every function loads it."""

from enum import StrEnum

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US

WINDOWS_US = (HOUR_US, DAY_US, WEEK_US)
"""Lengths of the report's windows: the last hour, day and week, each ending now."""


class PollFilter(StrEnum):
    """Which polls count for a store's status (rules 8 to 11)."""

    ALL = "all"
    BUSINESS_HOURS = "business_hours"

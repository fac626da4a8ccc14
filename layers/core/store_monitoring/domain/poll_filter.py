"""The choice of polls that a request may make."""

from enum import StrEnum


class PollFilter(StrEnum):
    """Which polls are evidence for a store's status (rules 8 to 11)."""

    ALL = "all"
    BUSINESS_HOURS = "business_hours"

"""The poll filter of a request."""

from enum import StrEnum


class PollFilter(StrEnum):
    """Which polls count for a store's status (rules 8 to 11)."""

    ALL = "all"
    BUSINESS_HOURS = "business_hours"

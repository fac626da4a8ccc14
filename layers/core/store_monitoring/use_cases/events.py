"""What others are told of: events, as EventBridge has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """The kinds of events, by their names; docs/operations.md describes them."""

    REPORT_COMPLETED = "ReportCompleted"
    REPORT_FAILED = "ReportFailed"
    STORE_WENT_DOWN = "StoreWentDown"
    STORE_RECOVERED = "StoreRecovered"
    MANY_STORES_CHANGED = "ManyStoresChanged"


@dataclass(frozen=True, slots=True)
class Event:
    """An event; its detail is JSON."""

    type: EventType
    detail: Mapping[str, Any]

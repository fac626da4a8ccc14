"""Events and notifications: what other systems and people are sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # not for the functions that carry no Arrow
    pass


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


class Events(Protocol):
    """Where others listen."""

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events, in their order; should that fail halfway, some are published."""


class Notifications(Protocol):
    """Messages to people."""

    def send(self, subject: str, text: str) -> None:
        """Send a message, if anybody is to be told."""
        ...

"""Ports for events, which other systems subscribe to, and for notifications to people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class EventType(StrEnum):
    """The types of events; docs/operations.md describes them."""

    REPORT_COMPLETED = "ReportCompleted"
    REPORT_FAILED = "ReportFailed"
    STORE_WENT_DOWN = "StoreWentDown"
    STORE_RECOVERED = "StoreRecovered"
    STORE_WENT_SILENT = "StoreWentSilent"
    STORE_HEARD_AGAIN = "StoreHeardAgain"
    MANY_STORES_CHANGED = "ManyStoresChanged"


@dataclass(frozen=True, slots=True)
class Event:
    """An event; its detail is a JSON object."""

    type: EventType
    detail: Mapping[str, Any]


class Events(Protocol):
    """The event bus."""

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events in order. If this fails halfway, some are published."""


class Notifications(Protocol):
    """Messages to people, through an optional topic."""

    def send(self, subject: str, text: str) -> None:
        """Send a message, if there is a topic."""
        ...

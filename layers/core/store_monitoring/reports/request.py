"""Requests for reports, as parsed from JSON."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import InvalidRequestError
from store_monitoring.instants import END_US, to_text, to_us
from store_monitoring.reports.report import Format
from store_monitoring.store_ids import checked_store_id

_MAX_STORE_IDS = 10_000
_FINER_THAN_MICROSECONDS = re.compile(r"[.,]\d{7}")


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
    """

    as_of_us: int | None = None
    poll_filter: PollFilter = PollFilter.ALL
    store_ids: tuple[str, ...] | None = None
    formats: tuple[Format, ...] = (Format.CSV,)

    @property
    def covers_all_stores_now(self) -> bool:
        """Whether the report covers all stores, as of the last poll, with all polls."""
        return replace(self, formats=()) == ReportRequest(formats=())

    @classmethod
    def from_json(cls, body: object) -> Self:
        """Parse the decoded JSON body of a request.

        Raises
        ------
        InvalidRequestError
            If a field is unknown, of a wrong type or out of range; the message names it.

        Examples
        --------
        >>> ReportRequest.from_json({"as_of": "2024-10-14T00:00:00Z"}).as_of_us
        1728864000000000
        """
        if not isinstance(body, dict):
            raise InvalidRequestError("the body is not a JSON object")
        if unknown := sorted(body.keys() - {"as_of", "store_ids", "poll_filter", "formats"}):
            raise InvalidRequestError(f"unknown field {unknown[0]!r}")
        return cls(
            instant_us(body.get("as_of"), "as_of"),
            _poll_filter(body.get("poll_filter")),
            _store_ids(body.get("store_ids")),
            _formats(body.get("formats")),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` parses."""
        return {
            "as_of": None if self.as_of_us is None else to_text(self.as_of_us),
            "store_ids": None if self.store_ids is None else list(self.store_ids),
            "poll_filter": self.poll_filter.value,
            "formats": [format_.value for format_ in self.formats],
        }


def instant_us(value: object, field: str) -> int | None:
    """Parse a timestamp in a field of a request; None stays None.

    Raises
    ------
    InvalidRequestError
        If it is malformed or out of range; the message begins with the name of the field.

    Examples
    --------
    >>> instant_us("2024-10-14T02:00:00+02:00", "as_of")
    1728864000000000
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidRequestError(f"{field}: not a string")
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidRequestError(f"{field}: not an instant such as 2024-10-14T23:55:00Z") from None
    if _FINER_THAN_MICROSECONDS.search(value):
        raise InvalidRequestError(f"{field}: more than six digits of a second's fraction")
    us = to_us(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    if not 0 <= us < END_US:
        raise InvalidRequestError(f"{field}: not between the years 1970 and 2199 in UTC")
    return us


def _store_ids(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRequestError("store_ids: not a list of strings")
    if not 1 <= len(value) <= _MAX_STORE_IDS:
        raise InvalidRequestError(f"store_ids: {len(value)} of them, not 1 to {_MAX_STORE_IDS}")
    return tuple(sorted({checked_store_id(item, "store_ids") for item in value}))


def _poll_filter(value: object) -> PollFilter:
    if value is None:
        return PollFilter.ALL
    if not isinstance(value, str) or value not in set(PollFilter):
        raise InvalidRequestError(f"poll_filter: not one of {', '.join(PollFilter)}")
    return PollFilter(value)


def _formats(value: object) -> tuple[Format, ...]:
    if value is None:
        return (Format.CSV,)
    known = list(Format)  # not a set: items of the request may not be hashable
    if not isinstance(value, list) or not value or not all(item in known for item in value):
        raise InvalidRequestError(f"formats: not a list of some of {', '.join(Format)}")
    return tuple(format_ for format_ in Format if format_ in value)

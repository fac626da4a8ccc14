"""A report as its requester and its table know it."""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from store_monitoring.domain.poll_filter import PollFilter
from store_monitoring.errors import InvalidRequest, MalformedReportId, TooManyStores
from store_monitoring.instants import END_US, to_text, to_us
from store_monitoring.use_cases.store_ids import checked_store_id

_MAX_STORE_IDS = 10_000
_SHEET_ROWS = 1_048_576
_FINER_THAN_MICROSECONDS = re.compile(r"[.,]\d{7}")
_REPORT_ID_LENGTH = 36
_REPORT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Status(StrEnum):
    """How a report stands. Running becomes Complete or Failed, once an attempt."""

    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"


class Format(StrEnum):
    """A form in which a report can be had; its value is the file's ending."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    XLSX = "xlsx"
    HTML = "html"


def check_formats_hold(formats: tuple[Format, ...], stores: int) -> None:
    """Make sure that all formats can hold a report of so many stores.

    Raises
    ------
    TooManyStores
        Naming the format that cannot.
    """
    if Format.XLSX in formats and stores >= _SHEET_ROWS:  # its first row is the header
        raise TooManyStores(
            f"xlsx holds {_SHEET_ROWS - 1:,} stores, not {stores:,}: leave it out of formats"
        )


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What a report is asked for.

    Attributes
    ----------
    as_of_us : int or None
        The instant that the report is about; None: the greatest poll timestamp.
    poll_filter : PollFilter
    store_ids : tuple of str or None
        The stores that it is about, ascending; None: all.
    formats : tuple of Format
        The forms that it is wanted in; CSV is made in any case.
    """

    as_of_us: int | None = None
    poll_filter: PollFilter = PollFilter.ALL
    store_ids: tuple[str, ...] | None = None
    formats: tuple[Format, ...] = (Format.CSV,)

    @property
    def is_on_all_stores_now(self) -> bool:
        """Whether it is on all stores, as of the last poll, and by all polls."""
        return replace(self, formats=()) == ReportRequest(formats=())

    @classmethod
    def from_json(cls, body: object) -> Self:
        """Read a request's decoded JSON body.

        Raises
        ------
        InvalidRequest
            Naming the field that is unknown, of a wrong type or out of range.

        Examples
        --------
        >>> ReportRequest.from_json({"as_of": "2024-10-14T00:00:00Z"}).as_of_us
        1728864000000000
        """
        if not isinstance(body, dict):
            raise InvalidRequest("the body is not a JSON object")
        if unknown := sorted(body.keys() - {"as_of", "store_ids", "poll_filter", "formats"}):
            raise InvalidRequest(f"unknown field {unknown[0]!r}")
        return cls(
            instant_us(body.get("as_of"), "as_of"),
            _poll_filter(body.get("poll_filter")),
            _store_ids(body.get("store_ids")),
            _formats(body.get("formats")),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {
            "as_of": None if self.as_of_us is None else to_text(self.as_of_us),
            "store_ids": None if self.store_ids is None else list(self.store_ids),
            "poll_filter": self.poll_filter.value,
            "formats": [format_.value for format_ in self.formats],
        }


def instant_us(value: object, field: str) -> int | None:
    """Return the instant that a field of a request names, None if it names none.

    Raises
    ------
    InvalidRequest
        If it is none, or none that we take; the message begins with the name of the field.

    Examples
    --------
    >>> instant_us("2024-10-14T02:00:00+02:00", "as_of")
    1728864000000000
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidRequest(f"{field}: not a string")
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidRequest(f"{field}: not an instant such as 2024-10-14T23:55:00Z") from None
    if _FINER_THAN_MICROSECONDS.search(value):
        raise InvalidRequest(f"{field}: more than six digits of a second's fraction")
    us = to_us(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    if not 0 <= us < END_US:
        raise InvalidRequest(f"{field}: not between the years 1970 and 2199 in UTC")
    return us


def _store_ids(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRequest("store_ids: not a list of strings")
    if not 1 <= len(value) <= _MAX_STORE_IDS:
        raise InvalidRequest(f"store_ids: {len(value)} of them, not 1 to {_MAX_STORE_IDS}")
    return tuple(sorted({checked_store_id(item, "store_ids") for item in value}))


def _poll_filter(value: object) -> PollFilter:
    if value is None:
        return PollFilter.ALL
    if not isinstance(value, str) or value not in set(PollFilter):
        raise InvalidRequest(f"poll_filter: not one of {', '.join(PollFilter)}")
    return PollFilter(value)


def _formats(value: object) -> tuple[Format, ...]:
    if value is None:
        return (Format.CSV,)
    known = list(Format)  # not a set: an item need not be hashable
    if not isinstance(value, list) or not value or not all(item in known for item in value):
        raise InvalidRequest(f"formats: not a list of some of {', '.join(Format)}")
    return tuple(format_ for format_ in Format if format_ in value)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a report failed.

    Attributes
    ----------
    error : str
        The error's name.
    message : str
        For callers, in our own words.
    detail : str or None
        What Step Functions or another service said: for the log and the table, not for callers.
    """

    error: str
    message: str
    detail: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it stands.

    Attributes
    ----------
    report_id : str
    status : Status
    started_at : datetime
    ended_at : datetime or None
        When it became Complete or Failed.
    as_of : str or None
        End of its windows, ISO 8601; known once it is planned.
    shards_total : int or None
        Known once it is planned.
    stores : int or None
        Number of its rows; known once it is complete.
    failure : Failure or None
    poll_filter : PollFilter
    formats : tuple of Format
        The forms that it was asked for.
    attempt : int
        How many times it was started.
    restarted_at : datetime or None
        When the last attempt began, unless it is the first.
    """

    report_id: str
    status: Status
    started_at: datetime
    ended_at: datetime | None = None
    as_of: str | None = None
    shards_total: int | None = None
    stores: int | None = None
    failure: Failure | None = None
    poll_filter: PollFilter = PollFilter.ALL
    formats: tuple[Format, ...] = (Format.CSV,)
    attempt: int = 1
    restarted_at: datetime | None = None

    @property
    def execution(self) -> str:
        """Name of the execution that makes it: its id, from the second attempt on with a number.

        >>> Report("0b6c", Status.RUNNING, datetime.now(UTC), attempt=2).execution
        '0b6c-2'
        """
        return self.report_id if self.attempt == 1 else f"{self.report_id}-{self.attempt}"

    @property
    def attempted_at(self) -> datetime:
        """When its last attempt began."""
        return self.restarted_at or self.started_at


def report_id_of(execution: str) -> str:
    """Return the id of the report that an execution makes.

    >>> report_id_of("0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11-2")
    '0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11'
    """
    return execution[:_REPORT_ID_LENGTH]


def checked_report_id(text: str) -> str:
    """Return a report id as we write it.

    Raises
    ------
    MalformedReportId
        If it is not a UUID; so it is never a key or a path of another kind.
    """
    report_id = text.lower()
    if not _REPORT_ID.fullmatch(report_id):
        raise MalformedReportId("a report_id is a UUID, as trigger_report returned it")
    return report_id

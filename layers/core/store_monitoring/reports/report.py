"""A report and its states."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from store_monitoring.domain.poll_filter import PollFilter
from store_monitoring.errors import MalformedReportIdError, TooManyStoresError

_SHEET_ROWS = 1_048_576

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
    TooManyStoresError
        Naming the format that cannot.
    """
    if Format.XLSX in formats and stores >= _SHEET_ROWS:  # its first row is the header
        raise TooManyStoresError(
            f"xlsx holds {_SHEET_ROWS - 1:,} stores, not {stores:,}: leave it out of formats"
        )


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

        >>> Report("0b6c", Status.RUNNING, datetime(2024, 10, 14), attempt=2).execution
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
    MalformedReportIdError
        If it is not a UUID; so it is never a key or a path of another kind.
    """
    report_id = text.lower()
    if not _REPORT_ID.fullmatch(report_id):
        raise MalformedReportIdError("a report_id is a UUID, as trigger_report returned it")
    return report_id

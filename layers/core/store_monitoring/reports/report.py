"""A report, its status and its formats."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import MalformedReportIdError, TooManyStoresError

_SHEET_ROWS = 1_048_576
_REPORT_ID_LENGTH = 36
_REPORT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Status(StrEnum):
    """Status of a report. In each attempt, Running changes once, to Complete or Failed."""

    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"


class Format(StrEnum):
    """A file format of reports. The value is the file name extension."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    XLSX = "xlsx"
    HTML = "html"


TABLE_FORMATS = (Format.CSV, Format.JSON, Format.PARQUET)
"""The formats in which a further table is a file of its own; others contain it."""


class TableName(StrEnum):
    """A further table of a report, beside its stores."""

    GROUPS = "groups"
    OUTAGES = "outages"


def table_files(tables: Iterable[TableName], formats: Iterable[Format]) -> tuple[str, ...]:
    """Return the names of the files that have the further tables of a report.

    >>> table_files([TableName.GROUPS], [Format.HTML, Format.JSON])
    ('groups.csv', 'groups.json')
    """
    with_csv = {Format.CSV: None} | dict.fromkeys(formats)
    return tuple(
        f"{table}.{format_}" for table in tables for format_ in with_csv if format_ in TABLE_FORMATS
    )


def check_formats_hold(formats: tuple[Format, ...], rows: int, what: str = "stores") -> None:
    """Check that all formats can hold a table of `rows` rows.

    Raises
    ------
    TooManyStoresError
        If a format cannot; the message names it.
    """
    if Format.XLSX in formats and rows >= _SHEET_ROWS:  # its first row is the header
        raise TooManyStoresError(
            f"xlsx holds {_SHEET_ROWS - 1:,} {what}, not {rows:,}: leave it out of formats"
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a report failed.

    Attributes
    ----------
    error : str
        The error's name.
    message : str
        For callers.
    detail : str or None
        The message of Step Functions or another service: for the log and the table only.
    step : str or None
        The step of the state machine that failed, such as "shard 3"; None if none did.
    """

    error: str
    message: str
    detail: str | None = field(default=None, compare=False, repr=False)
    step: str | None = None


@dataclass(frozen=True, slots=True)
class ReportWarning:
    """Why a report may not be what its caller expects.

    Attributes
    ----------
    code : str
        For programs.
    message : str
        For people.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report, as recorded in the report table.

    Attributes
    ----------
    report_id : str
    status : Status
    started_at : datetime
    ended_at : datetime or None
        When it became Complete or Failed.
    as_of : str or None
        End of the windows, ISO 8601; known once the report is planned.
    shards_total : int or None
        Number of shards; known once the report is planned.
    stores : int or None
        Number of rows; known once the report is Complete.
    failure : Failure or None
    poll_filter : PollFilter
    formats : tuple of Format
        The requested formats.
    attempt : int
        Number of the current attempt, from 1.
    restarted_at : datetime or None
        When the current attempt began; None for the first attempt.
    warnings : tuple of ReportWarning
        Known once the report is planned.
    tables : tuple of TableName
        The requested further tables.
    all_stores_now : bool
        Whether it is about all stores, as of the last poll, with all polls.
    outline : JSON object or None
        The request in short, as `ReportRequest.outline` returns it. Older reports have none.
    headline : JSON object or None
        As `Summary.headline` returns it. Known once the report is Complete; older ones have none.
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
    warnings: tuple[ReportWarning, ...] = ()
    tables: tuple[TableName, ...] = ()
    all_stores_now: bool = False
    outline: dict[str, Any] | None = None
    headline: dict[str, Any] | None = None

    @property
    def execution(self) -> str:
        """Name of the current execution: the report id; from the second attempt on, with a number.

        >>> Report("0b6c", Status.RUNNING, datetime(2024, 10, 14), attempt=2).execution
        '0b6c-2'
        """
        return self.report_id if self.attempt == 1 else f"{self.report_id}-{self.attempt}"

    @property
    def attempted_at(self) -> datetime:
        """When the current attempt began."""
        return self.restarted_at or self.started_at


def report_id_of(execution: str) -> str:
    """Return the id of the report that an execution belongs to.

    >>> report_id_of("0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11-2")
    '0b6c7c0e-6f0a-4c43-9d5e-3a1f0a6b7c11'
    """
    return execution[:_REPORT_ID_LENGTH]


def checked_report_id(text: str) -> str:
    """Validate a report id and return it in lower case.

    Raises
    ------
    MalformedReportIdError
        If the text is not a UUID. A valid id is safe as part of keys and paths.
    """
    report_id = text.lower()
    if not _REPORT_ID.fullmatch(report_id):
        raise MalformedReportIdError("a report_id is a UUID, as trigger_report returned it")
    return report_id

"""The kinds of CSV that can be uploaded, and their columns."""

import csv
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from enum import StrEnum

from store_monitoring.errors import UnreadableFileError


class Kind(StrEnum):
    """A kind of input; the value is the key prefix of its uploads."""

    POLLS = "polls"
    BUSINESS_HOURS = "business_hours"
    TIMEZONES = "timezones"
    SPECIAL_HOURS = "special_hours"
    EXCLUSIONS = "exclusions"
    ATTRIBUTES = "attributes"


# Each column with its accepted names, in lower case.
_COLUMNS: dict[Kind, dict[str, tuple[str, ...]]] = {
    Kind.POLLS: {
        "store_id": ("store_id",),
        "status": ("status",),
        "timestamp_utc": ("timestamp_utc",),
    },
    Kind.BUSINESS_HOURS: {
        "store_id": ("store_id",),
        "day_of_week": ("day_of_week", "dayofweek", "day"),
        "start_time_local": ("start_time_local",),
        "end_time_local": ("end_time_local",),
    },
    Kind.TIMEZONES: {
        "store_id": ("store_id",),
        "timezone_str": ("timezone_str",),
    },
    Kind.SPECIAL_HOURS: {
        "store_id": ("store_id",),
        "date": ("date",),
        "start_time_local": ("start_time_local",),
        "end_time_local": ("end_time_local",),
    },
    Kind.EXCLUSIONS: {
        "store_id": ("store_id",),
        "start_utc": ("start_utc",),
        "end_utc": ("end_utc",),
        "reason": ("reason",),
    },
    Kind.ATTRIBUTES: {
        "store_id": ("store_id",),
    },
}

_OPTIONAL_COLUMNS = {Kind.SPECIAL_HOURS: ("reason",)}

ATTRIBUTE_FIELDS = ("name", "target_percent", "revenue_per_hour")
"""Optional columns of attributes that have a meaning of their own; all others are free."""

_MAX_COLUMNS = 1000
_MAX_ATTRIBUTES = 20
_ATTRIBUTE_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_ZIP = b"PK\x03\x04"
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls, and workbooks with a password
_WORKBOOK_PARTS = (b"[Content_Types].xml", b"_rels/", b"xl/", b"opendocument.spreadsheet")
_ZIP_HEAD_BYTES = 4096
_UTF16 = re.compile(rb"(?:[ -~]\0){2}|(?:\0[ -~]){2}")  # ASCII text without a byte-order mark
_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file.

    Attributes
    ----------
    width : int
        Number of columns in the file, including unused ones.
    positions : dict of str to int
        Index of each column that is read.
    """

    width: int
    positions: dict[str, int]


def kind_of(key: str) -> Kind:
    """Return the kind of an uploaded object, from the prefix of its key.

    Raises
    ------
    UnreadableFileError
        If the key is not under the prefix of a kind.

    Examples
    --------
    >>> kind_of("polls/2024/store_status.csv")
    <Kind.POLLS: 'polls'>
    """
    prefix, slash, _ = key.partition("/")
    if not slash or prefix not in set(Kind):
        prefixes = ", ".join(f"{kind}/" for kind in Kind)
        raise UnreadableFileError(f"{key!r} is not under one of the prefixes {prefixes}")
    return Kind(prefix)


def check_format(head: bytes) -> None:
    r"""Reject files that start like a workbook, an archive or UTF-16 text.

    Raises
    ------
    UnreadableFileError
        With a message that names the format and what to upload instead.

    Examples
    --------
    >>> check_format(b"PK\x03\x04 and more")
    Traceback (most recent call last):
    store_monitoring.errors.UnreadableFileError: this is a ZIP archive: ...
    """
    if head.startswith(_ZIP) and not any(
        part in head[:_ZIP_HEAD_BYTES] for part in _WORKBOOK_PARTS
    ):
        raise UnreadableFileError("this is a ZIP archive: upload the CSV files in it, one by one")
    if head.startswith((_ZIP, _COMPOUND_FILE)):
        raise UnreadableFileError(
            "this is an Excel workbook: save its sheet as CSV UTF-8, and upload that"
        )
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or _UTF16.match(head):
        raise UnreadableFileError("this is text in UTF-16: save it as CSV UTF-8, and upload that")


def read_header(line: bytes, kind: Kind) -> Header:
    r"""Parse the header line: names in any case and order, with or without a byte-order mark.

    Raises
    ------
    UnreadableFileError
        If a column is missing or repeated (the message names it), or there are too many, or an
        attribute has no valid name.

    Examples
    --------
    >>> read_header(b"dayOfWeek, Store_ID ,start_time_local,end_time_local\r\n",
    ...             Kind.BUSINESS_HOURS).positions["store_id"]
    1
    """
    if line.count(b",") >= _MAX_COLUMNS:
        raise UnreadableFileError(f"the header has more than {_MAX_COLUMNS} columns")
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UnreadableFileError("the first line is not a CSV header in UTF-8") from None
    names = _names(text, ",")
    found = _found(names or [], kind)
    if missing := _missing(found):
        for separator, separator_name in _SEPARATORS.items():
            if not _missing(_found(_names(text, separator) or [], kind)):
                raise UnreadableFileError(
                    f"its columns are separated by {separator_name}:"
                    " save it as CSV UTF-8, with commas, and upload that"
                )
        if names is None:
            raise UnreadableFileError("the first line is not a CSV header in UTF-8")
        seen = ", ".join(names)[:200]
        raise UnreadableFileError(f"missing column {', '.join(missing)}; the header has: {seen}")
    assert names is not None
    if kind is Kind.ATTRIBUTES:
        _check_attributes(names)
        found = {column: _positions(names, (column,)) for column in names}
    for column in _OPTIONAL_COLUMNS.get(kind, ()):
        if column in names:
            found[column] = _positions(names, (column,))
    for column, positions in found.items():
        if len(positions) > 1:
            raise UnreadableFileError(
                f"the column {column} occurs {len(positions)} times in the header"
            )
    return Header(len(names), {column: position for column, [position] in found.items()})


def _check_attributes(names: list[str]) -> None:
    for position, name in enumerate(names):
        if not _ATTRIBUTE_NAME.fullmatch(name):
            raise UnreadableFileError(
                f"the name of column {position + 1} is not 1 to 64 printable characters: {name!r}"
            )
    if len(names) == 1:
        raise UnreadableFileError("the file has no column but store_id")
    attributes = [name for name in names if name not in ("store_id", *ATTRIBUTE_FIELDS)]
    if len(attributes) > _MAX_ATTRIBUTES:
        raise UnreadableFileError(
            f"the file has {len(attributes)} columns besides store_id,"
            f" {', '.join(ATTRIBUTE_FIELDS)}: at most {_MAX_ATTRIBUTES} can be read"
        )


def _names(text: str, separator: str) -> list[str] | None:
    """Return the names in a header line; None if it is not valid CSV."""
    try:
        row = next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error:
        return None
    return [name.strip().lower() for name in row]


def _found(names: list[str], kind: Kind) -> dict[str, list[int]]:
    """Return the positions of each column that is read."""
    return {column: _positions(names, aliases) for column, aliases in _COLUMNS[kind].items()}


def _positions(names: list[str], aliases: tuple[str, ...]) -> list[int]:
    return [position for position, name in enumerate(names) if name in aliases]


def _missing(found: dict[str, list[int]]) -> list[str]:
    return [column for column, positions in found.items() if not positions]

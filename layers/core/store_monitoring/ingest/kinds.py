"""The three kinds of CSV that can be uploaded, and their columns."""

import csv
from dataclasses import dataclass
from enum import StrEnum

from store_monitoring.errors import UnreadableFile


class Kind(StrEnum):
    """A kind of input; its value is the prefix it is uploaded under."""

    POLLS = "polls"
    BUSINESS_HOURS = "business_hours"
    TIMEZONES = "timezones"


# Our name of each column, and the lower-case names that known data sets give it.
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
}


_MOST_COLUMNS = 1000


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file.

    Attributes
    ----------
    width : int
        Number of columns in the file, those that we do not read included.
    positions : dict of str to int
        Where each column that we read stands.
    """

    width: int
    positions: dict[str, int]


def kind_of(key: str) -> Kind:
    """Return the kind of an uploaded object by its key's prefix.

    Raises
    ------
    UnreadableFile
        If the key is not under one of the three prefixes.

    Examples
    --------
    >>> kind_of("polls/2024/store_status.csv")
    <Kind.POLLS: 'polls'>
    """
    prefix, slash, _ = key.partition("/")
    if not slash or prefix not in set(Kind):
        prefixes = ", ".join(f"{kind}/" for kind in Kind)
        raise UnreadableFile(f"{key!r} is not under one of the prefixes {prefixes}")
    return Kind(prefix)


def read_header(line: bytes, kind: Kind) -> Header:
    r"""Read a file's first line: names in any case and order, byte-order mark or not.

    Raises
    ------
    UnreadableFile
        If a column is missing or stands twice, the message names it; or if there are too many.

    Examples
    --------
    >>> read_header(b"dayOfWeek, Store_ID ,start_time_local,end_time_local\r\n",
    ...             Kind.BUSINESS_HOURS).positions["store_id"]
    1
    """
    if line.count(b",") >= _MOST_COLUMNS:
        raise UnreadableFile(f"the header has more than {_MOST_COLUMNS} columns")
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
        names = [name.strip().lower() for name in next(csv.reader([text], strict=True), [])]
    except (UnicodeDecodeError, csv.Error):
        raise UnreadableFile("the first line is not a CSV header in UTF-8") from None
    positions: dict[str, int] = {}
    missing = []
    for column, aliases in _COLUMNS[kind].items():
        found = [position for position, name in enumerate(names) if name in aliases]
        if len(found) > 1:
            raise UnreadableFile(f"the column {column} stands {len(found)} times in the header")
        if found:
            positions[column] = found[0]
        else:
            missing.append(column)
    if missing:
        seen = ", ".join(names)[:200]
        raise UnreadableFile(f"missing column {', '.join(missing)}; the header has: {seen}")
    return Header(len(names), positions)

"""Parse the text columns of each kind of file into typed columns."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.model import Bools, Int64s
from store_monitoring.domain.parameters import DAY_US
from store_monitoring.ingest.parsing import values
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.parsing.rows import Reject, Rows


@dataclass(frozen=True, slots=True)
class _Field:
    """How to parse one column of a file.

    Columns with few distinct values (`few`) are parsed once per distinct value. In an `optional`
    column, empty text is no value.
    """

    column: str
    name: str
    parse: Callable[[pa.StringArray], pa.Array]
    problem: str
    few: bool = True
    optional: bool = False

    def values(self, text: pa.StringArray) -> pa.Array:
        if not self.few:
            return self.parse(pc.ascii_trim_whitespace(text))
        encoded = text.dictionary_encode()
        parsed = self.parse(pc.ascii_trim_whitespace(encoded.dictionary))
        return parsed.take(encoded.indices)

    def invalid_rows(self, text: pa.StringArray, parsed: pa.Array) -> list[int]:
        if not parsed.null_count:
            return []
        invalid = pc.is_null(parsed)
        if self.optional:
            invalid = pc.and_(invalid, pc.not_equal(pc.ascii_trim_whitespace(text), ""))
        rows: list[int] = np.flatnonzero(invalid.to_numpy(zero_copy_only=False)).tolist()
        return rows


MAX_POLLS_PER_STORE = 1_000_000
"""In a file; it bounds the memory of a report. One poll per second for eleven days."""

_SHOWN_CHARACTERS = 100
_HASH_FACTOR = 1_000_003  # a prime, so that different stores and dates have different hashes
_FUTURE = "timestamp_utc is too far after the upload"
_ONE_TIME = (
    "only one of start_time_local and end_time_local has a value: both are empty if the store is"
    " closed on that date"
)
_CONTRADICTION = "an earlier row says that the store is {} on that date"
_MAX_EXCLUSION_US = 400 * DAY_US
_TOO_MANY = f"the store has more than {MAX_POLLS_PER_STORE:,} polls in this file"

_STORE_ID = _Field(
    "store_id", "store_id", values.store_ids, "store_id is not 1 to 255 printable characters"
)

_FIELDS: dict[Kind, tuple[_Field, ...]] = {
    Kind.POLLS: (
        _STORE_ID,
        _Field(
            *("timestamp_utc", "timestamp", values.instants, "timestamp_utc is not a UTC time"),
            few=False,
        ),
        _Field("status", "active", values.statuses, "status is neither active nor inactive"),
    ),
    Kind.BUSINESS_HOURS: (
        _STORE_ID,
        _Field("day_of_week", "day", values.days, "day_of_week is not 0 to 6"),
        _Field(
            "start_time_local",
            "start_us",
            values.times_of_day,
            "start_time_local is not a time of day",
        ),
        _Field(
            "end_time_local", "end_us", values.times_of_day, "end_time_local is not a time of day"
        ),
    ),
    Kind.TIMEZONES: (
        _STORE_ID,
        _Field(
            "timezone_str", "timezone", values.zone_names, "timezone_str is not a known time zone"
        ),
    ),
    Kind.SPECIAL_HOURS: (
        _STORE_ID,
        _Field("date", "date", values.dates, "date is not a date such as 2024-12-25"),
        _Field(
            *(
                "start_time_local",
                "start_us",
                values.times_of_day,
                "start_time_local is not a time of day",
            ),
            optional=True,
        ),
        _Field(
            *(
                "end_time_local",
                "end_us",
                values.times_of_day,
                "end_time_local is not a time of day",
            ),
            optional=True,
        ),
    ),
    Kind.EXCLUSIONS: (
        _STORE_ID,
        _Field("start_utc", "start", values.instants, "start_utc is not a UTC time"),
        _Field("end_utc", "end", values.instants, "end_utc is not a UTC time"),
    ),
    Kind.ATTRIBUTES: (
        _STORE_ID,
        _Field(
            *("target_percent", "target_percent", values.percents),
            "target_percent is not a number above 0 and up to 100 with at most 4 decimals",
            optional=True,
        ),
        _Field(
            *("revenue_per_hour", "revenue_per_hour", values.amounts),
            "revenue_per_hour is not a number of at most 10 digits and 4 decimals",
            optional=True,
        ),
    ),
}


def _fields(kind: Kind, columns: Collection[str]) -> list[_Field]:
    """Return how to parse the columns of a file; columns without an entry in `_FIELDS` are text."""
    fields = [field for field in _FIELDS[kind] if field.column in columns]
    known = {field.column for field in fields}
    problem = "is more than 255 characters or not printable"
    return fields + [
        _Field(column, column, values.texts, f"{column} {problem}", optional=True)
        for column in columns
        if column not in known
    ]


@dataclass(frozen=True, slots=True)
class Parsed:
    """The parsed rows of a block.

    Attributes
    ----------
    table : table
        The valid rows, in file order. Its columns depend on the kind: `store_id`, a dictionary,
        with `timestamp` and `active`; `day`, `start_us` and `end_us`; `timezone`; `date`,
        `start_us` and `end_us`; `start` and `end`; and the file's other columns.
    rejects : list of Reject
        The rejected rows.
    min_future_us : int or None
        The earliest poll that was rejected only because it is too far in the future.
    """

    table: pa.Table
    rejects: list[Reject]
    min_future_us: int | None


class PollLimit:
    """Counts a file's polls per store, and finds those beyond the limit.

    A file can have very many stores, so each is counted by a 64-bit hash, in 16 bytes. It is very
    unlikely that two stores have the same hash and a million polls.
    """

    def __init__(self) -> None:
        self._hash = np.empty(0, np.int64)  # ascending
        self._count = np.empty(0, np.int64)

    def excess(self, store_ids: pa.DictionaryArray) -> Int64s:
        """Count more polls; return the indices of those beyond the limit."""
        store: Int64s = store_ids.indices.to_numpy()
        count = np.bincount(store, minlength=len(store_ids.dictionary))
        before = self._add(store_ids.dictionary.to_pylist(), count)
        if (before + count).max(initial=0) <= MAX_POLLS_PER_STORE:
            return np.empty(0, np.int64)
        order = np.argsort(store, kind="stable")
        first = np.cumsum(count) - count
        nth = np.empty_like(order)
        nth[order] = np.arange(len(order)) - first[store[order]]
        return np.flatnonzero(before[store] + nth >= MAX_POLLS_PER_STORE)

    def _add(self, store_ids: list[str], count: Int64s) -> Int64s:
        """Add to the counts of distinct stores; return the previous counts."""
        key = np.array([hash(store_id) for store_id in store_ids], np.int64)
        index = np.searchsorted(self._hash, key)
        known = np.append(self._hash, 0)[index] == key
        known &= index < len(self._hash)
        before = np.where(known, np.append(self._count, 0)[index], 0)
        self._count[index[known]] += count[known]
        if not known.all():
            keys = np.append(self._hash, key[~known])
            order = np.argsort(keys)
            self._hash = keys[order]
            self._count = np.append(self._count, count[~known])[order]
        return before


class SpecialDates:
    """Finds rows of special hours that contradict an earlier row of the file.

    Each store and date is kept as a 64-bit hash. It is very unlikely that two have the same hash.
    """

    def __init__(self) -> None:
        self._key = np.empty(0, np.int64)  # ascending
        self._closed = np.empty(0, np.bool_)

    def contradictions(
        self, store_ids: pa.DictionaryArray, date: Int64s, closed: Bools
    ) -> dict[int, str]:
        """Return the indices of rows that contradict an earlier row of their date, with a reason.

        The first row of a store and date says whether the store opens at all on that date.
        """
        hashes = np.array([hash(each) for each in store_ids.dictionary.to_pylist()], np.int64)
        key, first, nth = np.unique(
            hashes[store_ids.indices.to_numpy()] * _HASH_FACTOR + date,
            return_index=True,
            return_inverse=True,
        )
        index = np.searchsorted(self._key, key)
        is_new = np.append(self._key, 0)[index] != key
        is_new |= index == len(self._key)
        first_closed = closed[first]
        first_closed[~is_new] = self._closed[index[~is_new]]
        self._key = np.insert(self._key, index[is_new], key[is_new])
        self._closed = np.insert(self._closed, index[is_new], first_closed[is_new])
        contradicts = np.flatnonzero(closed != first_closed[nth])
        return {
            row: _CONTRADICTION.format("open" if closed[row] else "closed")
            for row in contradicts.tolist()
        }


def parse(
    kind: Kind,
    rows: Rows,
    limit: PollLimit,
    special_dates: SpecialDates,
    latest_us: int | None = None,
) -> Parsed:
    """Parse rows.

    Parameters
    ----------
    kind : Kind
    rows : Rows
    limit : PollLimit
        Counts the polls of the whole file.
    special_dates : SpecialDates
        Keeps the dates of the whole file.
    latest_us : int or None
        Polls later than this are rejected.
    """
    columns: dict[str, pa.Array] = {}
    reasons: dict[int, str] = {}
    for field in _fields(kind, rows.columns):
        text = rows.columns[field.column]
        parsed = field.values(text)
        columns[field.name] = parsed
        invalid = field.invalid_rows(text, parsed)
        shown = pc.ascii_trim_whitespace(text.take(pa.array(invalid, pa.int64()))).to_pylist()
        for row, value in zip(invalid, shown, strict=True):
            reasons.setdefault(row, f"{field.problem}: {_shown(value)}")
    table = pa.table(columns)
    reasons = _contradictory_times(kind, table) | reasons
    min_future_us = None
    if kind is Kind.POLLS and latest_us is not None:
        timestamp_us = table.column("timestamp").cast(pa.int64()).combine_chunks()
        future = pc.fill_null(pc.greater(timestamp_us, latest_us), False).to_numpy(
            zero_copy_only=False
        )
        future[list(reasons)] = False
        if future.any():
            min_future_us = pc.min(timestamp_us.filter(pa.array(future))).as_py()
            text = pc.ascii_trim_whitespace(rows.columns["timestamp_utc"].filter(pa.array(future)))
            reasons |= {
                row: f"{_FUTURE}: {value!r}"
                for row, value in zip(
                    np.flatnonzero(future).tolist(), text.to_pylist(), strict=True
                )
            }
    is_valid = np.ones(len(table), np.bool_)
    is_valid[list(reasons)] = False
    if reasons:
        table = table.filter(pa.array(is_valid))
    if kind is Kind.POLLS:
        excess = limit.excess(table.column("store_id").combine_chunks())
        if len(excess):
            reasons |= dict.fromkeys(np.flatnonzero(is_valid)[excess].tolist(), _TOO_MANY)
            table = table.take(pa.array(np.delete(np.arange(len(table)), excess)))
    if kind is Kind.SPECIAL_HOURS:
        contradictions = special_dates.contradictions(
            table.column("store_id").combine_chunks(),
            table.column("date").cast(pa.int32()).to_numpy().astype(np.int64),
            pc.is_null(table.column("start_us")).to_numpy(),
        )
        if contradictions:
            valid_row = np.flatnonzero(is_valid).tolist()
            reasons |= {valid_row[row]: reason for row, reason in contradictions.items()}
            table = table.take(pa.array(np.delete(np.arange(len(table)), [*contradictions])))
    return Parsed(table, rows.rejects(reasons), min_future_us)


def _contradictory_times(kind: Kind, table: pa.Table) -> dict[int, str]:
    """Return the rows whose two times contradict each other, with a reason."""
    if kind is Kind.SPECIAL_HOURS:
        has_start, has_end = (pc.is_valid(table.column(name)) for name in ("start_us", "end_us"))
        return dict.fromkeys(_rows_where(pc.xor(has_start, has_end)), _ONE_TIME)
    if kind is Kind.EXCLUSIONS:
        start_us, end_us = (table.column(name).cast(pa.int64()) for name in ("start", "end"))
        length_us = pc.subtract(end_us, start_us)
        is_empty, is_long = pc.less_equal(length_us, 0), pc.greater(length_us, _MAX_EXCLUSION_US)
        return dict.fromkeys(_rows_where(is_empty), "end_utc is not after start_utc") | (
            dict.fromkeys(_rows_where(is_long), "end_utc is more than 400 days after start_utc")
        )
    return {}


def _rows_where(condition: pa.ChunkedArray) -> list[int]:
    rows: list[int] = np.flatnonzero(pc.fill_null(condition, False).to_numpy()).tolist()
    return rows


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]!r}…"

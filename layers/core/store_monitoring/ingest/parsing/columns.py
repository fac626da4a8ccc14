"""Parse the text columns of each kind of file into typed columns."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.ingest.parsing import values
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.ingest.parsing.poll_limit import MAX_POLLS_PER_STORE, PollLimit
from store_monitoring.ingest.parsing.rows import Reject, Rows


@dataclass(frozen=True, slots=True)
class _Field:
    """How to parse one column of a file.

    Columns with few distinct values (`few`) are parsed once per distinct value.
    """

    column: str
    name: str
    parse: Callable[[pa.StringArray], pa.Array]
    problem: str
    few: bool = True

    def values(self, text: pa.StringArray) -> pa.Array:
        if not self.few:
            return self.parse(pc.ascii_trim_whitespace(text))
        encoded = text.dictionary_encode()
        parsed = self.parse(pc.ascii_trim_whitespace(encoded.dictionary))
        return parsed.take(encoded.indices)


_SHOWN_CHARACTERS = 100
_FUTURE = "timestamp_utc is too far in the future of the upload"
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
        _Field("start_time_local", "start_us", values.times_of_day, "start_time_local is no time"),
        _Field("end_time_local", "end_us", values.times_of_day, "end_time_local is no time"),
    ),
    Kind.TIMEZONES: (
        _STORE_ID,
        _Field("timezone_str", "timezone", values.zone_names, "timezone_str is no known zone"),
    ),
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """The parsed rows of a block.

    Attributes
    ----------
    table : table
        The valid rows, in file order. Its columns depend on the kind: `store_id`, a dictionary,
        with `timestamp` and `active`; `day`, `start_us` and `end_us`; or `timezone`.
    rejects : list of Reject
        The rejected rows.
    min_future_us : int or None
        The earliest poll that was rejected only because it is too far in the future.
    """

    table: pa.Table
    rejects: list[Reject]
    min_future_us: int | None


def parse(kind: Kind, rows: Rows, limit: PollLimit, latest_us: int | None = None) -> Parsed:
    """Parse rows.

    Parameters
    ----------
    kind : Kind
    rows : Rows
    limit : PollLimit
        Counts the polls of the whole file.
    latest_us : int or None
        Polls later than this are rejected.
    """
    columns: dict[str, pa.Array] = {}
    reasons: dict[int, str] = {}
    for field in _FIELDS[kind]:
        text = rows.columns[field.column]
        parsed = field.values(text)
        columns[field.name] = parsed
        null_rows = _null_rows(parsed)
        shown = pc.ascii_trim_whitespace(text.take(pa.array(null_rows, pa.int64()))).to_pylist()
        for row, value in zip(null_rows, shown, strict=True):
            reasons.setdefault(row, f"{field.problem}: {_shown(value)}")
    table = pa.table(columns)
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
    return Parsed(table, rows.rejects(reasons), min_future_us)


def _null_rows(column: pa.Array) -> list[int]:
    if not column.null_count:
        return []
    return np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False)).tolist()


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]!r}…"

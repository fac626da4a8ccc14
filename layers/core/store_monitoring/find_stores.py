"""Find stores in the rows of a report: search, filter, sort, and return them page by page."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.runs import sum_before
from store_monitoring.domain.targets import TargetStatus
from store_monitoring.errors import (
    InvalidRequestError,
    MissingObjectError,
    NoReportError,
    TooManyStoresError,
    UnknownReportError,
)
from store_monitoring.page_tokens import from_token, invalid_token, to_token
from store_monitoring.reports.formats.json import to_json
from store_monitoring.reports.formats.rows import detailed_rows
from store_monitoring.reports.formats.writers import Rows, report_header
from store_monitoring.reports.measures import WINDOWS, measures
from store_monitoring.reports.plan import Plan, read_complete_plan
from store_monitoring.reports.ports import Reports
from store_monitoring.reports.request import Condition, check_attributes
from store_monitoring.storage.keys import part_key, request_key
from store_monitoring.storage.ports import Tables
from store_monitoring.storage.schemas import PART
from store_monitoring.storage.stores import attribute_values

MAX_STORES = 2_000_000
"""Bounds memory and time: docs/benchmarks.md, "Pages of stores"."""

_READERS = 8  # most of the time is spent waiting for S3
_SUGGESTIONS = 5
_CANDIDATES = 500
_SIMILARITY = 0.5  # of ids of two characters, one may be wrong
_ATTRIBUTE = "attributes."
_COLUMNS = tuple(detailed_rows(measures(PART.empty_table(), Decimal(0))).column_names)
_SORTABLE = {name.partition("(")[0]: name for name in _COLUMNS if name != "attributes"}
_RATIOS = {
    **{f"uptime_percent_{w}": (f"uptime_{w}_us", f"known_{w}_us") for w in WINDOWS},
    **{f"coverage_percent_{w}": (f"covered_{w}_us", f"business_time_{w}_us") for w in WINDOWS},
    "mean_time_to_recovery_last_week": ("recovery_last_week_us", "recoveries_last_week"),
}


@dataclass(frozen=True, slots=True)
class StoreQuery:
    """Which stores to find, and in which order. A store must meet all conditions.

    Attributes
    ----------
    text : str
        The id begins with it, or the name or the value of an attribute contains it, in upper or
        lower case; "" for all.
    store_id : str or None
        The whole id of one store.
    where : tuple of Condition or None
    states : tuple of str or None
        The store is in one of these states, values of `State`.
    target_missed : str or None
        A window in which the store missed its target.
    outage_hour : int or None
        A local hour of the week in which an outage of the store began: 0 is Monday, 00:00 to 01:00.
    sort : str
        A column of the detailed formats, with or without its unit, or `attributes.` and the name
        of an attribute; with "-" before it, in descending order. Rows without a value come last,
        ties in order of store ids.
    """

    text: str = ""
    store_id: str | None = None
    where: tuple[Condition, ...] | None = None
    states: tuple[str, ...] | None = None
    target_missed: str | None = None
    outage_hour: int | None = None
    sort: str = "store_id"


@dataclass(frozen=True, slots=True)
class FoundStores:
    """A page of stores.

    Attributes
    ----------
    report : JSON object
        The report's header, as `report_header` returns it.
    stores : list of JSON objects
        Rows, as in the JSON report.
    found, total : int
        Number of stores that meet the query, and of all stores of the report.
    suggestions : tuple of str
        If no store meets the query: ids similar to its text, the most similar first.
    next_page_token : str or None
        None on the last page.
    """

    report: dict[str, Any]
    stores: list[dict[str, Any]]
    found: int
    total: int
    suggestions: tuple[str, ...] = ()
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True)
class _Cursor:
    """The position after a page: a number of rows, since the rows of a report never change."""

    report_id: str
    query_digest: str
    rows: int

    @classmethod
    def after(cls, report_id: str, query: StoreQuery, rows: int) -> "_Cursor":
        return cls(report_id, sha256(repr(query).encode()).hexdigest()[:16], rows)

    @classmethod
    def of(cls, token: str, report_id: str | None, query: StoreQuery) -> "_Cursor":
        """Return the cursor of a token, which must be for this query and this report, if named."""
        match from_token(token):
            case [str(own_id), str(), int(rows)] if rows > 0 and report_id in (None, own_id):
                cursor = cls.after(own_id, query, rows)
                if cursor.to_token() == token:
                    return cursor
        raise invalid_token()

    def to_token(self) -> str:
        return to_token([self.report_id, self.query_digest, self.rows])


@dataclass(frozen=True, slots=True)
class _ReportRows:
    """The rows of a report, as `measures` returns them, in order of store ids."""

    header: dict[str, Any]
    attributes: tuple[str, ...]
    rows: pa.Table


class ReportRowsReader:
    """Reads the rows of reports; keeps those of the last report in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._last: _ReportRows | None = None

    def of(self, report_id: str, reports: Reports) -> _ReportRows:
        """Return the rows of a complete report.

        Raises
        ------
        UnknownReportError, ReportRunningError, ReportFailedError
            If the report is not Complete.
        TooManyStoresError
            If it has more than `MAX_STORES` stores.
        """
        plan = read_complete_plan(report_id, reports, self._tables)
        if self._last is None or self._last.header["report_id"] != report_id:
            self._last = None  # first, since the rows of two reports may not fit into memory
            try:
                self._last = self._read(plan)
            except MissingObjectError:  # the parts may be deleted before the report's record
                raise UnknownReportError(f"the report {report_id} has expired") from None
        return self._last

    def _read(self, plan: Plan) -> _ReportRows:
        if plan.stores > MAX_STORES:
            raise TooManyStoresError(
                f"the report is on {plan.stores:,} stores, more than {MAX_STORES:,}: download it,"
                " or request a report with where"
            )
        request = json.loads(self._tables.read_bytes(request_key(plan.report_id)))
        keys = [part_key(plan.report_id, shard.shard) for shard in plan.shards]
        with ThreadPoolExecutor(_READERS) as pool:
            tables = pool.map(self._tables.read_table, keys)
            parts = [part.replace_schema_metadata(None) for part in tables]
        rows = pa.concat_tables([PART.empty_table(), *parts])
        rows = rows.take(pc.sort_indices(rows, [("store_id", "ascending")])).combine_chunks()
        header = report_header(plan, request)
        return _ReportRows(header, plan.attributes, measures(rows, Decimal(plan.target_percent)))


def find_stores(
    query: StoreQuery,
    limit: int,
    page_token: str | None,
    report_id: str | None,
    reports: Reports,
    report_rows: ReportRowsReader,
) -> FoundStores:
    """Return a page of the stores of a report that meet a query.

    Parameters
    ----------
    query : StoreQuery
    limit : int
        Maximum number of stores on the page.
    page_token : str or None
        The token of the previous page, with the same query.
    report_id : str or None
        None for the newest report of all stores; further pages are of the same report as the first.
    reports : port
    report_rows : ReportRowsReader

    Raises
    ------
    InvalidRequestError
        If the query names no known field or attribute, or the token is of another query.
    NoReportError
        If there is no report of all stores yet.
    UnknownReportError, ReportRunningError, ReportFailedError
        If the report is not Complete.
    TooManyStoresError
        If the report has more than `MAX_STORES` stores.
    """
    try:
        cursor = None if page_token is None else _Cursor.of(page_token, report_id, query)
    except ValueError as error:
        raise InvalidRequestError.about("page_token", f"{error}") from None
    if report_id is None:
        report_id = _newest(reports) if cursor is None else cursor.report_id
    report = report_rows.of(report_id, reports)
    found = _find_rows(query, report)
    start = 0 if cursor is None else cursor.rows
    end = start + limit
    page = report.rows.take(found.slice(start, limit))
    is_last = end >= len(found)
    return FoundStores(
        report.header,
        json.loads(to_json(Rows(detailed_rows(page)).records)),
        found=len(found),
        total=len(report.rows),
        suggestions=() if len(found) else _suggestions(query.text, report.rows),
        next_page_token=None if is_last else _Cursor.after(report_id, query, end).to_token(),
    )


def _newest(reports: Reports) -> str:
    report = reports.newest_of_all_stores()
    if report is None:
        raise NoReportError("there is no complete report of all stores yet: start one")
    return report.report_id


def _find_rows(query: StoreQuery, report: _ReportRows) -> pa.Array:
    """Return the indices of the rows that meet a query, in the query's order."""
    where = query.where or ()
    check_attributes("where", [each.attribute for each in where], report.attributes)
    values = _sort_values(query.sort.removeprefix("-"), report)
    rows = report.rows
    conditions = []
    if query.text:
        conditions.append(_contain_text(query.text, rows))
    if query.store_id is not None:
        conditions.append(pc.equal(rows.column("store_id"), query.store_id))
    for each in where:
        of_stores = attribute_values(rows.column("attributes"), each.attribute)
        conditions.append(_is_in(of_stores, each.values))
    if query.states is not None:
        conditions.append(_is_in(rows.column("state"), query.states))
    if query.target_missed is not None:
        column = rows.column(f"target_{query.target_missed}")
        conditions.append(pc.equal(column, TargetStatus.MISSED.value))
    if query.outage_hour is not None:
        hours = rows.column("outage_hours").combine_chunks()
        conditions.append(_any(hours, pc.equal(hours.values, query.outage_hour)))
    row = pa.arange(0, len(rows))
    for condition in conditions:
        row = pc.drop_null(pc.if_else(pc.fill_null(condition.take(row), False), row, None))
    order = "descending" if query.sort.startswith("-") else "ascending"
    # Stable, and the rows are in order of store ids.
    return row.take(pc.array_sort_indices(values.take(row).combine_chunks(), order))


def _sort_values(name: str, report: _ReportRows) -> pa.ChunkedArray:
    """Return the exact values of a field by which rows are sorted."""
    rows = report.rows
    if name.startswith(_ATTRIBUTE):
        attribute = name.removeprefix(_ATTRIBUTE)
        check_attributes("sort", [attribute], report.attributes)
        values = attribute_values(rows.column("attributes"), attribute)
        return pc.if_else(pc.equal(values, ""), None, values)
    field = name.partition("(")[0]
    if name not in (field, _SORTABLE.get(field)) or field not in _SORTABLE:
        raise InvalidRequestError.about("sort", f"rows have no field {name!r} to sort by")
    if field in _RATIOS:
        part, whole = (rows.column(column).cast(pa.float64()) for column in _RATIOS[field])
        return pc.divide(part, pc.if_else(pc.equal(whole, 0), None, whole))
    if field == "last_poll_status":
        return pc.invert(rows.column("last_poll_active"))  # "active" comes before "inactive"
    return rows.column(field if field in rows.column_names else f"{field}_us")


def _is_in(values: pa.ChunkedArray, wanted: Sequence[str]) -> pa.ChunkedArray:
    return pc.is_in(values, pa.array(wanted, pa.string()))


def _contain_text(text: str, rows: pa.Table) -> pa.ChunkedArray:
    """Return which rows have an id that begins with a text, or a name or attribute with it."""
    starts = pc.starts_with(rows.column("store_id"), text, ignore_case=True)
    contains = pc.match_substring(rows.column("name"), text, ignore_case=True)
    attributes = rows.column("attributes").combine_chunks()
    of_attributes = _any(attributes, pc.match_substring(attributes.items, text, ignore_case=True))
    return pc.or_(pc.or_(starts, pc.fill_null(contains, False)), of_attributes)


def _any(lists: pa.ListArray, item_is_wanted: pa.Array) -> pa.Array:
    """Return which lists have a wanted item, given which items of all lists are."""
    wanted_before = sum_before(item_is_wanted.to_numpy(zero_copy_only=False))
    return pa.array(np.diff(wanted_before[lists.offsets.to_numpy()]) > 0)


def _suggestions(text: str, rows: pa.Table) -> tuple[str, ...]:
    """Return ids similar to a text.

    Candidates have the same first or second half: a single typing mistake is in the other one.
    """
    half = len(text) // 2
    if not half:
        return ()
    ids = rows.column("store_id")
    begins = pc.starts_with(ids, text[:half], ignore_case=True)
    ends = pc.ends_with(ids, text[half:], ignore_case=True)
    candidates = [*ids.filter(ends)[:_CANDIDATES], *ids.filter(begins)[:_CANDIDATES]]
    distinct = dict.fromkeys(candidate.as_py() for candidate in candidates)
    return tuple(get_close_matches(text, distinct, _SUGGESTIONS, _SIMILARITY))

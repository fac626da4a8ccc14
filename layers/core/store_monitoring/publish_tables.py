"""Publish polls, stores and the rows of reports as Iceberg tables, for other programs to query."""

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Protocol

import pyarrow as pa

from store_monitoring.domain.parameters import WINDOWS_US, PeriodUnit
from store_monitoring.errors import CommitConflictError, MissingObjectError
from store_monitoring.ingest.deadline import Deadline, commit_attempts
from store_monitoring.ingest.ports import IngestLog, Snapshot
from store_monitoring.reports.plan import Plan, read_plan
from store_monitoring.reports.ports import PageRequest, Reports
from store_monitoring.reports.report import Status
from store_monitoring.storage.keys import part_key, published_report_key, published_stores_key
from store_monitoring.storage.ports import StoresFile, Tables
from store_monitoring.storage.schemas import (
    ATTRIBUTES,
    PUBLISHED_POLLS,
    PUBLISHED_STORES,
    REPORT_ROWS,
)

SCHEMAS = {"polls": PUBLISHED_POLLS, "stores": PUBLISHED_STORES, "report_rows": REPORT_ROWS}
"""The tables. Columns may be added to a schema, with new field ids."""

_WINDOWS_US = dict(zip(("last_hour", "last_day", "last_week"), WINDOWS_US, strict=True))
_ALL_TIME_US = (-(2**62), 2**62)
_PAGE_REPORTS = 1000
_REPORTS_AT_ONCE = 100  # per version, so that a call that times out has published some
_COMMIT_SECONDS = 200
_WORKERS = 16  # most of the time is spent waiting for S3


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a table.

    Attributes
    ----------
    key : str
    rows, bytes : int
    bounds : dict of str to tuple
        The least and the greatest value of some columns; instants in microseconds.
    """

    key: str
    rows: int
    bytes: int
    bounds: Mapping[str, tuple[int, int] | tuple[str, str]] = field(default_factory=dict)


class PublishedTable(Protocol):
    """An Iceberg table, as it was when it was opened."""

    @property
    def version(self) -> int:
        """Its current version; 0 if it is new."""

    @property
    def keys(self) -> frozenset[str]:
        """The keys of its data files.

        Raises
        ------
        CommitConflictError
            If its metadata are deleted; to be opened again.
        """

    def commit(
        self,
        version: int,
        added: Collection[DataFile],
        removed: Collection[str],
        keep_since: datetime,
    ) -> None:
        """Commit a greater version, with some data files added and some removed.

        Older versions stay readable, if they are not too many and were not replaced before
        `keep_since`, when their files may be deleted.

        Raises
        ------
        CommitConflictError
            If another commit was first.
        """


class PublishedTables(Protocol):
    """The Iceberg tables of `SCHEMAS`."""

    def open(self, name: str) -> PublishedTable:
        """Open a table; create it if it does not exist, or its metadata are deleted."""


def publish_tables(
    keep: timedelta,
    clock: Callable[[], datetime],
    tables: Tables,
    log: IngestLog,
    reports: Reports,
    published: PublishedTables,
    completed: str | None = None,
) -> dict[str, int]:
    """Bring the Iceberg tables up to the ingest log and the complete reports.

    The versions of `polls` and `stores` are those of the log. If the log has several new versions,
    only the newest is published. If a call is killed, each table is either unchanged or up to date.
    Of concurrent calls, the one that read the newest version of the log wins.

    Parameters
    ----------
    keep : timedelta
        How long files that the log has replaced are kept.
    clock : callable
        Returns the current time.
    tables, log, reports, published : ports
    completed : str, optional
        A report that is complete, although the list of reports may not show that yet.

    Returns
    -------
    dict of str to int
        The version of each table.
    """
    keep_since = clock() - keep
    for _ in commit_attempts(Deadline.within(_COMMIT_SECONDS)):
        snapshot = log.snapshot()  # one, so that polls and stores have the same versions
        try:
            return {
                "polls": _publish_polls(snapshot.version, log, published, keep_since),
                "stores": _publish_stores(snapshot, tables, published, keep_since),
                "report_rows": _publish_reports(tables, reports, completed, published, keep_since),
            }
        except CommitConflictError:
            continue
    raise AssertionError("the last attempt raises")


def _publish_polls(
    version: int, log: IngestLog, published: PublishedTables, keep_since: datetime
) -> int:
    table = published.open("polls")
    if table.version >= version:
        return table.version
    files = [
        DataFile(
            file.key,
            file.rows,
            file.bytes,
            {"timestamp_utc": (file.min_timestamp_us, file.max_timestamp_us)},
        )
        for ingest in log.manifest(version, *_ALL_TIME_US)
        for file in ingest.files
    ]
    added = [file for file in files if file.key not in table.keys]
    table.commit(version, added, table.keys - {file.key for file in files}, keep_since)
    return version


def _publish_stores(
    snapshot: Snapshot, tables: Tables, published: PublishedTables, keep_since: datetime
) -> int:
    table = published.open("stores")
    if table.version >= snapshot.version:
        return table.version
    files = {published_stores_key(file.key): file for file in snapshot.stores.values()}
    new = [file for key, file in files.items() if key not in table.keys]
    with ThreadPoolExecutor(_WORKERS) as pool:
        added = list(pool.map(lambda file: _write_stores(file, tables), new))
    table.commit(snapshot.version, added, table.keys - files.keys(), keep_since)
    return snapshot.version


def _write_stores(file: StoresFile, tables: Tables) -> DataFile:
    """Write the data file of the table `stores` for one stores file."""
    stores = tables.read_stores([file])
    attributes = stores.column("attributes").combine_chunks()
    own = dict(zip(ATTRIBUTES.names, attributes.flatten(), strict=True))
    columns = {name: stores.column(name) for name in stores.column_names} | own
    columns["attributes"] = own["values"]
    rows = _rows(columns, len(stores), PUBLISHED_STORES)
    key = published_stores_key(file.key)
    return DataFile(key, len(rows), tables.write_tables(key, [rows]))


def _publish_reports(
    tables: Tables,
    reports: Reports,
    completed: str | None,
    published: PublishedTables,
    keep_since: datetime,
) -> int:
    while True:
        # Opened before the list is read: a concurrent commit that the list lacks is a conflict.
        table = published.open("report_rows")
        complete = {published_report_key(each) for each in _complete_reports(reports, completed)}
        new, unlisted = sorted(complete - table.keys), sorted(table.keys - complete)
        with ThreadPoolExecutor(_WORKERS) as pool:
            files = pool.map(lambda key: _write_report(key, tables), new[:_REPORTS_AT_ONCE])
            added = [file for file in files if file is not None]
            are_kept = pool.map(lambda key: _is_kept(key, reports), unlisted)
            removed = [key for key, is_kept in zip(unlisted, are_kept, strict=True) if not is_kept]
        if not added and not removed:
            return table.version
        table.commit(table.version + 1, added, removed, keep_since)
        if len(new) <= _REPORTS_AT_ONCE:
            return table.version + 1


def _is_kept(key: str, reports: Reports) -> bool:
    """Return whether a file's report is complete and kept; the list may not show that yet."""
    report = reports.get(_report_id(key))
    return report is not None and report.status is Status.COMPLETE


def _complete_reports(reports: Reports, completed: str | None) -> Iterator[str]:
    """Yield the ids of the reports that are complete and kept."""
    if completed is not None:
        yield completed
    page = reports.newest(PageRequest(_PAGE_REPORTS))
    while True:
        yield from (each.report_id for each in page.reports if each.status is Status.COMPLETE)
        if page.end is None:
            return
        page = reports.newest(PageRequest(_PAGE_REPORTS, page.end))


def _report_id(key: str) -> str:
    """Return the id of the report whose rows are in a data file of the table `report_rows`."""
    return PurePosixPath(key).stem


def _write_report(key: str, tables: Tables) -> DataFile | None:
    """Write the file with the rows of a report; return None if the report was deleted."""
    report_id, rows = _report_id(key), 0

    def pieces(plan: Plan) -> Iterator[pa.Table]:
        nonlocal rows
        for shard in plan.shards:
            for part in tables.read_part(part_key(report_id, shard.shard)):
                piece = _report_rows(part, plan)
                rows += len(piece)
                yield piece

    try:
        plan = read_plan(report_id, tables)
        size = tables.write_tables(key, pieces(plan))
    except MissingObjectError:
        return None
    return DataFile(key, rows, size, {"report_id": (report_id, report_id)})


def _report_rows(part: pa.Table, plan: Plan) -> pa.Table:
    """Return what a shard computed, with one row for each window of a store."""
    columns = dict(zip(part.column_names, part.columns, strict=True))
    if plan.period is not None:
        # The part has such rows; casts parse their local times with offsets.
        if plan.period.unit is PeriodUnit.TOTAL:
            del columns["window_date"]  # it begins on no date that all stores share
        return _of_window(columns, plan, window_name=plan.period.unit.value)
    windows = []
    for window, length_us in _WINDOWS_US.items():
        # A measure is named like "uptime_last_week_us"; not all are measured in each window.
        suffix = f"_{window}"
        measures = {
            name.replace(suffix, ""): values for name, values in columns.items() if suffix in name
        }
        start_us, end_us = plan.now_us - length_us, plan.now_us
        windows.append(
            _of_window(
                columns | measures,
                plan,
                window_name=window,
                window_start=start_us,
                window_end=end_us,
            )
        )
    return pa.concat_tables(windows)


def _of_window(columns: Mapping[str, Any], plan: Plan, **fixed: Any) -> pa.Table:
    """Return rows of schema `REPORT_ROWS`; the columns in `fixed` have one value for all rows."""
    rows = len(columns["store_id"])
    fixed |= {"report_id": plan.report_id, "as_of": plan.now_us}
    same = {
        name: pa.repeat(pa.scalar(value, REPORT_ROWS.field(name).type), rows)
        for name, value in fixed.items()
    }
    return _rows({**columns, **same}, rows, REPORT_ROWS)


def _rows(columns: Mapping[str, Any], rows: int, schema: pa.Schema) -> pa.Table:
    """Return a table of a schema; columns that are missing are null."""
    return pa.table(
        [
            columns[each.name].cast(each.type)
            if each.name in columns
            else pa.nulls(rows, each.type)
            for each in schema
        ],
        schema=schema,
    )

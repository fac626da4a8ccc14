"""Conversion of Arrow tables to the arrays of `domain`, and of its results to tables."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.known_polls import NO_POLL
from store_monitoring.domain.model import (
    CLOSED,
    Exclusions,
    Int64s,
    Polls,
    SpecialHours,
    Stores,
    Totals,
    WeeklyHours,
)
from store_monitoring.domain.outages import OutageFigures, Outages
from store_monitoring.domain.parameters import DAY_US, SECOND_US, WINDOWS_US, PeriodUnit
from store_monitoring.domain.runs import sum_before
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME, offsets_us
from store_monitoring.domain.uptime import Figures
from store_monitoring.domain.windows import Windows, unit_dates
from store_monitoring.storage.schemas import OUTAGES, PART, PERIOD_PART, TOTAL_COLUMNS

_TABLE_OUTAGES = 100_000
_OTHER_STORE = -1


def stores_of(table: pa.Table) -> Stores:
    """Return the stores of a table of schema `STORES`, in the same order."""
    zone_names, zone = _zones(table)
    hours_store, hours = _rows_of(table, "hours")
    special_store, special = _rows_of(table, "special_hours")
    excluded_store, excluded = _rows_of(table, "exclusions")
    return Stores(
        zone=zone,
        zone_names=zone_names,
        hours=WeeklyHours(
            store=hours_store,
            day=hours.field("day").to_numpy().astype(np.int64),
            start_us=hours.field("start_us").to_numpy(),
            end_us=hours.field("end_us").to_numpy(),
        ),
        special_hours=SpecialHours(
            store=special_store,
            date=special.field("date").cast(pa.int32()).to_numpy().astype(np.int64),
            start_us=special.field("start_us").fill_null(CLOSED).to_numpy(),
            end_us=special.field("end_us").fill_null(CLOSED).to_numpy(),
        ),
        exclusions=Exclusions(
            store=excluded_store,
            start_us=excluded.field("start").cast(pa.int64()).to_numpy(),
            end_us=excluded.field("end").cast(pa.int64()).to_numpy(),
        ),
    )


def _rows_of(table: pa.Table, column: str) -> tuple[Int64s, pa.StructArray]:
    """Return the rows in a column of lists, and the index of each row's store."""
    lists = table.column(column).combine_chunks()
    return lists.value_parent_indices().to_numpy().astype(np.int64), lists.flatten()


def polls_of(table: pa.Table, store_ids: pa.StringArray) -> Polls:
    """Return the polls of some stores in a table of schema `POLLS_AS_READ`, in the same order."""
    column = table.column("store_id").combine_chunks()
    store_of_id = pc.fill_null(pc.index_in(column.dictionary, store_ids), _OTHER_STORE).to_numpy()
    polls = Polls(
        # Indexing by numpy takes half the time of Arrow's `take`.
        store=store_of_id.astype(np.int64)[column.indices.to_numpy()],
        timestamp_us=table.column("timestamp").cast(pa.int64()).to_numpy(),
        active=table.column("active").to_numpy(),
    )
    return polls.where(polls.store != _OTHER_STORE) if _OTHER_STORE in store_of_id else polls


def total_columns(totals: Totals) -> dict[str, Int64s]:
    """Return the totals of `classic_windows` by the name in `TOTAL_COLUMNS`: int64 (stores,).

    >>> rows = total_columns(Totals(*np.array([[7, 2, 1]] * 5)))
    >>> rows["uptime_last_hour_us"].tolist(), rows["excluded_last_week_us"].tolist()
    ([1], [7])
    """
    lengths_us = (
        *(totals.uptime_us, totals.downtime_us, totals.no_data_us),
        *(totals.covered_us, totals.excluded_us),
    )
    # By store and start: the week comes first, the hour last.
    of_stores = [each.reshape(-1, len(WINDOWS_US))[:, ::-1] for each in lengths_us]
    return dict(zip(TOTAL_COLUMNS, np.hstack(of_stores).T, strict=True))


def part_of(table: pa.Table, figures: Figures) -> pa.Table:
    """Return the figures of the stores of a table of schema `STORES` as rows of schema `PART`.

    The figures are those of `classic_windows`.
    """
    last, outages = figures.last_polls, figures.outages
    columns = [
        table.column("store_id"),
        *total_columns(figures.totals).values(),
        figures.polls,
        _instants(last.at_us),
        pa.array(last.active, mask=~last.is_polled),
        figures.open_at_end,
        outages.count,
        outages.longest_us,
        outages.incidents,
        outages.recoveries,
        outages.recovery_us,
        _outage_hours(outages),
        table.column("timezone"),
        *table.column("attributes").combine_chunks().flatten(),
    ]
    return pa.table(columns, schema=PART)


def period_part_of(
    table: pa.Table, figures: Figures, windows: Windows, unit: PeriodUnit
) -> pa.Table:
    """Return the figures of a period's windows as rows of schema `PERIOD_PART`, in their order.

    Parameters
    ----------
    table : table
        The stores, of schema `STORES`.
    figures, windows
        As `compute_uptime` returned and took them.
    unit : PeriodUnit
        What the period is cut into.
    """
    totals, outages, last = figures.totals, figures.outages, figures.last_polls
    zone_names, zone_of_store = _zones(table)
    store = pa.array(windows.store)
    zone = zone_of_store[windows.store]
    # Stores of a zone have the same windows: convert each instant to local time once.
    start_zone, start_us, start = _distinct_instants(zone, windows.start_us, len(zone_names))
    end_zone, end_us, end = _distinct_instants(zone, windows.end_us, len(zone_names))
    span = windows.span
    offset_us = offsets_us(zone_names, start_zone, start_us, span.start_us, span.end_us)
    date = unit_dates((start_us + offset_us) // DAY_US, unit)[start]
    _, last_us = windows.bounds_us(len(table))
    silent_us = pa.array(np.where(last.is_polled, last_us - last.at_us, 0), mask=~last.is_polled)
    columns = [
        table.column("store_id").take(store),
        _local_times(zone_names, start_zone, start_us).take(pa.array(start)),
        _local_times(zone_names, end_zone, end_us).take(pa.array(end)),
        pa.array(date.astype("datetime64[D]")),
        *(totals.uptime_us, totals.downtime_us, totals.no_data_us),
        *(totals.covered_us, totals.excluded_us),
        figures.polls,
        *(outages.count, outages.longest_us, outages.incidents),
        *(outages.recoveries, outages.recovery_us),
        _outage_hours(outages),
        windows.end_us == last_us[windows.store],
        _instants(last.at_us).take(store),
        silent_us.take(store),
        table.column("timezone").take(store),
        *(column.take(store) for column in table.column("attributes").combine_chunks().flatten()),
    ]
    return pa.table(columns, schema=PERIOD_PART)


def _outage_hours(outages: OutageFigures) -> pa.ListArray:
    """Return the hours of the week in which outages start: a list for each window."""
    return pa.ListArray.from_arrays(
        pa.array(sum_before(outages.starts), pa.int32()),
        pa.array(outages.hours),
        type=PART.field("outage_hours").type,
    )


def _distinct_instants(
    zone: Int64s, instant_us: Int64s, zone_count: int
) -> tuple[Int64s, Int64s, Int64s]:
    """Return the distinct pairs of zone and instant, and the index of each window's pair."""
    code, index = np.unique(instant_us * zone_count + zone, return_inverse=True)
    distinct_us, distinct_zone = np.divmod(code, zone_count)
    return distinct_zone, distinct_us, index


def window_ends(table: pa.Table, figures: Figures, windows: Windows) -> pa.Table:
    """Return the end of each store's last window, as `outage_tables` takes it.

    Parameters
    ----------
    table : table
        The stores, of schema `STORES`.
    figures, windows
        As `compute_uptime` returned and took them.

    Returns
    -------
    table of store_id, timezone, open_at_end, end_us
    """
    _, last_us = windows.bounds_us(len(table))
    return pa.table(
        {
            "store_id": table.column("store_id"),
            "timezone": table.column("timezone"),
            "open_at_end": figures.open_at_end,
            "end_us": last_us,
        }
    )


def outage_tables(ends: pa.Table, outages: Outages) -> Iterator[pa.Table]:
    """Yield outages as tables of schema `OUTAGES`, at least one.

    Parameters
    ----------
    ends : table
        As `window_ends` returns it.
    outages : Outages
        `store` is the index of the store's row in `ends`.
    """
    distinct, zone = _zones(ends)
    open_at_end = ends.column("open_at_end").to_numpy()
    end_us = ends.column("end_us").to_numpy()
    for begin in range(0, max(len(outages.store), 1), _TABLE_OUTAGES):
        some = outages.where(slice(begin, begin + _TABLE_OUTAGES))
        start_local, end_local = (
            _local_times(distinct, zone[some.store], instant_us)
            for instant_us in (some.start_us, some.end_us)
        )
        columns = [
            ends.column("store_id").take(pa.array(some.store)),
            some.incident,
            _instants(some.start_us),
            _instants(some.end_us),
            start_local,
            end_local,
            some.end_us - some.start_us,
            some.is_ongoing(open_at_end, end_us),
            _instants(some.last_up_us),
            _instants(some.next_up_us),
        ]
        yield pa.table(columns, schema=OUTAGES)


def _zones(table: pa.Table) -> tuple[tuple[str, ...], Int64s]:
    """Return the distinct zones of stores, and the index of each store's zone."""
    zones = pc.fill_null(table.column("timezone"), DEFAULT_ZONE_NAME).combine_chunks()
    distinct = zones.dictionary_encode()
    return tuple(distinct.dictionary.to_pylist()), distinct.indices.to_numpy().astype(np.int64)


def _local_times(zone_names: tuple[str, ...], zone: Int64s, instant_us: Int64s) -> pa.Array:
    """Return instants in local time, as ISO 8601, with a fraction only where it is not zero."""
    span = (int(instant_us.min()), int(instant_us.max())) if len(instant_us) else (0, 0)
    offset_us = offsets_us(zone_names, zone, instant_us, *span)
    second, fraction_us = np.divmod(instant_us + offset_us, SECOND_US)
    texts = pc.replace_substring(pa.array(second, pa.timestamp("s")).cast(pa.string()), " ", "T")
    digits = pc.utf8_lpad(pa.array(fraction_us).cast(pa.string()), 6, "0")
    fractions = pc.if_else(fraction_us == 0, "", pc.binary_join_element_wise(".", digits, ""))
    distinct_us, offset = np.unique(offset_us, return_inverse=True)
    offsets = pa.array([_offset_text(each) for each in distinct_us.tolist()], pa.string())
    return pc.binary_join_element_wise(texts, fractions, offsets.take(pa.array(offset)), "")


def _offset_text(offset_us: int) -> str:
    """Return a UTC offset as in ISO 8601.

    >>> _offset_text(-5 * 3_600_000_000), _offset_text(0)
    ('-05:00', '+00:00')
    """
    zone = timezone(timedelta(microseconds=offset_us))
    return datetime(1970, 1, 1, tzinfo=zone).isoformat()[len("1970-01-01T00:00:00") :]


def _instants(instant_us: Int64s) -> pa.Array:
    """Return instants as timestamps; `NO_POLL` becomes null."""
    return pa.array(instant_us, pa.timestamp("us", tz="UTC"), mask=instant_us == NO_POLL)

"""Conversion of Arrow tables to the arrays of `domain`, and of its results to tables."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.known_polls import NO_POLL
from store_monitoring.domain.model import Int64s, Polls, Stores, WeeklyHours
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME
from store_monitoring.domain.uptime import Figures
from store_monitoring.storage.schemas import PART


def stores_of(table: pa.Table) -> Stores:
    """Return the stores of a table of schema `STORES`, in the same order."""
    zones = pc.fill_null(table.column("timezone"), DEFAULT_ZONE_NAME).combine_chunks()
    distinct = zones.dictionary_encode()
    hours = table.column("hours").combine_chunks()
    row = hours.flatten()
    return Stores(
        zone=distinct.indices.to_numpy().astype(np.int64),
        zone_names=tuple(distinct.dictionary.to_pylist()),
        hours=WeeklyHours(
            store=hours.value_parent_indices().to_numpy().astype(np.int64),
            day=row.field("day").to_numpy().astype(np.int64),
            start_us=row.field("start_us").to_numpy(),
            end_us=row.field("end_us").to_numpy(),
        ),
    )


def polls_of(table: pa.Table, store_ids: pa.StringArray) -> Polls:
    """Return the polls of some stores in a table of schema `POLLS_AS_READ`, in the same order."""
    column = table.column("store_id").combine_chunks()
    store_of_id = pc.index_in(column.dictionary, store_ids).cast(pa.int64())
    store = store_of_id.take(column.indices)
    if store.null_count:  # polls of other stores
        table, store = table.filter(pc.is_valid(store)), store.drop_null()
    return Polls(
        store=store.to_numpy(),
        timestamp_us=table.column("timestamp").cast(pa.int64()).to_numpy(),
        active=table.column("active").to_numpy(),
    )


def part_of(table: pa.Table, figures: Figures) -> pa.Table:
    """Return the figures of the stores of a table of schema `STORES` as rows of schema `PART`."""
    totals, polled, outages = figures.totals, figures.polled, figures.outages
    lengths_us = (totals.uptime_us, totals.downtime_us, totals.no_data_us, totals.covered_us)
    hours = pa.ListArray.from_arrays(
        pa.array(np.append(0, np.cumsum(outages.count)), pa.int32()),
        pa.array(outages.hours),
        type=PART.field("outage_hours").type,
    )
    columns = [
        table.column("store_id"),
        *np.hstack(lengths_us).T,
        polled.in_week,
        _instants(polled.last_us),
        pa.array(polled.last_active, mask=~polled.is_polled),
        figures.open_now,
        outages.count,
        outages.longest_us,
        outages.incidents,
        outages.recoveries,
        outages.recovery_us,
        hours,
        table.column("timezone"),
        *table.column("attributes").combine_chunks().flatten(),
    ]
    return pa.table(columns, schema=PART)


def _instants(instant_us: Int64s) -> pa.Array:
    """Return instants as timestamps; `NO_POLL` becomes null."""
    return pa.array(instant_us, pa.timestamp("us", tz="UTC"), mask=instant_us == NO_POLL)

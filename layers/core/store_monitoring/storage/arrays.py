"""Conversion of Arrow tables to the arrays of `domain`."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.model import Polls, Stores, WeeklyHours
from store_monitoring.domain.time_zones import DEFAULT_ZONE_NAME


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

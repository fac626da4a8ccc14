"""Tables of stores: one row a store, with its zone and weekly hours (schema `STORES`)."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.storage.schemas import HOURS_ROW, STORES


def with_stores(stores: pa.Table, store_ids: pa.ChunkedArray) -> pa.Table:
    """Return the stores, and those of `store_ids` that are not among them, knowing nothing yet."""
    every_id = pc.unique(_joined(stores.column("store_id"), store_ids))
    if len(every_id) == len(stores):
        return stores
    every_id = every_id.take(pc.sort_indices(every_id))
    row = pc.index_in(every_id, stores.column("store_id"))
    known = stores.select(["timezone", "hours"]).take(row)
    return pa.table([every_id, *known.columns], schema=STORES)


def with_zones(stores: pa.Table, zones: pa.Table) -> pa.Table:
    """Return the stores with the zones of `zones` (store_id, timezone); a store's last row counts.

    Examples
    --------
    >>> zones = pa.table({"store_id": ["b", "a", "b"], "timezone": ["UTC", "UTC", "Asia/Tokyo"]})
    >>> with_zones(STORES.empty_table(), zones).column("timezone").to_pylist()
    ['UTC', 'Asia/Tokyo']
    """
    last = zones.group_by("store_id", use_threads=False).aggregate([("timezone", "last")])
    return _replaced(stores, "timezone", last.column("store_id"), last.column("timezone_last"))


def with_hours(stores: pa.Table, hours: pa.Table) -> pa.Table:
    """Return the stores with all hours of those that `hours` names replaced.

    Parameters
    ----------
    stores : table of schema `STORES`
    hours : table of store_id, day, start_us, end_us
        Any order; repeated rows count once.
    """
    keys = ["store_id", "day", "start_us", "end_us"]
    rows = hours.group_by(keys).aggregate([]).sort_by([(key, "ascending") for key in keys])
    rows = rows.combine_chunks()
    named = pc.unique(rows.column("store_id"))
    store = pc.index_in(rows.column("store_id"), named).to_numpy()
    schedules = pa.ListArray.from_arrays(
        pa.array(np.searchsorted(store, np.arange(len(named) + 1)), pa.int32()),
        pa.StructArray.from_arrays(
            [rows.column(field.name).combine_chunks() for field in HOURS_ROW],
            fields=list(HOURS_ROW),
        ),
        type=STORES.field("hours").type,
    )
    return _replaced(stores, "hours", pa.chunked_array([named]), pa.chunked_array([schedules]))


def _replaced(
    stores: pa.Table, column: str, store_ids: pa.ChunkedArray, new: pa.ChunkedArray
) -> pa.Table:
    """Return the stores with new values in one column for `store_ids`, new stores included."""
    stores = with_stores(stores, store_ids)
    old = stores.column(column)
    new_row = pc.index_in(stores.column("store_id"), store_ids)
    row = pc.coalesce(pc.add(new_row, len(old)), pa.array(np.arange(len(old), dtype=np.int32)))
    index = stores.schema.get_field_index(column)
    return stores.set_column(index, STORES.field(column), _joined(old, new).take(row))


def _joined(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([*first.chunks, *second.chunks], first.type)

"""Tables of stores: one row per store, with its zone and weekly hours (schema `STORES`)."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.storage.schemas import HOURS_ROW, STORES

_UPLOADED_AT = ["timezone_uploaded_at", "hours_uploaded_at"]


def with_stores(stores: pa.Table, store_ids: pa.ChunkedArray) -> pa.Table:
    """Return the stores, with an empty row added for each of `store_ids` that is missing."""
    every_id = pc.unique(_joined(stores.column("store_id"), store_ids))
    if len(every_id) == len(stores):
        return stores
    every_id = every_id.take(pc.sort_indices(every_id))
    row = pc.index_in(every_id, stores.column("store_id"))
    values = stores.drop_columns("store_id").take(row)
    return pa.table([every_id, *values.columns], schema=STORES)


def with_zones(
    stores: pa.Table, zones: pa.Table, uploaded_at: datetime, partial: pa.Array | None = None
) -> pa.Table:
    """Return the stores with the zones of an upload, unless another upload takes precedence.

    Parameters
    ----------
    stores : table of schema `STORES`
    zones : table of store_id, timezone
        The last row of a store counts.
    uploaded_at : datetime
    partial : string array, optional
        Ids of the stores of which the upload had rejected rows: see `_replaced`.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> zones = pa.table({"store_id": ["b", "a", "b"], "timezone": ["UTC", "UTC", "Asia/Tokyo"]})
    >>> with_zones(STORES.empty_table(), zones, datetime.now(UTC)).column("timezone").to_pylist()
    ['UTC', 'Asia/Tokyo']
    """
    last = zones.group_by("store_id", use_threads=False).aggregate([("timezone", "last")])
    new = last.column("timezone_last")
    return _replaced(stores, "timezone", last.column("store_id"), new, uploaded_at, partial)


def with_hours(
    stores: pa.Table, hours: pa.Table, uploaded_at: datetime, partial: pa.Array | None = None
) -> pa.Table:
    """Return the stores with the hours of an upload, unless another upload takes precedence.

    An upload replaces all hours of the stores that it names.

    Parameters
    ----------
    stores : table of schema `STORES`
    hours : table of store_id, day, start_us, end_us
        Any order; repeated rows count once.
    uploaded_at : datetime
    partial : string array, optional
        Ids of the stores of which the upload had rejected rows: see `_replaced`.
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
    new = pa.chunked_array([schedules])
    return _replaced(stores, "hours", pa.chunked_array([named]), new, uploaded_at, partial)


def with_restored(
    stores: pa.Table, column: str, uploaded_at: datetime, before: pa.Table
) -> pa.Table:
    """Return the stores with an upload undone: with the values from before it.

    Parameters
    ----------
    stores, before : tables of schema `STORES`
    column : str
        "timezone" or "hours".
    uploaded_at : datetime
        Upload time of the values to undo; values of another upload time stay.
    """
    at = stores.column(f"{column}_uploaded_at")
    is_from_upload = pc.fill_null(pc.equal(at, pa.scalar(uploaded_at, at.type)), False)
    own_row = pa.array(np.arange(len(stores), dtype=np.int32))
    row_before = pc.add(
        pc.index_in(stores.column("store_id"), before.column("store_id")), len(stores)
    )
    row = pc.if_else(is_from_upload, row_before, own_row)
    names = (column, f"{column}_uploaded_at", f"{column}_is_partial")
    restored = {name: _joined(stores.column(name), before.column(name)).take(row) for name in names}
    return pa.table(
        [restored.get(name, stores.column(name)) for name in STORES.names], schema=STORES
    )


def equal_except_upload_times(first: pa.Table, second: pa.Table) -> bool:
    """Return whether two tables of stores are equal except for their upload times."""
    return bool(first.drop_columns(_UPLOADED_AT).equals(second.drop_columns(_UPLOADED_AT)))


def _replaced(
    stores: pa.Table,
    column: str,
    store_ids: pa.ChunkedArray,
    new: pa.ChunkedArray,
    uploaded_at: datetime,
    partial: pa.Array | None,
) -> pa.Table:
    """Return the stores with new values in one column for `store_ids`, new stores included.

    The result does not depend on the order in which uploads are ingested. The last complete value
    takes precedence. Without a complete value the first partial one does: a partial value never
    replaces another.
    """
    stores = with_stores(stores, store_ids)
    old = stores.column(column)
    old_at = stores.column(f"{column}_uploaded_at")
    old_partial = pc.fill_null(stores.column(f"{column}_is_partial"), False)
    new_at = pa.scalar(uploaded_at, old_at.type)
    ids = stores.column("store_id")
    rejected = pa.array([], pa.string()) if partial is None else partial
    new_partial = pc.is_in(ids, rejected)
    takes_precedence = pc.if_else(
        pc.equal(old_partial, new_partial),
        pc.if_else(new_partial, pc.less(new_at, old_at), pc.greater_equal(new_at, old_at)),
        old_partial,
    )
    takes_precedence = pc.or_(pc.is_null(old), pc.fill_null(takes_precedence, True))
    new_row = pc.if_else(takes_precedence, pc.index_in(ids, store_ids), None)
    row = pc.coalesce(pc.add(new_row, len(old)), pa.array(np.arange(len(old), dtype=np.int32)))
    is_new = pc.is_valid(new_row)
    partial_or_null = pc.if_else(new_partial, True, None)  # null as in files that lack the column
    replaced = {
        column: _joined(old, new).take(row),
        f"{column}_uploaded_at": pc.if_else(is_new, new_at, old_at),
        f"{column}_is_partial": pc.if_else(
            is_new, partial_or_null, stores.column(f"{column}_is_partial")
        ),
    }
    return pa.table(
        [replaced.get(name, stores.column(name)) for name in STORES.names], schema=STORES
    )


def _joined(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([*first.chunks, *second.chunks], first.type)

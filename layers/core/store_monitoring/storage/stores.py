"""Tables of stores: one row per store, with what is known of it (schema `STORES`)."""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.runs import sum_before
from store_monitoring.storage.keys import stores_key
from store_monitoring.storage.ports import StoresFile, Tables
from store_monitoring.storage.schemas import ATTRIBUTES, STORES

_UPLOADED_AT = [name for name in STORES.names if name.endswith("_uploaded_at")]


def write_stores(bucket: int, version: str, stores: pa.Table, tables: Tables) -> StoresFile:
    """Write a version of a bucket's stores."""
    key = stores_key(bucket, version)
    size = tables.write_table(key, _known_columns(stores))
    return StoresFile(bucket, key, len(stores), size, _attribute_columns(stores))


def _known_columns(stores: pa.Table) -> pa.Table:
    """Drop columns without any value: reading them would cost as much as reading values."""
    known = [
        name
        for name, values in zip(stores.column_names, stores.columns, strict=True)
        if name == "store_id" or values.null_count < len(values)
    ]
    return stores.select(known)


def _attribute_columns(stores: pa.Table) -> tuple[str, ...]:
    """Return the names of the attributes that some stores have, ascending."""
    values = pc.struct_field(stores.column("attributes"), ["values"]).combine_chunks()
    keys = values.keys[values.offsets[0].as_py() : values.offsets[-1].as_py()]
    return tuple(sorted(keys.unique().to_pylist()))


def with_stores(stores: pa.Table, store_ids: pa.ChunkedArray) -> pa.Table:
    """Return the stores, with an empty row added for each of `store_ids` that is missing."""
    every_id = pc.unique(_concat(stores.column("store_id"), store_ids))
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
        One row per store.
    uploaded_at : datetime
    partial : string array, optional
        Ids of the stores of which the upload had rejected rows: see `_replace_column`.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> zones = pa.table({"store_id": ["b", "a"], "timezone": ["Asia/Tokyo", "UTC"]})
    >>> with_zones(STORES.empty_table(), zones, datetime.now(UTC)).column("timezone").to_pylist()
    ['UTC', 'Asia/Tokyo']
    """
    store_ids, new = zones.column("store_id"), zones.column("timezone")
    return _replace_column(stores, "timezone", store_ids, new, uploaded_at, partial)


def with_rows(
    stores: pa.Table,
    column: str,
    rows: pa.Table,
    uploaded_at: datetime,
    partial: pa.Array | None = None,
) -> pa.Table:
    """Return the stores with the rows of an upload, unless another upload takes precedence.

    An upload replaces all rows in the column of the stores that it names.

    Parameters
    ----------
    stores : table of schema `STORES`
    column : str
        "hours", "special_hours" or "exclusions".
    rows : table of store_id and the fields of the column's rows
        Any order; repeated rows count once. It may lack `reason`.
    uploaded_at : datetime
    partial : string array, optional
        Ids of the stores of which the upload had rejected rows: see `_replace_column`.
    """
    fields = list(STORES.field(column).type.value_type)
    for field in fields:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    keys = ["store_id", *(field.name for field in fields)]
    rows = rows.group_by(keys).aggregate([]).sort_by([(key, "ascending") for key in keys])
    rows = rows.combine_chunks()
    named = pc.unique(rows.column("store_id"))
    store = pc.index_in(rows.column("store_id"), named).to_numpy()
    lists = pa.ListArray.from_arrays(
        pa.array(np.searchsorted(store, np.arange(len(named) + 1)), pa.int32()),
        pa.StructArray.from_arrays(
            [rows.column(field.name).combine_chunks() for field in fields], fields=fields
        ),
        type=STORES.field(column).type,
    )
    new = pa.chunked_array([lists])
    return _replace_column(stores, column, pa.chunked_array([named]), new, uploaded_at, partial)


def with_attributes(
    stores: pa.Table, rows: pa.Table, uploaded_at: datetime, partial: pa.Array | None = None
) -> pa.Table:
    """Return the stores with the attributes of an upload, unless another upload takes precedence.

    An upload replaces all attributes of the stores that it names.

    Parameters
    ----------
    stores : table of schema `STORES`
    rows : table of store_id and any other columns
        One row per store; null where a store has no value. `name`, `target_percent` and
        `revenue_per_hour` have the types of `ATTRIBUTES`; the others are text.
    uploaded_at : datetime
    partial : string array, optional
        Ids of the stores of which the upload had rejected rows: see `_replace_column`.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> rows = pa.table({"store_id": ["a"], "region": ["West"], "brand": ["Nori"]})
    >>> stores = with_attributes(STORES.empty_table(), rows, datetime.now(UTC))
    >>> stores.column("attributes")[0].as_py()["values"]
    [('brand', 'Nori'), ('region', 'West')]
    """
    rows = rows.combine_chunks()
    own = {
        field.name: rows.column(field.name).combine_chunks()
        if field.name in rows.column_names
        else pa.nulls(len(rows), field.type)
        for field in list(ATTRIBUTES)[:-1]
    }
    names = sorted(set(rows.column_names) - {"store_id", *own})
    new = pa.StructArray.from_arrays(
        [*own.values(), _values(rows.select(names))], fields=list(ATTRIBUTES)
    )
    store_ids = rows.column("store_id")
    return _replace_column(
        stores, "attributes", store_ids, pa.chunked_array([new]), uploaded_at, partial
    )


def _values(texts: pa.Table) -> pa.MapArray:
    """Return the values of each row by column name, without nulls."""
    columns = [column.combine_chunks() for column in texts.columns]
    is_valid = np.array(
        [pc.is_valid(column).to_numpy(zero_copy_only=False) for column in columns], np.bool_
    ).reshape(len(columns), len(texts))
    row, column = np.nonzero(is_valid.T)
    values = pa.concat_arrays([pa.array([], pa.string()), *columns])
    return pa.MapArray.from_arrays(
        pa.array(sum_before(is_valid.sum(axis=0)), pa.int32()),
        pa.array(texts.column_names, pa.string()).take(pa.array(column)),
        values.take(pa.array(column * len(texts) + row)),
    )


def last_rows(chunks: Iterable[pa.Table]) -> pa.Table:
    """Return the last row of each store in a file that is read in chunks, in the order of the file.

    Memory grows with the number of stores, not with the number of rows.

    Parameters
    ----------
    chunks : iterable of tables
        At least one; `store_id` is the first column, a dictionary.

    Returns
    -------
    table
        With `store_id` as strings.
    """
    last: pa.Table | None = None
    for chunk in chunks:
        rows = chunk.set_column(0, "store_id", chunk.column("store_id").cast(pa.string()))
        rows = rows if last is None else pa.concat_tables([last, rows])
        store = rows.column("store_id").combine_chunks().dictionary_encode().indices.to_numpy()
        _, from_end = np.unique(store[::-1], return_index=True)
        last = rows.take(pa.array(np.sort(len(rows) - 1 - from_end))).combine_chunks()
    assert last is not None
    return last


def with_restored(
    stores: pa.Table, column: str, uploaded_at: datetime, before: pa.Table
) -> pa.Table:
    """Return the stores with an upload undone: with the values from before it.

    Parameters
    ----------
    stores, before : tables of schema `STORES`
    column : str
        "timezone", "hours", "special_hours", "exclusions" or "attributes".
    uploaded_at : datetime
        Upload time of the values to undo; values with another upload time stay.
    """
    at = stores.column(f"{column}_uploaded_at")
    is_from_upload = pc.fill_null(pc.equal(at, pa.scalar(uploaded_at, at.type)), False)
    own_row = pa.array(np.arange(len(stores), dtype=np.int32))
    row_before = pc.add(
        pc.index_in(stores.column("store_id"), before.column("store_id")), len(stores)
    )
    row = pc.if_else(is_from_upload, row_before, own_row)
    names = (column, f"{column}_uploaded_at", f"{column}_is_partial")
    restored = {name: _concat(stores.column(name), before.column(name)).take(row) for name in names}
    return pa.table(
        [restored.get(name, stores.column(name)) for name in STORES.names], schema=STORES
    )


def attribute_values(attributes: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return the values of one attribute, given each store's map; "" if it has none (rule 23)."""
    return pc.fill_null(pc.map_lookup(attributes, pa.scalar(name), "first"), "")


def equal_except_upload_times(first: pa.Table, second: pa.Table) -> bool:
    """Return whether two tables of stores are equal except for their upload times."""
    return bool(first.drop_columns(_UPLOADED_AT).equals(second.drop_columns(_UPLOADED_AT)))


def _replace_column(
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
        column: _concat(old, new).take(row),
        f"{column}_uploaded_at": pc.if_else(is_new, new_at, old_at),
        f"{column}_is_partial": pc.if_else(
            is_new, partial_or_null, stores.column(f"{column}_is_partial")
        ),
    }
    return pa.table(
        [replaced.get(name, stores.column(name)) for name in STORES.names], schema=STORES
    )


def _concat(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([*first.chunks, *second.chunks], first.type)

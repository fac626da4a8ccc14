"""Schemas of all Parquet files in the data bucket."""

from typing import Any

import pyarrow as pa


def _field(field_id: int, name: str, type_: Any, *, nullable: bool = True) -> pa.Field:
    """Return a field with an id, by which Iceberg finds columns; an id never gets a new meaning."""
    return pa.field(name, type_, nullable, metadata={"PARQUET:field_id": str(field_id)})


POLLS = pa.schema(
    [
        _field(1, "store_id", pa.string(), nullable=False),
        _field(2, "timestamp", pa.timestamp("us", tz="UTC"), nullable=False),
        _field(3, "active", pa.bool_(), nullable=False),
    ]
)
"""Older files have no field ids."""

POLLS_AS_READ = POLLS.set(
    POLLS.get_field_index("store_id"),
    _field(1, "store_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
)
"""`POLLS` as it is read: with a dictionary, each of a row group's few ids is in memory once."""

HOURS_ROW = pa.struct(
    [
        pa.field("day", pa.int8(), nullable=False),
        pa.field("start_us", pa.int64(), nullable=False),
        pa.field("end_us", pa.int64(), nullable=False),
    ]
)

SPECIAL_HOURS_ROW = pa.struct(
    [
        pa.field("date", pa.date32(), nullable=False),
        pa.field("start_us", pa.int64()),
        pa.field("end_us", pa.int64()),
        pa.field("reason", pa.string()),
    ]
)
"""Opening hours of one date (rule 16); without both times the store is closed on that date."""

EXCLUSION = pa.struct(
    [
        pa.field("start", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("end", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("reason", pa.string()),
    ]
)

ATTRIBUTES = pa.struct(
    [
        pa.field("name", pa.string()),
        pa.field("target_percent", pa.decimal128(7, 4)),
        pa.field("revenue_per_hour", pa.decimal128(14, 4)),
        pa.field("values", pa.map_(pa.string(), pa.string())),
    ]
)
"""What is known of a store besides its calendar.

`values` are the columns to group and filter by, in ascending order; a store has no entry for a
column in which it has no value.
"""

STORES = pa.schema(
    [
        pa.field("store_id", pa.string(), nullable=False),
        pa.field("timezone", pa.string()),
        pa.field("timezone_uploaded_at", pa.timestamp("us", tz="UTC")),
        pa.field("hours", pa.list_(HOURS_ROW)),
        pa.field("hours_uploaded_at", pa.timestamp("us", tz="UTC")),
        pa.field("timezone_is_partial", pa.bool_()),
        pa.field("hours_is_partial", pa.bool_()),
        pa.field("attributes", ATTRIBUTES),
        pa.field("attributes_uploaded_at", pa.timestamp("us", tz="UTC")),
        pa.field("attributes_is_partial", pa.bool_()),
        pa.field("special_hours", pa.list_(SPECIAL_HOURS_ROW)),
        pa.field("special_hours_uploaded_at", pa.timestamp("us", tz="UTC")),
        pa.field("special_hours_is_partial", pa.bool_()),
        pa.field("exclusions", pa.list_(EXCLUSION)),
        pa.field("exclusions_uploaded_at", pa.timestamp("us", tz="UTC")),
        pa.field("exclusions_is_partial", pa.bool_()),
    ]
)
"""One row per store, ascending by `store_id`; null where something is not known.

`…_uploaded_at` prevents an upload that is ingested late from replacing a later upload.
`…_is_partial` is true if rows of the store were rejected in the upload, otherwise null.

A file lacks columns in which no store has a value; an older file also lacks columns that were added
later.
"""

TOTAL_COLUMNS = tuple(
    f"{measure}_last_{window}_us"
    for measure in ("uptime", "downtime", "no_data", "covered", "excluded")
    for window in ("hour", "day", "week")
)
"""Exact microseconds; the first three measures add up to the business time (rule 19)."""

PART = pa.schema(
    [
        pa.field("store_id", pa.string(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in TOTAL_COLUMNS),
        pa.field("polls_last_week", pa.int64(), nullable=False),
        pa.field("last_poll_at", pa.timestamp("us", tz="UTC")),
        pa.field("last_poll_active", pa.bool_()),
        pa.field("open_now", pa.bool_(), nullable=False),
        pa.field("outages_last_week", pa.int64(), nullable=False),
        pa.field("longest_outage_last_week_us", pa.int64(), nullable=False),
        pa.field("incidents_last_week", pa.int64(), nullable=False),
        pa.field("recoveries_last_week", pa.int64(), nullable=False),
        pa.field("recovery_last_week_us", pa.int64(), nullable=False),
        pa.field("outage_hours", pa.list_(pa.uint8()), nullable=False),
        pa.field("timezone", pa.string()),
        *(ATTRIBUTES.field(name) for name in ("name", "target_percent", "revenue_per_hour")),
        ATTRIBUTES.field("values").with_name("attributes"),
    ]
)
"""What one shard computed: one row per store, ascending by `store_id`.

The last poll is null where no poll is known, the time zone where none was uploaded, and so are the
attributes. A recovery is an incident that an active poll ended; `recovery_…` is the total length of
these. `outage_hours` has the local hour of the week in which each outage starts: 0 is Monday,
00:00 to 01:00.
"""

PERIOD_PART = pa.schema(
    [
        pa.field("store_id", pa.string(), nullable=False),
        pa.field("window_start", pa.string(), nullable=False),
        pa.field("window_end", pa.string(), nullable=False),
        pa.field("window_date", pa.date32(), nullable=False),
        *(
            pa.field(f"{measure}_us", pa.int64(), nullable=False)
            for measure in ("uptime", "downtime", "no_data", "covered", "excluded")
        ),
        pa.field("polls", pa.int64(), nullable=False),
        pa.field("outages", pa.int64(), nullable=False),
        pa.field("longest_outage_us", pa.int64(), nullable=False),
        pa.field("incidents", pa.int64(), nullable=False),
        pa.field("recoveries", pa.int64(), nullable=False),
        pa.field("recovery_us", pa.int64(), nullable=False),
        pa.field("outage_hours", pa.list_(pa.uint8()), nullable=False),
        pa.field("is_last", pa.bool_(), nullable=False),
        pa.field("last_poll_at", pa.timestamp("us", tz="UTC")),
        pa.field("silent_us", pa.int64()),
        pa.field("timezone", pa.string()),
        *(ATTRIBUTES.field(name) for name in ("name", "target_percent", "revenue_per_hour")),
        ATTRIBUTES.field("values").with_name("attributes"),
    ]
)
"""What one shard computed for a period: one row per window, ascending by `store_id` and time.

`window_start` and `window_end` are local times in ISO 8601 with the offset. `window_date` is the
date on which the window's day, week or month begins, the same for all stores; for a whole period,
it is 1970-01-01. `is_last` is true for each store's last window. `silent_us` is the time from the
store's last known poll to its last window's end; it is null, as `last_poll_at`, if none is known.
The other columns are those of `PART`.
"""

OUTAGES = pa.schema(
    [
        pa.field("store_id", pa.string(), nullable=False),
        pa.field("incident", pa.int64(), nullable=False),
        pa.field("started_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("ended_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("started_at_local", pa.string(), nullable=False),
        pa.field("ended_at_local", pa.string(), nullable=False),
        pa.field("duration_us", pa.int64(), nullable=False),
        pa.field("ongoing", pa.bool_(), nullable=False),
        pa.field("last_up_at", pa.timestamp("us", tz="UTC")),
        pa.field("next_up_at", pa.timestamp("us", tz="UTC")),
    ]
)
"""All outages of a shard's stores: one row each, ascending by `store_id` and `started_at`.

Outages that only closing time splits have the same `incident`, a number per store from 1. Local
times are ISO 8601 with the offset. An `ongoing` outage lasts until now. `last_up_at` and
`next_up_at` are the active polls before and after the incident; null where none is known.
"""

STORE_STATES = pa.schema(
    [
        pa.field("store_id", pa.string(), nullable=False),
        pa.field("up", pa.bool_()),
        pa.field("silent", pa.bool_()),
    ]
)
"""The state of each store when it was last seen open (rule 19).

`up` is null for a store that was silent then: it had a state before, but no longer has a known
poll. Both are null or false for a store without a state. Files of older versions lack `silent`; in
them, a store without a known poll is not `up`.
"""

PUBLISHED_POLLS = POLLS.set(1, POLLS.field(1).with_name("timestamp_utc"))
"""The Iceberg table of polls. Its files are those of schema `POLLS`."""

PUBLISHED_STORES = pa.schema(
    [
        _field(1, "store_id", pa.string(), nullable=False),
        _field(2, "name", pa.string()),
        _field(3, "timezone", pa.string()),
        _field(4, "target_percent", pa.decimal128(7, 4)),
        _field(5, "revenue_per_hour", pa.decimal128(14, 4)),
        _field(
            6,
            "attributes",
            pa.map_(_field(7, "key", pa.string(), nullable=False), _field(8, "value", pa.string())),
        ),
        _field(
            9,
            "hours",
            pa.list_(
                _field(
                    10,
                    "element",
                    pa.struct(
                        [
                            _field(11, "day", pa.int32(), nullable=False),
                            _field(12, "start_us", pa.int64(), nullable=False),
                            _field(13, "end_us", pa.int64(), nullable=False),
                        ]
                    ),
                )
            ),
        ),
        _field(
            14,
            "special_hours",
            pa.list_(
                _field(
                    15,
                    "element",
                    pa.struct(
                        [
                            _field(16, "date", pa.date32(), nullable=False),
                            _field(17, "start_us", pa.int64()),
                            _field(18, "end_us", pa.int64()),
                            _field(19, "reason", pa.string()),
                        ]
                    ),
                )
            ),
        ),
        _field(
            20,
            "exclusions",
            pa.list_(
                _field(
                    21,
                    "element",
                    pa.struct(
                        [
                            _field(22, "start", pa.timestamp("us", tz="UTC"), nullable=False),
                            _field(23, "end", pa.timestamp("us", tz="UTC"), nullable=False),
                            _field(24, "reason", pa.string()),
                        ]
                    ),
                )
            ),
        ),
    ]
)
"""The Iceberg table of reference data: `STORES`, flattened. Null where something is not known."""

REPORT_ROWS = pa.schema(
    [
        _field(1, "report_id", pa.string(), nullable=False),
        _field(2, "as_of", pa.timestamp("us", tz="UTC"), nullable=False),
        _field(3, "window_name", pa.string(), nullable=False),
        _field(4, "window_start", pa.timestamp("us", tz="UTC"), nullable=False),
        _field(5, "window_end", pa.timestamp("us", tz="UTC"), nullable=False),
        _field(6, "store_id", pa.string(), nullable=False),
        _field(7, "uptime_us", pa.int64(), nullable=False),
        _field(8, "downtime_us", pa.int64(), nullable=False),
        _field(9, "no_data_us", pa.int64(), nullable=False),
        _field(10, "covered_us", pa.int64(), nullable=False),
        _field(11, "excluded_us", pa.int64(), nullable=False),
        _field(12, "outages", pa.int64()),
        _field(13, "longest_outage_us", pa.int64()),
        _field(14, "incidents", pa.int64()),
        _field(15, "recoveries", pa.int64()),
        _field(16, "recovery_us", pa.int64()),
        _field(17, "name", pa.string()),
        _field(18, "timezone", pa.string()),
        _field(19, "target_percent", pa.decimal128(7, 4)),
        _field(20, "revenue_per_hour", pa.decimal128(14, 4)),
        _field(
            21,
            "attributes",
            pa.map_(
                _field(22, "key", pa.string(), nullable=False), _field(23, "value", pa.string())
            ),
        ),
        _field(24, "window_date", pa.date32()),
    ]
)
"""The Iceberg table of complete reports: one row per report, window and store.

The measures are those of `PART`, exact. Those of outages are null in windows for which they are not
computed. `window_date` is that of `PERIOD_PART`; null if the window is not a day, week or month.
Attributes are those of the report's snapshot.
"""

"""Schemas of all Parquet files in the data bucket."""

import pyarrow as pa

POLLS = pa.schema(
    [
        pa.field("store_id", pa.string(), nullable=False),
        pa.field("timestamp", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("active", pa.bool_(), nullable=False),
    ]
)

POLLS_AS_READ = POLLS.set(
    POLLS.get_field_index("store_id"),
    pa.field("store_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
)
"""The same when read: with a dictionary, each of a row group's few ids is stored once."""

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

`…_uploaded_at` keeps an upload that is ingested late from replacing a later one. `…_is_partial` is
true if rows of the store were rejected in the upload, otherwise null. A file lacks columns of which
no store has a value, an older one also those that were added later.
"""

TOTAL_COLUMNS = tuple(
    f"{measure}_last_{window}_us"
    for measure in ("uptime", "downtime", "no_data", "covered", "excluded")
    for window in ("hour", "day", "week")
)
"""Exact microseconds: the first three measures are together the business time (rule 19)."""

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
attributes. A recovery is an incident that an active poll ended; `recovery_…` is the length of all
of them. `outage_hours` has the local hour of the week in which each outage starts: 0 is Monday,
00:00 to 01:00.
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

`up` is null for a store that was silent then: it had a state before, but has no known poll any
more. Both are null or false for a store without a state. Files of older versions lack `silent`; in
them, a store without a known poll is not `up`.
"""

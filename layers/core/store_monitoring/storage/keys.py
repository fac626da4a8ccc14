"""Keys of the data bucket. All are deterministic: a repeated step writes the same bytes again."""

from zlib import crc32


def bucket_of(store_id: str, bucket_count: int) -> int:
    """Return the bucket of a store: CRC-32 (ISO-HDLC) of its id in UTF-8, modulo the count.

    >>> bucket_of("00017c6a-7a77-4a95-bb2d-40647868aff6", 64)
    58
    """
    return crc32(store_id.encode()) % bucket_count


def polls_key(bucket: int, ingest_id: str) -> str:
    """Return the key of the polls of one ingest in one bucket of stores."""
    return f"polls/bucket={bucket:03d}/{ingest_id}.parquet"


def stores_key(bucket: int, version: str) -> str:
    """Return the key of one version of a bucket's stores."""
    return f"stores/bucket={bucket:03d}/{version}.parquet"


def rejects_key(ingest_id: str) -> str:
    """Return the key of the rows that an ingest rejected."""
    return f"rejects/{ingest_id}.csv"


def request_key(report_id: str) -> str:
    """Return the key of a report's request."""
    return f"reports/{report_id}/request.json"


def plan_key(report_id: str) -> str:
    """Return the key of a report's plan."""
    return f"reports/{report_id}/plan.json"


def shards_key(report_id: str) -> str:
    """Return the key of the list of shards that the Distributed Map reads."""
    return f"reports/{report_id}/shards.json"


def parts_prefix(report_id: str) -> str:
    """Return the prefix of a report's parts.

    The version of the schema is part of it, so a part of an older version is never read.
    """
    return f"reports/{report_id}/parts/v2-"


def part_key(report_id: str, shard: int) -> str:
    """Return the key of the part that one shard computed."""
    return f"{parts_prefix(report_id)}{shard:05d}.parquet"


def outages_key(report_id: str, shard: int) -> str:
    """Return the key of the outages of one shard's stores."""
    return f"reports/{report_id}/parts/{shard:05d}-outages.parquet"


def store_states_key(report_id: str) -> str:
    """Return the key of the state of each store at the end of a report."""
    return f"reports/{report_id}/store_states.parquet"


def summary_key(report_id: str) -> str:
    """Return the key of a report's summary."""
    return f"reports/{report_id}/summary.json"


def table_key(report_id: str, file_name: str) -> str:
    """Return the key of a further table of a report, such as `groups.csv`."""
    return f"reports/{report_id}/{file_name}"


def report_key(report_id: str, ending: str) -> str:
    """Return the key of the report itself, in one of its formats."""
    return f"reports/{report_id}/report.{ending}"


PUBLISHED_PREFIX = "tables/"
"""Prefix of the Iceberg tables: their metadata, and the data files written for them."""


def published_stores_key(stores_key: str) -> str:
    """Return the key of the data file of the table `stores` for a stores file.

    >>> published_stores_key("stores/bucket=003/00000012-0b6c.parquet")
    'tables/stores/data/bucket=003/00000012-0b6c.parquet'
    """
    return stores_key.replace("stores/", f"{PUBLISHED_PREFIX}stores/data/", 1)


def published_report_key(report_id: str) -> str:
    """Return the key of the rows of a report in the table `report_rows`."""
    return f"{PUBLISHED_PREFIX}report_rows/data/{report_id}.parquet"

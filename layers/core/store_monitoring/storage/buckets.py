"""The bucket of a store."""

from zlib import crc32


def bucket_of(store_id: str, bucket_count: int) -> int:
    """Return the bucket of a store: CRC-32 (ISO-HDLC) of its id in UTF-8, modulo the count.

    >>> bucket_of("00017c6a-7a77-4a95-bb2d-40647868aff6", 64)
    58
    """
    return crc32(store_id.encode()) % bucket_count

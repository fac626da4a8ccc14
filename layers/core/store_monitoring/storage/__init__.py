"""Layout of the data bucket: keys, buckets of stores, Parquet schemas."""
